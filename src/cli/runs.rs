//! `soflow runs`: what ran, how it went, and why it failed.

use jiff::Timestamp;
use serde_json::json;

use super::app::App;
use super::args::{RunsArgs, RunsCommand};
use super::workspace::Workspace;
use crate::config::TargetKind;
use crate::diagnose::Class;
use crate::error::Result;
use crate::event::{Event, RunState, StepState};
use crate::names::{RunId, Uri};
use crate::report::{Layout, Style, TextCell, ago, block, count, cut, line, paint, seconds, state_word};
use crate::run::{self, LakeLock, RunRecord};
use crate::targets::{Bill, Cause, Placed};

/// Most columns of the reason in the list; `runs show` has all of it.
const REASON: usize = 60;

/// The state of a run whose record cannot be read.
const DAMAGED: &str = "damaged";

/// Lists runs or shows one.
pub async fn runs(app: &App, args: &RunsArgs) -> Result<u8> {
    let work = app.workspace().await?;
    if let Some(RunsCommand::Show { run }) = &args.command {
        let mut record = load(&work, &run.parse()?).await?;
        add_cost(&work, &mut record).await?;
        return app.answer(&record, |layout| shown(&record, layout));
    }
    let artifacts = &work.lake().artifacts;
    let mut runs = run::list_runs(work.store.as_ref(), artifacts).await?;
    runs.retain(|(run, _)| args.job.as_ref().is_none_or(|job| run.job == *job));
    runs.truncate(args.limit);
    let seen = |(run, record): (RunId, Result<_>)| (run, record.and_then(|record| seen(record, artifacts)));
    let runs: Vec<(RunId, Result<RunRecord>)> = runs.into_iter().map(seen).collect();
    let document = runs.iter().map(|(run, record)| match record {
        Ok(record) => json!(record),
        Err(error) => json!({ "run": run, "state": DAMAGED, "error": error.message }),
    });
    app.answer(&json!({ "runs": document.collect::<Vec<_>>() }), |layout| match &args.job {
        Some(job) if runs.is_empty() => format!("There are no runs of `{job}`: `soflow runs` lists all runs.\n"),
        None if runs.is_empty() => "There are no runs yet: `soflow submit daily --sample` starts one.\n".into(),
        _ => list(&runs, layout),
    })
}

fn list(runs: &[(RunId, Result<RunRecord>)], layout: &Layout) -> String {
    let now = Timestamp::now();
    let rows = runs.iter().map(|(run, record)| {
        let ((word, colour), started, took, why) = match record {
            Ok(record) => (state(record, &layout.style), ago(record.started_at, now), took(record), why(record)),
            Err(error) => {
                let why = error.causes().into_iter().next().unwrap_or_else(|| error.message.clone());
                ((DAMAGED, layout.style.bad), String::new(), String::new(), why)
            }
        };
        let word = TextCell::from(word).styled(colour);
        [run.to_string().into(), word, started.into(), TextCell::number(took), cut(&why, REASON).into()]
    });
    layout.table(["run", "state", "started", "took", "why"], rows)
}

/// Adds what a run has cost to its record, if that is not in it: it goes on, or EMR could not be asked when it ended.
///
/// # Errors
/// Those of the settings.
pub async fn add_cost(work: &Workspace<'_>, record: &mut RunRecord) -> Result<()> {
    let Some(stay) = record.stay().filter(|_| record.cost.is_none()) else { return Ok(()) };
    let TargetKind::Emr(_) = work.project.target.kind else { return Ok(()) };
    match work.clusters()?.bill(stay).await {
        Ok(bill) => record.cost = Some(bill),
        // What the run did is worth showing without.
        Err(error) => work.app.tell(Event::Warning { text: format!("what it cost cannot be told: {error}") }),
    }
    Ok(())
}

/// Returns what a run has cost, how that is counted, and what is missing to tell.
fn cost(bill: &Bill, style: &Style) -> String {
    let amount = match (&bill.estimate, &bill.missing) {
        (Some(estimate), _) => format!("Cost {estimate}"),
        (None, Some(missing)) => format!("Cost unknown: {missing}"),
        (None, None) => return String::new(),
    };
    let how = |placed: &Placed| {
        let from = if placed.made { "made for this run: from its beginning" } else { "from the run's first step" };
        paint(style.dim, &format!("  {}, {from}, until the run's end\n", placed.cluster))
    };
    format!("\n{amount}\n{}", bill.clusters.iter().map(how).collect::<String>())
}

/// Returns the record of a run, as [`seen`].
///
/// # Errors
/// Those of the store; `Usage` when there is no such run.
pub async fn load(work: &Workspace<'_>, run: &RunId) -> Result<RunRecord> {
    let artifacts = &work.lake().artifacts;
    seen(run::load_run(work.store.as_ref(), artifacts, run).await?, artifacts)
}

