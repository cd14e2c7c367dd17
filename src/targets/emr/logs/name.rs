//! The names of log objects, read. Layout: Amazon EMR management guide, "View log files", with the variants seen in the
//! wild: `.txt` before `.gz`, a time in rotated copies, no `.gz` at all.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::names::Uri;

/// What a log is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogOrigin {
    /// The driver: the first container of an application in cluster mode.
    Driver,
    /// What started the step on the primary node; in client mode also the driver.
    Step,
    /// The container of an executor, by its number.
    Executor(u64),
}

/// Which of its outputs a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogStream {
    /// Standard error, where tracebacks and Spark's log go.
    Stderr,
    /// Standard output.
    Stdout,
    /// What EMR did to start the step.
    Controller,
    /// Hadoop's log of it.
    Syslog,
}

/// What the name of a log tells.
///
/// Sorts as it is best read: the driver first, the newest attempt first, rotated copies in the order they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogName {
    /// What it is of.
    pub what: LogOrigin,
    /// The application, empty for the step's own.
    pub application: String,
    /// Which try of the application it is, counted from 1; the newest sorts first.
    pub attempt: Reverse<u64>,
    /// Which output.
    pub stream: LogStream,
    /// The time in the name of a rotated copy; the one still written to has none and sorts last.
    pub rotated: Rotated,
}

/// An object with a log. Sorts as its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFile {
    /// What it is.
    pub name: LogName,
    /// Where it is.
    pub uri: Uri,
    /// Its size as it is stored, in bytes.
    pub bytes: u64,
    /// When it was written last.
    pub modified: Timestamp,
}

/// Which copy of a rotated log it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rotated {
    /// A finished copy, by the time in its name.
    At(String),
    /// The last one.
    Last,
}

impl LogName {
    /// Returns what the path of an object below the cluster's log folder, or the name of a stream in its log group, tells,
    /// or `None` when it is no output of a step.
    pub fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let (stream, rotated) = file(parts.last()?)?;
        let (what, application, attempt) = match parts.as_slice() {
            ["steps", _, _] => (LogOrigin::Step, "", 1),
            // The first in S3, the second in CloudWatch.
            ["containers" | "applications", application, container, _] => {
                let (attempt, number) = container_of(container)?;
                (if number == 1 { LogOrigin::Driver } else { LogOrigin::Executor(number) }, *application, attempt)
            }
            _ => return None,
        };
        Some(Self { what, application: application.into(), attempt: Reverse(attempt), stream, rotated })
    }
}

/// Reads `stderr`, `stderr.gz`, `stdout.txt.gz`, `stderr.2026-11-23-09.gz`.
fn file(name: &str) -> Option<(LogStream, Rotated)> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let (stream, more) = name.split_once('.').unwrap_or((name, ""));
    let stream = match stream {
        "stderr" => LogStream::Stderr,
        "stdout" => LogStream::Stdout,
        "controller" => LogStream::Controller,
        "syslog" => LogStream::Syslog,
        _ => return None,
    };
    let time: String = more.split('.').filter(|part| *part != "txt").collect::<Vec<_>>().join(".");
    Some((stream, if time.is_empty() { Rotated::Last } else { Rotated::At(time) }))
}

/// Reads attempt and number of `container_1700000000000_0001_02_000001` and `container_e01_1700000000000_0001_02_000001`.
fn container_of(name: &str) -> Option<(u64, u64)> {
    let mut parts = name.strip_prefix("container_")?.rsplit('_');
    let number = parts.next()?.parse().ok()?;
    Some((parts.next()?.parse().ok()?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> Option<(LogOrigin, LogStream, u64, Rotated)> {
        LogName::parse(path).map(|log| (log.what, log.stream, log.attempt.0, log.rotated))
    }

    #[test]
    fn all_variants_of_names_are_read() {
        let last = Rotated::Last;
        let at = |time: &str| Rotated::At(time.into());
        for (path, expected) in [
            ("steps/s-1/stderr.gz", (LogOrigin::Step, LogStream::Stderr, 1, last.clone())),
            ("steps/s-1/controller.gz", (LogOrigin::Step, LogStream::Controller, 1, last.clone())),
            ("steps/s-1/syslog", (LogOrigin::Step, LogStream::Syslog, 1, last.clone())),
            ("steps/s-1/stderr.2026-11-23-09.gz", (LogOrigin::Step, LogStream::Stderr, 1, at("2026-11-23-09"))),
            (
                "containers/application_1_0001/container_1_0001_01_000001/stdout.gz",
                (LogOrigin::Driver, LogStream::Stdout, 1, last.clone()),
            ),
            (
                "containers/application_1_12345/container_e01_1_12345_02_000001/stderr.txt.gz",
                (LogOrigin::Driver, LogStream::Stderr, 2, last.clone()),
            ),
            (
                "containers/application_1_0001/container_1_0001_01_000017/stderr",
                (LogOrigin::Executor(17), LogStream::Stderr, 1, last.clone()),
            ),
            (
                "applications/application_1_0001/container_1_0001_01_000001/stderr",
                (LogOrigin::Driver, LogStream::Stderr, 1, last),
            ),
        ] {
            assert_eq!(parsed(path), Some(expected), "{path}");
        }
        for other in [
            "",
            "steps/s-1",
            "steps/s-1/launch.sh",
            "containers/a/b/stderr.gz",
            "node/i-1/stderr.gz",
            "containers/application_1_1/container_1_1_01_000001/prelaunch.err",
        ] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
