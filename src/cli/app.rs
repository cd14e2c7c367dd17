//! The terminal, the environment and the flags that every verb has, and the two streams that verbs write to.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::ColorChoice;
use indicatif::ProgressDrawTarget;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::args::{EventsForm, Global, OutputForm};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::Host;
use crate::report::{self, Layout, Style, problem};
use crate::store::Owner;

/// Most frames a second of the bars.
const FRAMES: u8 = 20;

/// One call of a Lambda function.
#[derive(Default)]
pub struct Invocation {
    /// Lambda's name for it.
    pub id: String,
    /// The ARN of the execution that it is a part of.
    pub execution: Option<String>,
}

impl Invocation {
    fn execution_as_owner(&self) -> Owner {
        let name = self.execution.as_deref().and_then(|arn| arn.rsplit(':').next());
        let who = name.map_or_else(|| format!("function {}", self.id), |name| format!("execution {name}"));
        Owner { who, host: "lambda".into(), ..Owner::default() }
    }
}

/// What every verb needs.
pub struct App {
    /// `--output json`.
    pub json: bool,
    /// Colours and columns of stdout.
    pub layout: Layout,
    /// Colours of stderr.
    pub err_style: Style,
    /// `--target`.
    pub target: Option<String>,
    /// `-C`.
    pub directory: Option<PathBuf>,
    /// The environment's variables.
    pub environment: BTreeMap<String, String>,
    /// The invocation of a Lambda function that this is, when it is one.
    pub invocation: Option<Invocation>,
    events: EventsForm,
    /// Whether stderr is a terminal whose lines can be drawn anew.
    has_screen: bool,
}

impl App {
    /// Reads the environment and the terminal, once.
    pub fn new(global: &Global) -> Self {
        // A variable that is not UTF-8 cannot be one of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment: BTreeMap<String, String> = std::env::vars_os().filter_map(text).collect();
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let style = |terminal| Style::new(has_colours(global.color, &environment, terminal));
        Self {
            json: global.output == OutputForm::Json,
            layout: Layout { style: style(out), width: out.then(columns) },
            err_style: style(err),
            target: global.target.clone(),
            directory: global.directory.clone(),
            events: global.events,
            has_screen: err && !is_dumb(&environment),
            environment,
            invocation: None,
        }
    }

    /// Returns what a Lambda function works with: its project is beside the program, and what it tells are lines of JSON.
    pub fn of(invocation: Invocation) -> Self {
        let global = Global {
            target: None,
            output: OutputForm::Json,
            events: EventsForm::Ndjson,
            color: ColorChoice::Never,
            directory: std::env::var_os("LAMBDA_TASK_ROOT").map(PathBuf::from),
        };
        Self { invocation: Some(invocation), ..Self::new(&global) }
    }

    /// Returns what this machine is, as far as the local engine cares.
    pub fn host(&self) -> Host {
        let path = self.environment.get("PATH").map(std::env::split_paths).into_iter().flatten().collect();
        let java_home = self.environment.get("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Host { path, java_home }
    }

    /// Returns who we are, for others who want the same cluster or run.
    pub fn owner(&self) -> Owner {
        if let Some(invocation) = &self.invocation {
            // Several invocations are one process, and none of them sees the others' processes.
            let space = Some(format!("invocation {}", invocation.id));
            return Owner { process: std::process::id(), space, ..invocation.execution_as_owner() };
        }
        let known = |names: &[&str]| {
            names.iter().find_map(|name| self.environment.get(*name).filter(|value| !value.is_empty()).cloned())
        };
        let host = fs_err::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_string());
        let host = host.or_else(|| known(&["HOSTNAME", "HOST"])).unwrap_or_else(|| "unknown".into());
        let user = known(&["USER", "LOGNAME"]).unwrap_or_else(|| "someone".into());
        // What a CI job is known by: GitHub, GitLab, Jenkins, Buildkite.
        let job = known(&["GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_TAG", "BUILDKITE_BUILD_ID"]);
        let who = known(&["SOFLOW_OWNER"])
            .or_else(|| job.map(|job| format!("ci-{job}")))
            .unwrap_or_else(|| format!("{user}@{host}"));
        Owner::me(&who, &host)
    }

    /// Returns who has the cluster that we work on: what one invocation has, the next one of the same execution has too.
    pub fn cluster_owner(&self) -> Owner {
        self.invocation.as_ref().map_or_else(|| self.owner(), Invocation::execution_as_owner)
    }

    /// Returns the listener that tells the story on stderr.
    pub fn sink(&self) -> Box<dyn Sink> {
        self.listener(self.has_screen)
    }

    /// Returns a listener without a live view: several may tell their stories at once.
    pub fn lines(&self) -> Box<dyn Sink> {
        self.listener(false)
    }

    fn listener(&self, live: bool) -> Box<dyn Sink> {
        let (style, clock, out) = (self.err_style, Arc::new(Timestamp::now), Box::new(io::stderr()));
        match self.events {
            EventsForm::Auto if live => {
                let screen = ProgressDrawTarget::term_like_with_hz(Box::<report::Screen>::default(), FRAMES);
                report::live(screen, style, out)
            }
            EventsForm::Ndjson => report::ndjson(clock, out),
            form => report::plain(style, clock, out, form == EventsForm::Quiet),
        }
    }

