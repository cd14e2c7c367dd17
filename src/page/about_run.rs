//! A run as the page shows it: how it went, its steps along time, what was checked, what it has cost.

use jiff::Timestamp;
use serde::Serialize;

use super::charts::WIDTH;
use super::scale::{Scale, step};
use super::svg::{Anchor, Svg};
use crate::audit;
use crate::catalog::Index;
use crate::event::{RunState, StepState};
use crate::job::Job;
use crate::report::{bytes, count, plural, seconds, state_word};
use crate::run::{RunRecord, StepRecord};

/// The table that takes what steps cannot use: `docs/tables.md`.
const QUARANTINE: &str = "quarantine";

/// A run.
#[derive(Serialize)]
pub(super) struct AboutRun {
    id: String,
    date: String,
    state: &'static str,
    /// `good`, `bad` or `open`.
    mood: &'static str,
    target: String,
    engine: String,
    started: String,
    took: String,
    rows: String,
    steps: Vec<AboutStep>,
    timeline: String,
    checks: Vec<(String, Vec<String>)>,
    check_count: usize,
    set_aside: Vec<(String, String)>,
    cost: String,
    clusters: Vec<String>,
    /// Why it failed.
    why: Vec<String>,
}

#[derive(Serialize)]
struct AboutStep {
    name: String,
    state: String,
    took: String,
    rows: String,
    cost: String,
    reason: String,
}

/// A table as readers see it.
#[derive(Serialize)]
pub(super) struct PublishedTable {
    name: String,
    about: String,
    rows: String,
    size: String,
    run: String,
    at: String,
}

impl AboutRun {
    pub(super) fn new(record: &RunRecord, job: &Job) -> Self {
        let (state, mood) = match record.state {
            RunState::Running => ("running", "open"),
            RunState::Succeeded => ("published", "good"),
            RunState::Failed => ("failed", "bad"),
            RunState::Refused => ("refused by its checks", "bad"),
            RunState::Cancelled => ("cancelled", "open"),
            RunState::Interrupted => ("interrupted", "open"),
        };
        let rows = record.steps.iter().flat_map(|step| step.rows.values()).sum();
        // A run that published has held all checks of what it wrote; of another one nothing is known.
        let wrote = |table: &str| {
            record.steps.iter().any(|step| step.state == StepState::Completed && step.rows.contains_key(table))
        };
        let held = job.tables.iter().filter(|(name, _)| record.state == RunState::Succeeded && wrote(name));
        let checks: Vec<(String, Vec<String>)> =
            held.map(|(name, table)| (name.clone(), table.checks.iter().map(audit::written).collect())).collect();
        let aside = |step: &StepRecord| step.rows.get(QUARANTINE).copied().filter(|rows| *rows > 0);
        let causes =
            record.steps.iter().filter_map(|step| Some(format!("{}: {}", step.name, step.cause.as_ref()?.summary)));
        let cost = record.cost.as_ref().map(|bill| match (&bill.estimate, &bill.missing) {
            (Some(estimate), _) => estimate.to_string(),
            (None, Some(missing)) => format!("unknown, {missing}"),
            (None, None) => "unknown".into(),
        });
        let is_local = record.placed.is_none() && record.left.is_empty();
        Self {
            id: record.run.to_string(),
            date: record.run.date.to_string(),
            state,
            mood,
            target: record.target.clone(),
            engine: record.engine.clone(),
            started: moment(record.started_at),
            took: took(record).map(seconds).unwrap_or_default(),
            rows: plural(rows, "row"),
            steps: record.steps.iter().map(|step| AboutStep::new(step, record)).collect(),
            timeline: timeline(record),
            check_count: checks.iter().map(|(_, checks)| checks.len()).sum(),
            checks,
            set_aside: record.steps.iter().filter_map(|step| Some((step.name.clone(), count(aside(step)?)))).collect(),
            cost: cost.unwrap_or_else(|| {
                if is_local { "nothing, it ran on this machine".into() } else { "not known yet".into() }
            }),
            clusters: record.left.iter().chain(&record.placed).map(|placed| placed.cluster.clone()).collect(),
            why: causes.chain(record.error.clone()).collect(),
        }
    }
}

