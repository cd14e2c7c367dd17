//! `soflow backfill`: a job for each date of a range, with a ledger, so that the same command goes on.

mod args;
mod day;
mod each;
mod survey;

use std::io::{IsTerminal as _, Write as _};

use futures_util::StreamExt as _;
use jiff::civil::Date;
use serde_json::{Value as Json, json};
use tokio::sync::{Mutex, oneshot, watch};

use super::app::{App, Project, yesterday};
use super::args::TargetOptions;
use super::output::stderr;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::event::DateState;
use crate::report::{Align, Cell, Table, count, date_word, line, paint, seconds};
use crate::run::{DateRange, Ledger, LedgerLease, read_ledger};
use crate::targets::Stop;
pub use args::BackfillArgs;
use each::Days;
use survey::Survey;

/// Runs what is left of a range of dates.
pub async fn backfill(app: &App, args: &BackfillArgs) -> Result<u8> {
    let options = TargetOptions { engine: args.engine.clone(), parallel: None, cluster: args.cluster.clone() };
    let project = app.project(Some(&options))?;
    let range = DateRange { job: args.job.clone(), from: args.from, to: args.to.unwrap_or_else(yesterday) };
    check(&project, args, &range)?;
    app.warn(&project, app.sink().as_mut());
    let ground = app.ground(&project).await?;
    let services = app.services_on(&project, &ground, args.watching.wishes())?;
    let artifacts = &project.target()?.lake.artifacts;
    let ledger = read_ledger(ground.store.as_ref(), artifacts, &range).await?;
    let mut survey = Survey::of(&project, args, &range, &ledger, &services).await?;
    survey.look_up_costs(app, &project, &ground, &services).await?;
    if args.dry_run {
        return match app.json {
            true => app.print_json(&survey.json()),
            false => app.print(&survey.text(&app.out_style)),
        }
        .map(|()| 0);
    }
    show(app, &survey)?;
    let to_run = survey.to_run();
    if !to_run.is_empty() && !args.yes {
        confirm(services.stop.clone(), &command(args, &range)).await?;
    }
    let force = args.watching.force_lease;
    let mut book = LedgerLease::take(ground.store.clone(), artifacts, &range, &app.owner(), force).await?;
    let entries: Vec<_> = survey.entries(&book.ledger).collect();
    book.write(entries).await?;
    let of = to_run.len();
    let days = Days {
        app,
        project: &project,
        ground: &ground,
        args,
        services: &services,
        book: Mutex::new(book),
        of,
        over: std::sync::Mutex::new(None),
    };
    let (begun, planned) = (&days, &survey);
    futures_util::stream::iter(to_run.iter().enumerate())
        .for_each_concurrent(args.parallel, |(at, date)| begun.run(at + 1, *date, planned.job(*date)))
        .await;
    let (ledger, ended) = days.close().await;
    // What stopped all of it is told last, where `submit` tells it.
    if let Err(error) = ended {
        if !app.json {
            app.print(&format!("{}{}", gap(app), table(app, &ledger)))?;
        }
        return Err(error.hint(format!("go on with `{}`", command(args, &range))));
    }
    answer(app, args, &range, &ledger)
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
fn show(app: &App, survey: &Survey) -> Result<()> {
    if app.tells_ndjson() {
        app.sink().emit(crate::event::Event::Note { text: survey.line() });
        return Ok(());
    }
    Ok(stderr().write_all(survey.text(&app.err_style).as_bytes())?)
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

fn answer(app: &App, args: &BackfillArgs, range: &DateRange, ledger: &Ledger) -> Result<u8> {
    let all = |state| ledger.dates.iter().filter(move |(_, entry)| entry.state == state);
    let code = if all(DateState::Failed).next().is_some() { Kind::Job.exit_code() } else { 0 };
    if app.json {
        let mut document = document(ledger)?;
        document["next"] = json!(next(args, range, ledger));
        return app.print_json(&document).map(|()| code);
    }
    let mut shown = gap(app).to_string();
    shown.push_str(&table(app, ledger));
    let next = next(args, range, ledger);
    if !next.is_empty() {
        shown.push_str(&format!("\n{}\n", paint(app.out_style.strong, "Where to go on")));
        next.iter().for_each(|command| shown.push_str(&format!("  {command}\n")));
    }
    app.print(&shown).map(|()| code)
}

/// Returns what parts the table from the story above it.
fn gap(app: &App) -> &'static str {
    if app.watched() { "\n" } else { "" }
}

fn document(ledger: &Ledger) -> Result<Json> {
    let internal = |error| Error::new(Kind::Internal, "cannot write JSON").caused_by(error);
    let mut document = serde_json::to_value(ledger).map_err(internal)?;
    // Part of the document's form: nobody is at a backfill that has ended.
    document["driver"] = Json::Null;
    Ok(document)
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

fn table(app: &App, ledger: &Ledger) -> String {
    let columns = [
        ("date", Align::Left),
        ("state", Align::Left),
        ("steps", Align::Right),
        ("rows", Align::Right),
        ("time", Align::Right),
        ("run", Align::Left),
        ("why", Align::Left),
    ];
    let mut table = Table::new(columns);
    for (date, entry) in &ledger.dates {
        let style = &app.out_style;
        let colour = match entry.state {
            DateState::Failed | DateState::Cancelled => style.bad,
            DateState::NothingToDo | DateState::NoRaw => style.dim,
            _ => style.strong,
        };
        let took = entry.started_at.zip(entry.ended_at).map(|(began, ended)| ended.duration_since(began));
        let number = |value: u64| if entry.state == DateState::Done { count(value) } else { String::new() };
        table.row([
            Cell::from(date.to_string()),
            Cell::from(date_word(entry.state)).styled(colour),
            Cell::from(number(entry.steps)),
            Cell::from(number(entry.rows)),
            Cell::from(took.map_or(String::new(), |took| seconds(took.as_secs_f64()))),
            Cell::from(entry.run.as_ref().map_or(String::new(), ToString::to_string)),
            Cell::from(entry.error.as_deref().map_or(String::new(), line)),
        ]);
    }
    table.render(&app.out_style, app.width)
}

/// Returns all dates of a range, oldest first.
fn dates(range: &DateRange) -> Vec<Date> {
    let days = range.from.series(jiff::Span::new().days(1));
    days.take_while(|date| *date <= range.to).collect()
}
