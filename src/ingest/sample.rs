//! A made-up sample of Stack Overflow: API pages as a collector would have stored them, for one logical date.
//!
//! The pages are an archive in the program. `benches/sample` makes it, and larger ones for measuring.

use std::collections::BTreeMap;
use std::io::Read as _;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use lzma_rust2::XzReader;

use super::manifest::{self, Line};
use super::mixture::{self, SAMPLE_RUN};
use super::page;
use super::raw::{self, Folder, Form, Writer};
use super::summary::{Summary, Written};
use crate::error::Result;
use crate::event::Sink;
use crate::names::Uri;
use crate::store::Store;

/// The logical date of the sample: its last day.
pub const SAMPLE_DATE: Date = date(2026, 10, 31);

/// Files `<endpoint>/000001.json`, each as old as the time the page was fetched at.
const ARCHIVE: &[u8] = include_bytes!("sample.tar.xz");

/// Writes the sample into raw, or nothing when it is there already.
///
/// # Errors
/// `Machine` when a write fails: the same call completes the sample. `Usage` when raw holds other data.
pub async fn write(store: &dyn Store, raw: &Uri, site: &str, sink: &mut dyn Sink) -> Result<Summary> {
    raw::check_names(site, &[])?;
    let run = format!("{SAMPLE_RUN}7-x1");
    mixture::refuse(store, raw, site, &run).await?;
    let mut summary = Summary { site: site.into(), ..Summary::default() };
    for (endpoint, pages) in unpack()? {
        let folder = Folder { site: site.into(), endpoint: endpoint.clone(), date: SAMPLE_DATE, run: run.clone() };
        let written = match store.get(&folder.manifest(raw)).await? {
            Some(there) => Written { endpoint, already: manifest::parse(&there).len() as u64, ..Written::default() },
            None => {
                let mut writer = Writer::new(store, raw, folder, Form::Json);
                for (body, fetched_at) in pages {
                    let page = page::inspect(&body);
                    let line = Line { fetched_at, sha256: Some(page.digest), ..page.line };
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

#[cfg(test)]
mod tests;
