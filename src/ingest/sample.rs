//! A made-up sample of Stack Overflow: API pages as a collector would have stored them, for one logical date.
//!
//! The pages are an archive in the program. `benches/sample` makes it, and larger ones for measuring.

use std::collections::BTreeMap;
use std::io::Read as _;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use lzma_rust2::XzReader;

use super::manifest::{self, Line};
use super::page;
use super::raw::{self, Folder, PageFormat, Writer};
use super::summary::{Summary, Written};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::names::Uri;
use crate::store::Store;

/// The logical date of the sample: its last day.
pub const SAMPLE_DATE: Date = date(2026, 10, 31);

/// What it has pages of.
const ENDPOINTS: [&str; 3] = ["answers", "comments", "questions"];

/// How the run folders of every sample begin, also of larger ones.
const SAMPLE_RUN: &str = "sample-";

/// Files `<endpoint>/000001.json`, each as old as the time the page was fetched at.
const ARCHIVE: &[u8] = include_bytes!("sample.tar.xz");

/// Writes the sample into raw, or nothing when it is there already.
///
/// # Errors
/// `Machine` when a write fails: the same call completes the sample. `Usage` when raw holds other data.
pub async fn write(store: &dyn Store, raw: &Uri, site: &str, sink: &mut dyn Sink) -> Result<Summary> {
    raw::check_names(site, &[])?;
    let run = format!("{SAMPLE_RUN}7-x1");
    refuse_mixture(store, raw, site, &run).await?;
    let mut summary = Summary { site: site.into(), ..Summary::default() };
    let mut unpacked = None;
    for endpoint in ENDPOINTS.map(String::from) {
        let folder = Folder { site: site.into(), endpoint: endpoint.clone(), date: SAMPLE_DATE, run: run.clone() };
        let written = match store.get(&folder.manifest(raw)).await? {
            Some(there) => Written { endpoint, already: manifest::parse(&there).len() as u64, ..Written::default() },
            None => {
                let mut writer = Writer::new(store, raw, folder, PageFormat::Json);
                let pages = match &mut unpacked {
                    Some(pages) => pages,
                    None => unpacked.insert(unpack()?),
                };
                for (body, fetched_at) in pages.remove(&endpoint).unwrap_or_default() {
                    let page = page::inspect(&body);
                    let line = Line { fetched_at, ..page.line };
                    writer.page(&page::compress(&body)?, line).await?;
                }
                Written::new(endpoint, run.clone(), &writer.commit().await?)
            }
        };
        summary.endpoints.push(written);
    }
    summary.emit(raw, sink);
    Ok(summary)
}

/// A body, and when it was fetched.
type Page = (Vec<u8>, Option<Timestamp>);

/// Returns the pages of each endpoint in their order.
fn unpack() -> Result<BTreeMap<String, Vec<Page>>> {
    let mut archive = tar::Archive::new(XzReader::new(ARCHIVE, false));
    let mut pages: BTreeMap<String, Vec<Page>> = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let endpoint = path.parent().unwrap_or(&path).to_string_lossy().into_owned();
        let fetched_at = i64::try_from(entry.header().mtime()?).ok().and_then(|at| Timestamp::from_second(at).ok());
        let mut body = Vec::new();
        entry.read_to_end(&mut body)?;
        pages.entry(endpoint).or_default().push((body, fetched_at));
    }
    Ok(pages)
}

/// Returns whether the pages of a date are the sample's. A lake never has both: `refuse_mixture`.
///
/// # Errors
/// Those of the store.
pub async fn is_of(store: &dyn Store, raw: &Uri, site: &str, date: Date) -> Result<bool> {
    let pages = raw.join(&format!("site={site}/endpoint={}/dt={date}", ENDPOINTS[0]));
    let runs = store.folders(&pages).await?;
    Ok(runs.iter().any(|folder| folder.strip_prefix("run=").is_some_and(|run| run.starts_with(SAMPLE_RUN))))
}

/// Refuses to write the run folder `run` into a raw location that holds pages of the other sort: a sample beside real
/// pages, real pages beside a sample, or two samples.
///
/// # Errors
/// `Usage`, with how to get a lake for each.
pub(super) async fn refuse_mixture(store: &dyn Store, raw: &Uri, site: &str, run: &str) -> Result<()> {
    let is_sample = run.starts_with(SAMPLE_RUN);
    for object in store.list(&raw.join(&format!("site={site}"))).await? {
        let Some((folder, _)) = Folder::parse(raw, &object.uri) else { continue };
        let other_sample = folder.run.starts_with(SAMPLE_RUN);
        if other_sample != is_sample || (is_sample && folder.run != run) {
            return Err(mixed(raw, is_sample, other_sample));
        }
    }
    Ok(())
}

fn mixed(raw: &Uri, is_sample: bool, other_sample: bool) -> Error {
    let message = match (is_sample, other_sample) {
        (true, false) => "raw holds real pages: the made-up sample would be mixed into their tables",
        (true, true) => "raw holds a sample of another size: their rows would be mixed",
        (false, _) => "raw holds the made-up sample: real pages would be mixed into its tables",
    };
    let error = Error::new(Kind::Usage, message).detail(format!("looked in {raw}"));
    let error = error.hint("use a lake of its own for this shell: `export SOFLOW_LAKE=file:.soflow/other`");
    let lake = raw.to_path().and_then(|path| path.parent().map(std::path::Path::to_path_buf));
    match lake.filter(|_| other_sample) {
        Some(lake) => {
            error.hint(format!("or remove the sample and all that was made from it: `rm -r {}`", lake.display()))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests;