/// Returns a run as it is: one that says it is running while nobody holds the lake was cut off, killed or with its machine.
///
/// # Errors
/// `Machine` when the lock cannot be looked at.
pub fn seen(mut record: RunRecord, artifacts: &Uri) -> Result<RunRecord> {
    // Elsewhere than on this machine a run goes on without its process.
    let ends_with_process = artifacts.to_path().is_some();
    if ends_with_process && record.state == RunState::Running && !LakeLock::is_held(artifacts)? {
        record.state = RunState::Interrupted;
        for step in &mut record.steps {
            if matches!(step.state, StepState::Running | StepState::Queued | StepState::Pending) {
                step.state = StepState::Cancelled;
            }
        }
    }
    Ok(record)
}

fn state(record: &RunRecord, style: &Style) -> (&'static str, anstyle::Style) {
    match record.state {
        RunState::Running => ("running", style.active),
        RunState::Succeeded => ("succeeded", style.good),
        RunState::Failed => ("failed", style.bad),
        RunState::Refused => ("refused", style.bad),
        RunState::Cancelled => ("cancelled", style.warning),
        RunState::Interrupted => ("interrupted", style.warning),
    }
}

fn took(record: &RunRecord) -> String {
    record.ended_at.map_or_else(String::new, |ended| seconds(ended.duration_since(record.started_at).as_secs_f64()))
}

/// Returns what a failed step's log says about why.
fn evidence(step: &str, cause: &Cause, style: &Style) -> String {
    // Records of older versions do not say whose fault it was.
    let fault = if cause.class == Class::Unknown { String::new() } else { format!(" ({})", cause.class.name()) };
    let mut shown = format!("\n{} failed{fault}: {}\n", paint(style.bad, step), line(&cause.summary));
    // A step that ended without a word has nothing to show.
    if !cause.excerpt.is_empty() {
        for line in block(&cause.excerpt).lines() {
            shown.push_str(&format!("\n  {line}"));
        }
        shown.push_str(&format!("\n\n  {}\n", line(&cause.place())));
    }
    if let Some(hint) = &cause.hint {
        shown.push_str(&format!("\n  hint: {}\n", line(hint)));
    }
    shown
}

/// Returns why a run failed, in a few words. Of one that was stopped the state says it all.
fn why(record: &RunRecord) -> String {
    if record.state == RunState::Cancelled {
        return String::new();
    }
    let failed = record.steps.iter().find_map(|step| Some((&step.name, step.cause.as_ref()?)));
    let said = match failed {
        Some((step, cause)) => format!("{step}: {}", cause.summary),
        None => record.error.clone().unwrap_or_default(),
    };
    said.lines().next().unwrap_or_default().to_string()
}

/// Returns which run it was, how it went, and where and when: two lines that fit a narrow terminal.
fn heading(record: &RunRecord, style: &Style) -> String {
    let (word, colour) = state(record, style);
    let took = match (record.state, took(record)) {
        (_, took) if took.is_empty() => took,
        (RunState::Succeeded, took) => format!(" in {took}"),
        (_, took) => format!(" after {took}"),
    };
    let (run, word) = (paint(style.strong, &record.run.to_string()), paint(colour, word));
    let place = format!("on {}, engine {}, started {:.0}", record.target, record.engine, record.started_at);
    format!("{run} {word}{took}\n{}\n", paint(style.dim, &line(&place)))
}

/// Returns all about a run for people.
pub fn shown(record: &RunRecord, layout: &Layout) -> String {
    let style = &layout.style;
    let estimate = record.cost.as_ref().and_then(|bill| bill.estimate.as_ref());
    let steps = record.steps.iter().map(|step| {
        let cost = estimate.and_then(|estimate| estimate.by_step.iter().find(|one| one.name == step.name));
        let colour = match step.state {
            StepState::Failed => style.bad,
            StepState::Completed => style.good,
            _ => style.dim,
        };
        let rows = if step.rows.is_empty() { String::new() } else { count(step.rows.values().sum()) };
        [
            step.name.as_str().into(),
            TextCell::from(state_word(step.state)).styled(colour),
            TextCell::number(rows),
            TextCell::number(step.seconds.filter(|took| *took > 0.0).map(seconds).unwrap_or_default()),
            TextCell::number(cost.map_or_else(String::new, |one| one.cost.to_string())),
            step.reason.as_str().into(),
        ]
    });
    let table = layout.table(["step", "state", "rows", "took", "cost", "why"], steps);
    let mut shown = format!("{}\n{table}", heading(record, style));
    shown.extend(record.cost.iter().map(|bill| cost(bill, style)));
    let failed = record.steps.iter().filter_map(|step| Some((&step.name, step.cause.as_ref()?)));
    let failed: Vec<String> = failed.map(|(step, cause)| evidence(step, cause, style)).collect();
    match &record.error {
        Some(error) if failed.is_empty() => shown.push_str(&format!("\n{}\n", paint(style.bad, error))),
        _ => shown.extend(failed),
    }
    if !matches!(record.state, RunState::Succeeded | RunState::Running) {
        shown.push_str(&format!("\n  {}\n", paint(style.command, &format!("soflow retry {}", record.run))));
    }
    shown
}
