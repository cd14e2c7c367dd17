//! The items there are, and what time it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// A kind of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Questions.
    Questions,
    /// Answers.
    Answers,
    /// Comments on questions and answers.
    Comments,
    /// Tags. They have names, no numbers: a place in the world stands for one.
    Tags,
    /// Users.
    Users,
    /// Tag synonyms, known by `from_tag`.
    Synonyms,
}

impl Kind {
    /// Returns the field that tells an item from all others.
    pub fn identity(self) -> &'static str {
        match self {
            Self::Questions => "question_id",
            Self::Answers => "answer_id",
            Self::Comments => "comment_id",
            Self::Tags => "name",
            Self::Users => "user_id",
            Self::Synonyms => "from_tag",
        }
    }

    /// Returns the field that says when an item last changed.
    fn moves(self) -> &'static str {
        match self {
            Self::Questions | Self::Answers | Self::Tags => "last_activity_date",
            Self::Users => "last_modified_date",
            Self::Synonyms => "last_applied_date",
            // Comments do not show when they were edited, only that.
            Self::Comments => "edited",
        }
    }
}

/// A site: its items and its time.
#[derive(Clone, Debug)]
pub struct World {
    /// The site's time, in seconds since 1970.
    pub now: i64,
    /// The only value of `site` that is known.
    pub site: String,
    items: BTreeMap<Kind, BTreeMap<i64, Value>>,
}

impl World {
    /// Returns a world without items.
    pub fn empty(now: i64) -> Self {
        Self { now, site: "stackoverflow".to_string(), items: BTreeMap::new() }
    }

    /// Puts an item there, in the place of the one with the same id if there is one.
    ///
    /// # Panics
    /// When it has no id.
    pub fn insert(&mut self, kind: Kind, item: Value) {
        let field = kind.identity();
        let id = match &item[field] {
            Value::String(name) => self.place(kind, name),
            id => id.as_i64().unwrap_or_else(|| panic!("an item of {kind:?} needs `{field}`: {item}")),
        };
        self.items.entry(kind).or_default().insert(id, item);
    }

    /// Lets an item change at `activity`, in seconds since 1970: its last activity, a user's last modification. A
    /// comment is marked as edited, which no sort and no bound shows. Does nothing without such an item.
    pub fn touch(&mut self, kind: Kind, id: i64, activity: i64) {
        if let Some(item) = self.items.entry(kind).or_default().get_mut(&id) {
            item[kind.moves()] = if kind == Kind::Comments { json!(true) } else { json!(activity) };
        }
    }

    /// Takes an item away.
    pub fn remove(&mut self, kind: Kind, id: i64) -> Option<Value> {
        self.items.entry(kind).or_default().remove(&id)
    }

    /// Returns the ids there are; for tags and synonyms their places.
    pub fn ids(&self, kind: Kind) -> BTreeSet<i64> {
        self.numbered(kind).map(|(id, _)| id).collect()
    }

    /// Returns the items there are, by id.
    pub fn items(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.numbered(kind).map(|(_, item)| item)
    }

    /// Returns the items there are with their ids.
    pub fn numbered(&self, kind: Kind) -> impl Iterator<Item = (i64, &Value)> {
        self.items.get(&kind).into_iter().flatten().map(|(id, item)| (*id, item))
    }

    /// Returns the first id that is not smaller than `least`.
    pub fn id_from(&self, kind: Kind, least: i64) -> Option<i64> {
        self.items.get(&kind)?.range(least..).next().map(|(id, _)| *id)
    }

    /// Returns the largest id.
    pub fn last_id(&self, kind: Kind) -> Option<i64> {
        self.items.get(&kind)?.last_key_value().map(|(id, _)| *id)
    }

    fn place(&self, kind: Kind, name: &str) -> i64 {
        let known = self.numbered(kind).find(|(_, item)| item[kind.identity()] == name).map(|(id, _)| id);
        known.unwrap_or_else(|| self.last_id(kind).map_or(1, |id| id + 1))
    }
}
