//! The tree a YAML text becomes. Scalars stay text: what they mean is decided by whoever reads them.

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

    /// Returns whether it is YAML's null, which is also what a key without a value has.
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Returns what it is, for "must be text, found a list".
    pub fn describe(&self) -> String {
        match &self.content {
            Content::List(_) => "a list".into(),
            Content::Map(_) => "a mapping".into(),
            Content::Scalar { .. } if self.is_null() => "nothing".into(),
            Content::Scalar { text, plain: true } if core_bool(text).is_some() => format!("`{text}`"),
            Content::Scalar { text, plain: true } if core_float(text).is_some() => format!("the number {text}"),
            Content::Scalar { text, .. } if text.chars().count() > 40 || text.contains('\n') => "text".into(),
            Content::Scalar { text, .. } => format!("`{text}`"),
        }
    }
}

/// Returns the boolean an unquoted scalar is, by YAML 1.2's core schema.
pub(crate) fn core_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Returns the whole number an unquoted scalar is. Decimal only: a leading zero would be octal to some readers.
pub(crate) fn core_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0');
    if padded || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Returns the finite number an unquoted scalar is.
pub(crate) fn core_float(text: &str) -> Option<f64> {
    // Rust reads `inf`, `nan` and `infinity` as numbers; a config never means them.
    let numeric = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !numeric || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}
