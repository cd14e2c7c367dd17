//! What each event is called: one wording for the terminal and for plain lines.

use super::format::{bytes, plural, seconds};
use super::style::{Style, paint};
use super::text;
use crate::event::{DateState, Event, PlannedStep, RunState, StepState};

/// Returns the event as one line without a newline, or `None` when it is not worth one.
pub(super) fn sentence(event: &Event, style: &Style) -> Option<String> {
    let said = match event {
        Event::Note { text } => text::line(text),
        Event::Warning { text } => format!("{} {}", paint(style.warning, "warning:"), text::line(text)),
        Event::Ingested { pages, location } => ingested(pages, location),
        Event::EngineInstall { engine, bytes: size, packages } => {
            format!("engine {engine}: downloading {}, {}", plural(*packages, "package"), bytes(*size))
        }
        Event::EngineReady { engine, path } => format!("engine {engine} is ready in {}", text::line(path)),
        Event::Packaging { what, packages } => {
            format!("packaging {}: {}", text::line(what), plural(*packages, "package"))
        }
        Event::Packaged { what, bytes: size } => format!("packaged {}: {}", text::line(what), bytes(*size)),
        Event::RunStarted { run, target, engine, steps } => {
            format!("run {run} started on {target} ({engine}): {}", actions(steps))
        }
        Event::ClusterChosen { cluster, reused: true, reason } => {
            format!("cluster {cluster} is used: {}", text::line(reason))
        }
        Event::ClusterChosen { cluster, reused: false, reason } => {
            format!("cluster {cluster} is being made: {}", text::line(reason))
        }
        Event::ClusterChanged { cluster, state, reason } if reason.is_empty() => {
            format!("cluster {cluster} is {}", text::line(state))
        }
        Event::ClusterChanged { cluster, state, reason } => {
            format!("cluster {cluster} is {}: {}", text::line(state), text::line(reason))
        }
        Event::InLine { cluster, position, holders } => {
            format!("waiting for cluster {cluster}, number {position} in line: {}", text::line(holders))
        }
        Event::ClusterLost { cluster, reason } => {
            format!("{} cluster {cluster} ended: {}", paint(style.warning, "warning:"), text::line(reason))
        }
        Event::Uploading { what, done, total } if done == total => {
            format!("uploaded {}, {}", text::line(what), bytes(*total))
        }
        Event::Reading { what, done, total, rows } if done == total => {
            format!("read {}, {}", text::line(what), plural(*rows, "row"))
        }
        Event::Fetched { endpoint, pages, items, ended: true, .. } => {
            format!("fetched {}: {}, {}", text::line(endpoint), plural(*pages, "page"), plural(*items, "item"))
        }
        Event::Waiting { seconds: duration, reason } => {
            format!("waiting {}: {}", seconds(*duration), text::line(reason))
        }
        Event::Uploading { .. } | Event::Reading { .. } | Event::Fetched { .. } => return None,
        Event::StepChanged { step, state, rows, seconds: duration } => {
            return changed(*state, *rows, *duration).map(|what| format!("step {} {what}", text::line(step)));
        }
        Event::Quarantined { step, rows } => format!("step {} set {} aside", text::line(step), plural(*rows, "row")),
        Event::Auditing { tables, checks } => format!("auditing {}", audited(*tables, *checks)),
        Event::CheckFailed { table, check, found } => {
            let failed = paint(style.bad, "check failed:");
            format!("{failed} table {}, `{}`, found {}", text::line(table), text::line(check), text::line(found))
        }
        Event::Published { tables, .. } => {
            format!("published {}: {}", plural(tables.len() as u64, "table"), text::line(&tables.join(", ")))
        }
        Event::BackfillDate { date, state, number, of, steps, rows, seconds: duration, error, .. } => match state {
            DateState::Done => format!(
                "{date}  {}  {}  {}  {}",
                date_word(*state),
                plural(*steps, "step"),
                plural(*rows, "row"),
                seconds(*duration)
            ),
            DateState::Running => format!("{date} is running, {number} of {of}"),
            _ => {
                let why = error.as_ref().map_or(String::new(), |error| format!(": {}", text::line(error)));
                format!("{date}  {}{why}", date_word(*state))
            }
        },
        Event::RunFinished { run, state, seconds: duration } => format!("run {run} {}", ended(*state, *duration)),
        Event::EnginePackage { .. } | Event::PackagingItem { .. } | Event::StepProgress { .. } => return None,
    };
    Some(said)
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

fn changed(state: StepState, rows: u64, duration: f64) -> Option<String> {
    let word = state_word(state);
    match state {
        // Every step waits at first; a line for each would say nothing.
        StepState::Pending => None,
        StepState::Queued | StepState::Running | StepState::UpToDate | StepState::Cancelled => Some(word.into()),
        StepState::Completed => Some(format!("{word}: {} in {}", plural(rows, "row"), seconds(duration))),
        StepState::Reused => Some(format!("{word}: {} from an earlier run", plural(rows, "row"))),
        StepState::Failed => Some(format!("{word} after {}", seconds(duration))),
    }
}

fn ingested(pages: &[(String, u64)], location: &str) -> String {
    let list: Vec<String> = pages.iter().map(|(endpoint, pages)| format!("{endpoint} {pages}")).collect();
    let total = pages.iter().map(|(_, pages)| pages).sum();
    text::line(&format!("ingested {} ({}) into {location}", plural(total, "page"), list.join(", ")))
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
