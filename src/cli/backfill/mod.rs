//! `soflow backfill`: a job for each date of a range, with a ledger, so that the same command goes on.

mod args;
mod dates;
mod plan;

use std::io::{IsTerminal as _, Write as _};

use futures_util::StreamExt as _;
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};
use tokio::sync::{Mutex, oneshot, watch};

use super::app::{App, yesterday};
use super::args::TargetOptions;
use super::output::stderr;
use super::project::Project;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::event::DateState;
use crate::report::{Answer, Layout, Style, TextCell, TextTable, count, date_word, line, paint, seconds};
use crate::run::{DateRange, Ledger, LedgerLease, read_ledger};
use crate::targets::Stop;
pub use args::BackfillArgs;
use dates::Dates;
use plan::BackfillPlan;

/// Runs what is left of a range of dates.
pub async fn backfill(app: &App, args: &BackfillArgs) -> Result<u8> {
    let options = TargetOptions { engine: args.engine.clone(), parallel: None, cluster: args.cluster.clone() };
    let project = app.project(Some(&options))?;
    let range = DateRange { job: args.job.clone(), from: args.from, to: args.to.unwrap_or_else(yesterday) };
    check(&project, args, &range)?;
    app.warn(&project, app.sink().as_mut());
    let connections = app.connect(&project).await?;
    let services = app.services_on(&project, &connections, args.watching.options())?;
    let artifacts = &project.target()?.lake.artifacts;
    let ledger = read_ledger(connections.store.as_ref(), artifacts, &range).await?;
    let mut planned = BackfillPlan::of(&project, args, &range, &ledger, &services).await?;
    planned.look_up_costs(app, &project, &connections, &services).await?;
    if args.dry_run {
        return app.answer(&planned);
    }
    show(app, &planned)?;
    let to_run = planned.to_run();
    if !to_run.is_empty() && !args.yes {
        confirm(services.stop.clone(), &command(args, &range)).await?;
    }
    let force = args.watching.force_lease;
    let mut book = LedgerLease::take(connections.store.clone(), artifacts, &range, &app.owner(), force).await?;
    let entries: Vec<_> = planned.entries(&book.ledger).collect();
    book.write(entries).await?;
    let of = to_run.len();
    let days = Dates {
        app,
        project: &project,
        connections: &connections,
        args,
        services: &services,
        book: Mutex::new(book),
        of,
        over: std::sync::Mutex::new(None),
    };
    let (begun, planned) = (&days, &planned);
    futures_util::stream::iter(to_run.iter().enumerate())
        .for_each_concurrent(args.parallel, |(at, date)| begun.run(at + 1, *date, planned.job(*date)))
        .await;
    let (ledger, ended) = days.close().await;
    // What stopped all of it is told last, where `submit` tells it.
    if let Err(error) = ended {
        if !app.json {
            app.print(&Backfilled { ledger, next: Vec::new(), gap: app.watched() }.text(&app.layout()))?;
        }
        return Err(error.hint(format!("go on with `{}`", command(args, &range))));
    }
    let failed = ledger.dates.values().any(|entry| entry.state == DateState::Failed);
    let next = next(args, &range, &ledger);
    app.answer(&Backfilled { ledger, next, gap: app.watched() })?;
    Ok(if failed { Kind::Job.exit_code() } else { 0 })
}

/// Asks whether to begin.
///
/// # Errors
/// `Usage` where nobody can be asked, `Interrupted` when the answer is anything but yes.
async fn confirm(mut stop: watch::Receiver<Stop>, command: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Error::new(Kind::Usage, "nobody is here to be asked whether to begin")
            .hint(format!("to begin without a question: `{command} --yes`"))
            .hint("to see the plan alone: `--dry-run`"));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Begin? [y/N] ")?;
    stderr.flush()?;
    let (tell, told) = oneshot::channel();
    // A thread of its own: Ctrl-C must be heard while the terminal is read, and a pool would wait for its last reader.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        let _ = tell.send(answer);
    });
    let yes = tokio::select! {
        answer = told => answer.is_ok_and(|answer| ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())),
        _ = stop.wait_for(|stop| *stop != Stop::Go) => { writeln!(stderr)?; false }
    };
    match yes {
        true => Ok(()),
        false => Err(Error::new(Kind::Interrupted, "not confirmed: nothing was run")),
    }
}

