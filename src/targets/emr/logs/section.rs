//! What one step has printed, out of what the application that it shared with others has.

use std::io::{self, Read};

/// How the line begins that a chain's driver prints in front of each step's output: `engine/chain.py`.
const MARK: &[u8] = b"@soflow step ";

/// How it ends.
const BEGINS: &[u8] = b" begins";

/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// Finds one step's lines: from the one that says that it begins to the one that says so of the next step. What is printed
/// before any step begins is the first one's, and what comes behind the last one's.
#[derive(Clone, Debug)]
pub struct Section {
    step: String,
    inside: bool,
    /// The beginning of a line that may be a mark.
    start: Vec<u8>,
    /// Whether the next byte goes on with a line that is none.
    within: bool,
}

impl Section {
    /// Returns the section of a step; `inside`: from the first line on.
    pub fn new(step: &str, inside: bool) -> Self {
        Self { step: step.into(), inside, start: Vec::new(), within: false }
    }

    /// Returns the section in a log that goes on with another one, whose last section it was.
    pub fn whole_at_first(self) -> Self {
        Self { inside: true, ..self }
    }

    /// Returns what of the next piece of a log is in the section. Where a line begins may be kept until the next piece.
    pub fn cut(&mut self, text: &[u8]) -> Vec<u8> {
        self.keep(text, b"")
    }

    /// Returns what [`Self::cut`] does, with `other` instead of each line that is in none or another section.
    fn keep(&mut self, text: &[u8], other: &[u8]) -> Vec<u8> {
        let mut kept = Vec::new();
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let is_whole = piece.ends_with(b"\n");
            let mut line = std::mem::take(&mut self.start);
            line.extend(piece);
            if !self.within {
                let looks_like_one = line.starts_with(MARK) || MARK.starts_with(&line);
                if !is_whole && looks_like_one {
                    self.start = line;
                    continue;
                }
                if let Some(step) = begins(&line) {
                    self.inside = step == self.step.as_bytes();
                }
            }
            self.within = !is_whole;
            match self.inside {
                true => kept.extend(line),
                false if is_whole => kept.extend(other),
                false => {}
            }
        }
        kept
    }

    /// Returns a log with an empty line in the place of each that is not in the section: lines keep their numbers.
    pub fn of<'a>(self, log: Box<dyn Read + Send + 'a>) -> Box<dyn Read + Send + 'a> {
        Box::new(SectionReader { log, section: self, ready: io::Cursor::new(Vec::new()) })
    }
}

/// Returns the step of which a line says that it begins.
fn begins(line: &[u8]) -> Option<&[u8]> {
    line.trim_ascii_end().strip_prefix(MARK)?.strip_suffix(BEGINS)
}

struct SectionReader<'a> {
    log: Box<dyn Read + Send + 'a>,
    section: Section,
    ready: io::Cursor<Vec<u8>>,
}

impl Read for SectionReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.ready.read(into)? {
                0 if !into.is_empty() => {}
                read => return Ok(read),
            }
            let kept = match self.log.read(&mut piece)? {
                0 if self.section.start.is_empty() => return Ok(0),
                // A line that was cut short, whatever it would have been.
                0 => std::mem::take(&mut self.section.start),
                read => self.section.keep(&piece[..read], b"\n"),
            };
            self.ready = io::Cursor::new(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "starts\n@soflow step one begins\n1\nlast@soflow step one ends\n@soflow step two begins\n\
                       @soflow step two\n2\n@soflow step two ends\nshuts down";

    fn cut(step: &str, first: bool, most: usize) -> String {
        let mut section = Section::new(step, first);
        let mut kept: Vec<u8> = LOG.as_bytes().chunks(most).flat_map(|piece| section.cut(piece)).collect();
        kept.extend(section.start);
        String::from_utf8(kept).unwrap()
    }

    #[test]
    fn every_line_is_one_steps_however_a_log_comes() {
        for most in [1, 2, 7, 20, 1000] {
            assert_eq!(cut("one", true, most), "starts\n@soflow step one begins\n1\nlast@soflow step one ends\n");
            let two = "@soflow step two begins\n@soflow step two\n2\n@soflow step two ends\nshuts down";
            assert_eq!(cut("two", false, most), two, "{most}");
            assert_eq!(cut("three", false, most), "");
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        let mut read = String::new();
        Section::new("two", false).of(Box::new(LOG.as_bytes())).read_to_string(&mut read).unwrap();
        let two = "@soflow step two begins\n@soflow step two\n2\n@soflow step two ends\nshuts down";
        assert_eq!(read, format!("\n\n\n\n{two}"));
    }
}
