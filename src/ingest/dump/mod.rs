//! `soflow ingest dump`: the Stack Exchange data dump into raw, row for row, in memory that does not grow with it.
//!
//! A thread reads and unpacks, several compress, and parts are stored in order. A table's run folder is named after the
//! content of its file and counts when its manifest is there, so the same command goes on after an interruption, file by
//! file, and has nothing to do the second time.

mod archive;
mod find;
mod rows;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;

use self::find::DumpFiles;
use self::write::Incoming;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::raw::{self, Folder};
use crate::ingest::sample;
use crate::ingest::summary::{Summary, Written};
use crate::names::Uri;
use crate::store::Store;

pub use find::table;
pub use write::PART_BYTES;

/// How the run folders of dumps begin.
const RUN: &str = "dump-";

/// A file of this size takes seconds to be read for its checksum: that is announced.
const LONG_TO_CHECK: u64 = 1 << 30;

/// What to ingest, and where to.
#[derive(Clone, Debug)]
pub struct DumpRequest {
    /// An archive, a table's file, or a folder of those.
    pub input: PathBuf,
    /// The target's raw location.
    pub raw: Uri,
    /// The site, as the API calls it; `None`: as the file or folder says.
    pub site: Option<String>,
    /// The logical date the rows are filed under.
    pub date: Date,
    /// The tables to take; empty: all.
    pub only: Vec<&'static str>,
    /// When the dump was taken; `None`: when its files were written.
    pub taken: Option<Timestamp>,
    /// Whether a table takes the place of another dump's under the same date.
    pub replace: bool,
    /// The time now.
    pub now: Timestamp,
    /// How many threads may compress.
    pub threads: usize,
    /// Most bytes of rows in a part: `PART_BYTES`, and less in tests.
    pub part_bytes: usize,
}

/// Puts the tables of a dump into raw.
///
/// # Errors
/// `Usage`, before anything is written, when there is no file of a dump, the site cannot be told, or raw holds another
/// dump, or the sample. `Usage` also when a file is damaged, and `Machine` when reading or writing fails: tables that were
/// complete before stay, no other one counts, and the same call goes on.
pub async fn ingest(store: &dyn Store, request: &DumpRequest, sink: &mut dyn Sink) -> Result<Summary> {
    let found = find::find(&request.input, &request.only)?;
    let site = site(request, &found)?;
    raw::check_names(&site, &[])?;
    sample::refuse_mixture(store, &request.raw, &site, RUN).await?;
    let mut summary = Summary { site: site.clone(), skipped: found.skipped, ..Summary::default() };
    let mut new = Vec::new();
    for source in found.sources {
        if source.is_read_for_its_checksum() && source.bytes >= LONG_TO_CHECK {
            sink.emit(Event::Note { text: format!("Reading `{}` once for its checksum.", source.name) });
        }
        let endpoint = source.table.to_string();
        let folder = Folder { site: site.clone(), endpoint: endpoint.clone(), date: request.date, run: source.run()? };
        let held = held(store, &request.raw, &folder).await?;
        if let Some(already) = held.complete {
            summary.endpoints.push(Written { endpoint, already, ..Written::default() });
            continue;
        }
        if let Some((other, _)) = held.others.iter().find(|(_, complete)| *complete && !request.replace) {
            return Err(another(&folder, other, &source.name));
        }
        new.push(Incoming { source, folder, held });
    }
    summary.endpoints.extend(write::write(store, request, &new, sink).await?);
    summary.endpoints.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
    summary.emit(&request.raw, sink);
    Ok(summary)
}

/// Returns the site that is asked for, or else the one that names tell.
fn site(request: &DumpRequest, found: &DumpFiles) -> Result<String> {
    let input = request.input.display();
    match (&request.site, found.sites.as_slice()) {
        (Some(site), _) | (None, [site]) => Ok(site.clone()),
        (None, []) => Err(Error::new(Kind::Usage, format!("cannot tell which site `{input}` is of"))
            .hint("add its name in the API, such as `--site stackoverflow` or `--site bicycles.meta`")),
        (None, sites) => Err(Error::new(Kind::Usage, format!("`{input}` has dumps of several sites"))
            .detail(sites.join("\n"))
            .hint("give the files of one site at a time")),
    }
}

/// The dumps of one table, site and date.
struct HeldDump {
    /// How many pages the very folder has, when it is complete.
    complete: Option<u64>,
    /// Whether an interrupted ingest left something in it.
    begun: bool,
    /// Folders of other dumps, and whether they are complete.
    others: Vec<(Folder, bool)>,
}

/// Returns what is there of `folder`, and of others like it.
async fn held(store: &dyn Store, raw: &Uri, folder: &Folder) -> Result<HeldDump> {
    // A table without rows has a manifest and no page.
    let mut pages = BTreeMap::from([(folder.clone(), 0)]);
    for object in store.list(&raw::of_date(raw, &folder.site, &folder.endpoint, folder.date)).await? {
        if let Some((found, _)) = Folder::parse(raw, &object.uri).filter(|(found, _)| found.run.starts_with(RUN)) {
            *pages.entry(found).or_default() += 1;
        }
    }
    let mut held = HeldDump { complete: None, begun: false, others: Vec::new() };
    for (found, pages) in pages {
        let complete = store.size(&found.manifest(raw)).await?.is_some();
        if found == *folder {
            held.complete = complete.then_some(pages);
            held.begun = !complete && pages > 0;
        } else {
            held.others.push((found, complete));
        }
    }
    Ok(held)
}

/// Returns the error of a table that raw holds another dump of.
fn another(folder: &Folder, other: &Folder, name: &str) -> Error {
    let Folder { site, endpoint, date, .. } = folder;
    let message = format!("raw holds another dump of {endpoint} of {site} for {date}, nothing was written");
    Error::new(Kind::Usage, message)
        .detail(format!("there: run={}\n`{name}`: run={}", other.run, folder.run))
        .hint("file this one under a date of its own with `--date YYYY-MM-DD`")
        .hint("or add `--replace`: the other one is removed as soon as this one is complete")
}

#[cfg(test)]
mod tests;
