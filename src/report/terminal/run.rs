//! A run on the terminal: a bar for each step that runs, and below them one for the run as a whole.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};

use super::{CLOCK, bar_style, remove, start};
use crate::event::{PlannedStep, StepState};
use crate::report::format::{count, plural, seconds};
use crate::report::style::{Style, paint};
use crate::report::{story, text};

const STEP: &str = "  {spinner} {msg}DIM{clock:>11}RESET";
const RUN: &str = "  {spinner} {msg}  DIM{clock}RESET";

/// Columns of a step's state; `up to date` is the longest.
const STATE: usize = 10;
/// Columns of a step's rows: up to 999,999,999.
const ROWS: usize = 11;

/// A run under way.
pub(super) struct RunBars {
    steps: Vec<StepBar>,
    /// Columns of the longest name.
    names: usize,
    /// Tables and checks, while they are being compared.
    audit: Option<(usize, usize)>,
    bar: ProgressBar,
    bars: MultiProgress,
    style: Style,
}

struct StepBar {
    name: String,
    state: StepState,
    rows: u64,
    /// While it runs.
    bar: Option<ProgressBar>,
}

impl RunBars {
    /// Returns the run with its bar; `None` when it only finds that nothing has changed: the answer says so.
    pub(super) fn begin(planned: &[PlannedStep], bars: &MultiProgress, style: Style) -> Option<Self> {
        let asked = planned.iter().filter(|step| step.action != "not-asked");
        let steps: Vec<StepBar> = asked.map(StepBar::planned).collect();
        if steps.iter().all(|step| step.state == StepState::UpToDate) {
            return None;
        }
        let names =
            steps.iter().map(|step| console::measure_text_width(&text::line(&step.name))).max().unwrap_or_default();
        let bar = start(bars.add(ProgressBar::hidden()), bar_style(RUN, &style));
        let run = Self { steps, names, audit: None, bar, bars: bars.clone(), style };
        run.count();
        Some(run)
    }

    /// Takes what is new of a step. A running one has a bar; for one that has ended a line is returned, which is to stay.
    pub(super) fn step(&mut self, name: &str, state: StepState, rows: u64, elapsed: f64) -> Option<String> {
        let step = self.steps.iter_mut().find(|step| step.name == name)?;
        (step.state, step.rows) = (state, rows);
        let mut line = None;
        match state {
            StepState::Pending | StepState::Queued => {}
            StepState::Running => {
                let columns = step.columns(self.names, &self.style);
                let bar = step.bar.get_or_insert_with(|| {
                    start(self.bars.insert_before(&self.bar, ProgressBar::hidden()), bar_style(STEP, &self.style))
                });
                bar.set_elapsed(Duration::try_from_secs_f64(elapsed).unwrap_or_default());
                bar.set_message(columns);
            }
            _ => {
                step.bar.take().iter().for_each(|bar| remove(&self.bars, bar));
                line = Some(step.line(elapsed, self.names, &self.style));
            }
        }
        self.count();
        line
    }

    /// Takes how many tables and checks are being compared; `None` when that is over.
    pub(super) fn audit(&mut self, of: Option<(usize, usize)>) {
        self.audit = of;
        self.count();
    }

    /// Says on the last line how far the run is.
    fn count(&self) {
        let of = |states: &[StepState]| self.steps.iter().filter(|step| states.contains(&step.state)).count();
        let open = of(&[StepState::Pending, StepState::Queued, StepState::Running]);
        let mut said = match self.audit {
            Some((tables, checks)) => format!("auditing {}", story::audited(tables, checks)),
            None => format!("{} of {}", self.steps.len() - open, plural(self.steps.len() as u64, "step")),
        };
        let queued = of(&[StepState::Queued]);
        if queued > 0 {
            said.push_str(&format!(", {queued} queued"));
        }
        let wrote = |step: &&StepBar| matches!(step.state, StepState::Running | StepState::Completed);
        let rows = self.steps.iter().filter(wrote).map(|step| step.rows).sum();
        self.bar.set_message(format!("{said}  {}", paint(self.style.dim, &plural(rows, "row"))));
    }

    /// Takes the bars away; returns a line for each step that was still running.
    pub(super) fn end(self) -> Vec<String> {
        let running = self.steps.iter().filter_map(|step| Some((step, step.bar.as_ref()?)));
        let line = |(step, bar): (&StepBar, &ProgressBar)| {
            remove(&self.bars, bar);
            step.line(bar.elapsed().as_secs_f64(), self.names, &self.style)
        };
        let lines = running.map(line).collect();
        remove(&self.bars, &self.bar);
        lines
    }
}

impl StepBar {
    fn planned(step: &PlannedStep) -> Self {
        let state = match step.action.as_str() {
            "up-to-date" => StepState::UpToDate,
            "reuse" => StepState::Reused,
            _ => StepState::Pending,
        };
        Self { name: step.name.clone(), state, rows: 0, bar: None }
    }

    /// Returns the line of a step that is not drawn any more.
    fn line(&self, elapsed: f64, names: usize, style: &Style) -> String {
        let mark = match self.state {
            StepState::Completed => "✓",
            StepState::UpToDate => "=",
            StepState::Reused => "↺",
            StepState::Failed => "✗",
            StepState::Cancelled => "-",
            StepState::Pending | StepState::Queued | StepState::Running => "…",
        };
        let timed = elapsed > 0.0 && self.state != StepState::Cancelled;
        let clock = if timed { format!("{:>CLOCK$}", seconds(elapsed)) } else { String::new() };
        let (mark, columns) = (paint(self.colour(style), mark), self.columns(names, style));
        format!("  {mark} {columns}{}", paint(style.dim, &clock)).trim_end().to_string()
    }

    /// Returns name, state and rows in columns, without the mark before and the clock after them.
    fn columns(&self, names: usize, style: &Style) -> String {
        let name = text::pad(&text::line(&self.name), names);
        let word = format!("{:<STATE$}", story::state_word(self.state));
        if self.state == StepState::Cancelled {
            return paint(style.dim, &format!("{name}  {}", word.trim_end()));
        }
        let (number, unit) = match self.rows {
            0 => ("-".to_string(), ""),
            1 => ("1".to_string(), " row"),
            rows => (count(rows), " rows"),
        };
        let unit = paint(style.dim, &format!("{unit:<5}"));
        format!("{name}  {}  {number:>ROWS$}{unit}", paint(self.colour(style), &word))
    }

    const fn colour(&self, style: &Style) -> anstyle::Style {
        match self.state {
            StepState::Running => style.active,
            StepState::Completed | StepState::UpToDate | StepState::Reused => style.good,
            StepState::Failed => style.bad,
            StepState::Pending | StepState::Queued | StepState::Cancelled => style.dim,
        }
    }
}
