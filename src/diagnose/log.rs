//! The lines of a log of any size, one at a time: memory does not grow with the log, nor with a line. And a raw line as
//! text: no escape sequences, no progress bars, not endless.

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

/// Longest line kept, in characters; engines put whole query plans into one.
const LONGEST_LINE: usize = 2000;

/// Returns the line as people should see it, but for its secrets: what is kept of it is masked.
pub fn clean(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    // Nearly all lines of a log are like this, and a log may have millions.
    if raw.len() < LONGEST_LINE && raw.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return without_bars(text.trim_end()).to_string();
    }
    let mut plain = String::with_capacity(text.len().min(4 * LONGEST_LINE));
    let mut rest = text.chars();
    let mut length = 0;
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => plain.push(c),
            _ if c.is_control() => {}
            _ => plain.push(c),
        }
        length += 1;
        if length == LONGEST_LINE {
            plain.push('…');
            break;
        }
    }
    without_bars(plain.trim_end()).to_string()
}

/// Skips what follows an escape character: `[…m` and the like, or `]…` up to a bell, or one character.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        Some(']') => while rest.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
        _ => {}
    }
}

/// Spark's console bar, `[Stage 0:=>   (1 + 2) / 3]`, has no newline: the next line of the log sticks to it.
fn without_bars(mut text: &str) -> &str {
    while let Some(at) = text.strip_prefix("[Stage ").and_then(|bar| bar.find(']')) {
        text = text["[Stage ".len() + at + 1..].trim_start();
    }
    text
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

    #[test]
    fn what_drives_a_terminal_is_gone() {
        assert_eq!(clean(b"\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07text\0  "), "red text");
        assert_eq!(clean("Überlänge ❤ 你好".as_bytes()), "Überlänge ❤ 你好");
        assert_eq!(clean(b"\xff\xfe ok"), "\u{fffd}\u{fffd} ok");
    }

    #[test]
    fn a_progress_bar_is_no_part_of_the_line_after_it() {
        let line = b"[Stage 0:>       (0 + 2) / 2][Stage 1:==>  (1 + 1) / 2]26/11/23 15:27:42 ERROR Executor: x";
        assert_eq!(clean(line), "26/11/23 15:27:42 ERROR Executor: x");
        assert_eq!(clean(b"[Stage 0:>       (0"), "[Stage 0:>       (0");
    }

    #[test]
    fn endless_lines_end() {
        assert_eq!(clean(&vec![b'y'; 1 << 20]).chars().count(), LONGEST_LINE + 1);
    }
}
