//! What people see of a stack.

use jiff::Timestamp;
use serde::Serialize;

use crate::deploy::{Change, Drift, Execution, StackState};
use crate::report::{Layout, TextCell, ago, paint, plural};

/// Returns what would change, one resource a line.
pub fn changes(name: &str, changes: &[Change], layout: &Layout) -> String {
    let style = &layout.style;
    let rows = changes.iter().map(|change| {
        let (mark, colour) = match (change.action.as_str(), change.replacement.as_str()) {
            ("Add", _) => ("+", style.good),
            ("Remove", _) => ("-", style.bad),
            (_, "True") => ("!", style.bad),
            _ => ("~", style.command),
        };
        let what = match change.replacement.as_str() {
            "True" => format!("is replaced: {}", change.properties.join(", ")),
            "Conditional" => format!("may be replaced: {}", change.properties.join(", ")),
            _ => change.properties.join(", "),
        };
        [
            TextCell::from(mark).styled(colour),
            change.resource.as_str().into(),
            TextCell::from(change.kind.as_str()).styled(style.dim),
            what.into(),
        ]
    });
    let count = plural(changes.len() as u64, "resource");
    format!(
        "{}\n{}",
        paint(style.strong, &format!("Stack {name}: {count} to change")),
        layout.table(["", "resource", "type", "what"], rows)
    )
}

/// Returns a stack as it is, and what differs from it.
pub fn state(stack: &StackState, drift: &[Drift], layout: &Layout) -> String {
    let style = &layout.style;
    let mut text = format!("{}: {}, changed {}\n", paint(style.strong, &stack.name), stack.status, stack.changed);
    if !stack.outputs.is_empty() {
        let rows = stack.outputs.iter().map(|(name, value)| [name.as_str().into(), TextCell::from(value.as_str())]);
        text.push_str(&layout.table(["output", "value"], rows));
    }
    if !drift.is_empty() {
        let rows = drift.iter().map(|one| {
            [one.resource.as_str().into(), one.status.as_str().into(), TextCell::from(one.properties.join(", "))]
        });
        text.push_str(&format!(
            "\n{}\n{}",
            paint(style.bad, "Changed by others"),
            layout.table(["resource", "is", "where"], rows)
        ));
        text.push_str(
            "  soflow deploy brings back what the template says once a setting changes; mend the rest by hand\n",
        );
    }
    text
}

/// A job that runs by a schedule.
#[derive(Serialize)]
pub struct Scheduled {
    /// The job.
    pub job: String,
    /// When, as EventBridge Scheduler writes it.
    pub schedule: String,
    /// Its latest executions, the latest first.
    pub executions: Vec<Execution>,
}

/// Returns what ran last of each job.
pub fn scheduled(jobs: &[Scheduled], layout: &Layout) -> String {
    let style = &layout.style;
    let rows = jobs.iter().map(|one| {
        let last = one.executions.first();
        let (status, colour) = match last.map(|last| last.status.as_str()) {
            Some("SUCCEEDED") => ("succeeded", style.good),
            Some("RUNNING") => ("running", style.command),
            Some("FAILED") => ("failed", style.bad),
            Some("TIMED_OUT") => ("timed out", style.bad),
            Some("ABORTED") => ("stopped", style.bad),
            _ => ("-", style.dim),
        };
        let started = last.and_then(|last| last.started).map(|at| ago(at, Timestamp::now()));
        let failed =
            one.executions.iter().filter(|one| !["SUCCEEDED", "RUNNING"].contains(&one.status.as_str())).count();
        [
            one.job.as_str().into(),
            one.schedule.as_str().into(),
            TextCell::from(status).styled(colour),
            started.unwrap_or_else(|| "never".into()).into(),
            format!("{failed} of {}", one.executions.len()).into(),
        ]
    });
    format!("\n{}", layout.table(["job", "runs at", "last", "when", "failed"], rows))
}
