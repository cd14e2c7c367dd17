//! Why a step failed, read from what it printed: the last traceback, else the last lines.

use std::path::Path;

use crate::target::Cause;

/// Most lines shown of a traceback: the end is where the error is.
const MOST_LINES: usize = 14;

/// Longest line shown; engines put whole query plans into one.
const LONGEST_LINE: usize = 300;

/// What in an error text tells that the machine is at fault, and what to do about it.
const MACHINE: &[(&str, &str)] = &[
    ("No space left on device", "free some space, `soflow gc` removes old versions, then run the same command again"),
    ("StorageFull", "free some space, `soflow gc` removes old versions, then run the same command again"),
    ("MemoryError", "run fewer steps at once: `--parallel 1`"),
    (
        "java.lang.OutOfMemoryError",
        "give the driver more memory: `spark: { driver-memory: 8g }` in the job file, or `--parallel 1`",
    ),
    ("Permission denied", "check who owns the lake's folders"),
    ("Read-only file system", "choose a lake location that can be written"),
];

/// Returns the probable cause of a failure from the step's standard error; `ended` says how its process went.
pub fn probable(stderr: &str, log: &Path, ended: &str) -> Cause {
    let lines: Vec<&str> = stderr.lines().collect();
    let (first, last) = last_traceback(&lines).unwrap_or_else(|| last_words(&lines));
    let block = &lines[first..last];
    let summary = block.iter().rev().find(|line| starts_error(line)).or(block.last()).map_or(ended, |line| line.trim());
    let known = MACHINE.iter().find(|(sign, _)| block.iter().any(|line| line.contains(sign)));
    Cause {
        summary: if summary.is_empty() { ended.to_string() } else { cut(summary) },
        ended: ended.to_string(),
        excerpt: trim(block),
        log: log.to_path_buf(),
        lines: (first + 1, last.max(first + 1)),
        machine: known.is_some(),
        hint: known.map(|(_, hint)| (*hint).to_string()),
    }
}

/// Returns the first line and the end of the last Python traceback: it runs to the exception line and, for exceptions
/// with several lines of text, up to the next line that does not belong to them.
fn last_traceback(lines: &[&str]) -> Option<(usize, usize)> {
    let start = lines.iter().rposition(|line| line.starts_with("Traceback (most recent call last):"))?;
    let error = lines[start + 1..].iter().position(|line| !line.starts_with(' ') && starts_error(line))? + start + 1;
    let end = lines[error + 1..].iter().position(|line| line.is_empty() || line.starts_with("@soflow"));
    Some((start, end.map_or(lines.len(), |more| error + 1 + more)))
}

fn starts_error(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    !line.starts_with(' ') && last.starts_with(|c: char| c.is_ascii_uppercase()) && line.contains(':')
        || last.ends_with("Error")
}

fn last_words(lines: &[&str]) -> (usize, usize) {
    let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    (end.saturating_sub(MOST_LINES), end)
}

/// Keeps the head of a block and its tail: a traceback begins in the user's code and ends in the error.
fn trim(block: &[&str]) -> String {
    let mut shown: Vec<String> = Vec::new();
    let head = 5;
    for (at, line) in block.iter().enumerate() {
        if block.len() <= MOST_LINES || at < head || at + (MOST_LINES - head - 1) >= block.len() {
            shown.push(cut(line));
        } else if at == head {
            shown.push(format!("  … {} lines …", block.len() - MOST_LINES + 1));
        }
    }
    shown.join("\n")
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LONGEST_LINE {
        return line.to_string();
    }
    line.chars().take(LONGEST_LINE).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(stderr: &str) -> Cause {
        probable(stderr, Path::new("stderr.log"), "the process ended with exit code 1")
    }

    #[test]
    fn the_last_traceback_is_the_cause() {
        let stderr = "noise\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\nDuring handling:\n\n\
                      Traceback (most recent call last):\n  File \"steps/q.py\", line 9, in run\n    go()\nValueError: no tags\n";
        let cause = cause(stderr);
        assert_eq!(cause.summary, "ValueError: no tags");
        assert_eq!(cause.lines, (8, 11));
        assert!(cause.excerpt.starts_with("Traceback") && cause.excerpt.contains("steps/q.py"));
        assert!(!cause.machine);
    }

    #[test]
    fn without_a_traceback_the_last_lines_are_shown() {
        let cause = cause("one\ntwo\nthread 'main' panicked\n\n");
        assert_eq!((cause.summary.as_str(), cause.lines), ("thread 'main' panicked", (1, 3)));
    }

    #[test]
    fn silence_is_told_as_such() {
        assert_eq!(cause("").summary, "the process ended with exit code 1");
    }

    #[test]
    fn a_full_disk_is_the_machines_fault() {
        let cause =
            cause("Traceback (most recent call last):\n  File \"x\"\nOSError: [Errno 28] No space left on device\n");
        assert!(cause.machine && cause.hint.unwrap().contains("soflow gc"));
    }

    #[test]
    fn endless_lines_and_tracebacks_are_trimmed() {
        let long = format!(
            "Traceback (most recent call last):\n{}ValueError: {}\n",
            "  File x\n".repeat(500),
            "y".repeat(9000)
        );
        let cause = cause(&long);
        assert!(cause.excerpt.lines().count() <= MOST_LINES + 1 && cause.summary.chars().count() <= LONGEST_LINE + 1);
    }
}