impl AboutStep {
    fn new(step: &StepRecord, record: &RunRecord) -> Self {
        let estimate = record.cost.as_ref().and_then(|bill| bill.estimate.as_ref());
        let cost = estimate.and_then(|estimate| estimate.by_step.iter().find(|one| one.name == step.name));
        Self {
            name: step.name.clone(),
            state: state_word(step.state).into(),
            took: step.seconds.filter(|took| *took > 0.0).map(seconds).unwrap_or_default(),
            rows: if step.rows.is_empty() { String::new() } else { count(step.rows.values().sum()) },
            cost: cost.map_or_else(String::new, |one| one.cost.to_string()),
            reason: step.reason.clone(),
        }
    }
}

/// Returns a moment as it is said: `2026-11-22 03:04 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%F %H:%M UTC").to_string()
}

fn took(record: &RunRecord) -> Option<f64> {
    Some(record.ended_at?.duration_since(record.started_at).as_secs_f64())
}

/// Returns the steps along time: empty when none ran.
fn timeline(record: &RunRecord) -> String {
    let start = |step: &StepRecord| Some(step.started_at?.duration_since(record.started_at).as_secs_f64().max(0.0));
    let ran: Vec<(&StepRecord, f64, f64)> = record
        .steps
        .iter()
        .filter_map(|step| Some((step, start(step)?, step.seconds.filter(|took| *took > 0.0)?)))
        .collect();
    if ran.is_empty() {
        return String::new();
    }
    let end = ran.iter().map(|(_, start, took)| start + took).chain(took(record)).fold(1.0, f64::max);
    let height = 40.0 + 26.0 * ran.len() as f64;
    let mut svg = Svg::new(WIDTH, height);
    let x = Scale { from: (0.0, end), to: (170.0, WIDTH - 150.0) };
    let units = [(1.0, 90.0), (60.0, 5400.0), (3600.0, f64::INFINITY)];
    let unit = units.iter().find(|(_, until)| end < *until).map_or(1.0, |(unit, _)| *unit);
    let every = step(end / unit / 6.0) * unit;
    for at in (0..).map(|at| f64::from(at) * every).take_while(|at| *at <= end) {
        svg.line((x.at(at), 24.0), (x.at(at), height), "grid");
        svg.text((x.at(at), 14.0), Anchor::Middle, "tick", &seconds(at).replace(".0 s", " s"));
    }
    for (row, (step, start, took)) in ran.iter().enumerate() {
        let y = 44.0 + 26.0 * row as f64;
        let class = if step.state == StepState::Failed { "bar bad" } else { "bar part" };
        let rows: u64 = step.rows.values().sum();
        let told = format!("{} · {}", seconds(*took), plural(rows, "row"));
        svg.text((158.0, y + 4.0), Anchor::End, "row", &super::cut(&step.name, 22));
        let title =
            format!("{}: {}, {told}, began {} after the run", step.name, state_word(step.state), seconds(*start));
        svg.rect((x.at(*start), y - 8.0), ((x.at(start + took) - x.at(*start)).max(2.0), 16.0), class, &title);
        svg.text((x.at(start + took) + 8.0, y + 4.0), Anchor::Start, "tick", &told);
    }
    svg.finish("wide", &format!("The steps of {} along time; {} in all", record.run, seconds(end)))
}

/// Returns the job's tables as readers see them; those that are not published are left out.
pub(super) fn tables(job: &Job, index: &Index) -> Vec<PublishedTable> {
    let table = |(name, table): (&String, &crate::job::Table)| {
        let entry = index.tables.get(name)?;
        let current = entry.history.iter().find(|known| known.run == entry.current)?;
        Some(PublishedTable {
            name: name.clone(),
            about: table.description.clone(),
            rows: count(current.rows),
            size: bytes(current.bytes),
            run: current.run.to_string(),
            at: moment(current.at),
        })
    };
    job.tables.iter().filter_map(table).collect()
}
