//! Draws the live view as lines. Pure: the same progress, size and moment give the same lines.

use std::time::Duration;

use super::format::{bytes, plural, seconds};
use super::progress::{Fetching, Install, Packaging, Progress, Reading, Run, Step};
use super::step_line::Columns;
use super::story;
use super::style::{Style, paint};
use super::text;
use crate::event::StepState;

/// A new spinner position this often.
pub(super) const TICK: Duration = Duration::from_millis(100);
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const LONGEST_BAR: usize = 40;

/// Where and when a frame is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Canvas<'a> {
    /// Columns that lines may fill.
    pub(super) columns: usize,
    /// Lines that may be drawn.
    pub(super) lines: usize,
    pub(super) style: &'a Style,
    /// Since the view was made.
    pub(super) now: Duration,
    /// Whether this is the last frame: all of it is drawn and nothing seems to move.
    pub(super) last: bool,
}

/// A line with its display width, which the escape sequences in it do not count towards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) width: usize,
}

impl Drawn {
    /// Adds as much of `text` as fits.
    pub(super) fn push(&mut self, text: &str, style: anstyle::Style, canvas: &Canvas) {
        let text = text::cut(text, canvas.columns.saturating_sub(self.width));
        self.width += text::width(&text);
        self.text.push_str(&paint(style, &text));
    }

    /// Adds `text` when all of it fits.
    pub(super) fn push_whole(&mut self, text: &str, style: anstyle::Style, canvas: &Canvas) {
        if self.width + text::width(text) <= canvas.columns {
            self.push(text, style, canvas);
        }
    }

    pub(super) fn of(text: &str, style: anstyle::Style, canvas: &Canvas) -> Self {
        let mut line = Self::default();
        line.push(text, style, canvas);
        line
    }
}

impl Canvas<'_> {
    pub(super) fn spinner(&self) -> &'static str {
        if self.last {
            return "…";
        }
        SPINNER[(self.now.as_millis() / TICK.as_millis()) as usize % SPINNER.len()]
    }
}

/// Returns the lines to show now: none when nothing goes on.
pub(super) fn frame(progress: &Progress, canvas: &Canvas) -> Vec<Drawn> {
    let Progress { install, packaging, reading, fetching, run } = progress;
    let one = install.as_ref().map(|install| installing(install, canvas));
    let one = one.or_else(|| packaging.as_ref().map(|packaging| being_packaged(packaging, canvas)));
    let one = one.or_else(|| reading.as_ref().map(|reading| being_read(reading, canvas)));
    let one = one.or_else(|| fetching.as_ref().map(|fetching| being_fetched(fetching, canvas)));
    one.or_else(|| run.as_ref().map(|run| running(run, canvas))).unwrap_or_default()
}

fn installing(install: &Install, canvas: &Canvas) -> Vec<Drawn> {
    let style = canvas.style;
    let mut line = Drawn::of(canvas.spinner(), style.active, canvas);
    line.push(&format!(" Installing the {} engine", install.engine), style.strong, canvas);
    line.push_whole(&format!(", {}", plural(install.packages, "package")), style.strong, canvas);
    let elapsed = seconds(canvas.now.saturating_sub(install.began).as_secs_f64());
    line.push_whole(&format!("  {elapsed}"), style.dim, canvas);

    let package = match install.package.as_deref() {
        None => "connecting".to_string(),
        Some("") => "unpacking".to_string(),
        Some(name) => text::line(name),
    };
    vec![line, bar(install.done, install.bytes, canvas), Drawn::of(&format!("  {package}"), style.dim, canvas)]
}

/// Returns a bar with what is done and what there is, in bytes.
fn bar(done: u64, total: u64, canvas: &Canvas) -> Drawn {
    let style = canvas.style;
    let share = done as f64 / total.max(1) as f64;
    let amount = format!(" {:>3.0} %  {} of {}", share.min(1.0) * 100.0, bytes(done), bytes(total));
    let length = canvas.columns.saturating_sub(text::width(&amount) + 2).min(LONGEST_BAR);
    let filled = ((share.min(1.0) * length as f64) as usize).min(length);
    let mut bar = Drawn::of("  ", style.dim, canvas);
    bar.push(&"━".repeat(filled), style.active, canvas);
    bar.push(&"─".repeat(length - filled), style.dim, canvas);
    bar.push(&amount, style.dim, canvas);
    bar
}

