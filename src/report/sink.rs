//! Chooses who tells the story.

use std::io::Write;
use std::sync::Arc;

use indicatif::ProgressDrawTarget;
use jiff::Timestamp;

use super::json::Ndjson;
use super::plain::Plain;
use super::style::Style;
use super::terminal::Terminal;
use crate::event::{Event, Sink};

/// Tells the time. Passed in, so that tests decide what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Ways to tell the story.
pub enum Mode {
    /// Bars on a terminal, redrawn in place.
    Terminal {
        /// Where to draw them: the terminal that `out` is.
        bars: ProgressDrawTarget,
    },
    /// One line per change of state, for CI logs and pipes.
    Plain,
    /// One JSON object per event.
    Ndjson,
    /// Warnings only.
    Quiet,
}

/// Returns the listener that tells the story on `out`. It must be dropped before anything else writes there.
///
/// It never fails: when `out` is closed, the run goes on untold.
pub fn sink(mode: Mode, style: Style, clock: Clock, out: Box<dyn Write + Send>) -> Box<dyn Sink> {
    match mode {
        Mode::Terminal { bars } => Box::new(Terminal::new(bars, style, out)),
        Mode::Plain => Box::new(Plain::new(style, clock, out)),
        Mode::Ndjson => Box::new(Ndjson::new(clock, out)),
        Mode::Quiet => Box::new(Quiet(Plain::new(style, clock, out))),
    }
}

/// Hands each event to several listeners, in their order.
pub struct Tee(pub Vec<Box<dyn Sink>>);

impl Sink for Tee {
    fn emit(&mut self, event: Event) {
        for sink in &mut self.0 {
            sink.emit(event.clone());
        }
    }
}

struct Quiet(Plain);

impl Sink for Quiet {
    fn emit(&mut self, event: Event) {
        if let Event::Warning { .. } = event {
            self.0.say(&event);
        }
    }
}

/// An `out` that may go away: after the first failure nothing more is written.
pub(super) struct Outlet(Option<Box<dyn Write + Send>>);

impl Outlet {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Some(out))
    }

    /// Writes `text` at once. A closed pipe is no reason to fail a run.
    pub(super) fn write(&mut self, text: &str) {
        if let Some(out) = &mut self.0
            && out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err()
        {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Closed, Shared, clock, story};
    use super::*;

    #[test]
    fn a_tee_tells_every_listener() {
        let (first, second) = (Shared::default(), Shared::default());
        let make = |mode, out: &Shared| sink(mode, Style::default(), clock(), Box::new(out.clone()));
        let mut tee = Tee(vec![make(Mode::Plain, &first), make(Mode::Ndjson, &second)]);
        story().into_iter().for_each(|event| tee.emit(event));
        assert!(first.text().contains("questions completed"));
        assert_eq!(second.text().lines().count(), story().len());
    }

    #[test]
    fn quiet_still_warns() {
        let out = Shared::default();
        let mut sink = sink(Mode::Quiet, Style::default(), clock(), Box::new(out.clone()));
        story().into_iter().for_each(|event| sink.emit(event));
        assert_eq!(out.text(), "09:59:57Z warning: tag `rust` has no page\n");
    }

    #[test]
    fn a_closed_pipe_is_tried_once_and_fails_nothing() {
        for mode in [Mode::Plain, Mode::Ndjson, Mode::Terminal { bars: ProgressDrawTarget::hidden() }] {
            let closed = Closed::default();
            let mut sink = sink(mode, Style::default(), clock(), Box::new(closed.clone()));
            story().into_iter().for_each(|event| sink.emit(event));
            drop(sink);
            assert_eq!(*closed.0.lock().unwrap(), 1);
        }
    }
}
