//! The line of a step in the live view.

use super::format::{count, seconds};
use super::frame::{Canvas, Drawn};
use super::progress::{Run, Step};
use super::story;
use super::text::{self, Align};
use crate::event::StepState;

/// How wide each part of a step's line is; what does not fit is left out, the least important first.
pub(super) struct Columns {
    name: usize,
    state: bool,
    rows: usize,
    unit: bool,
}

/// `  ✓ `
const MARK: usize = 4;
const GAP: usize = 2;
/// `up to date`, the longest state.
const STATE: usize = 10;
/// ` rows`
const UNIT: usize = 5;
/// `59 m 59 s`
const ELAPSED: usize = 9;

impl Columns {
    pub(super) fn of(run: &Run, canvas: &Canvas) -> Self {
        let name = run.steps.iter().map(|step| text::width(&step.name)).max().unwrap_or(0);
        let rows = run.steps.iter().map(|step| count(step.rows).len()).max().unwrap_or(0).max(7);
        let mut columns = Self { name, state: true, rows, unit: true };
        let spare = |columns: &Self| canvas.columns.checked_sub(columns.total());
        // In this order: the word after the number, the state (the symbol says it too), the end of long names.
        if spare(&columns).is_none() {
            columns.unit = false;
        }
        if spare(&columns).is_none() {
            columns.state = false;
        }
        if spare(&columns).is_none() {
            let over = columns.total() - canvas.columns;
            columns.name = name.saturating_sub(over).max(8.min(name));
        }
        columns
    }

    const fn total(&self) -> usize {
        let state = if self.state { GAP + STATE } else { 0 };
        let unit = if self.unit { UNIT } else { 0 };
        MARK + self.name + state + GAP + self.rows + unit + GAP + ELAPSED
    }

    pub(super) fn line(&self, step: &Step, canvas: &Canvas) -> Drawn {
        let style = canvas.style;
        let none = anstyle::Style::new();
        let (mark, colour) = mark(step.state, canvas);
        let waits = matches!(step.state, StepState::Pending | StepState::Queued | StepState::Cancelled);
        let mut line = Drawn::of("  ", none, canvas);
        line.push(mark, colour, canvas);
        let name = text::pad(&text::line(&step.name), self.name, Align::Left);
        line.push(&format!(" {name}"), if waits { style.dim } else { none }, canvas);
        if self.state {
            let word = text::pad(story::state_word(step.state), STATE, Align::Left);
            line.push(&format!("  {word}"), if waits { style.dim } else { colour }, canvas);
        }
        if !waits {
            self.numbers(step, &mut line, canvas);
        }
        line
    }

    fn numbers(&self, step: &Step, line: &mut Drawn, canvas: &Canvas) {
        let style = canvas.style;
        let (rows, unit) = match step.rows {
            0 => ("-".into(), ""),
            1 => ("1".into(), " row"),
            rows => (count(rows), " rows"),
        };
        line.push(&format!("  {}", text::pad(&rows, self.rows, Align::Right)), anstyle::Style::new(), canvas);
        let unit = if self.unit { unit } else { "" };
        line.push(unit, style.dim, canvas);
        let gap = if self.unit { GAP + UNIT - unit.len() } else { GAP };
        let elapsed = step.elapsed(canvas.now);
        let elapsed = if elapsed > 0.0 { seconds(elapsed) } else { String::new() };
        if elapsed.is_empty() && step.set_aside == 0 {
            return;
        }
        line.push(&text::pad(&elapsed, gap + ELAPSED, Align::Right), style.dim, canvas);
        if step.set_aside > 0 {
            line.push_whole(&format!("  {} set aside", count(step.set_aside)), style.warning, canvas);
        }
    }
}

fn mark(state: StepState, canvas: &Canvas) -> (&'static str, anstyle::Style) {
    let style = canvas.style;
    match state {
        StepState::Pending | StepState::Queued => ("·", style.dim),
        StepState::Running => (canvas.spinner(), style.active),
        StepState::Completed => ("✓", style.good),
        StepState::UpToDate => ("=", style.good),
        StepState::Reused => ("↺", style.good),
        StepState::Failed => ("✗", style.bad),
        StepState::Cancelled => ("-", style.dim),
    }
}
