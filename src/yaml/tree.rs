//! The tree a YAML text becomes. Scalars stay text until a schema or a type says what they are.

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::source::Place;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was written.
    pub content: Content,
    /// Where.
    pub place: Place,
}

/// What a YAML text can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A single value.
    Scalar {
        /// Its text, with quotes and escapes undone.
        text: String,
        /// Whether it was written without quotes, so that `true`, `7` and `null` are not text.
        plain: bool,
    },
    /// `[a, b]` or a list with dashes.
    List(Vec<Node>),
    /// `{a: b}` or lines with colons, in the order written.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub place: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Returns an unquoted scalar, as if `text` had been written at `place`.
    pub fn plain(text: impl Into<String>, place: Place) -> Self {
        Self { content: Content::Scalar { text: text.into(), plain: true }, place }
    }

    /// Returns this node with other text in its place, which is then text whatever it looks like.
    pub fn with_text(&self, text: impl Into<String>) -> Self {
        Self { content: Content::Scalar { text: text.into(), plain: false }, place: self.place.clone() }
    }

    /// Returns whether it is YAML's null, which is also what a key without a value has.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Returns whether it is a mapping.
    pub fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    /// Returns the text of a scalar, empty for anything else.
    pub fn text(&self) -> &str {
        match &self.content {
            Content::Scalar { text, .. } => text,
            _ => "",
        }
    }

    /// Returns the entries of a mapping; anything else has none.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the items of a list; anything else has none.
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns the value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.entries_mut()?.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
    }

    /// Returns the entries of a mapping, to change them.
    pub fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the value at a path of keys, such as `disk.iops`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Puts a value at a key of a mapping, over the one that is there.
    pub fn put(&mut self, key: &str, value: Self) {
        self.put_entry(Entry { key: key.into(), place: value.place.clone(), value });
    }

    /// Puts an entry into a mapping, over the one of the same key.
    pub fn put_entry(&mut self, entry: Entry) {
        let Some(entries) = self.entries_mut() else { return };
        match entries.iter_mut().find(|other| other.key == entry.key) {
            Some(other) => *other = entry,
            None => entries.push(entry),
        }
    }

    /// Returns the value as a type of serde.
    ///
    /// # Errors
    /// What the type lacks or cannot take. Not the way to tell a person: the schema of the type does that, with places.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_value(serde_json::to_value(self)?)
    }

    /// Returns what it is, for "must be text, found a list".
    pub fn describe(&self) -> String {
        match &self.content {
            Content::List(_) => "a list".into(),
            Content::Map(_) => "a mapping".into(),
            Content::Scalar { text, .. } if text.is_empty() || self.is_null() => "nothing".into(),
            Content::Scalar { text, plain: true } if core_bool(text).is_some() => format!("`{text}`"),
            Content::Scalar { text, plain: true } if core_float(text).is_some() => format!("the number {text}"),
            Content::Scalar { text, .. } if text.chars().count() > 40 || text.contains('\n') => "text".into(),
            Content::Scalar { text, .. } => format!("`{text}`"),
        }
    }
}

impl Serialize for Node {
    /// Writes the value alone, unquoted scalars as YAML 1.2's core schema has them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.content {
            Content::List(items) => serializer.collect_seq(items),
            Content::Map(entries) => serializer.collect_map(entries.iter().map(|entry| (&entry.key, &entry.value))),
            _ if self.is_null() => serializer.serialize_unit(),
            Content::Scalar { text, plain: false } => serializer.serialize_str(text),
            Content::Scalar { text, .. } => match (core_bool(text), core_int(text), core_float(text)) {
                (Some(value), ..) => serializer.serialize_bool(value),
                (_, Some(value), _) => serializer.serialize_i64(value),
                (.., Some(value)) => serializer.serialize_f64(value),
                _ => serializer.serialize_str(text),
            },
        }
    }
}

/// Returns the boolean an unquoted scalar is, by YAML 1.2's core schema.
pub fn core_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Returns the whole number an unquoted scalar is. Decimal only: a leading zero would be octal to some readers.
pub fn core_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0');
    if padded || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Returns the finite number an unquoted scalar is.
pub fn core_float(text: &str) -> Option<f64> {
    // Rust reads `inf`, `nan` and `infinity` as numbers; a config never means them.
    let numeric = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !numeric || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
