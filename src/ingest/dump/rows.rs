//! The rows of one file of the dump, line by line. Holds one line at a time and changes nothing in a row.
//!
//! The form, as all dumps have it: UTF-8, with or without a byte order mark, an XML declaration, `<posts>`, one
//! `<row … />` a line, `</posts>`.

use std::io::{BufRead, Read as _};

use super::damage;
use super::table::DumpTable;
use crate::encoding::{self, Foreign, MARK};
use crate::error::{Error, Kind, Result};

/// Longest line in bytes. A post has at most 30,000 characters, and an edit comment or a profile fewer; escaped twice
/// they are less than a megabyte. A file without line ends would otherwise be read into memory whole.
const LONGEST_LINE: u64 = 16 << 20;
/// Most characters of a line that an error shows.
const SHOWN: usize = 100;
/// What XML calls white space. Source: XML 1.0, section 2.3.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Reads rows.
pub struct RowReader<R> {
    input: R,
    table: DumpTable,
    name: String,
    line: Vec<u8>,
    number: u64,
    rows: u64,
    state: XmlState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum XmlState {
    /// Before the root element.
    Before,
    /// Inside of it.
    Inside,
    /// After its end.
    After,
}

impl<R: BufRead> RowReader<R> {
    /// Returns a reader of the file of `table` that people know as `name`.
    pub fn new(input: R, table: DumpTable, name: &str) -> Self {
        let (line, state) = (Vec::new(), XmlState::Before);
        Self { input, table, name: name.into(), line, number: 0, rows: 0, state }
    }

