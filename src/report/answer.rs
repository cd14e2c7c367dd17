//! What a command answers on stdout: one value, as a JSON document for programs and as text for people.

use serde::Serialize;

use super::style::Style;
use super::table::TextTable;

/// A command's answer. Its fields are those of the document of `--output json`, after `v`.
pub trait Answer: Serialize {
    /// Returns the answer for people; it ends in a newline unless it is empty.
    fn text(&self, layout: &Layout) -> String;
}

/// How an answer is laid out for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// The colours.
    pub style: Style,
    /// The columns of the terminal; `None` when it is none: nothing is cut then.
    pub width: Option<usize>,
}

impl Layout {
    /// Returns the lines of a table, cut to the width.
    pub fn table(&self, table: &TextTable) -> String {
        table.render(&self.style, self.width)
    }
}
