//! Standard output and standard error. A reader that went away, as `| head -1` does, is no failure, and makes no failure
//! a success: only what is written here may be lost without a word, and the exit code is that of the work.

use std::io::{self, ErrorKind, Write};

/// A stream of ours.
pub struct PipeWriter<W> {
    to: W,
    /// Whether its reader went away.
    pub gone: bool,
}

/// Returns standard output, locked.
pub fn stdout() -> PipeWriter<io::StdoutLock<'static>> {
    PipeWriter { to: io::stdout().lock(), gone: false }
}

/// Returns standard error, locked.
pub fn stderr() -> PipeWriter<io::StderrLock<'static>> {
    PipeWriter { to: io::stderr().lock(), gone: false }
}

impl<W: Write> PipeWriter<W> {
    fn unless_gone<T>(&mut self, done: io::Result<T>, otherwise: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(otherwise)
            }
            done => done,
        }
    }
}

impl<W: Write> Write for PipeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = if self.gone { Ok(bytes.len()) } else { self.to.write(bytes) };
        self.unless_gone(done, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = if self.gone { Ok(()) } else { self.to.flush() };
        self.unless_gone(done, ())
    }
}
