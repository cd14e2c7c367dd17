//! `soflow ingest`: pages into raw.

use jiff::Timestamp;

use super::app::{App, yesterday};
use super::args::IngestCommand;
use super::ground::Ground;
use super::prepare;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::ingest::{Summary, pages, sample};
use crate::report::{Align, Cell, Table, bytes, count};

/// Brings pages into raw and says which.
pub async fn ingest(app: &App, command: &IngestCommand) -> Result<u8> {
    let project = app.project(None)?;
    let mut sink = app.sink();
    app.warn(&project, sink.as_mut());
    let Ground { store, .. } = app.ground(&project).await?;
    let raw = project.target()?.lake.raw.clone();
    let (summary, date) = match command {
        IngestCommand::Pages { folder, date, endpoint, site } => {
            let date = date.unwrap_or_else(yesterday);
            let request = pages::Request {
                folder: project.cwd.join(folder),
                raw,
                site: site.clone(),
                date,
                endpoint: endpoint.clone(),
                now: Timestamp::now(),
            };
            (pages::ingest(store.as_ref(), &request, sink.as_mut()).await?, date)
        }
        IngestCommand::Sample { scale } => {
            let site = super::submit::SAMPLE_SITE;
            (sample::write(store.as_ref(), &raw, site, *scale, sink.as_mut()).await?, sample::SAMPLE_DATE)
        }
    };
    say_skipped(&summary, sink.as_mut());
    drop(sink);
    if app.json {
        return app.print_json(&serde_json::json!({ "date": date, "ingested": summary })).map(|()| 0);
    }
    app.print(&text(app, &summary))?;
    let jobs = prepare::job_names(&project)?;
    let job = jobs.iter().find(|job| *job == "daily").or(jobs.first());
    let next = job.map(|job| format!("\n  soflow submit {job} --date {date}\n"));
    app.print(&next.unwrap_or_default()).map(|()| 0)
}

fn say_skipped(summary: &Summary, sink: &mut dyn Sink) {
    for skipped in &summary.skipped {
        sink.emit(Event::Warning { text: format!("`{}` was not taken: {}", skipped.path, skipped.reason) });
    }
}

fn text(app: &App, summary: &Summary) -> String {
    let mut table = Table::new([
        ("endpoint", Align::Left),
        ("pages", Align::Right),
        ("items", Align::Right),
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
