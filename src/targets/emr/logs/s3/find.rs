//! Which logs a step has left so far.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::name::{LogFile, LogName, LogOrigin, LogStream};
use super::read::open;
use crate::diagnose::Lines;
use crate::error::Result;
use crate::names::Uri;
use crate::store::{Object, Store};

/// How often a cluster pushes its logs to S3. Source: Amazon EMR management guide, "Archive log files to Amazon S3".
pub const PUSHED_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// Returns when all logs of a step that ended then are expected to be there.
pub fn expected_at(ended: Timestamp) -> Timestamp {
    ended.checked_add(PUSHED_EVERY).unwrap_or(Timestamp::MAX)
}

/// Returns the folder of a cluster's logs. EMR may answer with the `s3n://` of old Hadoop for the `LogUri` it was given.
///
/// # Errors
/// `Usage` when `log_uri` is no location.
pub fn root(log_uri: &str, cluster: &str) -> Result<Uri> {
    let path = ["s3n://", "s3a://"].iter().find_map(|scheme| log_uri.strip_prefix(scheme));
    let uri = path.map_or_else(|| log_uri.to_string(), |path| format!("s3://{path}"));
    Ok(Uri::parse(&uri, Path::new("/"))?.join(cluster))
}

/// The logs of one step.
pub struct StepLogs<'a> {
    /// The objects.
    pub store: &'a dyn Store,
    /// The folder of the cluster's logs.
    pub root: &'a Uri,
    /// The step's id.
    pub step: &'a str,
    /// The YARN applications it is known to have started; more are found in its logs.
    pub applications: &'a [String],
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct StepLogFiles {
    /// The logs, as they are best read: the driver's first, its newest attempt first.
    pub files: Vec<LogFile>,
    /// The applications that the step started.
    pub applications: Vec<String>,
}

impl StepLogFiles {
    /// Returns whether all that a step printed until it ended has been pushed. The last push of a log is one after its
    /// last line: `controller` gets one when the step ends, a driver's standard error when its application does.
    pub fn is_complete(&self, ended: Timestamp) -> bool {
        // S3 tells times in whole seconds.
        let last = |file: &LogFile| file.modified.as_second() >= ended.as_second();
        let step = |file: &LogFile| file.name.what == LogOrigin::Step && file.name.stream == LogStream::Controller;
        let driver = |file: &LogFile, application: &String| {
            file.name.what == LogOrigin::Driver
                && file.name.stream == LogStream::Stderr
                && file.name.application == *application
        };
        self.files.iter().any(|file| step(file) && last(file))
            && self.applications.iter().all(|id| self.files.iter().any(|file| driver(file, id) && last(file)))
    }
}

/// Returns the logs that are there by now; none when nothing has been pushed yet.
///
/// One listing for the step, one an application, and the step's standard error read once for the applications' ids,
/// since no API tells which application a step started.
pub async fn find(logs: &StepLogs<'_>) -> Result<StepLogFiles> {
    let mut files = list(logs, &format!("steps/{}", logs.step)).await?;
    let mut applications: BTreeSet<String> = logs.applications.iter().cloned().collect();
    if applications.is_empty() {
        for file in
            files.iter().filter(|file| file.name.what == LogOrigin::Step && file.name.stream == LogStream::Stderr)
        {
            if let Some(text) = open(logs.store, file).await? {
                applications.extend(self::applications(text));
            }
        }
    }
    for application in &applications {
        files.extend(list(logs, &format!("containers/{application}")).await?);
    }
    files.sort();
    Ok(StepLogFiles { files, applications: applications.into_iter().collect() })
}

async fn list(logs: &StepLogs<'_>, folder: &str) -> Result<Vec<LogFile>> {
    let objects = logs.store.list(&logs.root.join(folder)).await?;
    let file = |object: Object| {
        let name = LogName::parse(object.uri.below(logs.root)?)?;
        Some(LogFile { name, uri: object.uri, bytes: object.bytes, modified: object.modified })
    };
    Ok(objects.into_iter().filter_map(file).collect())
}

/// Returns the ids of the YARN applications that a log names, each once, in order. Their last number has four digits or,
/// after 9999 applications, more.
pub fn applications(log: impl Read) -> Vec<String> {
    let mut lines = Lines::new(BufReader::new(log));
    let mut found = Vec::new();
    while let Some(line) = lines.next_line() {
        let line = String::from_utf8_lossy(line);
        for (at, sign) in line.match_indices("application_") {
            let rest = &line[at + sign.len()..];
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
            let id = format!("{sign}{}", &rest[..end]);
            let numbers =
                rest[..end].split_once('_').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('_'));
            if numbers && !found.contains(&id) {
                found.push(id);
            }
        }
    }
    found
}
