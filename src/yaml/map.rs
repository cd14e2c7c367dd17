//! Reading a mapping whose keys are known.

use super::problem::Problems;
use super::read::{closest, meant};
use super::source::Place;
use super::tree::{Content, Entry, Node};

/// A mapping: its entries, and what to call it.
#[derive(Clone, Debug)]
pub struct Map<'a> {
    what: &'a str,
    place: &'a Place,
    entries: &'a [Entry],
    /// Known keys that an unknown one was probably meant to be.
    misspelt: Vec<String>,
    /// Whether it is a mapping at all.
    readable: bool,
}

impl Node {
    /// Returns the entries of a mapping with any keys, or none when it is null.
    pub fn entries(&self, what: &str, problems: &mut Problems) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ if self.is_null() => &[],
            _ => {
                problems.error(&self.place, format!("{what} must be a mapping, found {}", self.describe()));
                &[]
            }
        }
    }

    /// Returns a mapping, noting each key that is not in `known`.
    pub fn map<'a>(&'a self, what: &'a str, known: &[&str], problems: &mut Problems) -> Map<'a> {
        let entries = self.entries(what, problems);
        let mut misspelt = Vec::new();
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = closest(&entry.key, known.iter().copied());
            let hint = near.map_or_else(|| format!("{what} can have {}", ticked(known)), meant);
            problems.error(&entry.place, format!("unknown key `{}`", entry.key)).hint(hint);
            misspelt.extend(near.map(String::from));
        }
        let readable = matches!(self.content, Content::Map(_)) || self.is_null();
        Map { what, place: &self.place, entries, misspelt, readable }
    }
}

impl<'a> Map<'a> {
    /// Returns where the mapping was written.
    pub fn place(&self) -> &'a Place {
        self.place
    }

    /// Returns the value of `key`, unless it is absent or null.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// Returns the entry of `key`, whatever its value.
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns the value of `key`, noting when it is absent or null.
    pub fn required(&self, key: &str, problems: &mut Problems) -> Option<&'a Node> {
        let found = self.get(key);
        if let Some(place) = self.lacks(key, self.place) {
            problems.error(place, format!("{} has no `{key}`", self.what));
        }
        found
    }

    /// Returns where to say that `key` is absent or null: at the key, else at `otherwise`.
    ///
    /// `None` when it has a value, and when another problem already says why it has none.
    pub fn lacks<'p>(&'p self, key: &str, otherwise: &'p Place) -> Option<&'p Place> {
        let explained = !self.readable || self.misspelt.iter().any(|other| other == key);
        match self.entry(key) {
            Some(entry) => entry.value.is_null().then_some(&entry.place),
            None => (!explained).then_some(otherwise),
        }
    }
}

/// Returns the words in backticks with commas between.
fn ticked(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
