//! The lines of a log of any size, one at a time: memory does not grow with the log, nor with a line.

use std::io::BufRead;

/// Most bytes kept of a line.
const MOST_OF_A_LINE: usize = 16 << 10;

/// Most bytes read of a log: what a few kilobytes of gzip can blow up to is endless.
const MOST_OF_A_LOG: u64 = 1 << 30;

/// Reads lines. A carriage return begins the line again, as it does on a terminal.
pub struct Lines<R> {
    from: R,
    read: u64,
    ended: bool,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Returns a reader at its start.
    pub fn new(from: R) -> Self {
        Self { from, read: 0, ended: false, line: Vec::new() }
    }

    /// Returns the next line without its end, or `None` after the last one. A log that cannot be read on, such as one
    /// whose upload was cut short, ends there.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        self.line.clear();
        let mut any = false;
        while !self.ended {
            let chunk = match self.from.fill_buf() {
                Ok(chunk) if !chunk.is_empty() && self.read < MOST_OF_A_LOG => chunk,
                _ => {
                    self.ended = true;
                    break;
                }
            };
            any = true;
            let newline = chunk.iter().position(|byte| *byte == b'\n');
            add(&mut self.line, &chunk[..newline.unwrap_or(chunk.len())]);
            let used = newline.map_or(chunk.len(), |at| at + 1);
            self.from.consume(used);
            self.read += used as u64;
            if newline.is_some() {
                break;
            }
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        any.then_some(&self.line)
    }
}

/// Adds a part of a line; a carriage return at its very end stays until it is known what follows.
fn add(line: &mut Vec<u8>, part: &[u8]) {
    if line.last() == Some(&b'\r') && !part.is_empty() {
        line.clear();
    }
    let body = part.strip_suffix(b"\r").unwrap_or(part);
    let part = match body.iter().rposition(|byte| *byte == b'\r') {
        Some(at) => {
            line.clear();
            &part[at + 1..]
        }
        None => part,
    };
    let room = MOST_OF_A_LINE.saturating_sub(line.len());
    line.extend_from_slice(&part[..room.min(part.len())]);
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], buffer: usize) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, text));
        let mut found = Vec::new();
        while let Some(line) = lines.next_line() {
            found.push(String::from_utf8_lossy(line).into_owned());
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\r\ntwo\n\n 10 %\r 20 %\r100 %\nthree\rlast";
        for buffer in [1, 2, 3, 5, 64] {
            assert_eq!(lines(text, buffer), ["one", "two", "", "100 %", "last"], "{buffer}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let text = [vec![b'x'; 1 << 20], b"\nnext".to_vec()].concat();
        let found = lines(&text, 4096);
        assert_eq!((found.len(), found[0].len(), found[1].as_str()), (2, MOST_OF_A_LINE, "next"));
    }

    #[test]
    fn a_progress_bar_of_a_day_does_not_hide_what_follows_it() {
        let text = [b" 99 %\r".repeat(10_000), b"done".to_vec()].concat();
        assert_eq!(lines(&text, 4096), ["done"]);
    }
}
