//! `soflow runs`: what ran, how it went, and why it failed.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::app::App;
use super::args::{RunsArgs, RunsCommand};
use super::connections::{Connections, RunOptions};
use crate::config::TargetKind;
use crate::diagnose::Class;
use crate::error::Result;
use crate::event::{Event, RunState, StepState};
use crate::names::{RunId, Uri};
use crate::report::{
    Answer, Layout, Style, TextCell, TextTable, ago, block, count, cut, line, paint, seconds, state_word,
};
use crate::run::{self, LakeLock, Listed, RunRecord};
use crate::targets::emr::Clusters;
use crate::targets::{Bill, Cause, Placed};

/// Most columns of the reason in the list; `runs show` has all of it.
const REASON: usize = 60;

/// The state of a run whose record cannot be read.
const DAMAGED: &str = "damaged";

/// Lists runs or shows one.
pub async fn runs(app: &App, args: &RunsArgs) -> Result<u8> {
    let project = app.project(None)?;
    let target = project.target()?;
    let artifacts = &target.lake.artifacts;
    let clusters = match (&args.command, &target.kind) {
        (Some(RunsCommand::Show { .. }), TargetKind::Emr(_)) => {
            Some(app.clusters(&project, RunOptions::default()).await?)
        }
        _ => None,
    };
    let store = match &clusters {
        Some((Connections { store, .. }, _)) => store.clone(),
        None => app.connect(&project).await?.store,
    };
    match &args.command {
        Some(RunsCommand::Show { run }) => {
            let id: RunId = run.parse()?;
            let mut record = seen(run::load_run(store.as_ref(), artifacts, &id).await?, artifacts)?;
            if let Some((_, clusters)) = clusters {
                add_cost(app, &mut record, &clusters).await;
            }
            app.answer(&record)
        }
        None => {
            let mut runs = run::list_runs(store.as_ref(), artifacts).await?;
            runs.retain(|(run, _)| args.job.as_ref().is_none_or(|job| run.job == *job));
            runs.truncate(args.limit);
            let mut records: Vec<Listed> = Vec::new();
            for (run, record) in runs {
                records.push((run, record.and_then(|record| seen(record, artifacts))));
            }
            app.answer(&RunList { runs: records.iter().map(RunRow).collect(), job: args.job.as_deref() })
        }
    }
}

/// Adds what a run has cost to its record, if that is not in it: it goes on, or EMR could not be asked when it ended.
async fn add_cost(app: &App, record: &mut RunRecord, clusters: &Clusters) {
    let Some(stay) = record.stay().filter(|_| record.cost.is_none()) else { return };
    match clusters.bill(stay).await {
        Ok(bill) => record.cost = Some(bill),
        // What the run did is worth showing without.
        Err(error) => app.sink().emit(Event::Warning { text: format!("what it cost cannot be told: {error}") }),
    }
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

/// A run that says it is running while nobody holds the lake was cut off: killed, or the machine went down.
pub(super) fn seen(mut record: RunRecord, artifacts: &Uri) -> Result<RunRecord> {
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

/// Runs, the latest first.
#[derive(Serialize)]
struct RunList<'a> {
    runs: Vec<RunRow<'a>>,
    /// The job they are of, if only that one was asked for.
    #[serde(skip)]
    job: Option<&'a str>,
}

/// A run; of one whose record cannot be read, which run it is and why.
struct RunRow<'a>(&'a Listed);

impl Serialize for RunRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            (_, Ok(record)) => record.serialize(serializer),
            (run, Err(error)) => json!({ "run": run, "state": DAMAGED, "error": error.message }).serialize(serializer),
        }
    }
}

impl Answer for RunList<'_> {
    fn text(&self, layout: &Layout) -> String {
        if self.runs.is_empty() {
            return match self.job {
                Some(job) => format!("There are no runs of `{job}`: `soflow runs` lists all runs.\n"),
                None => "There are no runs yet: `soflow submit daily --sample` starts one.\n".into(),
            };
        }
        let mut table = TextTable::new(["run", "state", "started", "took", "why"]).numbers(["took"]);
        let now = Timestamp::now();
        for RunRow((run, record)) in &self.runs {
            let run = TextCell::from(run.to_string());
            table.row(match record {
                Ok(record) => {
                    let (word, colour) = state(record, &layout.style);
                    let word = TextCell::from(word).styled(colour);
                    [run, word, ago(record.started_at, now).into(), took(record).into(), why(record).into()]
                }
                Err(error) => {
                    let why = error.causes().into_iter().next().unwrap_or_else(|| error.message.clone());
                    let word = TextCell::from(DAMAGED).styled(layout.style.bad);
                    [run, word, TextCell::default(), TextCell::default(), cut(&why, REASON).into()]
                }
            });
        }
        layout.table(&table)
    }
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
    cut(said.lines().next().unwrap_or_default(), REASON)
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

impl Answer for RunRecord {
    fn text(&self, layout: &Layout) -> String {
        let (record, style) = (self, &layout.style);
        let mut steps =
            TextTable::new(["step", "state", "rows", "took", "cost", "why"]).numbers(["rows", "took", "cost"]);
        let estimate = record.cost.as_ref().and_then(|bill| bill.estimate.as_ref());
        for step in &record.steps {
            let cost = estimate.and_then(|estimate| estimate.by_step.iter().find(|one| one.name == step.name));
            let colour = match step.state {
                StepState::Failed => style.bad,
                StepState::Completed => style.good,
                _ => style.dim,
            };
            let rows = if step.rows.is_empty() { String::new() } else { count(step.rows.values().sum()) };
            steps.row([
                TextCell::from(step.name.clone()),
                TextCell::from(state_word(step.state)).styled(colour),
                TextCell::from(rows),
                TextCell::from(step.seconds.filter(|took| *took > 0.0).map(seconds).unwrap_or_default()),
                TextCell::from(cost.map_or_else(String::new, |one| one.cost.to_string())),
                TextCell::from(step.reason.clone()),
            ]);
        }
        let mut shown = format!("{}\n{}", heading(record, style), layout.table(&steps));
        shown.extend(record.cost.iter().map(|bill| cost(bill, style)));
        for step in &record.steps {
            if let Some(cause) = &step.cause {
                shown.push_str(&evidence(&step.name, cause, style));
            }
        }
        if let Some(error) = record.error.as_ref().filter(|_| record.steps.iter().all(|step| step.cause.is_none())) {
            shown.push_str(&format!("\n{}\n", paint(style.bad, error)));
        }
        if !matches!(record.state, RunState::Succeeded | RunState::Running) {
            shown.push_str(&format!("\n  {}\n", paint(style.command, &format!("soflow retry {}", record.run))));
        }
        shown
    }
}