/// Refuses what cannot be meant.
fn check(project: &Project, args: &BackfillArgs, range: &DateRange) -> Result<()> {
    if range.from > range.to {
        let (from, to) = (range.from, range.to);
        return Err(Error::new(Kind::Usage, format!("`--from {from}` is after the last date, {to}"))
            .hint("the range holds both its ends; without `--to` it ends yesterday, UTC"));
    }
    if args.parallel > 1 && matches!(project.target()?.kind, TargetKind::Local(_)) {
        return Err(Error::new(Kind::Usage, format!("`--parallel {}` needs an EMR target", args.parallel))
            .detail("a local lake has one writer at a time, so its dates run one after the other")
            .hint("leave `--parallel` away, or name an EMR target with `--target NAME`"));
    }
    Ok(())
}

/// Shows the plan where the story is told, so that stdout has the answer alone.
fn show(app: &App, planned: &BackfillPlan) -> Result<()> {
    if app.tells_ndjson() {
        app.sink().emit(crate::event::Event::Note { text: planned.line() });
        return Ok(());
    }
    Ok(stderr().write_all(planned.text(&Layout { style: app.err_style, width: None }).as_bytes())?)
}

/// Returns the command that does the same again.
fn command(args: &BackfillArgs, range: &DateRange) -> String {
    let mut command = format!("soflow backfill {} --from {} --to {}", range.job, range.from, range.to);
    for param in &args.params {
        command.push_str(&format!(" --param={param}"));
    }
    let flags = [("engine", &args.engine), ("cluster", &args.cluster)];
    for (flag, value) in flags {
        value.iter().for_each(|value| command.push_str(&format!(" --{flag} {value}")));
    }
    if args.parallel > 1 {
        command.push_str(&format!(" --parallel {}", args.parallel));
    }
    command
}

/// What became of each date of a range.
struct Backfilled {
    ledger: Ledger,
    /// What to type next.
    next: Vec<String>,
    /// Whether a line parts the table from the story above it.
    gap: bool,
}

impl Serialize for Backfilled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serde_json::to_value(&self.ledger).map_err(serde::ser::Error::custom)?;
        // Part of the document's form: nobody is at a backfill that has ended.
        document["driver"] = Json::Null;
        document["next"] = json!(self.next);
        document.serialize(serializer)
    }
}

impl Answer for Backfilled {
    fn text(&self, layout: &Layout) -> String {
        let gap = if self.gap { "\n" } else { "" };
        let mut shown = format!("{gap}{}", layout.table(&table(&self.ledger, &layout.style)));
        if !self.next.is_empty() {
            shown.push_str(&format!("\n{}\n", paint(layout.style.strong, "Where to go on")));
            self.next.iter().for_each(|command| shown.push_str(&format!("  {command}\n")));
        }
        shown
    }
}

/// Returns what to type next: nothing when all is done.
fn next(args: &BackfillArgs, range: &DateRange, ledger: &Ledger) -> Vec<String> {
    let open = |state| !matches!(state, DateState::Done | DateState::NothingToDo | DateState::NoRaw);
    let mut next: Vec<String> = Vec::new();
    if let Some((_, entry)) = ledger.dates.iter().find(|(_, entry)| entry.state == DateState::Failed) {
        next.extend(entry.run.iter().map(|run| format!("soflow retry {run}")));
    }
    if ledger.dates.values().any(|entry| open(entry.state)) {
        next.push(command(args, range));
    }
    next
}

fn table(ledger: &Ledger, style: &Style) -> TextTable {
    let columns = ["date", "state", "steps", "rows", "time", "run", "why"];
    let mut table = TextTable::new(columns).numbers(["steps", "rows", "time"]);
    for (date, entry) in &ledger.dates {
        let colour = match entry.state {
            DateState::Failed | DateState::Cancelled => style.bad,
            DateState::NothingToDo | DateState::NoRaw => style.dim,
            _ => style.strong,
        };
        let took = entry.started_at.zip(entry.ended_at).map(|(began, ended)| ended.duration_since(began));
        let number = |value: u64| if entry.state == DateState::Done { count(value) } else { String::new() };
        table.row([
            TextCell::from(date.to_string()),
            TextCell::from(date_word(entry.state)).styled(colour),
            TextCell::from(number(entry.steps)),
            TextCell::from(number(entry.rows)),
            TextCell::from(took.map_or(String::new(), |took| seconds(took.as_secs_f64()))),
            TextCell::from(entry.run.as_ref().map_or(String::new(), ToString::to_string)),
            TextCell::from(entry.error.as_deref().map_or(String::new(), line)),
        ]);
    }
    table
}

/// Returns all dates of a range, oldest first.
fn dates(range: &DateRange) -> Vec<Date> {
    let days = range.from.series(jiff::Span::new().days(1));
    days.take_while(|date| *date <= range.to).collect()
}
