//! A raw line of a log as text: no escape sequences, no progress bars, not endless.

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
    use super::*;

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