    /// Tells one thing on stderr.
    pub fn tell(&self, event: Event) {
        self.sink().emit(event);
    }

    /// Returns whether stderr is read by a program.
    pub fn tells_ndjson(&self) -> bool {
        self.events == EventsForm::Ndjson
    }

    /// Returns what parts the answer from the story above it: a line when a live view goes to the same screen.
    pub fn gap(&self) -> &'static str {
        let live = self.layout.width.is_some() && self.events == EventsForm::Auto && self.has_screen;
        if live && !self.json { "\n" } else { "" }
    }

    /// Writes a command's answer to stdout, as the JSON document or as text for people; returns the exit code of success.
    /// The text ends in a newline unless it is empty. The listener must be dropped before.
    pub fn answer(&self, document: &impl Serialize, text: impl FnOnce(&Layout) -> String) -> Result<u8> {
        if !self.json {
            return self.print(&text(&self.layout));
        }
        let internal = |error| Error::new(Kind::Internal, "the answer cannot be written as JSON").caused_by(error);
        let mut document = serde_json::to_value(document).map_err(internal)?;
        if let Some(object) = document.as_object_mut() {
            object.shift_insert(0, "v".into(), report::OUTPUT_VERSION.into());
        }
        self.print(&format!("{document:#}\n"))
    }

    /// Writes text to stdout; returns the exit code of success.
    pub fn print(&self, text: &str) -> Result<u8> {
        self.print_bytes(text.as_bytes()).map(|_| 0)
    }

    /// Writes to stdout what may be no text. Returns whether anyone reads on.
    pub fn print_bytes(&self, bytes: &[u8]) -> Result<bool> {
        self.write_out(|out| out.write_all(bytes))
    }

    /// Writes to stdout; returns whether anyone reads on. A reader that went away, as `| head -1` does, is no failure, and
    /// makes no failure a success: only what is written here may be lost without a word.
    pub fn write_out(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<bool> {
        let mut out = io::stdout().lock();
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Writes text to stderr, whether or not anyone reads it.
    pub fn print_err(&self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Writes an error to stderr, for people; returns its exit code.
    pub fn show_error(&self, error: &Error) -> u8 {
        self.print_err(&problem::text(error, &self.err_style));
        error.kind.exit_code()
    }

    /// Writes an error where it belongs and returns its exit code, whether or not anyone reads it.
    pub fn fail(&self, error: &Error) -> u8 {
        if self.json {
            let _ = self.print(&format!("{:#}\n", problem::json(error)));
        }
        self.show_error(error)
    }
}

/// Returns whether to colour a stream: the flag, then `NO_COLOR`, then `CLICOLOR_FORCE`, then what the stream is.
fn has_colours(choice: ColorChoice, environment: &BTreeMap<String, String>, terminal: bool) -> bool {
    let is_set = |name, off| environment.get(name).is_some_and(|value| !value.is_empty() && value != off);
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR", "") => false,
        ColorChoice::Auto => is_set("CLICOLOR_FORCE", "0") || (terminal && !is_dumb(environment)),
    }
}

/// Returns whether a terminal cannot move its cursor, by its `TERM`: that of an editor, a serial line, or one that says
/// nothing of itself. Source: terminfo's entries `dumb` and `unknown`.
fn is_dumb(environment: &BTreeMap<String, String>) -> bool {
    matches!(environment.get("TERM").map(String::as_str), None | Some("" | "dumb" | "unknown"))
}

/// Returns the columns of the terminal that stdout is, 80 when it does not say.
fn columns() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(columns, _)| usize::from(columns.0)).filter(|columns| *columns > 0).unwrap_or(80)
}

/// Returns the logical date of a run that names none: yesterday, UTC.
pub fn yesterday() -> Date {
    today().checked_sub(1.day()).unwrap_or_else(|_| today())
}

/// Returns today, UTC.
pub fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_outranks_the_environment_which_outranks_the_stream() {
        use ColorChoice::{Always, Auto, Never};
        let cases = [
            (Auto, "TERM=xterm", true, true),
            (Auto, "TERM=xterm", false, false),
            (Auto, "", true, false),
            (Auto, "TERM=dumb", true, false),
            (Auto, "TERM=xterm NO_COLOR=1 CLICOLOR_FORCE=1", true, false),
            (Auto, "NO_COLOR= CLICOLOR_FORCE=1", false, true),
            (Auto, "CLICOLOR_FORCE=0", false, false),
            (Always, "NO_COLOR=1", false, true),
            (Never, "TERM=xterm CLICOLOR_FORCE=1", true, false),
        ];
        for (choice, variables, stream, expected) in cases {
            let pair = |variable: &str| variable.split_once('=').map(|(name, value)| (name.into(), value.into()));
            let environment = variables.split_whitespace().filter_map(pair).collect();
            assert_eq!(has_colours(choice, &environment, stream), expected, "{choice:?} {variables} {stream}");
        }
    }
}
