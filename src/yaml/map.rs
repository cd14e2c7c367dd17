//! Reading a mapping whose keys are known.

use super::problem::Problems;
use super::read::did_you_mean;
use super::source::Place;
use super::tree::{Content, Entry, Node};

/// A mapping: its entries, and what to call it.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    what: &'a str,
    place: &'a Place,
    entries: &'a [Entry],
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
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = did_you_mean(&entry.key, known.iter().copied());
            let list = || format!("{what} can have {}", ticked(known));
            problems.error(&entry.place, format!("unknown key `{}`", entry.key)).hint(near.unwrap_or_else(list));
        }
        Map { what, place: &self.place, entries }
    }
}

impl<'a> Map<'a> {
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
        if found.is_none() {
            let place = self.entry(key).map_or(self.place, |entry| &entry.place);
            problems.error(place, format!("{} has no `{key}`", self.what));
        }
        found
    }
}

/// Returns the words in backticks with commas between.
fn ticked(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
