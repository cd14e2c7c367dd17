//! The program on a terminal of 80 x 24, and what is on its screen.

use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::project::{Project, SOFLOW};

const LINES: u16 = 24;
const COLUMNS: u16 = 80;
const TOO_LONG: Duration = Duration::from_secs(300);

/// A terminal with the program in it.
pub struct Terminal<'a> {
    project: &'a Project,
    child: Box<dyn Child + Send + Sync>,
    // Closing it would hang the terminal up.
    _master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    chunks: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything written to the terminal.
    pub written: Vec<u8>,
}

impl<'a> Terminal<'a> {
    /// Starts the program on a terminal.
    pub fn start<const N: usize>(project: &'a Project, arguments: [&str; N]) -> Self {
        let size = PtySize { rows: LINES, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(SOFLOW);
        command.args(arguments);
        command.cwd(project.path());
        command.env_clear();
        command.env("TERM", "xterm-256color");
        project.environment().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, chunks) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails when the last process on the terminal is gone.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(LINES, COLUMNS, 1000);
        Self { project, child, _master: pair.master, keyboard, chunks, screen, written: Vec::new() }
    }

    /// Types keys.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until the screen is as wanted and returns it.
    pub fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        while !wanted(&self.shown()) {
            let Ok(chunk) = self.chunks.recv_timeout(TOO_LONG) else { panic!("not seen on:\n{}", self.shown()) };
            self.take(&chunk);
        }
        self.shown()
    }

    /// Returns the screen once the program has ended, and below it the exit code.
    pub fn end(&mut self) -> String {
        while let Ok(chunk) = self.chunks.recv_timeout(TOO_LONG) {
            self.take(&chunk);
        }
        let status = self.child.wait().unwrap();
        format!("{}\n[exit {}]", self.shown(), status.exit_code())
    }

    fn take(&mut self, chunk: &[u8]) {
        self.screen.process(chunk);
        self.written.extend_from_slice(chunk);
    }

    fn shown(&self) -> String {
        self.project.neutral(&self.screen.screen().contents())
    }
}