fn being_read(reading: &Reading, canvas: &Canvas) -> Vec<Drawn> {
    let style = canvas.style;
    let mut line = Drawn::of(canvas.spinner(), style.active, canvas);
    line.push(&format!(" Reading {}", text::line(&reading.what)), style.strong, canvas);
    line.push_whole(&format!(", {}", plural(reading.rows, "row")), style.strong, canvas);
    let elapsed = seconds(canvas.now.saturating_sub(reading.began).as_secs_f64());
    line.push_whole(&format!("  {elapsed}"), style.dim, canvas);
    vec![line, bar(reading.done, reading.total, canvas)]
}

fn being_fetched(fetching: &Fetching, canvas: &Canvas) -> Vec<Drawn> {
    let style = canvas.style;
    let mut line = Drawn::of(canvas.spinner(), style.active, canvas);
    line.push(&format!(" Fetching {}", text::line(&fetching.endpoint)), style.strong, canvas);
    let (pages, items) = (plural(fetching.pages, "page"), plural(fetching.items, "item"));
    line.push_whole(&format!(", {pages}, {items}"), style.strong, canvas);
    let elapsed = seconds(canvas.now.saturating_sub(fetching.began).as_secs_f64());
    line.push_whole(&format!("  {elapsed}"), style.dim, canvas);
    if let Some(left) = fetching.left {
        line.push_whole(&format!("  quota left: {left}"), style.dim, canvas);
    }
    vec![line]
}

fn being_packaged(packaging: &Packaging, canvas: &Canvas) -> Vec<Drawn> {
    let style = canvas.style;
    let mut line = Drawn::of(canvas.spinner(), style.active, canvas);
    line.push(&format!(" Packaging {}", text::line(&packaging.what)), style.strong, canvas);
    let elapsed = seconds(canvas.now.saturating_sub(packaging.began).as_secs_f64());
    line.push_whole(&format!("  {elapsed}"), style.dim, canvas);
    let doing = match packaging.package.as_deref() {
        None => "connecting".to_string(),
        Some("") => "compressing".to_string(),
        Some(name) => {
            format!("{} of {}, {}", packaging.done, plural(packaging.packages, "package"), text::line(name))
        }
    };
    vec![line, Drawn::of(&format!("  {doing}"), style.dim, canvas)]
}

fn running(run: &Run, canvas: &Canvas) -> Vec<Drawn> {
    let mut lines = vec![header(run, canvas)];
    let room = canvas.lines.saturating_sub(2);
    let columns = Columns::of(run, canvas);
    if run.steps.len() <= room || canvas.last {
        lines.extend(run.steps.iter().map(|step| columns.line(step, canvas)));
    } else {
        lines.extend(folded(run, &columns, room, canvas));
    }
    lines.extend(footer(run, canvas));
    lines
}

fn header(run: &Run, canvas: &Canvas) -> Drawn {
    let style = canvas.style;
    // The id says which job and which date.
    let mut line = Drawn::of(&run.id.to_string(), style.strong, canvas);
    line.push(&format!(" on {} ({})", run.target, run.engine), style.dim, canvas);
    line
}

/// On a screen with fewer lines than steps: those that run, then the failed ones, and a count of the others.
fn folded(run: &Run, columns: &Columns, room: usize, canvas: &Canvas) -> Vec<Drawn> {
    let counts = |state: StepState| run.steps.iter().filter(|step| step.state == state).count();
    let is = |step: &&Step, state| step.state == state;
    let active = run.steps.iter().filter(|step| is(step, StepState::Running));
    let shown = active.chain(run.steps.iter().filter(|step| is(step, StepState::Failed)));
    let mut lines: Vec<Drawn> = shown.take(room.saturating_sub(1)).map(|step| columns.line(step, canvas)).collect();
    let states = [StepState::Completed, StepState::UpToDate, StepState::Reused, StepState::Queued, StepState::Pending];
    let parts = states.into_iter().filter(|state| counts(*state) > 0);
    let others: Vec<String> = parts.map(|state| format!("{} {}", counts(state), story::state_word(state))).collect();
    lines.push(Drawn::of(&format!("  … {}", others.join(", ")), canvas.style.dim, canvas));
    lines
}