    /// Goes to the next row; returns whether there is one.
    ///
    /// # Errors
    /// `Usage`, naming file, line and text, when the file is not a whole file of this table; `Machine` when it cannot
    /// be read.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let mut bounded = (&mut self.input).take(LONGEST_LINE + 1);
            let read = bounded.read_until(b'\n', &mut self.line);
            if read.map_err(|error| damage::while_reading(&self.name, self.rows, error))? == 0 {
                return self.end().map(|()| false);
            }
            self.number += 1;
            if self.take_line()? {
                self.rows += 1;
                return Ok(true);
            }
        }
    }

    /// Returns the row: from `<row` to `/>`, without the blanks around it.
    pub fn row(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    /// Returns whether the line is a row.
    fn take_line(&mut self) -> Result<bool> {
        if self.line.len() as u64 > LONGEST_LINE {
            if self.state == XmlState::Before && self.line.contains(&b'\r') {
                return Err(self.carriage_returns());
            }
            return Err(self.wrong(&format!("is longer than {} MiB", LONGEST_LINE >> 20), ""));
        }
        let whole = self.line.ends_with(b"\n");
        let text = match encoding::text(&self.line) {
            Ok(text) => text,
            Err(_) if !whole && self.state == XmlState::Inside => return Err(self.cut_short()),
            Err(foreign) => return Err(self.foreign(foreign)),
        };
        let text = if self.number == 1 { text.strip_prefix(MARK).unwrap_or(text) } else { text };
        let text = text.trim_matches(BLANKS);
        // In the values of rows it is escaped.
        if self.state == XmlState::Before && text.contains('\r') {
            return Err(self.carriage_returns());
        }
        if text.is_empty() {
            return Ok(false);
        }
        match self.state {
            XmlState::Before => self.state = self.opened(text)?,
            XmlState::Inside if closes(text, self.table) => self.state = XmlState::After,
            XmlState::Inside if is_row(text) => return Ok(true),
            XmlState::Inside if !whole => return Err(self.cut_short()),
            XmlState::Inside => return Err(self.wrong(no_row(text), text)),
            XmlState::After => return Err(self.wrong("comes after the end of the table", text)),
        }
        Ok(false)
    }

    /// Returns the state after a line before the rows.
    fn opened(&self, text: &str) -> Result<XmlState> {
        if let Some(declaration) = text.strip_prefix("<?xml").and_then(|rest| rest.strip_suffix("?>")) {
            let told = declaration.split("encoding=").nth(1).map(|value| value.trim_matches(['"', '\'', ' ']));
            return match told {
                Some(other) if !other.to_ascii_lowercase().starts_with("utf-8") => {
                    Err(self.wrong("says the file is not UTF-8", text).hint("take the dump as it was published"))
                }
                _ => Ok(XmlState::Before),
            };
        }
        let Some(tag) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            return Err(self.no_dump(text));
        };
        let (root, state) = match tag.strip_suffix('/') {
            Some(root) => (root.trim_end(), XmlState::After),
            None => (tag, XmlState::Inside),
        };
        if root.eq_ignore_ascii_case(self.table.endpoint()) {
            return Ok(state);
        }
        match DumpTable::ALL.into_iter().find(|table| root.eq_ignore_ascii_case(table.endpoint())) {
            Some(other) => Err(self.other_table(other)),
            None => Err(self.no_dump(text)),
        }
    }

    /// Checks that the file may end here.
    fn end(&self) -> Result<()> {
        match self.state {
            XmlState::After => Ok(()),
            XmlState::Before if self.number == 0 => Err(damage::empty(&self.name)),
            XmlState::Before | XmlState::Inside => Err(self.cut_short()),
        }
    }

    fn wrong(&self, how: &str, text: &str) -> Error {
        let error = Error::new(Kind::Usage, format!("line {} of `{}` {how}", self.number, self.name));
        let error = if text.is_empty() { error } else { error.detail(shown(text)) };
        error.hint("the dump has one `<row … />` a line: take the file as it was published, nothing reformatted")
    }

    fn foreign(&self, Foreign { what, mending, at }: Foreign) -> Error {
        let text = String::from_utf8_lossy(&self.line);
        let (text, place) = match at {
            Some(at) => (text.trim_matches(BLANKS), format!(": byte {} of the line", at + 1)),
            None => ("", String::new()),
        };
        self.wrong(&format!("is {what}{place}"), text).hint(mending)
    }

    fn carriage_returns(&self) -> Error {
        let message = format!("`{}` ends its lines with carriage returns alone", self.name);
        Error::new(Kind::Usage, message)
            .hint(format!("write line feeds: `tr '\\r' '\\n' < {} > mended.xml`", self.name))
    }

    fn no_dump(&self, text: &str) -> Error {
        let root = self.table.endpoint();
        let error = Error::new(Kind::Usage, format!("`{}` is not a file of the data dump", self.name));
        error
            .detail(format!("line {}: {}", self.number, shown(text)))
            .hint(format!("such a file begins with `<?xml …?>` and `<{root}>`, each on a line of its own"))
    }

    fn other_table(&self, other: DumpTable) -> Error {
        let (named, is) = (self.table.endpoint(), other.endpoint());
        let message = format!("`{}` is called after {named}, and its root element is `<{is}>`", self.name);
        Error::new(Kind::Usage, message).hint(format!("if these are {is}, rename the file to `{is}.xml`"))
    }

    fn cut_short(&self) -> Error {
        let end = format!("</{}>", self.table.endpoint());
        damage::cut_short(&self.name, self.rows, &format!("`{end}` is missing at its end"))
    }
}

/// Returns whether `text` is the end of the root element.
fn closes(text: &str, table: DumpTable) -> bool {
    let tag = text.strip_prefix("</").and_then(|rest| rest.strip_suffix('>'));
    tag.is_some_and(|tag| tag.trim_end().eq_ignore_ascii_case(table.endpoint()))
}

/// Returns whether `text` is one row, whole. In attribute values `<` is always escaped, so a second one begins another
/// element.
fn is_row(text: &str) -> bool {
    let inside = text.strip_prefix("<row").and_then(|rest| rest.strip_suffix("/>"));
    inside.is_some_and(|inside| inside.is_empty() || inside.starts_with(BLANKS) && !inside.as_bytes().contains(&b'<'))
}

/// Returns what is wrong with a line that is no row.
fn no_row(text: &str) -> &'static str {
    match text.strip_prefix("<row").filter(|rest| rest.starts_with(BLANKS)) {
        Some(rest) if rest.contains('<') => "has more than one element",
        Some(_) => "is a row that goes on in the next line",
        None => "is neither a row nor the end of the table",
    }
}

fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

#[cfg(test)]
mod tests;
