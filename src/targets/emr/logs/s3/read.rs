//! Logs read from the store and explained together.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::find::{StepLogFiles, StepLogs, find};
use super::name::{LogFile, LogOrigin, LogStream};
use crate::diagnose::{Explainer, Finding, Place};
use crate::error::Result;
use crate::store::Store;

/// Largest object read: more would have to be held in memory. Gzip makes about twenty times as much log of it.
pub const LARGEST: u64 = 128 << 20;

/// Most executors whose logs are read when the driver's do not explain the failure.
const MOST_EXECUTORS: usize = 8;

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
            explainer.read(file.uri.as_str(), text);
        }
    }
    Ok((explainer.finding(), found))
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
