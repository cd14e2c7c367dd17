//! The story on a terminal: bars for what goes on, drawn by `indicatif`, and above them lines that stay.

mod run;
mod screen;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::format::{bytes, plural, seconds};
use super::sink::Outlet;
use super::style::{Style, paint};
use super::{story, text};
use crate::event::{Event, Sink};
use run::RunBars;
pub use screen::Screen;

/// A new spinner position this often.
const TICK: Duration = Duration::from_millis(100);
const SPINNER: [&str; 11] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", "…"];
/// Columns of a step's clock: two spaces and up to `59 m 59 s`.
const CLOCK: usize = 11;

/// Work of which nobody knows how much there is; what is in capitals becomes a style, see [`bar_style`].
const UNBOUNDED: &str = "{spinner} STRONG{prefix}RESET  DIM{clock}{msg}RESET";
/// Work that is counted in things.
const COUNTED: &str = "{spinner} STRONG{prefix}RESET  DIM{clock}RESET\n  DIM{msg}RESET";
/// Work that is counted in bytes.
const BYTES: &str = "{spinner} STRONG{prefix}RESET  DIM{clock}RESET\n  \
                     ACTIVE{wide_bar}RESET DIM{percent:>3} %  {done} of {total}{msg}RESET";

/// What has a bar of its own besides a run: one of each at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bar {
    Engine,
    Package,
    Read,
    Fetch,
    Upload,
    Tunnel,
}

/// Draws the bars. Threads of `indicatif` keep the clocks in them going.
pub(super) struct Terminal {
    out: Outlet,
    bars: MultiProgress,
    style: Style,
    work: BTreeMap<Bar, ProgressBar>,
    run: Option<RunBars>,
}

/// Returns how a bar looks. The clock and the sizes are written as everywhere else.
fn bar_style(template: &str, style: &Style) -> ProgressStyle {
    let mut template = template.to_string();
    for (word, style) in [("STRONG", style.strong), ("DIM", style.dim), ("ACTIVE", style.active)] {
        template = template.replace(word, &style.render().to_string());
    }
    // An empty palette leaves no trace.
    template = template.replace("RESET", &style.dim.render_reset().to_string());
    let spinner = SPINNER.map(|at| paint(style.active, at));
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .tick_strings(&spinner.each_ref().map(String::as_str))
        .progress_chars("━─")
        .with_key("clock", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&seconds(state.elapsed().as_secs_f64()));
        })
        .with_key("done", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&bytes(state.pos()));
        })
        .with_key("total", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&bytes(state.len().unwrap_or_default()));
        })
}

fn start(bar: ProgressBar, style: ProgressStyle) -> ProgressBar {
    bar.set_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

fn remove(bars: &MultiProgress, bar: &ProgressBar) {
    bar.finish_and_clear();
    bars.remove(bar);
}

impl Terminal {
    /// Returns a listener that draws bars on `target` and writes lines to `out`, which is the same terminal.
    pub(super) fn new(target: ProgressDrawTarget, style: Style, out: Outlet) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        Self { out, bars, style, work: BTreeMap::new(), run: None }
    }

    /// Writes a line that stays, above the bars. Not by `MultiProgress::println`, which fills it with spaces and leaves the
    /// cursor at its end.
    fn say(&mut self, line: &str) {
        let out = &mut self.out;
        self.bars.suspend(|| out.write(&format!("{line}\n")));
    }

    fn tell(&mut self, event: &Event) {
        if let Some(line) = story::sentence(event, &self.style) {
            self.say(&line);
        }
    }

    /// Returns the bar of some work, a new one when there is none.
    fn bar(&mut self, of: Bar, template: &str, total: u64) -> &ProgressBar {
        let new = || start(self.bars.insert(0, ProgressBar::hidden()), bar_style(template, &self.style));
        let bar = self.work.entry(of).or_insert_with(new);
        bar.set_length(total);
        bar
    }

    /// Shows how far some work is that is counted in bytes; in the end a line stays.
    fn measure(&mut self, of: Bar, event: &Event, doing: String, (done, total): (u64, u64)) {
        if done == total {
            self.end(of);
            return self.tell(event);
        }
        let bar = self.bar(of, BYTES, total);
        bar.set_position(done);
        bar.set_prefix(doing);
    }

    /// Takes the bar of some work away; returns how long the work took, when there was a bar.
    fn end(&mut self, of: Bar) -> Option<Duration> {
        let bar = self.work.remove(&of)?;
        remove(&self.bars, &bar);
        Some(bar.elapsed())
    }

    fn ended(&mut self, of: Bar, what: &str) {
        if let Some(took) = self.end(of) {
            let mark = paint(self.style.good, "✓");
            self.say(&format!("{mark} {what} in {}", seconds(took.as_secs_f64())));
        }
    }

    /// Takes all bars away; what was still going on leaves a line. Returns whether there was a run.
    fn stop(&mut self) -> bool {
        std::mem::take(&mut self.work).values().for_each(|bar| remove(&self.bars, bar));
        let run = self.run.take().map(RunBars::end);
        run.iter().flatten().for_each(|line| self.say(line));
        run.is_some()
    }
}

