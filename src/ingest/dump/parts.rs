//! Parts: rows put together until they are worth an object of their own in raw.

use std::io::BufRead;

use flate2::Compression;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::rows::RowReader;
use super::table::DumpTable;
use crate::error::Result;
use crate::ingest::manifest::Line;
use crate::ingest::page;

/// Rows of a part in bytes, before compression: a step reads a page of raw whole, and one of more than 64 MB not at all.
/// A quarter of that leaves room for what parsed rows take, and is still few objects: 12,000 for 200 GB.
pub const PART_BYTES: usize = 16 << 20;

/// How hard gzip tries: at 3 it is 2.2 times as fast as at the usual 6, and posts are 6 % larger, both measured.
const LEVEL: Compression = Compression::new(3);

/// Length of `2010-08-25T19:50:51`, without the fraction.
const TO_THE_SECOND: usize = 19;

/// Consecutive rows of one table, one a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RowPart {
    /// The rows, each followed by a line feed.
    pub text: Vec<u8>,
    /// How many.
    pub rows: u64,
    /// The earliest and the latest time a row was made.
    created: Option<([u8; TO_THE_SECOND], [u8; TO_THE_SECOND])>,
}

/// Cuts rows into parts.
pub struct PartCutter<R> {
    rows: RowReader<R>,
    created: &'static str,
    at_most: usize,
    /// Whether the row that `rows` is at did not fit into the part before.
    pending: bool,
}

impl<R: BufRead> PartCutter<R> {
    /// Returns the parts of the rows of `table`, each of at most `at_most` bytes unless it is one long row.
    pub fn new(rows: RowReader<R>, table: DumpTable, at_most: usize) -> Self {
        Self { rows, created: table.created(), at_most, pending: false }
    }

    /// Returns the next part, or `None` after the last one.
    ///
    /// # Errors
    /// Those of the rows.
    pub fn next_part(&mut self) -> Result<Option<RowPart>> {
        // All of it at once: growing by doubling would hold up to three times as much.
        let mut part = RowPart { text: Vec::with_capacity(self.at_most), ..RowPart::default() };
        while self.pending || self.rows.advance()? {
            let row = self.rows.row();
            self.pending = !part.text.is_empty() && part.text.len() + row.len() >= self.at_most;
            if self.pending {
                return Ok(Some(part));
            }
            part.push(row, self.created);
        }
        Ok((part.rows > 0).then_some(part))
    }
}

impl RowPart {
    fn push(&mut self, row: &[u8], created: &str) {
        if let Some(at) = created_at(row, created) {
            let (first, last) = self.created.get_or_insert((at, at));
            *first = at.min(*first);
            *last = at.max(*last);
        }
        self.text.extend_from_slice(row);
        self.text.push(b'\n');
        self.rows += 1;
    }

    /// Returns the part as it is stored, and what the manifest says of it.
    ///
    /// # Errors
    /// None that a compressor in memory could meet.
    pub fn pack(self) -> Result<(Vec<u8>, Line)> {
        let seconds = |text: [u8; TO_THE_SECOND]| {
            let time: DateTime = std::str::from_utf8(&text).ok()?.parse().ok()?;
            Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second())
        };
        let line = Line {
            sha256: Some(page::sha256(&self.text)),
            bytes: Some(self.text.len() as u64),
            n_items: Some(self.rows),
            created_min: self.created.and_then(|(first, _)| seconds(first)),
            created_max: self.created.and_then(|(_, last)| seconds(last)),
            ..Line::default()
        };
        Ok((page::compress_with(&self.text, LEVEL)?, line))
    }
}

/// Returns when a row was made, as the dump writes it: the order of such texts is that of the times.
fn created_at(row: &[u8], attribute: &str) -> Option<[u8; TO_THE_SECOND]> {
    let text = std::str::from_utf8(row).ok()?;
    let at = text.find(attribute)? + attribute.len();
    row.get(at..at + TO_THE_SECOND)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, at_most: usize) -> Vec<RowPart> {
        let mut parts =
            PartCutter::new(RowReader::new(text.as_bytes(), DumpTable::Votes, "Votes.xml"), DumpTable::Votes, at_most);
        std::iter::from_fn(|| parts.next_part().unwrap()).collect()
    }

    #[test]
    fn a_part_is_never_larger_than_asked_unless_it_is_one_row() {
        let text = "<votes>\n<row Id=\"1\" />\n<row Id=\"2\" />\n<row Id=\"30000\" />\n<row Id=\"4\" />\n</votes>";
        let cut = |at_most| -> Vec<u64> { parts(text, at_most).iter().map(|part| part.rows).collect() };
        // 15 bytes a row with its line feed.
        assert_eq!(cut(1000), [4]);
        assert_eq!(cut(30), [2, 1, 1]);
        assert_eq!(cut(29), [1, 1, 1, 1]);
        assert_eq!(cut(1), [1, 1, 1, 1]);
        let whole: Vec<u8> = parts(text, 30).into_iter().flat_map(|part| part.text).collect();
        assert_eq!(whole, parts(text, 1000)[0].text);
        assert_eq!(parts("<votes>\n</votes>", 30), []);
    }

    #[test]
    fn the_manifest_says_when_the_first_and_the_last_row_were_made() {
        let text = "<votes>\n<row CreationDate=\"2010-08-26T00:00:00.000\" />\n<row Id=\"2\" />\n\
                    <row CreationDate=\"2010-08-25T19:50:51.187\" />\n<row CreationDate=\"soon\" />\n</votes>";
        let (stored, line) = parts(text, 1000).remove(0).pack().unwrap();
        assert_eq!((line.created_min, line.created_max), (Some(1_282_765_851), Some(1_282_780_800)));
        assert_eq!((line.n_items, line.bytes), (Some(4), Some(137)));
        assert!(stored.starts_with(&[0x1f, 0x8b]));
    }
}
