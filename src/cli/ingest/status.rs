//! `soflow ingest status`: how far the API has been read into the lake.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::super::app::App;
use super::super::connections::Connections;
use super::super::project::Project;
use crate::error::Result;
use crate::ingest::api::state::{self, ApiQuota, Last, Progress, State, Trouble};
use crate::report::{Answer, Layout, TextCell, TextTable, count};
use crate::store::lease::Claim;

/// How far an endpoint has been read.
#[derive(Serialize)]
struct EndpointStatus<'a> {
    site: &'a str,
    endpoint: &'a str,
    /// Read without a gap up to here, UTC.
    watermark: Option<Timestamp>,
    /// What was never read between what was: from the first second to the first one after, UTC.
    gaps: Vec<(Timestamp, Timestamp)>,
    last: Option<&'a Last>,
    /// What is being read, or was when it was cut off.
    unfinished: Option<Unfinished<'a>>,
    error: Option<&'a Trouble>,
}

#[derive(Serialize)]
struct Unfinished<'a> {
    run: &'a str,
    from: Option<Timestamp>,
    pages: u64,
    items: u64,
}

#[derive(Serialize)]
struct IngestStatus<'a> {
    endpoints: Vec<EndpointStatus<'a>>,
    quota: Option<&'a ApiQuota>,
    reader: Option<&'a Claim>,
}

/// Prints how far the API has been read.
pub async fn status(app: &App, project: &Project, connections: &Connections) -> Result<u8> {
    let found = state::look(connections.store.as_ref(), &project.target()?.lake.artifacts).await?;
    let state = found.unwrap_or_default();
    let (endpoints, quota, reader) = (rows(&state), state.quota.as_ref(), state.reader.as_ref());
    app.answer(&IngestStatus { endpoints, quota, reader })
}

fn rows(state: &State) -> Vec<EndpointStatus<'_>> {
    let endpoints = state.sites.iter().flat_map(|(site, endpoints)| {
        endpoints.iter().map(move |(endpoint, progress)| (site.as_str(), endpoint.as_str(), progress))
    });
    endpoints.map(|(site, endpoint, progress)| row(site, endpoint, progress)).collect()
}

fn row<'a>(site: &'a str, endpoint: &'a str, progress: &'a Progress) -> EndpointStatus<'a> {
    let at = |second: i64| Timestamp::from_second(second).ok();
    let unfinished = progress.task.as_ref().map(|task| Unfinished {
        run: &task.run,
        from: at(task.window.from),
        pages: task.pages,
        items: task.items,
    });
    EndpointStatus {
        site,
        endpoint,
        watermark: progress.read.end().and_then(at),
        gaps: progress.read.gaps().into_iter().filter_map(|(from, until)| Some((at(from)?, at(until)?))).collect(),
        last: progress.last.as_ref(),
        unfinished,
        error: progress.error.as_ref(),
    }
}

impl Answer for IngestStatus<'_> {
    fn text(&self, layout: &Layout) -> String {
        if self.endpoints.is_empty() {
            return "Nothing has been read from the API into this lake.\n\n  soflow ingest api --since 2026-01-01\n"
                .into();
        }

        let mut table = TextTable::new([
            "site",
            "endpoint",
            "read to (UTC)",
            "gaps",
            "last pages",
            "items",
            "requests",
            "filed under",
        ])
        .numbers(["gaps", "last pages", "items", "requests"]);
        let mut notes = Vec::new();
        for row in &self.endpoints {
            let last = |of: fn(&Last) -> String| TextCell::from(row.last.map_or_else(|| "-".into(), of));
            table.row([
                TextCell::from(row.site.to_string()),
                TextCell::from(row.endpoint.to_string()),
                TextCell::from(
                    row.watermark.map_or_else(|| "-".into(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
                ),
                TextCell::from(count(row.gaps.len() as u64)),
                last(|last| count(last.pages)),
                last(|last| count(last.items)),
                last(|last| count(last.requests)),
                last(|last| last.date.to_string()),
            ]);
            notes.extend(notes_of(row));
        }
        notes.extend(self.quota.map(|quota| {
            let max = quota.max.map_or_else(String::new, |max| format!(" of {max}"));
            let until = quota.until.map_or_else(String::new, |until| format!("; there is more from {until:.0}"));
            format!(
                "quota: {}{max} requests were left at {:.0} (counted by {}){until}",
                quota.remaining, quota.at, quota.counted
            )
        }));
        notes.extend(self.reader.map(|reader| format!("being read by {} since {:.0}", reader.owner, reader.since)));
        let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
        format!("{}\n{notes}", layout.table(&table))
    }
}

fn notes_of(row: &EndpointStatus<'_>) -> Vec<String> {
    let (site, endpoint) = (row.site, row.endpoint);
    let day = |at: &Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
    let gaps = row.gaps.iter().map(|(from, until)| {
        let command = format!("soflow ingest api {endpoint} --site {site} --since {from} --until {until}");
        format!("gap: {endpoint} were not read from {} to {}: `{command}`", day(from), day(until))
    });
    let unfinished = row.unfinished.as_ref().map(|left| {
        format!(
            "unfinished: {endpoint}, {} pages in {}: the next `soflow ingest api {endpoint}` goes on",
            left.pages, left.run
        )
    });
    let error = row.error.map(|error| format!("last error: {endpoint} at {:.0}: {}", error.at, error.message));
    gaps.chain(unfinished).chain(error).collect()
}
