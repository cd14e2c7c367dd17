//! `soflow ingest status`: how far the API has been read into the lake.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::super::workspace::Workspace;
use crate::error::Result;
use crate::ingest::api::state::{self, Last, Progress, State};
use crate::report::{Layout, TextCell, count};

/// Prints how far the API has been read.
pub async fn status(work: &Workspace<'_>) -> Result<u8> {
    let state = state::look(work.store.as_ref(), &work.lake().artifacts).await?.unwrap_or_default();
    let endpoints: Vec<Json> = endpoints(&state).map(|(site, name, progress)| document(site, name, progress)).collect();
    let document = json!({ "endpoints": endpoints, "quota": state.quota, "reader": state.reader });
    work.app.answer(&document, |layout| text(&state, layout))
}

/// Returns each endpoint of each site with how far it has been read.
fn endpoints(state: &State) -> impl Iterator<Item = (&str, &str, &Progress)> {
    state.sites.iter().flat_map(|(site, of)| of.iter().map(move |(name, progress)| (&site[..], &name[..], progress)))
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// Returns up to where there is no gap, UTC.
fn watermark(progress: &Progress) -> Option<Timestamp> {
    progress.read.end().and_then(at)
}

/// Returns what was never read between what was: from the first second to the first one after, UTC.
fn gaps(progress: &Progress) -> Vec<(Timestamp, Timestamp)> {
    progress.read.gaps().into_iter().filter_map(|(from, until)| at(from).zip(at(until))).collect()
}

fn document(site: &str, endpoint: &str, progress: &Progress) -> Json {
    // What is being read, or was when it was cut off.
    let unfinished = progress
        .task
        .as_ref()
        .map(|task| json!({ "run": task.run, "from": at(task.window.from), "pages": task.pages, "items": task.items }));
    json!({
        "site": site,
        "endpoint": endpoint,
        "watermark": watermark(progress),
        "gaps": gaps(progress),
        "last": progress.last,
        "unfinished": unfinished,
        "error": progress.error,
    })
}

fn text(state: &State, layout: &Layout) -> String {
    if endpoints(state).next().is_none() {
        return "Nothing has been read from the API into this lake.\n\n  soflow ingest api --since 2026-01-01\n".into();
    }
    let rows = endpoints(state).map(|(site, endpoint, progress)| {
        let last = |of: fn(&Last) -> String| progress.last.as_ref().map_or_else(|| "-".into(), of);
        let read_to = watermark(progress).map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
        [
            site.into(),
            endpoint.into(),
            read_to.unwrap_or_else(|| "-".into()).into(),
            TextCell::number(count(gaps(progress).len() as u64)),
            TextCell::number(last(|last| count(last.pages))),
            TextCell::number(last(|last| count(last.items))),
            TextCell::number(last(|last| count(last.requests))),
            last(|last| last.date.to_string()).into(),
        ]
    });
    let names = ["site", "endpoint", "read to (UTC)", "gaps", "last pages", "items", "requests", "filed under"];
    let mut text = layout.table(names, rows) + "\n";
    let mut note = |said: String| text.push_str(&(said + "\n"));
    for (site, endpoint, progress) in endpoints(state) {
        let day = |at: Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
        for (from, until) in gaps(progress) {
            let command = format!("soflow ingest api {endpoint} --site {site} --since {from} --until {until}");
            note(format!("gap: {endpoint} were not read from {} to {}: `{command}`", day(from), day(until)));
        }
        if let Some(task) = &progress.task {
            let next = format!("the next `soflow ingest api {endpoint}` goes on");
            note(format!("unfinished: {endpoint}, {} pages in {}: {next}", task.pages, task.run));
        }
        if let Some(error) = &progress.error {
            note(format!("last error: {endpoint} at {:.0}: {}", error.at, error.message));
        }
    }
    if let Some(quota) = &state.quota {
        let max = quota.max.map_or_else(String::new, |max| format!(" of {max}"));
        let until = quota.until.map_or_else(String::new, |until| format!("; there is more from {until:.0}"));
        let (left, at, counted) = (quota.remaining, quota.at, &quota.counted);
        note(format!("quota: {left}{max} requests were left at {at:.0} (counted by {counted}){until}"));
    }
    if let Some(reader) = &state.reader {
        note(format!("being read by {} since {:.0}", reader.owner, reader.since));
    }
    text
}
