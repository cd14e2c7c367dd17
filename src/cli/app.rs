//! What every verb needs: settings, services, the terminal, the clock.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use indicatif::ProgressDrawTarget;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::args::{EventsForm, Global, OutputForm, TargetOptions};
use super::output::stdout;
use super::project::{Project, misnamed};
use crate::config::{self, Layers};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::Host;
use crate::report::{self, Answer, ColorInputs, Layout, Mode, Style};
use crate::targets::local::EngineEnvironment;
use crate::yaml::{self, Problems};

/// Most frames a second of the bars.
const FRAMES: u8 = 20;

/// What every verb needs.
pub struct App {
    /// `--output json`.
    pub json: bool,
    /// Whether stdout gets colours.
    pub colour: bool,
    /// Colours of stdout.
    pub out_style: Style,
    /// Colours of stderr.
    pub err_style: Style,
    /// Columns of stdout when it is a terminal.
    pub width: Option<usize>,
    events: EventsForm,
    target: Option<String>,
    directory: Option<PathBuf>,
    pub(super) environment: BTreeMap<String, String>,
}

impl App {
    /// Reads the environment and the terminal, once.
    pub fn new(global: &Global) -> Self {
        // A variable that is not UTF-8 cannot be one of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment: BTreeMap<String, String> = std::env::vars_os().filter_map(text).collect();
        let is_set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty() && value != "0");
        let colour = |terminal: bool| {
            let inputs = ColorInputs {
                choice: global.color.into(),
                no_color: environment.get("NO_COLOR").is_some_and(|value| !value.is_empty()),
                force: is_set("CLICOLOR_FORCE"),
                dumb: report::is_dumb(environment.get("TERM").map(String::as_str)),
                terminal,
            };
            inputs.decide()
        };
        let stdout = std::io::stdout().is_terminal();
        Self {
            json: global.output == OutputForm::Json,
            colour: colour(stdout),
            out_style: Style::new(colour(stdout)),
            err_style: Style::new(colour(std::io::stderr().is_terminal())),
            width: stdout.then(columns),
            events: global.events,
            target: global.target.clone(),
            directory: global.directory.clone(),
            environment,
        }
    }

    /// Finds the project and resolves its settings; `local` holds flags over the local target's settings.
    ///
    /// # Errors
    /// `Usage` with every mistake in the config file, the environment and the flags.
    pub fn project(&self, local: Option<&TargetOptions>) -> Result<Project> {
        Ok(self.read_project(local)??)
    }

    /// Returns what [`App::project`] does, with the mistakes as values.
    pub fn read_project(&self, local: Option<&TargetOptions>) -> Result<Result<Project, Problems>> {
        let cwd = match &self.directory {
            Some(folder) => fs::canonicalize(folder).map_err(|error| {
                Error::new(Kind::Usage, format!("`-C {}` is not a folder", folder.display())).caused_by(error)
            })?,
            None => std::env::current_dir()?,
        };
        let root = config::find_root(&cwd, &|path| path.exists()).ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{}` is not in a soflow project", cwd.display()))
                .hint("a project has a folder `jobs/` or a file `config/soflow.yaml`; name one with `-C FOLDER`")
        })?;
        if root.to_str().is_none_or(|path| path.contains(char::is_control)) {
            let what = format!("`{}` cannot be a project: its name is not plain text", root.display());
            return Err(Error::new(Kind::Usage, what)
                .detail("Locations are written as UTF-8, without control characters.")
                .hint("rename the folder"));
        }
        Ok(config::read(self.layers(&root, local)?, &Path::is_file).map(|resolved| Project { resolved, cwd }))
    }

    fn layers(&self, root: &Path, local: Option<&TargetOptions>) -> Result<Layers> {
        let path = root.join("config/soflow.yaml");
        let shown = "config/soflow.yaml";
        let file = match path.is_file() {
            true => Some((PathBuf::from(shown), yaml::Source::decode(shown, &fs::read(&path)?)?)),
            false => None,
        };
        // Settings that nobody reads would be another lake and another target than the person thinks.
        if let (None, Some(other)) = (&file, misnamed(&root.join("config")).iter().find(|file| file.stem == "soflow")) {
            let error = Error::new(Kind::Usage, format!("there is no `{shown}`, but a file like it"));
            return Err(error.hint(other.told(root)));
        }
        let mut flags = Vec::new();
        let mut flag = |key: &str, value: &Option<String>, name: &str| {
            flags.extend(value.iter().map(|value| (key.to_string(), value.clone(), name.to_string())));
        };
        flag("default-target", &self.target, "--target");
        if let Some(local) = local {
            flag("engine", &local.engine, "--engine");
            flag("parallel", &local.parallel, "--parallel");
            flag("cluster", &local.cluster, "--cluster");
        }
        let ours = |(name, _): &(&String, &String)| name.starts_with("SOFLOW_") || *name == "HOME";
        let environment = self.environment.iter().filter(ours).map(|(n, v)| (n.clone(), v.clone())).collect();
        Ok(Layers { root: root.to_path_buf(), file, environment, flags })
    }

    /// Returns what this machine is, as far as the local engine cares.
    pub fn host(&self) -> Host {
        let path = self.environment.get("PATH").map(std::env::split_paths).into_iter().flatten().collect();
        let java_home = self.environment.get("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Host { path, java_home }
    }

    /// Returns the engine environment of the target in use.
    pub fn engine(&self, project: &Project) -> Result<EngineEnvironment> {
        Ok(EngineEnvironment::new(project.local()?, &self.host()))
    }

    /// Returns the listener that tells the story on stderr.
    pub fn sink(&self) -> Box<dyn Sink> {
        let mode = match self.events {
            EventsForm::Auto if self.has_screen() => {
                Mode::Terminal { bars: ProgressDrawTarget::term_like_with_hz(Box::<report::Screen>::default(), FRAMES) }
            }
            _ => return self.lines(),
        };
        report::sink(mode, self.err_style, Arc::new(Timestamp::now), Box::new(std::io::stderr()))
    }

    /// Returns a listener without a live view: several may tell their stories at once.
    pub fn lines(&self) -> Box<dyn Sink> {
        let mode = match self.events {
            EventsForm::Auto | EventsForm::Plain => Mode::Plain,
            EventsForm::Ndjson => Mode::Ndjson,
            EventsForm::Quiet => Mode::Quiet,
        };
        report::sink(mode, self.err_style, Arc::new(Timestamp::now), Box::new(std::io::stderr()))
    }

    /// Returns whether stderr is read by a program.
    pub fn tells_ndjson(&self) -> bool {
        self.events == EventsForm::Ndjson
    }

    /// Returns whether a live view and the answer after it go to the same screen.
    pub fn watched(&self) -> bool {
        self.width.is_some() && self.events == EventsForm::Auto && self.has_screen()
    }

    /// Returns whether stderr is a terminal whose lines can be drawn anew.
    fn has_screen(&self) -> bool {
        std::io::stderr().is_terminal() && !report::is_dumb(self.environment.get("TERM").map(String::as_str))
    }

    /// Says what the settings warn of.
    pub fn warn(&self, project: &Project, sink: &mut dyn Sink) {
        for text in &project.resolved.warnings {
            sink.emit(Event::Warning { text: text.clone() });
        }
    }

    /// Writes an answer to stdout.
    pub fn print(&self, text: &str) -> Result<()> {
        self.print_bytes(text.as_bytes()).map(drop)
    }

    /// Writes an answer to stdout that may be no text. Returns whether anyone reads on.
    pub fn print_bytes(&self, bytes: &[u8]) -> Result<bool> {
        let mut out = stdout();
        out.write_all(bytes).and_then(|()| out.flush())?;
        Ok(!out.gone)
    }

    /// Writes a command's answer to stdout, in the form that was asked for; returns the exit code of success.
    pub fn answer(&self, answer: &impl Answer) -> Result<u8> {
        if self.json {
            self.print_json(answer)?
        } else {
            self.print(&answer.text(&self.layout()))?
        }
        Ok(0)
    }

    /// Returns how answers are laid out for people.
    pub const fn layout(&self) -> Layout {
        Layout { style: self.out_style, width: self.width }
    }

    /// Writes an answer to stdout as one JSON document.
    pub fn print_json(&self, answer: &impl serde::Serialize) -> Result<()> {
        let internal = |error| Error::new(Kind::Internal, "the answer cannot be written as JSON").caused_by(error);
        let mut document = serde_json::to_value(answer).map_err(internal)?;
        if let Some(object) = document.as_object_mut() {
            object.shift_insert(0, "v".into(), report::OUTPUT_VERSION.into());
        }
        self.print(&format!("{}\n", serde_json::to_string_pretty(&document).map_err(internal)?))
    }
}

/// Returns the columns of the terminal that stdout is, 80 when it does not say.
fn columns() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map(|(columns, _)| usize::from(columns.0)).filter(|columns| *columns > 0).unwrap_or(80)
}

/// Returns the logical date of a run that names none: yesterday, UTC.
pub fn yesterday() -> Date {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    today.checked_sub(1.day()).unwrap_or(today)
}
