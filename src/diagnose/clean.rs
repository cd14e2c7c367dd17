//! A raw line of a log as text: no escape sequences, no progress bars, no secrets, not endless.

/// Longest line kept, in characters; engines put whole query plans into one.
const LONGEST_LINE: usize = 2000;

/// What comes right before a secret in URLs, settings and signed requests. What is quoted from a log is shown, stored in
/// run records and pasted into tickets.
const SECRETS: [&str; 8] = [
    "x-amz-signature=",
    "x-amz-credential=",
    "x-amz-security-token",
    "aws_secret_access_key",
    "secretaccesskey",
    "secret.key=",
    "session_token",
    "password=",
];

/// Returns the line as people should see it, but for its secrets.
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

/// Returns the line without the values of secrets. For every line that is kept.
pub fn masked(text: &str) -> String {
    // Positions in the lowercase text are those of the text only when it is ASCII case that changes.
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    while let Some((from, to)) = SECRETS.iter().filter_map(|sign| value(&lower, done, sign)).min() {
        shown.push_str(&text[done..from]);
        shown.push('…');
        done = to;
    }
    shown.push_str(&text[done..]);
    shown
}

/// Returns where the value after `sign` begins and ends.
fn value(lower: &str, from: usize, sign: &str) -> Option<(usize, usize)> {
    let after = from + lower[from..].find(sign)? + sign.len();
    let begin = after + lower[after..].find(|c: char| !matches!(c, '=' | ':' | ' ' | '"' | '\''))?;
    let end = lower[begin..].find(|c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | ',' | ')'));
    Some((begin, end.map_or(lower.len(), |end| begin + end)))
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
    fn secrets_are_not_repeated() {
        let url = "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA/1/eu&X-Amz-Signature=0a1b2c HTTP/1.1";
        assert_eq!(masked(url), "GET https://b.s3.amazonaws.com/k?X-Amz-Credential=…&X-Amz-Signature=… HTTP/1.1");
        assert_eq!(masked("aws_secret_access_key = 'abc/def', next"), "aws_secret_access_key = '…', next");
        assert_eq!(masked("x-amz-security-token:FwoGZ"), "x-amz-security-token:…");
    }

    #[test]
    fn endless_lines_end() {
        assert_eq!(clean(&vec![b'y'; 1 << 20]).chars().count(), LONGEST_LINE + 1);
    }
}
