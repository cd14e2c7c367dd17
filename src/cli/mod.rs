//! The command line. One verb, one file; this is the only place that reads the environment, the clock and the terminal.

mod app;
mod args;
mod attach;
mod backfill;
mod cluster;
mod complete;
mod config;
mod confirm;
mod deploy;
mod doctor;
mod engine;
mod help;
mod ingest;
mod init;
mod jobs;
mod lambda;
mod logs;
mod new;
mod notebook;
mod open;
mod parity;
mod plan;
mod project;
mod report;
mod runs;
mod sql;
mod submit;
mod tables;
mod watch;
mod workspace;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use crate::error::{Error, Kind, Result};
use crate::report::problem;
use app::App;
use args::{Cli, Command};

/// Runs the program to its exit code.
pub fn main() -> ExitCode {
    if std::env::var_os(lambda::RUNTIME_API).is_some() {
        return lambda::serve();
    }
    complete::answer_shell();
    let parsed = help::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let app = App::new(&cli.global);
    ExitCode::from(run(&app, &cli.command).unwrap_or_else(|error| app.fail(&typed(error))))
}

fn run(app: &App, command: &Command) -> anyhow::Result<u8> {
    // One thread: what waits shares it, and so does the decoding of audits, in turns; files are read on threads of their own.
    // Of a step's end and the next one's start that come at once the first is told first. With two threads the second was,
    // at times.
    Ok(runtime()?.block_on(app.dispatch(command))?)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
    made.context("the async runtime cannot be started")
}

/// Returns the error in the form that is shown. One that is not ours is of this machine.
fn typed(error: anyhow::Error) -> Error {
    error.downcast().unwrap_or_else(|other| {
        let causes: Vec<String> = other.chain().skip(1).map(ToString::to_string).collect();
        let error = Error::new(Kind::Machine, other.to_string());
        if causes.is_empty() { error } else { error.caused_by(causes.join(": ")) }
    })
}

/// Help and version are answers; anything else that clap has to say is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    let answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !answer && wants_json() {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
        let _ = writeln!(std::io::stdout(), "{:#}", problem::json(&Error::new(Kind::Usage, message)));
    }
    // A reader that went away, as `soflow --help | head -1` does, is not our problem.
    let _ = error.print();
    ExitCode::from(if answer { 0 } else { Kind::Usage.exit_code() })
}

/// Returns whether the command line asks for JSON, as far as can be told of one that clap does not understand.
fn wants_json() -> bool {
    let arguments: Vec<_> = std::env::args_os().collect();
    let apart = arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    apart || arguments.iter().any(|argument| argument == "--output=json")
}

impl App {
    async fn dispatch(&self, command: &Command) -> Result<u8> {
        match command {
            Command::Submit(args) => submit::submit(self, args).await,
            Command::Watch(args) => watch::watch(self, args).await,
            Command::Plan(selection) => plan::plan(self, selection).await,
            Command::Backfill(args) => backfill::backfill(self, args).await,
            Command::Init(args) => init::init(self, args),
            Command::New(command) => new::new(self, command).await,
            Command::Validate { jobs } => config::validate(self, jobs),
            Command::Retry(args) => submit::retry(self, args).await,
            Command::Attach { run, watching } => attach::attach(self, run, *watching).await,
            Command::Cancel { run } => attach::cancel(self, run).await,
            Command::Open(args) => open::open(self, args).await,
            Command::Cluster(command) => cluster::cluster(self, command).await,
            Command::Deploy(args) => deploy::deploy(self, args).await,
            Command::Destroy(args) => deploy::destroy(self, args).await,
            Command::Status => deploy::status(self).await,
            Command::Compile(args) => deploy::compile(self, args),
            Command::Doctor => doctor::doctor(self).await,
            Command::Report(args) => report::report(self, args).await,
            Command::Runs(args) => runs::runs(self, args).await,
            Command::Logs(args) => logs::logs(self, args).await,
            Command::Tables { command } => tables::tables(self, command.as_ref()).await,
            Command::Query(args) => sql::query(self, args).await,
            Command::Sql(args) => sql::sql(self, args).await,
            Command::Notebook(args) => notebook::notebook(self, args).await,
            Command::Rollback { table, to } => tables::rollback(self, table, to.as_deref()).await,
            Command::Gc { dry_run } => tables::gc(self, *dry_run).await,
            Command::Ingest(command) => ingest::ingest(self, command).await,
            Command::Parity(args) => parity::parity(self, args).await,
            Command::Config(command) => config::config(self, command),
            Command::Completions { shell } => complete::completions(self, *shell),
            Command::Man { folder } => help::write_man(self, folder),
            Command::Version => engine::version(self),
            Command::Engine(command) => engine::engine(self, command).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_pipe_that_broke_during_the_work_is_a_failure() {
        let cli = Cli::parse_from(["soflow", "gc"]);
        let lost = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(App::new(&cli.global).fail(&lost), Kind::Machine.exit_code());
    }

    #[test]
    fn the_exit_code_of_an_error_is_found_below_what_was_added_to_it() {
        let held: anyhow::Error = Error::new(Kind::Held, "a run goes on").into();
        assert_eq!(typed(held.context("gc")).kind, Kind::Held);
        let foreign = typed(anyhow::anyhow!("no memory").context("no thread").context("the runtime"));
        assert_eq!((foreign.kind, &*foreign.message), (Kind::Machine, "the runtime"));
        assert_eq!(foreign.causes(), ["no thread: no memory"]);
        assert_eq!(typed(anyhow::anyhow!("alone")).causes(), Vec::<String>::new());
    }
}
