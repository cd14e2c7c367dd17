//! `soflow backfill`: a job for each date of a range, with a ledger, so that the same command goes on.

mod dates;
mod plan;

use std::cell::RefCell;

use clap::Args;
use futures_util::StreamExt as _;
use jiff::civil::Date;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use super::app::{App, yesterday};
use super::args::{Selection, TargetOptions, Watching};
use super::confirm::confirm;
use crate::error::{Error, Kind, Result};
use crate::event::{DateState, Event};
use crate::report::{Layout, TextCell, count, date_word, paint, seconds};
use crate::run::{DateRange, Ledger, LedgerLease, read_ledger};
use dates::Dates;
use plan::BackfillPlan;

#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The job: a file in jobs/, without `.yaml`
    pub job: String,
    /// The first logical date
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Date,
    /// The last logical date [default: yesterday, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
    /// Set a parameter of the job; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Run all steps of all dates although nothing has changed
    #[arg(long)]
    pub force: bool,
    /// Begin no further date after one that failed
    #[arg(long)]
    pub stop_on_failure: bool,
    /// Show what would be run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Begin without asking
    #[arg(long)]
    pub yes: bool,
    /// The engine: sail or spark
    #[arg(long, value_name = "ENGINE", help_heading = "On this machine")]
    pub engine: Option<String>,
    /// How many dates run at once; a local lake takes one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, help_heading = "On a cluster")]
    pub parallel: usize,
    /// The shape of the cluster: a name below `clusters:` in config/soflow.yaml
    #[arg(long, value_name = "SHAPE", help_heading = "On a cluster")]
    pub cluster: Option<String>,
    #[command(flatten)]
    pub watching: Watching,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a whole number from 1".to_string())
}

impl BackfillArgs {
    /// Returns what is to be run for a date.
    fn selection(&self, date: Date) -> Selection {
        let (job, params, force) = (self.job.clone(), self.params.clone(), self.force);
        let local = TargetOptions { engine: self.engine.clone(), parallel: None, cluster: self.cluster.clone() };
        Selection { job, date: Some(date), params, force, local, ..Selection::default() }
    }

    /// Returns the command that does the same again.
    fn command(&self, range: &DateRange) -> String {
        let mut command = format!("soflow backfill {} --from {} --to {}", range.job, range.from, range.to);
        self.params.iter().for_each(|param| command.push_str(&format!(" --param={param}")));
        for (flag, value) in [("engine", &self.engine), ("cluster", &self.cluster)] {
            value.iter().for_each(|value| command.push_str(&format!(" --{flag} {value}")));
        }
        if self.parallel > 1 {
            command.push_str(&format!(" --parallel {}", self.parallel));
        }
        command
    }
}

/// Runs what is left of a range of dates.
pub async fn backfill(app: &App, args: &BackfillArgs) -> Result<u8> {
    let range = DateRange { job: args.job.clone(), from: args.from, to: args.to.unwrap_or_else(yesterday) };
    if range.from > range.to {
        let (from, to) = (range.from, range.to);
        return Err(Error::new(Kind::Usage, format!("`--from {from}` is after the last date, {to}"))
            .hint("the range holds both its ends; without `--to` it ends yesterday, UTC"));
    }
    let (work, _) = app.open_for(&args.selection(range.from), args.watching).await?;
    if args.parallel > 1 && work.session.is_none() {
        return Err(Error::new(Kind::Usage, format!("`--parallel {}` needs an EMR target", args.parallel))
            .detail("a local lake has one writer at a time, so its dates run one after the other")
            .hint("leave `--parallel` away, or name an EMR target with `--target NAME`"));
    }
    let services = work.services()?;
    let artifacts = &work.lake().artifacts;
    let ledger = read_ledger(work.store.as_ref(), artifacts, &range).await?;
    let planned = BackfillPlan::of(&work, args, &range, &ledger, &services).await?;
    if args.dry_run {
        return app.answer(&planned.document(), |layout| planned.text(&layout.style));
    }
    // The plan is shown where the story is told, so that stdout has the answer alone.
    match app.tells_ndjson() {
        true => app.tell(Event::Note { text: planned.line() }),
        false => app.print_err(&planned.text(&app.err_style)),
    }
    let (to_run, command) = (planned.to_run(), args.command(&range));
    if !to_run.is_empty() && !args.yes {
        let hints =
            [format!("to begin without a question: `{command} --yes`"), "to see the plan alone: `--dry-run`".into()];
        confirm("Begin?", "nothing was run", services.stop.clone(), &hints).await?;
    }
    let force = args.watching.force_lease;
    let mut book = LedgerLease::take(work.store.clone(), artifacts, &range, &app.owner(), force).await?;
    book.write(planned.entries(&book.ledger)).await?;
    let (book, of, over) = (Mutex::new(book), to_run.len(), RefCell::new(None));
    let dates = Dates { work: &work, args, services: &services, book, of, over };
    let (begun, planned) = (&dates, &planned);
    futures_util::stream::iter(to_run.iter().enumerate())
        .for_each_concurrent(args.parallel, |(at, date)| begun.run(at + 1, &planned.dates[date].submission))
        .await;
    let (ledger, ended) = dates.close().await;
    // What stopped all of it is told last, where `submit` tells it.
    if let Err(error) = ended {
        if !app.json {
            app.print(&(app.gap().to_string() + &table(&ledger, &app.layout)))?;
        }
        return Err(error.hint(format!("go on with `{command}`")));
    }
    let failed = ledger.dates.values().find(|entry| entry.state == DateState::Failed);
    let mut next: Vec<String> = Vec::new();
    next.extend(failed.and_then(|entry| entry.run.as_ref()).map(|run| format!("soflow retry {run}")));
    let over = |state| matches!(state, DateState::Done | DateState::NothingToDo | DateState::NoRaw);
    if !ledger.dates.values().all(|entry| over(entry.state)) {
        next.push(command);
    }
    let mut document = json!(ledger);
    // Part of the document's form: nobody is at a backfill that has ended.
    document["driver"] = Json::Null;
    document["next"] = json!(next);
    app.answer(&document, |layout| {
        let mut shown = app.gap().to_string() + &table(&ledger, layout);
        if !next.is_empty() {
            shown.push_str(&format!("\n{}\n", paint(layout.style.strong, "Where to go on")));
            next.iter().for_each(|command| shown.push_str(&format!("  {command}\n")));
        }
        shown
    })?;
    Ok(if failed.is_some() { Kind::Job.exit_code() } else { 0 })
}

fn table(ledger: &Ledger, layout: &Layout) -> String {
    let style = &layout.style;
    let rows = ledger.dates.iter().map(|(date, entry)| {
        let colour = match entry.state {
            DateState::Failed | DateState::Cancelled => style.bad,
            DateState::NothingToDo | DateState::NoRaw => style.dim,
            _ => style.strong,
        };
        let took = entry.started_at.zip(entry.ended_at).map(|(began, ended)| ended.duration_since(began));
        let number =
            |value| TextCell::number(if entry.state == DateState::Done { count(value) } else { String::new() });
        [
            date.to_string().into(),
            TextCell::from(date_word(entry.state)).styled(colour),
            number(entry.steps),
            number(entry.rows),
            TextCell::number(took.map_or(String::new(), |took| seconds(took.as_secs_f64()))),
            entry.run.as_ref().map_or(String::new(), ToString::to_string).into(),
            entry.error.as_deref().unwrap_or_default().into(),
        ]
    });
    layout.table(["date", "state", "steps", "rows", "time", "run", "why"], rows)
}
