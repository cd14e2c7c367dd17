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
    Endpoint::new("questions", "/questions", "question", "question_id", ReadOrder::Activity),
    Endpoint::new("answers", "/answers", "answer", "answer_id", ReadOrder::Activity),
    Endpoint::new("comments", "/comments", "comment", "comment_id", ReadOrder::Creation),
    Endpoint::new("posts", "/posts", "post", "post_id", ReadOrder::Activity),
    Endpoint::new("tags", "/tags", "tag", "name", ReadOrder::Name),
    Endpoint::new("synonyms", "/tags/synonyms", "tag_synonym", "from_tag", ReadOrder::Creation),
    Endpoint::new("users", "/users", "user", "user_id", ReadOrder::Modification),
];

impl Endpoint {
    const fn new(
        name: &'static str,
        method: &'static str,
        item: &'static str,
        id: &'static str,
        order: ReadOrder,
    ) -> Self {
        Self { name, method, item, id, order }
    }
}

/// Returns the endpoint called `name`.
pub fn endpoint(name: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.name == name)
}

/// Returns the names of all endpoints.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.name)
}
