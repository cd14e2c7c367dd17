//! From the files of a dump to run folders in raw.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;

use super::file_away::{self, Incoming};
use super::find::{self, Found};
use super::held;
use super::source::Source;
use super::table::Table;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::mixture;
use crate::ingest::raw::{self, Folder};
use crate::ingest::summary::{Summary, Written};
use crate::names::Uri;
use crate::store::Store;

/// A file of this size takes seconds to be read for its checksum: that is announced.
const LONG_TO_CHECK: u64 = 1 << 30;

/// What to ingest, and where to.
#[derive(Clone, Debug)]
pub struct Request {
    /// An archive, a table's file, or a folder of those.
    pub input: PathBuf,
    /// The target's raw location.
    pub raw: Uri,
    /// The site, as the API calls it; `None`: as the file or folder says.
    pub site: Option<String>,
    /// The logical date the rows are filed under.
    pub date: Date,
    /// The tables to take; empty: all.
    pub only: Vec<Table>,
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
pub async fn ingest(store: &dyn Store, request: &Request, sink: &mut dyn Sink) -> Result<Summary> {
    let found = find::find(&request.input, &request.only)?;
    let site = site(request, &found)?;
    raw::check_names(&site, &[])?;
    mixture::refuse(store, &request.raw, &site, super::RUN).await?;
    let mut summary = Summary { site: site.clone(), skipped: found.skipped, ..Summary::default() };
    let mut new = Vec::new();
    for source in found.sources {
        let incoming = look(store, request, &site, source, sink).await?;
        match incoming.held.complete {
            Some(already) => summary.endpoints.push(there(&incoming, already)),
            None => new.push(incoming),
        }
    }
    summary.endpoints.extend(file_away::all(store, request, new, sink).await?);
    summary.endpoints.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
    summary.emit(&request.raw, sink);
    Ok(summary)
}

/// Returns the site that is asked for, or else the one that names tell.
fn site(request: &Request, found: &Found) -> Result<String> {
    let input = request.input.display();
    match (&request.site, found.sites.as_slice()) {
        (Some(site), _) => Ok(site.clone()),
        (None, [site]) => Ok(site.clone()),
        (None, []) => Err(Error::new(Kind::Usage, format!("cannot tell which site `{input}` is of"))
            .hint("add its name in the API, such as `--site stackoverflow` or `--site bicycles.meta`")),
        (None, sites) => Err(Error::new(Kind::Usage, format!("`{input}` has dumps of several sites"))
            .detail(sites.join("\n"))
            .hint("give the files of one site at a time")),
    }
}

/// Returns a table with what raw holds of it.
async fn look(
    store: &dyn Store,
    request: &Request,
    site: &str,
    source: Source,
    sink: &mut dyn Sink,
) -> Result<Incoming> {
    if source.is_read_for_its_checksum() && source.bytes >= LONG_TO_CHECK {
        sink.emit(Event::Note { text: format!("Reading `{}` once for its checksum.", source.name) });
    }
    let run = source.run()?;
    let folder = Folder { site: site.into(), endpoint: source.table.endpoint().into(), date: request.date, run };
    let held = held::held(store, &request.raw, &folder).await?;
    let other = held.others.iter().find(|(_, complete)| *complete);
    match other {
        Some((other, _)) if held.complete.is_none() && !request.replace => {
            Err(held::another(&folder, other, &source.name))
        }
        _ => Ok(Incoming { source, folder, held }),
    }
}

fn there(incoming: &Incoming, already: u64) -> Written {
    Written { endpoint: incoming.folder.endpoint.clone(), run: None, pages: 0, items: 0, bytes: 0, already }
}
