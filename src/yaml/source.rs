//! A text with a name, and places in it.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::json;

use super::Problems;
use crate::encoding::{self, Foreign};

/// A text that settings or a job were read from: a file, an environment variable or a flag.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// What the person calls it: `jobs/daily.yaml`, `env SOFLOW_TARGET`, `--target`.
    pub origin: String,
    /// Its lines, without line ends.
    pub lines: Vec<String>,
    numbered: bool,
}

impl Source {
    /// Returns the source of a file's text: without a byte order mark, with one kind of line end.
    pub fn file(origin: impl Into<String>, text: &str) -> Arc<Self> {
        let lines = encoding::plain(text);
        Arc::new(Self { origin: origin.into(), lines: lines.split('\n').map(String::from).collect(), numbered: true })
    }

    /// Returns the place of the value of an environment variable.
    pub fn variable(name: &str, value: &str) -> Place {
        Self::single(format!("env {name}"), &format!("{name}="), value)
    }

    /// Returns the place of the value of a flag, which comes with its dashes.
    pub fn flag(flag: &str, value: &str) -> Place {
        Self::single(flag.into(), &format!("{flag} "), value)
    }

    fn single(origin: String, before: &str, value: &str) -> Place {
        let source = Arc::new(Self { origin, lines: vec![format!("{before}{value}")], numbered: false });
        Place { source, line: 1, column: before.chars().count() + 1, width: value.chars().count().max(1) }
    }

    /// Returns the text of a file's bytes, or the one problem that they are none, shown where that begins.
    ///
    /// # Errors
    /// One problem: what the file is instead of UTF-8 text.
    pub fn decode(origin: &str, bytes: &[u8]) -> Result<String, Problems> {
        encoding::text(bytes).map(String::from).map_err(|Foreign { what, mending, at }| {
            let source = Self::file(origin, &String::from_utf8_lossy(bytes));
            let place = at.map_or_else(
                || source.whole(),
                |at| {
                    let before = Self::file(origin, &String::from_utf8_lossy(&bytes[..at]));
                    let column = before.lines.last().map_or(0, |line| line.chars().count()) + 1;
                    Place { source: Arc::clone(&source), line: before.lines.len(), column, width: 1 }
                },
            );
            let mut problems = Problems::default();
            problems.error(&place, format!("the file is {what}")).hint(mending);
            problems
        })
    }

    /// Returns the place that stands for the source as a whole.
    pub fn whole(self: &Arc<Self>) -> Place {
        Place { source: Arc::clone(self), line: 0, column: 0, width: 0 }
    }
}

/// Some characters of one line of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where the line is.
    pub source: Arc<Source>,
    /// The line, from 1; 0 when the source as a whole is meant.
    pub line: usize,
    /// The first character, from 1.
    pub column: usize,
    /// How many characters.
    pub width: usize,
}

impl Place {
    /// Returns the text of the line.
    pub fn text(&self) -> &str {
        self.line.checked_sub(1).and_then(|index| self.source.lines.get(index)).map_or("", String::as_str)
    }

    /// Returns the line's number, when the source has numbers worth showing.
    pub fn number(&self) -> Option<usize> {
        (self.source.numbered && self.line > 0).then_some(self.line)
    }

    /// Returns `config/soflow.yaml:12`, or just `env SOFLOW_TARGET`.
    pub fn origin(&self) -> String {
        match self.number() {
            Some(line) => format!("{}:{line}", self.source.origin),
            None => self.source.origin.clone(),
        }
    }
}

impl fmt::Display for Place {
    /// Writes `jobs/daily.yaml:12:5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(line) => write!(f, "{}:{line}:{}", self.source.origin, self.column),
            None => f.write_str(&self.source.origin),
        }
    }
}

impl Serialize for Place {
    /// Writes `{origin, line, column, width}`; all but the first are null outside files.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = self.number();
        let [column, width] = [self.column, self.width].map(|part| line.map(|_| part));
        json!({ "origin": self.source.origin, "line": line, "column": column, "width": width }).serialize(serializer)
    }
}
