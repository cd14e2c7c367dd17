//! The terminal behind stderr, as `indicatif` draws on it.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

/// What a terminal that does not know its size is taken for.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Draws without filling lines with spaces.
///
/// `indicatif` writes each line and then spaces up to the margin, where the cursor wraps by itself. Here a line is ended by
/// the next one, and the cursor rests behind the last: what the terminal echoes, such as `^C`, stands where it is drawn over,
/// and lines stay whole in a window that is made narrower.
#[derive(Debug, Default)]
pub struct Screen(Mutex<Frame>);

#[derive(Debug, Default)]
struct Frame {
    /// What is not written yet.
    text: String,
    /// Whether the last line is complete.
    ended: bool,
}

impl Screen {
    fn frame(&self) -> MutexGuard<'_, Frame> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: &str) -> io::Result<()> {
        self.frame().text.push_str(text);
        Ok(())
    }

    fn moved(&self, columns: usize, to: char) -> io::Result<()> {
        if columns > 0 { self.push(&format!("\u{1b}[{columns}{to}")) } else { Ok(()) }
    }

    fn size() -> (u16, u16) {
        let size = terminal_size::terminal_size_of(io::stderr());
        size.map(|(columns, lines)| (columns.0, lines.0)).filter(|size| size.0 > 0 && size.1 > 0).unwrap_or(USUAL_SIZE)
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        Self::size().0
    }

    fn height(&self) -> u16 {
        Self::size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.push(&format!("{text}\r\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut frame = self.frame();
        let filler = text.chars().all(|c| c == ' ');
        if !filler {
            let start = if frame.ended { "\r\n" } else { "" };
            frame.text.push_str(start);
            frame.text.push_str(text);
        }
        frame.ended = filler;
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.push("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let Frame { text, .. } = std::mem::take(&mut *self.frame());
        let mut stderr = io::stderr().lock();
        stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush())
    }
}
