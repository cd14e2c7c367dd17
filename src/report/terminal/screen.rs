//! The terminal behind stderr, as `indicatif` draws on it.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;

/// What a terminal that does not know its size is taken for.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Replaces the last frame by the next one, as a whole.
///
/// Left to itself, `indicatif` counts lines by the width that the terminal had when it drew them, and leaves the cursor past
/// the margin: a window that is made narrower, or a `^C` that the terminal echoes, leaves remains of a frame for good.
#[derive(Debug, Default)]
pub struct Screen(Mutex<Frames>);

#[derive(Debug, Default)]
struct Frames {
    /// The lines on the screen.
    drawn: Vec<String>,
    /// Those that are to take their place.
    next: Vec<String>,
}

impl Screen {
    fn with<T>(&self, change: impl FnOnce(&mut Frames) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Frames {
    /// Returns what draws the next frame over the last one, in a terminal that is `columns` wide now.
    fn replace(&mut self, columns: u16) -> String {
        let rows = |line: &String| console::measure_text_width(line).div_ceil(usize::from(columns)).max(1);
        let height: usize = self.drawn.iter().map(rows).sum();
        let up = |lines: usize| if lines > 0 { format!("\r\u{1b}[{lines}A") } else { "\r".to_string() };
        let mut text = if height > 0 { up(height - 1) } else { String::new() };
        self.drawn = std::mem::take(&mut self.next);
        match self.drawn.is_empty() {
            // Line by line: tmux takes clearing all below the first line for clearing the screen, and keeps what was there.
            true => text += &(vec!["\u{1b}[2K"; height].join("\n") + &up(height.saturating_sub(1))),
            false => {
                let lines: Vec<String> = self.drawn.iter().map(|line| format!("\u{1b}[2K{line}")).collect();
                text += &(lines.join("\r\n") + "\u{1b}[J");
            }
        }
        text
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    // Where the cursor is follows from the last frame.
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)
    }

    /// Takes a line, or the spaces after one, which nobody needs.
    fn write_str(&self, line: &str) -> io::Result<()> {
        if line.chars().any(|c| c != ' ') {
            self.with(|frames| frames.next.push(line.to_string()));
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let text = self.with(|frames| frames.replace(size().0));
        let mut stderr = io::stderr().lock();
        stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush())
    }
}

fn size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map(|(columns, lines)| (columns.0, lines.0)).filter(|size| size.0 > 0 && size.1 > 0).unwrap_or(USUAL_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal of 20 x 6 shows after frames of these lines, each drawn when it was so wide.
    fn screen(frames: &[(u16, &[&str])]) -> String {
        let mut terminal = vt100::Parser::new(6, 20, 0);
        terminal.process(b"before\r\n");
        let mut state = Frames::default();
        for (columns, lines) in frames {
            state.next = lines.iter().map(ToString::to_string).collect();
            // The tty driver adds the carriage returns.
            terminal.process(state.replace(*columns).replace("\r\n", "\n").replace('\n', "\r\n").as_bytes());
        }
        terminal.process(b"^C");
        terminal.screen().contents()
    }

    #[test]
    fn a_frame_replaces_the_one_before() {
        assert_eq!(
            screen(&[(20, &["one", "a longer line", "three"]), (20, &["uno", "\u{1b}[1mdos\u{1b}[0m"])]),
            "before\nuno\ndos^C"
        );
        assert_eq!(screen(&[(20, &["one", "two"]), (20, &[])]), "before\n^C");
    }

    #[test]
    fn a_terminal_made_narrower_leaves_no_remains() {
        // As if 20 columns had been 40 when the first was drawn: its long line is two now.
        assert_eq!(screen(&[(40, &["a line of 26 characters...", "short"]), (20, &["new"])]), "before\nnew^C");
    }
}