impl Sink for Terminal {
    fn emit(&mut self, event: Event) {
        match &event {
            Event::EngineInstall { engine, bytes, packages } => {
                let bar = self.bar(Bar::Engine, BYTES, *bytes);
                bar.set_prefix(format!("Installing the {engine} engine, {}", plural(*packages, "package")));
                bar.set_message("  connecting");
            }
            Event::EnginePackage { name, done } => {
                if let Some(bar) = self.work.get(&Bar::Engine) {
                    bar.set_position(*done);
                    let name = if name.is_empty() { "unpacking".into() } else { text::line(name) };
                    bar.set_message(format!("  {name}"));
                }
            }
            Event::EngineReady { engine, .. } => self.ended(Bar::Engine, &format!("engine {engine} installed")),
            Event::Packaging { what, packages } => {
                let bar = self.bar(Bar::Package, COUNTED, *packages);
                bar.set_prefix(format!("Packaging {}", text::line(what)));
                bar.set_message("connecting");
            }
            Event::PackagingItem { name } => {
                if let Some(bar) = self.work.get(&Bar::Package) {
                    bar.inc(u64::from(!name.is_empty()));
                    let (done, all) = (bar.position(), plural(bar.length().unwrap_or_default(), "package"));
                    let named = format!("{done} of {all}, {}", text::line(name));
                    bar.set_message(if name.is_empty() { "compressing".into() } else { named });
                }
            }
            Event::Packaged { what, .. } => self.ended(Bar::Package, &format!("packaged {}", text::line(what))),
            Event::Reading { what, done, total, rows } => {
                let doing = format!("Reading {}, {}", text::line(what), plural(*rows, "row"));
                self.measure(Bar::Read, &event, doing, (*done, *total));
            }
            Event::Uploading { what, done, total } => {
                self.measure(Bar::Upload, &event, format!("Uploading {}", text::line(what)), (*done, *total));
            }
            Event::Tunnel { ended: true, .. } => {
                self.end(Bar::Tunnel);
                self.tell(&event);
            }
            Event::Tunnel { open, bytes: size, .. } => {
                let bar = self.bar(Bar::Tunnel, UNBOUNDED, 0);
                bar.set_prefix(format!("{}, {}", plural(*open, "connection"), bytes(*size)));
                bar.set_message("  Ctrl-C ends it");
            }
            Event::Fetched { ended: true, .. } => {
                self.end(Bar::Fetch);
                self.tell(&event);
            }
            Event::Fetched { endpoint, pages, items, left, .. } => {
                let (pages, items) = (plural(*pages, "page"), plural(*items, "item"));
                let bar = self.bar(Bar::Fetch, UNBOUNDED, 0);
                bar.set_prefix(format!("Fetching {}, {pages}, {items}", text::line(endpoint)));
                bar.set_message(left.map(|left| format!("  quota left: {left}")).unwrap_or_default());
            }
            Event::RunStarted { run, target, engine, steps } => {
                self.run = RunBars::begin(steps, &self.bars, self.style);
                if self.run.is_some() {
                    let place = format!(" on {target} ({engine})");
                    self.say(&(paint(self.style.strong, &run.to_string()) + &paint(self.style.dim, &place)));
                }
            }
            Event::StepChanged { step, state, rows, seconds } => {
                let line = self.run.as_mut().and_then(|run| run.step(step, *state, *rows, *seconds));
                line.iter().for_each(|line| self.say(line));
            }
            Event::StepProgress { step, rows, seconds } => {
                let state = crate::event::StepState::Running;
                self.run.as_mut().map(|run| run.step(step, state, *rows, *seconds));
            }
            Event::Quarantined { step, rows } => {
                let said = format!("! {} set {} aside", text::line(step), plural(*rows, "row"));
                self.say(&format!("  {}", paint(self.style.warning, &said)));
            }
            Event::Auditing { tables, checks } => {
                self.run.iter_mut().for_each(|run| run.audit(Some((*tables, *checks))));
            }
            Event::Published { .. } => self.run.iter_mut().for_each(|run| run.audit(None)),
            Event::RunFinished { state, seconds, .. } => {
                if self.stop() {
                    let good = *state == crate::event::RunState::Succeeded;
                    let colour = if good { self.style.dim } else { self.style.bad };
                    self.say(&format!("  {}", paint(colour, &story::ended(*state, *seconds))));
                }
            }
            _ => self.tell(&event),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stop();
    }
}
