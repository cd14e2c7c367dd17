//! The logs that EMR leaves of a step in S3: which object holds what, what they say together, and how they grow.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};

use super::Section;
use super::name::Rotated;
pub use super::name::{LogFile, LogName, LogOrigin, LogStream};
use crate::diagnose::{Explainer, Finding, Lines, Place};
use crate::error::Result;
use crate::names::Uri;
use crate::store::{Object, Store};

/// How often a cluster pushes its logs to S3. Source: Amazon EMR management guide, "Archive log files to Amazon S3".
pub const PUSHED_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// Largest object read: more would have to be held in memory. Gzip makes about twenty times as much log of it.
pub const LARGEST: u64 = 128 << 20;

/// Most executors whose logs are read when the driver's do not explain the failure.
const MOST_EXECUTORS: usize = 8;

/// How much text is passed on at once, in bytes.
const PIECE: usize = 64 << 10;

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
    pub root: Uri,
    /// The step's id.
    pub step: &'a str,
    /// The YARN applications it is known to have started; more are found in its logs.
    pub applications: &'a [String],
    /// The part of the driver's logs that is the step's; `None` when all of it is.
    pub section: Option<Section>,
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
        let pushed = |origin, stream, application: &str| {
            // S3 tells times in whole seconds.
            let late = self.files.iter().filter(|file| file.modified.as_second() >= ended.as_second());
            let mut names = late.map(|file| &file.name);
            names.any(|name| (name.what, name.stream, name.application.as_str()) == (origin, stream, application))
        };
        pushed(LogOrigin::Step, LogStream::Controller, "")
            && self.applications.iter().all(|id| pushed(LogOrigin::Driver, LogStream::Stderr, id))
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
        for file in files.iter().filter(|file| file.name.stream == LogStream::Stderr) {
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
        let name = LogName::parse(object.uri.below(&logs.root)?)?;
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

/// Returns the text of a log as a stream, unpacked whatever its name says, or `None` when it is gone or too large.
pub async fn open(store: &dyn Store, file: &LogFile) -> Result<Option<Box<dyn Read + Send>>> {
    if file.bytes > LARGEST {
        return Ok(None);
    }
    let Some(body) = store.get(&file.uri).await? else { return Ok(None) };
    // A file may consist of several gzip members: EMR appends at each push.
    let packed = body.starts_with(&[0x1f, 0x8b]);
    let body = Cursor::new(body);
    Ok(Some(if packed { Box::new(MultiGzDecoder::new(body)) } else { Box::new(body) }))
}

/// Returns why a step failed and what was there to tell, from the logs it has left so far.
///
/// The driver's logs are read first, of its newest attempt; the others only when those do not explain the failure.
pub async fn investigate(logs: &StepLogs<'_>) -> Result<(Finding, StepLogFiles)> {
    let found = find(logs).await?;
    let mut explainer = Explainer::new(Place::Cluster);
    for file in order(&found.files) {
        if explainer.is_sure() {
            break;
        }
        if let Some(text) = open(logs.store, file).await? {
            let section = logs.section.clone().filter(|_| file.name.what == LogOrigin::Driver);
            let text = match section {
                Some(section) if is_continued(&found.files, &file.name) => section.whole_at_first().of(text),
                Some(section) => section.of(text),
                None => text,
            };
            explainer.read(file.uri.as_str(), text);
        }
    }
    Ok((explainer.finding(), found))
}

/// Returns whether an earlier copy of a log is among `files`: where its sections begin is there.
fn is_continued(files: &[LogFile], name: &LogName) -> bool {
    let same = |other: &&LogName| LogName { rotated: name.rotated.clone(), ..(*other).clone() } == *name;
    files.iter().map(|file| &file.name).filter(same).any(|other| other.rotated < name.rotated)
}

/// Returns the logs worth reading, the most telling first. Of a rotated log that is the last copy.
fn order(files: &[LogFile]) -> Vec<&LogFile> {
    let mut telling: Vec<&LogFile> =
        files.iter().filter(|file| !matches!(file.name.stream, LogStream::Syslog)).collect();
    telling.sort_by(|a, b| {
        let key = |file: &LogFile| (file.name.what, file.name.attempt, file.name.stream);
        key(a).cmp(&key(b)).then(b.name.rotated.cmp(&a.name.rotated))
    });
    let mut executors = 0;
    telling.retain(|file| {
        let executor = matches!(file.name.what, LogOrigin::Executor(_));
        executors += usize::from(executor && file.name.stream == LogStream::Stderr);
        !executor || file.name.stream == LogStream::Stderr && executors <= MOST_EXECUTORS
    });
    telling
}

/// What has been read of the logs of a step.
#[derive(Debug, Default)]
pub struct LogTail {
    seen: BTreeMap<LogName, Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The size of the object, as it is stored, when it was read.
    stored: u64,
    /// How much of its text has been passed on, in bytes.
    told: u64,
}

impl LogTail {
    /// Passes on what these logs have that was not passed on before; returns whether there was anything. `files` must be
    /// sorted. An object whose size has not changed is not read again, and none that is larger than [`LARGEST`].
    ///
    /// # Errors
    /// Those of the store and of `out`.
    pub async fn read(
        &mut self,
        store: &dyn Store,
        files: &[LogFile],
        out: &mut (dyn FnMut(&LogFile, &[u8]) -> Result<()> + Send),
    ) -> Result<bool> {
        let mut any = false;
        for file in files {
            let mut seen = self.known(&file.name);
            if seen.stored == file.bytes {
                continue;
            }
            let Some(mut text) = open(store, file).await? else { continue };
            seen.stored = file.bytes;
            if io::copy(&mut text.by_ref().take(seen.told), &mut io::sink()).unwrap_or_default() < seen.told {
                // Shorter than it was: it is another text.
                seen.told = 0;
                let Some(again) = open(store, file).await? else { continue };
                text = again;
            }
            let mut piece = vec![0; PIECE];
            // An upload that was cut short ends with an error: what comes before it counts.
            while let Ok(read @ 1..) = text.read(&mut piece) {
                out(file, &piece[..read])?;
                seen.told += read as u64;
                any = true;
            }
            self.seen.insert(file.name.clone(), seen);
        }
        Ok(any)
    }

    /// Returns what was seen of a log. A new rotated copy is what its log was before.
    fn known(&mut self, name: &LogName) -> Seen {
        if let Some(seen) = self.seen.get(name) {
            return *seen;
        }
        let last = LogName { rotated: Rotated::Last, ..name.clone() };
        match self.seen.get_mut(&last) {
            Some(before) if name.rotated != Rotated::Last => {
                // Until it is pushed anew, the object still has the text that was moved.
                let moved = std::mem::replace(before, Seen { told: 0, ..*before });
                Seen { stored: 0, ..moved }
            }
            _ => Seen::default(),
        }
    }
}

#[cfg(test)]
mod tests;
