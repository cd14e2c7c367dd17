//! Text that fits: escaping, display width, cutting, padding, wrapping.

use console::{Alignment, measure_text_width as width};

use crate::mask;

/// Returns one line in which every control character is spelt out, and those that hide or reorder the text around them.
pub fn escape(text: &str) -> String {
    escaped(text, |_| None)
}

/// Returns one line without secrets in which every control character is spelt out, so that data cannot drive the
/// terminal.
pub fn line(text: &str) -> String {
    escape(&mask::text(text))
}

/// Returns lines without secrets whose newlines stay and whose tabs are four spaces; all other control characters are
/// spelt out.
pub fn block(text: &str) -> String {
    let kept = |c| match c {
        '\n' => Some("\n"),
        '\t' => Some("    "),
        _ => None,
    };
    escaped(&mask::text(text).replace("\r\n", "\n"), kept)
}

fn escaped(text: &str, kept: impl Fn(char) -> Option<&'static str>) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match kept(c) {
            Some(plain) => safe.push_str(plain),
            None if drives_a_terminal(c) => safe.extend(c.escape_default()),
            None => safe.push(c),
        }
    }
    safe
}

/// Control characters, and the marks that hide text or reorder what is around them (Unicode Bidirectional Algorithm,
/// section 2).
fn drives_a_terminal(c: char) -> bool {
    let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_control() || hides
}

/// Returns `text` in at most `limit` columns, with `…` where something was cut.
pub fn cut(text: &str, limit: usize) -> String {
    console::truncate_str(text, limit, "…").into_owned()
}

/// Returns `text` filled to at least so many columns.
pub fn pad(text: &str, columns: usize) -> String {
    console::pad_str(text, columns, Alignment::Left, None).into_owned()
}

/// Returns the words of `text` in lines of at most `columns`; a longer word has a line of its own, whole.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if width(last) + 1 + width(word) <= columns => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_drive_the_terminal() {
        assert_eq!(line("a\u{1b}[2Jb\nc\u{9b}d\u{202e}é"), r"a\u{1b}[2Jb\nc\u{9b}d\u{202e}é");
        assert_eq!(block("at\tx\r\n\u{7}y"), "at    x\n\\u{7}y");
    }

    #[test]
    fn columns_are_counted_not_bytes() {
        assert_eq!(pad("日本語", 8), "日本語  ");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("naïve", 5), "naïve");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(pad("e\u{301}", 2), "e\u{301} ");
    }

    #[test]
    fn words_wrap_and_stay_whole() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("s3://a-long-name x", 5), ["s3://a-long-name", "x"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
