//! The story on a terminal: a view that is redrawn in place, and lines that stay.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::format::seconds;
use super::frame::{Canvas, TICK, frame};
use super::painter::Painter;
use super::progress::Progress;
use super::story;
use super::style::{Style, paint};
use super::text;
use crate::event::{Event, Sink};

/// Returns the columns and lines of the terminal now.
pub type Size = Arc<dyn Fn() -> (u16, u16) + Send + Sync>;

/// The view appears when something has gone on for this long: what is over at once is not worth a flicker.
const APPEARS_AFTER: Duration = Duration::from_millis(250);
/// What a terminal that does not know its size is taken for.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Returns the size of the terminal behind stderr now, 80 x 24 when it does not say.
pub fn stderr_size() -> (u16, u16) {
    match terminal_size::terminal_size_of(std::io::stderr()) {
        Some((terminal_size::Width(columns), terminal_size::Height(lines))) if columns > 0 && lines > 0 => {
            (columns, lines)
        }
        _ => USUAL_SIZE,
    }
}

/// Draws the live view; a thread of its own keeps the clock in it going.
pub(super) struct Terminal {
    view: Arc<Mutex<View>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

struct View {
    progress: Progress,
    painter: Painter,
    size: Size,
    style: Style,
    start: Instant,
    /// Whether the current frame has been on the screen.
    visible: bool,
}

impl Terminal {
    pub(super) fn new(size: Size, style: Style, out: Box<dyn Write + Send>) -> Self {
        Self { view: Arc::new(Mutex::new(View::new(size, style, out))), ticker: None }
    }

    fn start_ticking(&mut self) {
        if self.ticker.is_none() {
            let (stop, stopped) = channel();
            let view = Arc::clone(&self.view);
            // Without a thread the view only moves when something happens.
            let thread = std::thread::Builder::new().name("terminal".into()).spawn(move || tick(&view, &stopped));
            self.ticker = thread.ok().map(|thread| (stop, thread));
        }
    }

    fn stop_ticking(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A panic in there has said what it had to say.
            let _ = thread.join();
        }
    }
}

fn tick(view: &Mutex<View>, stopped: &Receiver<()>) {
    while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let mut view = locked(view);
        let now = view.start.elapsed();
        view.redraw(now);
    }
}

