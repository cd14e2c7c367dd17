//! `soflow ingest`: Stack Exchange data into raw.

mod api;
mod args;
mod credentials;

use jiff::Timestamp;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use serde_json::json;

pub use args::IngestCommand;
use args::{DumpArgs, PagesArgs};

use super::app::{App, today, yesterday};
use super::jobs;
use super::submit::SAMPLE_SITE;
use super::workspace::Workspace;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::api::state;
use crate::ingest::{Summary, dump, pages, sample};
use crate::report::{Layout, TextCell, bytes, count};

/// Most unreadable files that are named; the rest are counted.
const NAMED_AT_MOST: usize = 10;

/// Brings data into raw and says what.
pub async fn ingest(app: &App, command: &IngestCommand) -> Result<u8> {
    let work = app.workspace().await?;
    let what = match command {
        IngestCommand::Status => None,
        IngestCommand::Api(args) if args.plan => None,
        IngestCommand::Api(_) => Some("ingest api"),
        IngestCommand::Pages(_) => Some("ingest pages"),
        IngestCommand::Dump(_) => Some("ingest dump"),
        IngestCommand::Sample => Some("ingest sample"),
    };
    // A file that is being written looks like one that a crash left.
    let _lock = what.map(|what| work.guard(what)).transpose()?;
    let mut sink = app.sink();
    let (summary, date, unit) = match command {
        IngestCommand::Status => return api::status(&work).await,
        IngestCommand::Api(args) if args.plan => return api::plan(&work, args, sink).await,
        IngestCommand::Api(args) => api::read(&work, args, sink.as_mut()).await?,
        IngestCommand::Pages(args) => from_pages(&work, args, sink.as_mut()).await?,
        IngestCommand::Dump(args) => from_dump(&work, args, sink.as_mut()).await?,
        IngestCommand::Sample => {
            let raw = &work.lake().raw;
            let summary = sample::write(work.store.as_ref(), raw, SAMPLE_SITE, sink.as_mut()).await?;
            (summary, sample::SAMPLE_DATE, "items")
        }
    };
    say_skipped(&summary, sink.as_mut());
    drop(sink);
    let jobs = jobs::job_names(&work.project)?;
    let job = jobs.iter().find(|job| *job == "daily").or(jobs.first());
    app.answer(&json!({ "date": date, "ingested": summary }), |layout| {
        let site = &summary.site;
        // The site that jobs read when nothing else is said.
        let site = if site == SAMPLE_SITE { String::new() } else { format!(" --param site={site}") };
        let next = job.map(|job| format!("\n  soflow submit {job} --date {date}{site}\n"));
        table(&summary, unit, layout) + &next.unwrap_or_default()
    })
}

/// Reads on from where the API was read last, until `stopped`; what was read by then is kept. The pages are for the day
/// that it is, UTC: the run of a date comes after that day, and would not see what is filed under its date later.
///
/// # Errors
/// `Interrupted` when it was stopped, `Quota` when the API takes no more requests for now; those of the API and the store.
pub async fn follow(
    work: &Workspace<'_>,
    stopped: impl Future<Output = Result<()>>,
    sink: &mut dyn Sink,
) -> Result<Summary> {
    let args = args::ApiArgs { follow_watermark: true, date: Some(today()), ..args::ApiArgs::default() };
    let (summary, ..) = api::read_until(work, &args, stopped, sink).await?;
    say_skipped(&summary, sink);
    Ok(summary)
}

/// Returns how many seconds ago the endpoint that is furthest behind was read to its end; `None` when none was yet.
///
/// # Errors
/// Those of the store.
pub async fn lag(work: &Workspace<'_>) -> Result<Option<i64>> {
    let state = state::look(work.store.as_ref(), &work.lake().artifacts).await?.unwrap_or_default();
    let site = state.sites.get(&work.project.settings.ingest.site);
    let ends = site.into_iter().flat_map(|of| of.values()).filter_map(|progress| Some(progress.last.as_ref()?.at));
    Ok(ends.min().map(|end| work.store.now().duration_since(end).as_secs()))
}

/// What has come in, the logical date it is for, and what it is counted in.
type Ingested = (Summary, Date, &'static str);

async fn from_pages(work: &Workspace<'_>, args: &PagesArgs, sink: &mut dyn Sink) -> Result<Ingested> {
    let date = args.date.unwrap_or_else(yesterday);
    let request = pages::PagesRequest {
        folder: work.project.cwd.join(&args.folder),
        raw: work.lake().raw.clone(),
        site: args.site.clone(),
        date,
        endpoint: args.endpoint.clone(),
        now: Timestamp::now(),
    };
    Ok((pages::ingest(work.store.as_ref(), &request, sink).await?, date, "items"))
}

async fn from_dump(work: &Workspace<'_>, args: &DumpArgs, sink: &mut dyn Sink) -> Result<Ingested> {
    let date = args.date.unwrap_or_else(yesterday);
    let request = dump::DumpRequest {
        input: work.project.cwd.join(&args.input),
        raw: work.lake().raw.clone(),
        site: args.site.clone(),
        date,
        only: args.only.clone(),
        taken: args.taken.map(midnight).transpose()?,
        replace: args.replace,
        now: Timestamp::now(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        part_bytes: dump::PART_BYTES,
    };
    Ok((dump::ingest(work.store.as_ref(), &request, sink).await?, date, "rows"))
}

/// Returns the first moment of a day, UTC.
fn midnight(date: Date) -> Result<Timestamp> {
    let wrong = |error| Error::new(Kind::Usage, format!("no such time: {error}"));
    TimeZone::UTC.to_timestamp(date.to_datetime(time(0, 0, 0, 0))).map_err(wrong)
}

fn table(summary: &Summary, unit: &str, layout: &Layout) -> String {
    let rows = summary.endpoints.iter().map(|written| {
        [
            written.endpoint.as_str().into(),
            TextCell::number(count(written.pages)),
            TextCell::number(count(written.items)),
            TextCell::number(bytes(written.bytes)),
            TextCell::number(count(written.already)),
        ]
    });
    layout.table(["endpoint", "pages", unit, "size", "there already"], rows)
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
