//! `soflow ingest`: Stack Exchange data into raw.

mod api;
mod args;
mod credentials;
mod dump;
mod status;

use jiff::Timestamp;
use jiff::civil::Date;

pub use args::IngestCommand;
use args::PagesArgs;

use super::app::{App, Project, yesterday};
use super::ground::Ground;
use super::prepare;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::ingest::{Summary, pages, sample};
use crate::report::{Align, Cell, Table, bytes, count};
use crate::run::LakeLock;

/// Brings data into raw and says what.
pub async fn ingest(app: &App, command: &IngestCommand) -> Result<u8> {
    let project = app.project(None)?;
    let mut sink = app.sink();
    app.warn(&project, sink.as_mut());
    let ground = app.ground(&project).await?;
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
        IngestCommand::Api(args) => api::from_api(app, &project, &ground, args, sink).await,
        IngestCommand::Status => status::status(app, &project, &ground).await,
        IngestCommand::Pages(args) => from_pages(app, &project, &ground, args, sink).await,
        IngestCommand::Dump(args) => dump::from_dump(app, &project, &ground, args, sink).await,
        IngestCommand::Sample => from_sample(app, &project, &ground, sink).await,
    }
}

async fn from_pages(
    app: &App,
    project: &Project,
    ground: &Ground,
    args: &PagesArgs,
    mut sink: Box<dyn Sink>,
) -> Result<u8> {
    let date = args.date.unwrap_or_else(yesterday);
    let request = pages::Request {
        folder: project.cwd.join(&args.folder),
        raw: project.target()?.lake.raw.clone(),
        site: args.site.clone(),
        date,
        endpoint: args.endpoint.clone(),
        now: Timestamp::now(),
    };
    let summary = pages::ingest(ground.store.as_ref(), &request, sink.as_mut()).await?;
    tell(app, project, &Arrived { summary, date, unit: "items" }, sink)
}

async fn from_sample(app: &App, project: &Project, ground: &Ground, mut sink: Box<dyn Sink>) -> Result<u8> {
    let (raw, site) = (&project.target()?.lake.raw, super::submit::SAMPLE_SITE);
    let summary = sample::write(ground.store.as_ref(), raw, site, sink.as_mut()).await?;
    tell(app, project, &Arrived { summary, date: sample::SAMPLE_DATE, unit: "items" }, sink)
}

/// Most unreadable files that are named; the rest are counted.
const NAMED_AT_MOST: usize = 10;

/// What has come in.
struct Arrived {
    summary: Summary,
    /// The logical date it is for.
    date: Date,
    /// What it is counted in: `items`, `rows`.
    unit: &'static str,
}

/// Prints what has come in, and what to do with it.
fn tell(app: &App, project: &Project, arrived: &Arrived, mut sink: Box<dyn Sink>) -> Result<u8> {
    let Arrived { summary, date, unit } = arrived;
    say_skipped(summary, sink.as_mut());
    drop(sink);
    if app.json {
        return app.print_json(&serde_json::json!({ "date": date, "ingested": summary })).map(|()| 0);
    }
    app.print(&text(app, summary, unit))?;
    let jobs = prepare::job_names(project)?;
    let job = jobs.iter().find(|job| *job == "daily").or(jobs.first());
    // The site that jobs read when nothing else is said.
    let is_default = summary.site == super::submit::SAMPLE_SITE;
    let site = if is_default { String::new() } else { format!(" --param site={}", summary.site) };
    let next = job.map(|job| format!("\n  soflow submit {job} --date {date}{site}\n"));
    app.print(&next.unwrap_or_default()).map(|()| 0)
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

fn text(app: &App, summary: &Summary, unit: &'static str) -> String {
    let mut table = Table::new([
        ("endpoint", Align::Left),
        ("pages", Align::Right),
        (unit, Align::Right),
        ("size", Align::Right),
        ("there already", Align::Right),
    ]);
    for written in &summary.endpoints {
        table.row([
            Cell::from(written.endpoint.clone()),
            Cell::from(count(written.pages)),
            Cell::from(count(written.items)),
            Cell::from(bytes(written.bytes)),
            Cell::from(count(written.already)),
        ]);
    }
    table.render(&app.out_style, app.width)
}
