//! A made-up sample of Stack Overflow: API pages as a collector would have stored them, the same on every machine.
//!
//! 18 months of questions with their answers and comments, all in raw for one logical date, [`SAMPLE_DATE`]. Volume
//! declines, tags rise and fall, some annoy people; and every oddity that real pages have is there in small numbers.

mod dice;
mod items;
mod outline;
mod people;
mod tags;
mod text;
mod world;

use jiff::Timestamp;
use jiff::civil::{Date, date};

use super::manifest::{self, Line};
use super::mixture::{self, SAMPLE_RUN};
use super::page;
use super::raw::{self, Folder, Form, Writer};
use super::summary::{Summary, Written};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::names::Uri;
use crate::store::Store;
use world::{Endpoint, World};

/// The logical date of the sample: its last day.
pub const SAMPLE_DATE: Date = date(2026, 10, 31);
/// The sample's first day.
pub const FIRST_DAY: Date = date(2025, 5, 1);
/// The largest scale: 242,000 questions, which take 160 MB of memory.
pub const LARGEST_SCALE: u32 = 100;

/// Midnight (UTC) of the first day.
const START: i64 = 1_746_057_600;
const DAYS: i64 = 549;
/// The first page was fetched four hours after the last day, and each next one two seconds later.
const FETCHED: i64 = START + DAYS * 86_400 + 4 * 3_600;
/// What the sample is made from. Another number, another sample.
const SEED: u64 = 7;
/// The API's largest page.
const PAGE_SIZE: usize = 100;

/// Writes the sample into raw, or nothing when it is there already.
///
/// # Errors
/// `Usage` for a scale outside 1 to [`LARGEST_SCALE`]. `Machine` when a write fails: the same call completes the sample.
pub async fn write(store: &dyn Store, raw: &Uri, site: &str, scale: u32, sink: &mut dyn Sink) -> Result<Summary> {
    raw::check_names(site, &[])?;
    if !(1..=LARGEST_SCALE).contains(&scale) {
        return Err(Error::new(Kind::Usage, format!("the scale of the sample is 1 to {LARGEST_SCALE}, not {scale}")));
    }
    let run = format!("{SAMPLE_RUN}{SEED}-x{scale}");
    mixture::refuse(store, raw, site, &run).await?;
    let mut world = None;
    let mut summary = Summary { site: site.into(), ..Summary::default() };
    for endpoint in Endpoint::ALL {
        let endpoint_name = endpoint.name().to_string();
        let folder = Folder { site: site.into(), endpoint: endpoint_name, date: SAMPLE_DATE, run: run.clone() };
        let written = match store.get(&folder.manifest(raw)).await? {
            Some(there) => already(folder, manifest::parse(&there).len() as u64),
            None => {
                let world = world.get_or_insert_with(|| World::new(scale));
                write_endpoint(Writer::new(store, raw, folder.clone(), Form::Json), world, endpoint, folder.run).await?
            }
        };
        summary.endpoints.push(written);
    }
    summary.emit(raw, sink);
    Ok(summary)
}

fn already(folder: Folder, pages: u64) -> Written {
    Written { endpoint: folder.endpoint, run: None, pages: 0, items: 0, bytes: 0, already: pages }
}

async fn write_endpoint(writer: Writer<'_>, world: &World, endpoint: Endpoint, run: String) -> Result<Written> {
    let mut pager = Pager { writer, items: Vec::with_capacity(PAGE_SIZE), pages: 0 };
    for index in 0..world.rows(endpoint) {
        let overlap = index > 0 && pager.flush_if_full().await? && pager.pages % 5 == 0;
        if overlap {
            // Something moved while the collector turned the page: it gets a row again, in a newer version.
            pager.items.push(world.item(endpoint, index - 1, true)?);
        }
        pager.items.push(world.item(endpoint, index, false)?);
        if let Some(malformed) = world.malformed(endpoint, index)? {
            pager.flush_if_full().await?;
            pager.items.push(malformed);
        }
    }
    let lines = pager.finish().await?;
    let sum = |of: fn(&Line) -> Option<u64>| lines.iter().filter_map(of).sum();
    let (items, bytes) = (sum(|line| line.n_items), sum(|line| line.stored_bytes));
    let pages = lines.len() as u64;
    Ok(Written { endpoint: endpoint.name().into(), run: Some(run), pages, items, bytes, already: 0 })
}

/// Wraps items into pages. One page is in memory.
struct Pager<'a> {
    writer: Writer<'a>,
    items: Vec<String>,
    pages: i64,
}

impl Pager<'_> {
    /// Stores the page when another item would not fit; returns whether it did.
    async fn flush_if_full(&mut self) -> Result<bool> {
        let full = self.items.len() >= PAGE_SIZE;
        if full {
            self.flush(true).await?;
        }
        Ok(full)
    }

    async fn flush(&mut self, has_more: bool) -> Result<()> {
        self.pages += 1;
        let backoff = (self.pages % 9 == 0).then_some(10);
        // The API has been seen to answer -1 while it still answered.
        let quota_remaining = if self.pages == 13 { -1 } else { (9_990 - self.pages).rem_euclid(10_000) };
        let backoff_field = backoff.map_or(String::new(), |seconds| format!("\"backoff\":{seconds},"));
        let body = format!(
            "{{\"items\":[{}],\"has_more\":{has_more},{backoff_field}\"quota_max\":10000,\"quota_remaining\":{quota_remaining}}}",
            self.items.join(",")
        );
        let line = Line {
            fetched_at: Timestamp::from_second(FETCHED + 2 * self.pages).ok(),
            sha256: Some(page::sha256(body.as_bytes())),
            bytes: Some(body.len() as u64),
            n_items: Some(self.items.len() as u64),
            has_more: Some(has_more),
            quota_remaining: Some(quota_remaining),
            backoff,
            ..Line::default()
        };
        self.items.clear();
        self.writer.page(&page::compress(body.as_bytes())?, line).await
    }

    /// Stores the last page and makes all of them count.
    async fn finish(mut self) -> Result<Vec<Line>> {
        self.flush(false).await?;
        self.writer.commit().await
    }
}

#[cfg(test)]
mod tests;
