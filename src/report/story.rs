//! What each event is called: one wording for the terminal and for plain lines.

use super::format::{bytes, plural, seconds};
use super::style::{Style, paint};
use super::text;
use crate::event::{DateState, Event, PlannedStep, RunState, StepState};

/// Returns the event as one line without a newline, or `None` when it is not worth one.
pub(super) fn sentence(event: &Event, style: &Style) -> Option<String> {
    let label = match event {
        Event::Warning { .. } | Event::ClusterLost { .. } => paint(style.warning, "warning:") + " ",
        Event::CheckFailed { .. } => paint(style.bad, "check failed:") + " ",
        _ => String::new(),
    };
    Some(label + &text::line(&words(event)?))
}

fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Note { text } | Event::Warning { text } => text.clone(),
        Event::Ingested { pages, location } => {
            let list: Vec<String> = pages.iter().map(|(endpoint, pages)| format!("{endpoint} {pages}")).collect();
            let total = pages.iter().map(|(_, pages)| pages).sum();
            format!("ingested {} ({}) into {location}", plural(total, "page"), list.join(", "))
        }
        Event::EngineInstall { engine, bytes: size, packages } => {
            format!("engine {engine}: downloading {}, {}", plural(*packages, "package"), bytes(*size))
        }
        Event::EngineReady { engine, path } => format!("engine {engine} is ready in {path}"),
        Event::Packaging { what, packages } => format!("packaging {what}: {}", plural(*packages, "package")),
        Event::Packaged { what, bytes: size } => format!("packaged {what}: {}", bytes(*size)),
        Event::RunStarted { run, target, engine, steps } => {
            format!("run {run} started on {target} ({engine}): {}", actions(steps))
        }
        Event::ClusterChosen { cluster, reused, reason } => {
            format!("cluster {cluster} is {}: {reason}", if *reused { "used" } else { "being made" })
        }
        Event::ClusterChanged { cluster, state, reason } => {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            format!("cluster {cluster} is {state}{why}")
        }
        Event::InLine { cluster, position, holders } => {
            format!("waiting for cluster {cluster}, number {position} in line: {holders}")
        }
        Event::ClusterLost { cluster, reason } => format!("cluster {cluster} ended: {reason}"),
        Event::Uploading { what, done, total } if done == total => format!("uploaded {what}, {}", bytes(*total)),
        Event::Reading { what, done, total, rows } if done == total => format!("read {what}, {}", plural(*rows, "row")),
        Event::Fetched { endpoint, pages, items, ended: true, .. } => {
            format!("fetched {endpoint}: {}, {}", plural(*pages, "page"), plural(*items, "item"))
        }
        Event::Tunnel { connections, bytes: size, ended: true, .. } => {
            format!("closed after {}, {}", plural(*connections, "connection"), bytes(*size))
        }
        Event::Waiting { seconds: duration, reason } => format!("waiting {}: {reason}", seconds(*duration)),
        Event::StepChanged { step, state, rows, seconds: duration } => {
            let word = state_word(*state);
            match state {
                // Every step waits at first; a line for each would say nothing.
                StepState::Pending => return None,
                StepState::Completed => {
                    format!("step {step} {word}: {} in {}", plural(*rows, "row"), seconds(*duration))
                }
                StepState::Reused => format!("step {step} {word}: {} from an earlier run", plural(*rows, "row")),
                StepState::Failed => format!("step {step} {word} after {}", seconds(*duration)),
                _ => format!("step {step} {word}"),
            }
        }
        Event::Quarantined { step, rows } => format!("step {step} set {} aside", plural(*rows, "row")),
        Event::Auditing { tables, checks } => format!("auditing {}", audited(*tables, *checks)),
        Event::CheckFailed { table, check, found } => format!("table {table}, `{check}`, found {found}"),
        Event::Published { tables, .. } => {
            format!("published {}: {}", plural(tables.len() as u64, "table"), tables.join(", "))
        }
        Event::BackfillDate { date, state: DateState::Running, number, of, .. } => {
            format!("{date} is running, {number} of {of}")
        }
        Event::BackfillDate { date, state: DateState::Done, steps, rows, seconds: duration, .. } => {
            let (steps, rows) = (plural(*steps, "step"), plural(*rows, "row"));
            format!("{date}  done  {steps}  {rows}  {}", seconds(*duration))
        }
        Event::BackfillDate { date, state, error, .. } => {
            let why = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
            format!("{date}  {}{why}", date_word(*state))
        }
        Event::RunFinished { run, state, seconds: duration } => format!("run {run} {}", ended(*state, *duration)),
        Event::Uploading { .. } | Event::Reading { .. } | Event::Fetched { .. } | Event::Tunnel { .. } => return None,
        Event::EnginePackage { .. } | Event::PackagingItem { .. } | Event::StepProgress { .. } => return None,
    })
}

/// Returns `3 tables, 1 check`.
pub(super) fn audited(tables: usize, checks: usize) -> String {
    format!("{}, {}", plural(tables as u64, "table"), plural(checks as u64, "check"))
}

/// Returns the word for a step's state.
pub const fn state_word(state: StepState) -> &'static str {
    match state {
        StepState::Pending => "waiting",
        StepState::Queued => "queued",
        StepState::Running => "running",
        StepState::Completed => "completed",
        StepState::UpToDate => "up to date",
        StepState::Reused => "reused",
        StepState::Failed => "failed",
        StepState::Cancelled => "cancelled",
    }
}

/// Returns the word for the state of a date of a backfill.
pub const fn date_word(state: DateState) -> &'static str {
    match state {
        DateState::Waiting => "waiting",
        DateState::Running => "running",
        DateState::Done => "done",
        DateState::NothingToDo => "up to date",
        DateState::NoRaw => "no raw pages",
        DateState::Failed => "failed",
        DateState::Cancelled => "cancelled",
    }
}

/// Returns how a run ended, and what that means for readers of its tables.
pub(super) fn ended(state: RunState, duration: f64) -> String {
    let word = match state {
        RunState::Succeeded => return format!("succeeded in {}", seconds(duration)),
        RunState::Running => return format!("goes on after {}", seconds(duration)),
        RunState::Failed => "failed",
        RunState::Refused => "was refused by the audit",
        RunState::Cancelled => "was cancelled",
        RunState::Interrupted => "was interrupted",
    };
    format!("{word} after {}: nothing was published", seconds(duration))
}

fn actions(steps: &[PlannedStep]) -> String {
    let of = |action| steps.iter().filter(|step| step.action == action).count() as u64;
    let mut said = plural(steps.len() as u64, "step");
    for (action, word) in [("reuse", "reused"), ("up-to-date", "up to date"), ("not-asked", "not asked for")] {
        if of(action) > 0 {
            said.push_str(&format!(", {} {word}", of(action)));
        }
    }
    said
}