fn locked(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for Terminal {
    fn emit(&mut self, event: Event) {
        let over = matches!(event, Event::RunFinished { .. });
        if matches!(
            event,
            Event::EngineInstall { .. }
                | Event::Packaging { .. }
                | Event::Reading { .. }
                | Event::Fetched { ended: false, .. }
                | Event::RunStarted { .. }
        ) {
            self.start_ticking();
        }
        if over {
            self.stop_ticking();
        }
        let mut view = locked(&self.view);
        let now = view.start.elapsed();
        view.take(&event, now);
        if over {
            view.finish(now);
        }
    }
}

impl Drop for Terminal {
    /// The view stays as it was last, so that what comes next, such as an error, is below it.
    fn drop(&mut self) {
        self.stop_ticking();
        let mut view = locked(&self.view);
        let now = view.start.elapsed();
        view.finish(now);
    }
}

impl View {
    fn new(size: Size, style: Style, out: Box<dyn Write + Send>) -> Self {
        let (progress, painter) = (Progress::default(), Painter::new(out));
        Self { progress, painter, size, style, start: Instant::now(), visible: false }
    }

    fn take(&mut self, event: &Event, now: Duration) {
        let stays = self.stays(event, now);
        self.progress.apply(event, now);
        let columns = usize::from((self.size)().0);
        if let Some(line) = stays {
            if let Event::EngineReady { .. } | Event::Packaged { .. } | Event::Reading { .. } | Event::Fetched { .. } =
                event
            {
                self.painter.draw(Vec::new(), columns);
                self.visible = false;
            }
            self.painter.above(&line, columns);
        }
    }

    /// Returns the line of an event that stays in the scrollback; the others are seen in the view.
    fn stays(&self, event: &Event, now: Duration) -> Option<String> {
        match event {
            Event::EngineReady { engine, .. } => {
                let install = self.progress.install.as_ref()?;
                let took = seconds(now.saturating_sub(install.began).as_secs_f64());
                Some(format!("{} engine {engine} installed in {took}", paint(self.style.good, "✓")))
            }
            Event::Packaged { what, .. } => {
                let packaging = self.progress.packaging.as_ref()?;
                let took = seconds(now.saturating_sub(packaging.began).as_secs_f64());
                Some(format!("{} packaged {} in {took}", paint(self.style.good, "✓"), text::line(what)))
            }
            Event::Note { .. }
            | Event::Warning { .. }
            | Event::Ingested { .. }
            | Event::CheckFailed { .. }
            | Event::ClusterChosen { .. }
            | Event::ClusterChanged { .. }
            | Event::ClusterLost { .. }
            | Event::InLine { .. }
            | Event::Uploading { .. }
            | Event::Waiting { .. }
            | Event::Fetched { .. }
            | Event::BackfillDate { .. }
            | Event::Reading { .. } => story::sentence(event, &self.style),
            _ => None,
        }
    }

    fn redraw(&mut self, now: Duration) {
        let due = self.progress.since().is_some_and(|since| now.saturating_sub(since) >= APPEARS_AFTER);
        if due || self.visible {
            self.visible = true;
            self.paint(now, false);
        }
    }

    fn paint(&mut self, now: Duration, last: bool) {
        let (columns, lines) = (self.size)();
        // The last column stays free: a terminal may wrap after a line that fills it. So does the last line, for the
        // cursor.
        let (width, lines) = (usize::from(columns).saturating_sub(1).max(1), usize::from(lines).saturating_sub(1));
        let canvas = Canvas { columns: width, lines, style: &self.style, now, last };
        let frame = frame(&self.progress, &canvas);
        self.painter.draw(frame, usize::from(columns));
    }

    /// Draws the last frame, all of it, and leaves it.
    fn finish(&mut self, now: Duration) {
        let idle = self.progress.run.as_ref().is_none_or(|run| run.idle());
        if self.visible || !idle {
            self.paint(now, true);
        }
        self.painter.keep();
        (self.progress, self.visible) = (Progress::default(), false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Shared, packaging, reading, story};
    use super::*;
    use crate::event::StepState;

    const SECOND: Duration = Duration::from_secs(1);

    fn view(out: &Shared) -> View {
        View::new(Arc::new(|| (60, 12)), Style::default(), Box::new(out.clone()))
    }

    /// What a terminal of 60 x 12 shows.
    fn screen(out: &Shared) -> String {
        let mut terminal = vt100::Parser::new(12, 60, 0);
        // The tty driver adds the carriage returns.
        terminal.process(out.text().replace('\n', "\r\n").as_bytes());
        terminal.screen().contents()
    }

    #[test]
    fn finished_lines_and_warnings_stay() {
        let out = Shared::default();
        let mut view = view(&out);
        for (at, event) in story().iter().enumerate() {
            let now = SECOND * at as u32;
            view.take(event, now);
            view.redraw(now + SECOND / 2);
        }
        view.finish(20 * SECOND);
        insta::assert_snapshot!(screen(&out), @r"
        ingested 3 pages (questions 2, tags 1) into file:///r
        ✓ engine sail installed in 5.0 s
        The data is\u{1b}[2J a sample.
        warning: tag `rust` has no page
        check failed: table tags, `rows-at-least: 9`, found 8 rows
        daily.2026-11-22.1 on local (sail)
          ✓ questions  completed     1,234 rows      2.5 s
          = tags       up to date   65,000 rows
          ↺ trends     reused            1 row
          succeeded in 1 m 03 s
        ");
    }

    #[test]
    fn packaging_leaves_a_line() {
        let out = Shared::default();
        let mut view = view(&out);
        for (at, event) in packaging().iter().enumerate() {
            view.take(event, SECOND * at as u32);
            view.redraw(SECOND * at as u32 + SECOND / 2);
        }
        view.finish(9 * SECOND);
        insta::assert_snapshot!(screen(&out), @"✓ packaged dependencies for Python 3.11 on Linux x86_64 in 4.0 s");
    }

    #[test]
    fn files_that_were_read_leave_a_line_each() {
        let out = Shared::default();
        let mut view = view(&out);
        for (at, event) in reading().iter().enumerate() {
            view.take(event, SECOND * at as u32);
            view.redraw(SECOND * at as u32 + SECOND / 2);
        }
        view.finish(9 * SECOND);
        insta::assert_snapshot!(screen(&out), @r"
        read so.7z/Posts.xml, 56,000 rows
        read so.7z/Tags.xml, 1 row
        ");
    }

    #[test]
    fn nothing_to_do_leaves_nothing() {
        let out = Shared::default();
        let mut view = view(&out);
        for mut event in story().into_iter().skip(7).filter(|event| !matches!(event, Event::StepProgress { .. })) {
            if let Event::StepChanged { state, .. } = &mut event {
                *state = StepState::UpToDate;
            }
            if let Event::RunStarted { .. } | Event::StepChanged { .. } | Event::RunFinished { .. } = event {
                view.take(&event, SECOND);
                view.redraw(SECOND + APPEARS_AFTER / 2);
            }
        }
        view.finish(SECOND + APPEARS_AFTER / 2);
        assert_eq!(out.text(), "");
    }

    #[test]
    fn a_view_that_is_dropped_stands_still() {
        let out = Shared::default();
        let mut view = view(&out);
        story().iter().skip(7).take(6).for_each(|event| view.take(event, SECOND));
        view.redraw(2 * SECOND);
        view.finish(3 * SECOND);
        insta::assert_snapshot!(screen(&out), @r"
        daily.2026-11-22.1 on local (sail)
          … questions  running         700 rows      3.0 s
          = tags       up to date   65,000 rows
          ↺ trends     reused            1 row
        ");
    }

    #[test]
    fn the_clock_in_the_view_goes_on_by_itself() {
        let out = Shared::default();
        let mut terminal = Terminal::new(Arc::new(|| (60, 12)), Style::default(), Box::new(out.clone()));
        story().into_iter().skip(7).take(6).for_each(|event| terminal.emit(event));
        let deadline = Instant::now() + 20 * SECOND;
        while !out.text().contains("running") && Instant::now() < deadline {
            std::thread::sleep(TICK / 10);
        }
        drop(terminal);
        assert!(out.text().contains("running"));
    }
}
