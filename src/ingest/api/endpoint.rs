//! The endpoints that can be read to their end, and what orders their items.
//!
//! Source of methods, sorts and fields: api.stackexchange.com/docs, version 2.3.

use serde::{Deserialize, Serialize};

/// A list of items that the API has of a site.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its folder in raw: `questions`.
    pub name: &'static str,
    /// Its method: `/questions`.
    pub method: &'static str,
    /// What the API's filters call its items: `question`.
    pub item: &'static str,
    /// The field that tells its items apart.
    pub id: &'static str,
    /// The order in which everything of a window is come by.
    pub order: ReadOrder,
}

/// How new and changed items are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOrder {
    /// By last activity: whatever is created or changed moves to the end.
    Activity,
    /// By creation: changes cannot be seen.
    Creation,
    /// By last modification, which items that were never modified do not have.
    Modification,
    /// By name: always everything, as it is now.
    Name,
}

/// A `sort` of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// By `last_activity_date`.
    Activity,
    /// By `creation_date`.
    Creation,
    /// By `last_modified_date`.
    Modified,
    /// By `name`.
    Name,
}

impl Sort {
    /// Returns the value of the parameter `sort`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Creation => "creation",
            Self::Modified => "modified",
            Self::Name => "name",
        }
    }

    /// Returns the field of an item that `min` and `max` are compared with.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Activity => "last_activity_date",
            Self::Creation => "creation_date",
            Self::Modified => "last_modified_date",
            Self::Name => "name",
        }
    }
}

const ENDPOINTS: [Endpoint; 7] = [
    Endpoint {
        name: "questions",
        item: "question",
        method: "/questions",
        id: "question_id",
        order: ReadOrder::Activity,
    },
    Endpoint { name: "answers", item: "answer", method: "/answers", id: "answer_id", order: ReadOrder::Activity },
    Endpoint { name: "comments", item: "comment", method: "/comments", id: "comment_id", order: ReadOrder::Creation },
    Endpoint { name: "posts", item: "post", method: "/posts", id: "post_id", order: ReadOrder::Activity },
    Endpoint { name: "tags", item: "tag", method: "/tags", id: "name", order: ReadOrder::Name },
    Endpoint {
        name: "synonyms",
        item: "tag_synonym",
        method: "/tags/synonyms",
        id: "from_tag",
        order: ReadOrder::Creation,
    },
    Endpoint { name: "users", item: "user", method: "/users", id: "user_id", order: ReadOrder::Modification },
];

/// Returns the endpoint called `name`.
pub fn endpoint(name: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.name == name)
}

/// Returns the names of all endpoints.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.name)
}