fn footer(run: &Run, canvas: &Canvas) -> Option<Drawn> {
    let style = canvas.style;
    if let Some((state, duration)) = run.end {
        let colour = if state == crate::event::RunState::Succeeded { style.dim } else { style.bad };
        return Some(Drawn::of(&format!("  {}", story::ended(state, duration)), colour, canvas));
    }
    if canvas.last {
        return None;
    }
    let elapsed = seconds(canvas.now.saturating_sub(run.began).as_secs_f64());
    let finished = run
        .steps
        .iter()
        .filter(|step| !matches!(step.state, StepState::Pending | StepState::Queued | StepState::Running));
    let doing = match run.audit {
        Some((tables, checks)) => format!("auditing {}", story::audited(tables, checks)),
        None => format!("{} of {}", finished.count(), plural(run.steps.len() as u64, "step")),
    };
    let writers = run.steps.iter().filter(|step| matches!(step.state, StepState::Running | StepState::Completed));
    let rows = writers.map(|step| step.rows).sum();
    let mut line = Drawn::of("  ", style.dim, canvas);
    line.push(canvas.spinner(), style.active, canvas);
    line.push(&format!(" {doing}"), anstyle::Style::new(), canvas);
    line.push_whole(&format!("  {}", plural(rows, "row")), style.dim, canvas);
    line.push_whole(&format!("  {elapsed}"), style.dim, canvas);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fetching, packaging, reading, story};
    use super::*;
    use crate::event::{Event, RunState};

    /// The view after the first `events` of the story, one every half second, at 80 x 24.
    fn after(events: usize) -> Progress {
        let mut progress = Progress::default();
        for (at, event) in story().iter().take(events).enumerate() {
            progress.apply(event, Duration::from_millis(500 * at as u64));
        }
        progress
    }

    fn drawn(progress: &Progress, columns: usize, lines: usize) -> String {
        let style = Style::default();
        let now = Duration::from_millis(7_300);
        let drawn = frame(progress, &Canvas { columns, lines, style: &style, now, last: false });
        assert!(drawn.iter().all(|line| line.width <= columns && line.width == text::width(&line.text)), "{drawn:?}");
        assert!(drawn.len() <= lines.max(4), "{drawn:?}");
        drawn.iter().map(|line| format!("{}\n", line.text.trim_end())).collect()
    }

    #[test]
    fn an_installation_shows_bytes_and_the_package() {
        insta::assert_snapshot!(drawn(&after(4), 79, 23), @r"
        ⠸ Installing the sail engine, 34 packages  6.8 s
          ━━━━━━━━━━━━━━━━━━━━━━──────────────────  56 %  80.0 MB of 142.0 MB
          pyarrow
        ");
        insta::assert_snapshot!(drawn(&after(4), 39, 23), @r"
        ⠸ Installing the sail engine  6.8 s
          ━━━━━─────  56 %  80.0 MB of 142.0 MB
          pyarrow
        ");
    }

    #[test]
    fn packaging_shows_how_many_packages_are_there() {
        let mut progress = Progress::default();
        for event in packaging().iter().take(3) {
            progress.apply(event, Duration::from_millis(500));
        }
        insta::assert_snapshot!(drawn(&progress, 79, 23), @r"
        ⠸ Packaging dependencies for Python 3.11 on Linux x86_64  6.8 s
          2 of 12 packages, pyarrow
        ");
        insta::assert_snapshot!(drawn(&progress, 39, 23), @r"
        ⠸ Packaging dependencies for Python 3.…
          2 of 12 packages, pyarrow
        ");
    }

    #[test]
    fn a_file_being_read_shows_bytes_and_rows() {
        let mut progress = Progress::default();
        for event in reading().iter().take(3) {
            progress.apply(event, Duration::from_millis(500));
        }
        insta::assert_snapshot!(drawn(&progress, 79, 23), @r"
        ⠸ Reading so.7z/Posts.xml, 45,000 rows  6.8 s
          ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━────────  80 %  80.0 MB of 100.0 MB
        ");
        insta::assert_snapshot!(drawn(&progress, 39, 23), @r"
        ⠸ Reading so.7z/Posts.xml, 45,000 rows
          ━━━━━━━━──  80 %  80.0 MB of 100.0 MB
        ");
        reading().iter().skip(3).for_each(|event| progress.apply(event, Duration::from_secs(1)));
        assert_eq!(drawn(&progress, 79, 23), "");
    }

    #[test]
    fn pages_of_the_api_are_counted_with_what_is_left_of_the_quota() {
        let mut progress = Progress::default();
        for event in fetching().iter().take(2) {
            progress.apply(event, Duration::from_millis(500));
        }
        insta::assert_snapshot!(drawn(&progress, 79, 23), @"⠸ Fetching questions, 12 pages, 1,188 items  6.8 s  quota left: 9987");
        fetching().iter().skip(2).for_each(|event| progress.apply(event, Duration::from_secs(1)));
        assert_eq!(drawn(&progress, 79, 23), "");
    }

    #[test]
    fn a_run_shows_each_step_in_order() {
        insta::assert_snapshot!(drawn(&after(13), 79, 23), @r"
        daily.2026-11-22.1 on local (sail)
          ⠸ questions  running         700 rows      2.3 s
          = tags       up to date   65,000 rows
          ↺ trends     reused            1 row
          ⠸ 2 of 3 steps  700 rows  3.8 s
        ");
        insta::assert_snapshot!(drawn(&after(18), 39, 23), @r"
        daily.2026-11-22.1 on local (sail)
          ✓ questions    1,234      2.5 s
          = tags        65,000
          ↺ trends           1
          ⠸ auditing 3 tables, 1 check  3.8 s
        ");
    }

    #[test]
    fn a_run_ends_with_what_it_means_for_readers() {
        let mut progress = after(13);
        let run = "daily.2026-11-22.1".parse().unwrap();
        progress.apply(&Event::RunFinished { run, state: RunState::Failed, seconds: 7.0 }, Duration::from_secs(7));
        insta::assert_snapshot!(drawn(&progress, 79, 23), @r"
        daily.2026-11-22.1 on local (sail)
          ⠸ questions  running         700 rows      2.3 s
          = tags       up to date   65,000 rows
          ↺ trends     reused            1 row
          failed after 7.0 s: nothing was published
        ");
    }

    #[test]
    fn a_low_terminal_shows_what_runs_and_counts_the_rest() {
        insta::assert_snapshot!(drawn(&after(13), 79, 4), @r"
        daily.2026-11-22.1 on local (sail)
          ⠸ questions  running         700 rows      2.3 s
          … 1 up to date, 1 reused
          ⠸ 2 of 3 steps  700 rows  3.8 s
        ");
    }

    #[test]
    fn any_width_is_kept_to() {
        for columns in 1..200 {
            drawn(&after(4), columns, 24);
            drawn(&after(15), columns, 24);
        }
    }

    #[test]
    fn long_names_are_cut_last() {
        let mut progress = after(13);
        if let Some(run) = &mut progress.run {
            run.steps[1].name = "a_step_with_quite_a_long_name_for_one".into();
        }
        insta::assert_snapshot!(drawn(&progress, 49, 24), @r"
        daily.2026-11-22.1 on local (sail)
          ⠸ questions                      700      2.3 s
          = a_step_with_quite_a_long…   65,000
          ↺ trends                           1
          ⠸ 2 of 3 steps  700 rows  3.8 s
        ");
    }
}
