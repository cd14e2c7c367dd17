//! What people see of a stack.

use jiff::Timestamp;
use serde::Serialize;

use crate::deploy::{Change, Drift, Execution, Failure, Fires, StackState};
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

/// A schedule of a stack.
#[derive(Serialize)]
pub struct Scheduled {
    /// The job that it starts, if it starts one.
    pub job: Option<String>,
    /// When it fires.
    #[serde(flatten)]
    pub fires: Fires,
    /// The latest executions of the job, the latest first.
    pub executions: Vec<Execution>,
}

/// Returns when each schedule fires next, and how it went last.
pub fn scheduled(schedules: &[Scheduled], now: Timestamp, layout: &Layout) -> String {
    let style = &layout.style;
    let rows = schedules.iter().map(|one| {
        let last = one.executions.first();
        let (status, colour) = match last.map(|last| last.status.as_str()) {
            Some("SUCCEEDED") => ("succeeded", style.good),
            Some("RUNNING") => ("running", style.command),
            Some("FAILED") => ("failed", style.bad),
            Some("TIMED_OUT") => ("timed out", style.bad),
            Some("ABORTED") => ("stopped", style.bad),
            _ => ("-", style.dim),
        };
        let started = last.and_then(|last| last.started).map(|at| ago(at, now)).unwrap_or_default();
        let failed = one.executions.iter().filter(|one| one.has_failed()).count();
        let failed =
            if one.executions.is_empty() { String::new() } else { format!("{failed} of {}", one.executions.len()) };
        let Fires { name, expression, time_zone, enabled, next, .. } = &one.fires;
        let is_rate = expression.starts_with("rate");
        let next = match next.first() {
            Some(at) => format!("{}{}", if is_rate { "about " } else { "" }, at.strftime("%F %H:%M UTC")),
            None if !enabled => "switched off".into(),
            None => "never".into(),
        };
        [
            one.job.as_ref().map_or_else(|| name.clone(), |job| format!("job {job}")).into(),
            if is_rate { expression.clone() } else { format!("{expression} {time_zone}") }.into(),
            next.into(),
            TextCell::from(status).styled(colour),
            started.into(),
            failed.into(),
        ]
    });
    format!("\n{}", layout.table(["schedule", "fires at", "next", "last run", "when", "failed"], rows))
}

/// Returns how the latest of all failures went, and what to type.
pub fn last_failure(failure: Option<&Failure>, now: Timestamp, layout: &Layout) -> String {
    let Some(Failure { execution, error, cause }) = failure else { return String::new() };
    let when = execution.started.map(|at| format!(", {}", ago(at, now))).unwrap_or_default();
    let head = paint(layout.style.bad, &format!("Last failure{when}"));
    let first = cause.lines().next().unwrap_or_default();
    let job = execution.arn.split(':').nth(6).unwrap_or_default();
    format!("\n{head}\n{job}, execution {}: {error}: {first}\n  soflow runs\n", execution.name)
}
