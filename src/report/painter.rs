//! Keeps a few lines at the bottom of a terminal up to date.
//!
//! Not a progress bar library: this one counts lines that a resize has broken, writes nothing when nothing has changed,
//! and lets go when stderr is closed.

use std::io::Write;

use super::frame::Drawn;
use super::sink::Outlet;

/// Draws frames over each other. What is printed above them, and the last frame, stay in the scrollback.
pub(super) struct Painter {
    out: Outlet,
    drawn: Vec<Drawn>,
}

impl Painter {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out: Outlet::new(out), drawn: Vec::new() }
    }

    /// Replaces the frame, when it has changed.
    pub(super) fn draw(&mut self, frame: Vec<Drawn>, columns: usize) {
        if frame == self.drawn {
            return;
        }
        let text = match frame.is_empty() {
            true => self.erase(columns),
            false => self.home(columns) + &lines(&frame) + "\u{1b}[J",
        };
        self.out.write(&text);
        self.drawn = frame;
    }

    /// Prints a line that stays, above the frame.
    pub(super) fn above(&mut self, line: &str, columns: usize) {
        let text = self.erase(columns) + line + "\n" + &lines(&self.drawn);
        self.out.write(&text);
    }

    /// Leaves the frame where it is; the next one starts below.
    pub(super) fn keep(&mut self) {
        self.drawn.clear();
    }

    /// Moves to the frame's first line.
    fn home(&self, columns: usize) -> String {
        match self.height(columns) {
            0 => String::new(),
            height => format!("\r\u{1b}[{height}A"),
        }
    }

    /// Clears the frame's lines and moves to the first. One by one: tmux takes clearing everything below the first line
    /// of the screen for clearing the screen, and moves what was there into the scrollback.
    fn erase(&self, columns: usize) -> String {
        let home = self.home(columns);
        home.clone() + &"\u{1b}[2K\n".repeat(self.height(columns)) + &home
    }

    /// How many lines the frame takes now: a terminal that became narrower has broken long ones since they were drawn.
    fn height(&self, columns: usize) -> usize {
        self.drawn.iter().map(|line| line.width.div_ceil(columns.max(1)).max(1)).sum()
    }
}

fn lines(frame: &[Drawn]) -> String {
    // Cleared before it is written: after a full line some terminals would clear its last character.
    frame.iter().map(|line| format!("\u{1b}[2K{}\n", line.text)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Shared;
    use super::*;

    fn frame(texts: &[&str]) -> Vec<Drawn> {
        texts.iter().map(|text| Drawn { text: (*text).into(), width: text.len() }).collect()
    }

    /// What a terminal of 20 x 6 shows after `paint`.
    fn screen(paint: impl FnOnce(&mut Painter)) -> String {
        let out = Shared::default();
        paint(&mut Painter::new(Box::new(out.clone())));
        let mut terminal = vt100::Parser::new(6, 20, 0);
        // The tty driver adds the carriage returns.
        terminal.process(out.text().replace('\n', "\r\n").as_bytes());
        terminal.screen().contents()
    }

    #[test]
    fn a_frame_replaces_the_one_before() {
        let shown = screen(|painter| {
            painter.draw(frame(&["one", "a longer line", "three"]), 20);
            painter.draw(frame(&["uno", "dos"]), 20);
        });
        assert_eq!(shown, "uno\ndos");
    }

    #[test]
    fn lines_above_and_kept_frames_stay() {
        let shown = screen(|painter| {
            painter.draw(frame(&["step 1"]), 20);
            painter.above("warning", 20);
            painter.draw(frame(&["step 2"]), 20);
            painter.keep();
            painter.draw(frame(&["next"]), 20);
        });
        assert_eq!(shown, "warning\nstep 2\nnext");
    }

    #[test]
    fn a_terminal_made_narrower_leaves_no_remains() {
        // As if 18 columns had been 36 when these were drawn: each long line is two now.
        let shown = screen(|painter| {
            painter.above("before", 20);
            painter.draw(frame(&["a line of 26 characters...", "short"]), 40);
            painter.draw(frame(&["new"]), 20);
        });
        assert_eq!(shown, "before\nnew");
    }

    #[test]
    fn an_unchanged_frame_writes_nothing() {
        let out = Shared::default();
        let mut painter = Painter::new(Box::new(out.clone()));
        painter.draw(frame(&["same"]), 20);
        let before = out.text();
        painter.draw(frame(&["same"]), 20);
        assert_eq!(out.text(), before);
    }
}
