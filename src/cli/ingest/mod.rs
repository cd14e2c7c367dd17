//! `soflow ingest`: Stack Exchange data into raw.

mod api;
mod args;
mod credentials;
mod status;

use jiff::Timestamp;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use serde::Serialize;

pub use args::IngestCommand;
use args::{DumpArgs, PagesArgs};

use super::app::{App, yesterday};
use super::connections::Connections;
use super::jobs;
use super::project::Project;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::{Summary, dump, pages, sample};
use crate::report::{Answer, Layout, TextTable, bytes, count};
use crate::run::LakeLock;

/// Brings data into raw and says what.
pub async fn ingest(app: &App, command: &IngestCommand) -> Result<u8> {
    let project = app.project(None)?;
    let mut sink = app.sink();
    app.warn(&project, sink.as_mut());
    let connections = app.connect(&project).await?;
    let what = match command {
        IngestCommand::Status => None,
        IngestCommand::Api(args) if args.plan => None,
        IngestCommand::Api(_) => Some("ingest api"),
        IngestCommand::Pages(_) => Some("ingest pages"),
        IngestCommand::Dump(_) => Some("ingest dump"),
        IngestCommand::Sample => Some("ingest sample"),
    };
    // A file that is being written looks like one that a crash left.
    let artifacts = &project.target()?.lake.artifacts;
    let _lock = what.map(|what| LakeLock::guard(artifacts, what, Timestamp::now())).transpose()?;
    match command {
        IngestCommand::Api(args) => api::from_api(app, &project, &connections, args, sink).await,
        IngestCommand::Status => status::status(app, &project, &connections).await,
        IngestCommand::Pages(args) => from_pages(app, &project, &connections, args, sink).await,
        IngestCommand::Dump(args) => from_dump(app, &project, &connections, args, sink).await,
        IngestCommand::Sample => from_sample(app, &project, &connections, sink).await,
    }
}

async fn from_pages(
    app: &App,
    project: &Project,
    connections: &Connections,
    args: &PagesArgs,
    mut sink: Box<dyn Sink>,
) -> Result<u8> {
    let date = args.date.unwrap_or_else(yesterday);
    let request = pages::PagesRequest {
        folder: project.cwd.join(&args.folder),
        raw: project.target()?.lake.raw.clone(),
        site: args.site.clone(),
        date,
        endpoint: args.endpoint.clone(),
        now: Timestamp::now(),
    };
    let summary = pages::ingest(connections.store.as_ref(), &request, sink.as_mut()).await?;
    answer(app, project, Ingested::of(summary, date, "items"), sink)
}

async fn from_dump(
    app: &App,
    project: &Project,
    connections: &Connections,
    args: &DumpArgs,
    mut sink: Box<dyn Sink>,
) -> Result<u8> {
    let midnight = |date: jiff::civil::Date| TimeZone::UTC.to_timestamp(date.to_datetime(time(0, 0, 0, 0)));
    let taken = args.taken.map(midnight).transpose();
    let taken = taken.map_err(|error| Error::new(Kind::Usage, "`--taken` is no date of a dump").caused_by(error))?;
    let date = args.date.unwrap_or_else(yesterday);
    let request = dump::DumpRequest {
        input: project.cwd.join(&args.input),
        raw: project.target()?.lake.raw.clone(),
        site: args.site.clone(),
        date,
        only: args.only.clone(),
        taken,
        replace: args.replace,
        now: Timestamp::now(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        part_bytes: dump::PART_BYTES,
    };
    let summary = dump::ingest(connections.store.as_ref(), &request, sink.as_mut()).await?;
    answer(app, project, Ingested::of(summary, date, "rows"), sink)
}

async fn from_sample(app: &App, project: &Project, connections: &Connections, mut sink: Box<dyn Sink>) -> Result<u8> {
    let (raw, site) = (&project.target()?.lake.raw, super::submit::SAMPLE_SITE);
    let summary = sample::write(connections.store.as_ref(), raw, site, sink.as_mut()).await?;
    answer(app, project, Ingested::of(summary, sample::SAMPLE_DATE, "items"), sink)
}

/// Most unreadable files that are named; the rest are counted.
const NAMED_AT_MOST: usize = 10;

/// What has come in, and what to do with it.
#[derive(Serialize)]
struct Ingested {
    /// The logical date it is for.
    date: Date,
    ingested: Summary,
    /// What it is counted in: `items`, `rows`.
    #[serde(skip)]
    unit: &'static str,
    /// The job that reads it, if there is one.
    #[serde(skip)]
    job: Option<String>,
}

impl Ingested {
    const fn of(ingested: Summary, date: Date, unit: &'static str) -> Self {
        Self { date, ingested, unit, job: None }
    }
}

impl Answer for Ingested {
    fn text(&self, layout: &Layout) -> String {
        let mut table = TextTable::new(["endpoint", "pages", self.unit, "size", "there already"]).numbers([
            "pages",
            self.unit,
            "size",
            "there already",
        ]);
        for written in &self.ingested.endpoints {
            table.row([
                written.endpoint.as_str().into(),
                count(written.pages).into(),
                count(written.items).into(),
                bytes(written.bytes).into(),
                count(written.already).into(),
            ]);
        }
        let (date, site) = (self.date, &self.ingested.site);
        // The site that jobs read when nothing else is said.
        let site = if site == super::submit::SAMPLE_SITE { String::new() } else { format!(" --param site={site}") };
        let next = self.job.as_ref().map(|job| format!("\n  soflow submit {job} --date {date}{site}\n"));
        layout.table(&table) + &next.unwrap_or_default()
    }
}

/// Tells what was not taken and prints what has come in.
fn answer(app: &App, project: &Project, mut ingested: Ingested, mut sink: Box<dyn Sink>) -> Result<u8> {
    say_skipped(&ingested.ingested, sink.as_mut());
    drop(sink);
    let jobs = jobs::job_names(project)?;
    ingested.job = jobs.iter().find(|job| *job == "daily").or(jobs.first()).cloned();
    app.answer(&ingested)
}

fn say_skipped(summary: &Summary, sink: &mut dyn Sink) {
    for skipped in &summary.skipped {
        sink.emit(Event::Warning { text: format!("`{}` was not taken: {}", skipped.path, skipped.reason) });
    }
    let unreadable = &summary.unreadable;
    for file in unreadable.iter().take(NAMED_AT_MOST) {
        sink.emit(Event::Warning { text: format!("`{}` is no readable page: {}", file.path, file.reason) });
    }
    if !unreadable.is_empty() {
        let more = match unreadable.len().saturating_sub(NAMED_AT_MOST) {
            0 => String::new(),
            more => format!("and {more} more: "),
        };
        let text = format!(
            "{more}{} of {} files are no readable pages; they are in raw as they are, and the steps set them aside",
            count(unreadable.len() as u64),
            count(summary.pages() + summary.already()),
        );
        sink.emit(Event::Warning { text });
    }
}
