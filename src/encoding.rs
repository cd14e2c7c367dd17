//! What bytes are that should be UTF-8 text, in words a person knows.

use std::str::Utf8Error;

use crate::error::{Error, Kind};

/// The byte order mark of UTF-8, which some programs put first. It is no part of the text.
pub const MARK: &str = "\u{feff}";

/// How much of a text is looked at to tell UTF-16 by its zeros.
const LOOKED_AT: usize = 512;

/// Why bytes are not UTF-8 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What they are: `UTF-16 text`.
    pub what: &'static str,
    /// What to do about it: ``save as UTF-8 (`Out-File -Encoding utf8`)``.
    pub mending: &'static str,
    /// Where the first byte is that UTF-8 text would not have; `None` when all of it is something else.
    pub at: Option<usize>,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.mending)
    }
}

/// What PowerShell 5 writes for `>`.
pub const UTF_16: Foreign = Foreign::whole("UTF-16 text", "save as UTF-8 (`Out-File -Encoding utf8`)");
const UTF_32: Foreign = Foreign::whole("UTF-32 text", "save as UTF-8");
const BINARY: Foreign = Foreign::whole("no text", "unpack or export it as text");

impl Foreign {
    /// Returns the failure that a file is, which people know as `shown`. Nothing of what is in it is shown.
    pub fn error(self, shown: &str) -> Error {
        Error::new(Kind::Usage, format!("`{shown}` is {}", self.what)).hint(self.mending)
    }

    const fn whole(what: &'static str, mending: &'static str) -> Self {
        Self { what, mending, at: None }
    }
}

/// Returns the text that `bytes` are, with its byte order mark if it has one.
///
/// # Errors
/// What they are instead. Text with NUL bytes is refused too: no format that is read here has them.
pub fn text(bytes: &[u8]) -> Result<&str, Foreign> {
    // The mark of UTF-32 begins with that of UTF-16.
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(UTF_32),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(UTF_16),
        _ => {}
    }
    let zero = bytes.iter().position(|byte| *byte == 0);
    match (std::str::from_utf8(bytes), zero) {
        (Ok(text), None) => Ok(text),
        (_, Some(_)) if is_wide(bytes) => Err(UTF_16),
        (Ok(_), Some(at)) => {
            let mending = "get or save the file again: it was damaged, or not written to its end";
            Err(Foreign { what: "text with NUL bytes in it", mending, at: Some(at) })
        }
        (Err(error), None) if !has_controls(bytes) => Err(of_one_byte(bytes, error)),
        (Err(_), _) => Err(BINARY),
    }
}

/// Returns a text without its byte order mark, and with line feeds whatever its lines end with.
pub fn plain(text: &str) -> String {
    text.strip_prefix(MARK).unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n")
}

/// Returns what text is that UTF-8 is wrong for at one place at least.
fn of_one_byte(bytes: &[u8], error: Utf8Error) -> Foreign {
    let at = error.valid_up_to();
    let (what, mending) = if error.error_len().is_none() {
        ("text that ends within a character", "get or save the file again: its end is missing")
    } else if bytes[..at].is_ascii() {
        ("text in Latin-1 or Windows-1252", "save as UTF-8 (`iconv -f WINDOWS-1252 -t UTF-8`)")
    } else {
        ("UTF-8 text with a byte in it that is none", "mend that place, or save the file again")
    };
    Foreign { what, mending, at: Some(at) }
}

/// Returns whether every other byte is zero, as it is in UTF-16 without a mark where it says ASCII.
fn is_wide(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (few, many) = (zeros(0).min(zeros(1)), zeros(0).max(zeros(1)));
    many * 4 > start.len() && few * 16 < start.len()
}

/// Returns whether there are bytes that no text has, in whichever encoding of one byte a character.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte.is_ascii_control() && !b"\t\n\r\x0c\x1b".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str, little: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn text_is_text_whatever_its_line_ends_and_mark() {
        for good in ["", "a: 1\r\nb: ä\r", "\u{feff}a", "漢字 🦀"] {
            assert_eq!(text(good.as_bytes()), Ok(good));
        }
    }

    #[test]
    fn other_encodings_are_named() {
        let what = |bytes: &[u8]| text(bytes).unwrap_err().what;
        for little in [true, false] {
            assert_eq!(what(&wide("\u{feff}a: 1\n", little)), "UTF-16 text");
            assert_eq!(what(&wide("{\"items\": [\"ä\"]}", little)), "UTF-16 text");
        }
        assert_eq!(what(b"\xff\xfe\0\0a\0\0\0"), "UTF-32 text");
        assert_eq!(what(b"name: caf\xe9\n"), "text in Latin-1 or Windows-1252");
        assert_eq!(what("name: äö".as_bytes().strip_suffix(b"\xb6").unwrap()), "text that ends within a character");
        assert_eq!(what(b"\xc3\xa4 \xe9 \n"), "UTF-8 text with a byte in it that is none");
        assert_eq!(what(b"a: 1\0\0\0\0"), "text with NUL bytes in it");
        assert_eq!(what(&[0; 700]), "text with NUL bytes in it");
        assert_eq!(what(b"\x1f\x8b\x08\0\xff\x03"), "no text");
        assert_eq!(text(b"ok\nna\xefve").unwrap_err().at, Some(5));
    }
}
