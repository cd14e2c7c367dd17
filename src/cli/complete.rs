//! What shells complete. The script that `soflow completions` prints calls this program at each Tab, so what is offered is
//! what there is: jobs, steps, runs, tables, targets.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ColorChoice, Command, CommandFactory as _};
use clap_complete::env::Shells;
use clap_complete::{ArgValueCompleter, CompleteEnv, CompletionCandidate, Shell};

use super::app::{App, yesterday};
use super::args::{Cli, EventsForm, Global, OutputForm, TargetOptions};
use super::project::Project;
use super::{jobs, runtime};
use crate::catalog::Catalog;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::run;
use crate::store::FileStore;

/// Set by the shell's script when it asks for completions.
const VARIABLE: &str = "_SOFLOW_COMPLETE";

/// Most runs that are offered, the latest ones.
const RUNS: usize = 50;

/// Answers a shell that asks for completions, and ends the program then. Whatever keeps it from looking offers nothing.
pub fn answer_shell() {
    CompleteEnv::with_factory(|| offered(Cli::command())).var(VARIABLE).complete();
}

/// Prints what makes a shell complete this program's command lines.
pub fn completions(app: &App, shell: Shell) -> Result<u8> {
    let unknown = || Error::new(Kind::Internal, format!("nothing is known of the shell {shell}"));
    let shells = Shells::builtins();
    let shell = shells.completer(&shell.to_string()).ok_or_else(unknown)?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "soflow", "soflow", "soflow", &mut script)?;
    app.print(&String::from_utf8_lossy(&script))
}

/// What a value names.
#[derive(Clone, Copy)]
enum Named {
    Engine,
    Job,
    Run,
    Step,
    Table,
    Target,
}

impl Named {
    /// Returns what the value of an argument names, if it is something that can be listed.
    fn of(argument: &Arg) -> Option<Self> {
        let value = argument.get_value_names().and_then(|names| Some(names.first()?.as_str()));
        match (argument.get_id().as_str(), value) {
            ("job" | "jobs", _) => Some(Self::Job),
            ("run", _) | ("to", Some("RUN")) => Some(Self::Run),
            ("step", _) | (_, Some("STEP")) => Some(Self::Step),
            ("table" | "reads", _) => Some(Self::Table),
            ("target", _) => Some(Self::Target),
            ("engine", _) => Some(Self::Engine),
            _ => None,
        }
    }

    fn candidates(self, current: &OsStr) -> Vec<CompletionCandidate> {
        let begun = current.to_string_lossy();
        // A target that is half typed is none.
        let target = option(&["--target"]).filter(|_| !matches!(self, Self::Target));
        let names = project(target).and_then(|project| self.names(&project)).unwrap_or_default();
        names.into_iter().filter(|name| name.starts_with(&*begun)).map(CompletionCandidate::new).collect()
    }

    /// Returns what there is of these. Of runs and tables only those of this machine: a Tab makes no requests.
    fn names(self, project: &Project) -> Result<Vec<String>> {
        let (lake, is_local) = (&project.target.lake, matches!(project.target.kind, TargetKind::Local(_)));
        Ok(match self {
            Self::Engine => vec!["sail".into(), "spark".into()],
            Self::Job => jobs::job_names(project)?,
            Self::Target => project.settings.targets.keys().cloned().collect(),
            Self::Step => steps(project)?,
            Self::Run if is_local => {
                let found = block_on(run::list_runs(&FileStore, &lake.artifacts))?;
                found.into_iter().take(RUNS).map(|(run, _)| run.to_string()).collect()
            }
            Self::Table if is_local => {
                let catalog = Catalog::new(std::sync::Arc::new(FileStore), &lake.curated, None);
                block_on(catalog.index())?.tables.into_keys().collect()
            }
            Self::Run | Self::Table => Vec::new(),
        })
    }
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    runtime().map_err(super::typed)?.block_on(future)
}

/// Returns the steps of the job that the command line names, or of all jobs.
fn steps(project: &Project) -> Result<Vec<String>> {
    // A run is named after its job.
    let named =
        |job: &String| words().any(|word| word.to_str().is_some_and(|word| word.split('.').next() == Some(job)));
    let all = jobs::job_names(project)?;
    let any = all.iter().any(named);
    let mut steps = Vec::new();
    for job in all.iter().filter(|job| !any || named(job)) {
        if let Ok(job) = jobs::read_job(project, job, &[], yesterday())? {
            steps.extend(job.steps.into_iter().map(|step| step.name));
        }
    }
    Ok(steps)
}

/// Returns the command line that is being completed, which follows `--`.
fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

/// Returns the value of an option that is called so on that command line.
fn option(names: &[&str]) -> Option<OsString> {
    let mut words = words();
    words.find(|word| names.iter().any(|name| word == name))?;
    words.next()
}

/// Returns the project that the command line is about.
fn project(target: Option<OsString>) -> Result<Project> {
    let global = Global {
        target: target.and_then(|name| name.into_string().ok()),
        output: OutputForm::Text,
        events: EventsForm::Quiet,
        color: ColorChoice::Never,
        directory: option(&["-C", "--directory"]).map(PathBuf::from),
    };
    Ok(App::new(&global).read_project(&TargetOptions::default())??)
}

/// Returns a command with what can be completed of its arguments' values.
fn offered(command: Command) -> Command {
    let command = command.mut_args(|argument| match Named::of(&argument) {
        Some(named) => argument.add(ArgValueCompleter::new(move |current: &OsStr| named.candidates(current))),
        None => argument,
    });
    command.mut_subcommands(offered)
}
