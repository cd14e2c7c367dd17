//! Why a step on this machine failed, read from what it printed and from how its process went.

use std::io::Read;

use crate::diagnose::{Class, Explainer, Place};
use crate::targets::Cause;

/// Returns the probable cause of a failure from the step's standard error; `ended` says how its process went.
pub fn probable(stderr: impl Read, log: &str, ended: &str) -> Cause {
    let mut explainer = Explainer::new(Place::Laptop);
    explainer.read(log, stderr);
    let mut cause = Cause::new(explainer.finding(), ended);
    if cause.summary.is_empty() {
        cause.summary = ended.to_string();
        cause.log = log.to_string();
    }
    // Nothing speaks for the machine, and a process that ends itself does so because its code says so.
    if cause.class == Class::Unknown {
        cause.class = Class::Code;
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(stderr: &str) -> Cause {
        probable(stderr.as_bytes(), "stderr.log", "the process ended with exit code 1")
    }

    #[test]
    fn the_last_traceback_is_the_cause() {
        let stderr = "noise\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n\
                      Traceback (most recent call last):\n  File \"steps/q.py\", line 9, in run\n    go()\nValueError: no tags\n";
        let cause = cause(stderr);
        assert_eq!(cause.summary, "ValueError: no tags");
        assert_eq!(cause.lines, (8, 11));
        assert!(cause.excerpt.starts_with("Traceback") && cause.excerpt.contains("steps/q.py"));
        assert_eq!(cause.class, Class::Code);
    }

    #[test]
    fn without_a_traceback_the_last_lines_are_shown() {
        let cause = cause("one\ntwo\nthread 'main' panicked\n\n");
        assert_eq!((cause.summary.as_str(), cause.lines), ("thread 'main' panicked", (1, 3)));
    }

    #[test]
    fn silence_is_told_as_such() {
        let cause = cause("");
        assert_eq!((cause.summary.as_str(), cause.class), ("the process ended with exit code 1", Class::Code));
        assert_eq!(cause.place(), "line 1 of stderr.log; the process ended with exit code 1");
    }

    #[test]
    fn a_full_disk_is_the_machines_fault() {
        let cause =
            cause("Traceback (most recent call last):\n  File \"x\"\nOSError: [Errno 28] No space left on device\n");
        assert!(cause.class == Class::Capacity && cause.hint.unwrap().contains("soflow gc"));
    }

    #[test]
    fn a_record_of_an_older_soflow_can_be_read() {
        let old = r#"{"summary": "KeyError: 'x'", "excerpt": "", "log": "/l", "lines": [1, 2], "machine": true, "hint": null}"#;
        let cause: Cause = serde_json::from_str(old).unwrap();
        assert_eq!((cause.class, cause.ended.as_str()), (Class::Unknown, ""));
    }

    #[test]
    fn endless_lines_and_tracebacks_are_trimmed() {
        let long = format!(
            "Traceback (most recent call last):\n{}ValueError: {}\n",
            "  File x\n".repeat(500),
            "y".repeat(9000)
        );
        let cause = cause(&long);
        assert!(cause.excerpt.lines().count() <= 15 && cause.summary.chars().count() <= 301);
    }
}
