//! The command line. One verb, one file; this is the only place that reads the environment, the clock and the terminal.

mod app;
mod args;
mod attach;
mod backfill;
mod cluster;
mod cluster_choice;
mod config;
mod connections;
mod doctor;
mod engine;
mod gc;
mod help;
mod ingest;
mod insights;
mod jobs;
mod logs;
mod output;
mod parity;
mod plan;
mod project;
mod query;
mod retry;
mod rollback;
mod runs;
mod submit;
mod tables;
mod validate;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use crate::error::{Error, Kind, Result};
use crate::report::problem;
use app::App;
use args::{Cli, Command};
use output::{stderr, stdout};

/// Runs the program to its exit code.
pub fn main() -> ExitCode {
    let parsed = help::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let app = App::new(&cli.global);
    match run(&app, &cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(app.fail(error)),
    }
}

fn run(app: &App, command: &Command) -> anyhow::Result<u8> {
    // What waits shares two threads, so that a heartbeat goes on beside whatever takes long; computing has threads of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the async runtime cannot be started")?;
    Ok(runtime.block_on(app.dispatch(command))?)
}

/// Help and version are answers; anything else that clap has to say is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    let answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !answer && wants_json() {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string();
        let _ = problem::write_json(&Error::new(Kind::Usage, message), &mut stdout());
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
            Command::Plan(args) => plan::plan(self, args).await,
            Command::Backfill(args) => backfill::backfill(self, args).await,
            Command::Validate(args) => validate::validate(self, args),
            Command::Retry(args) => retry::retry(self, args).await,
            Command::Attach(args) => attach::attach(self, args).await,
            Command::Cancel(args) => attach::cancel(self, args).await,
            Command::Cluster(command) => cluster::cluster(self, command).await,
            Command::Doctor => doctor::run(self).await,
            Command::Runs(args) => runs::runs(self, args).await,
            Command::Logs(args) => logs::logs(self, args).await,
            Command::Tables(args) => tables::tables(self, args).await,
            Command::Query(args) => query::query(self, args).await,
            Command::Rollback(args) => rollback::rollback(self, args).await,
            Command::Gc(args) => gc::gc(self, args).await,
            Command::Ingest(args) => ingest::ingest(self, args).await,
            Command::Parity(args) => parity::parity(self, args).await,
            Command::Config(args) => config::config(self, args),
            Command::Engine(args) => engine::engine(self, args).await,
        }
    }

    /// Prints an error where it belongs and returns its exit code, whether or not anyone reads it. What is none of ours
    /// comes from the machine.
    fn fail(&self, error: anyhow::Error) -> u8 {
        let error = error.downcast::<Error>().unwrap_or_else(|other| {
            let causes = other.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>().join(": ");
            Error::new(Kind::Machine, other.to_string()).caused_by(causes)
        });
        if self.json {
            let _ = problem::write_json(&error, &mut stdout());
        }
        let _ = problem::write_text(&error, &self.err_style, &mut stderr());
        error.kind.exit_code()
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
        assert_eq!(App::new(&cli.global).fail(lost.into()), Kind::Machine.exit_code());
    }

    #[test]
    fn the_exit_code_of_an_error_is_found_below_what_was_added_to_it() {
        let app = App::new(&Cli::parse_from(["soflow", "gc"]).global);
        let held: anyhow::Error = Error::new(Kind::Held, "a run goes on").into();
        assert_eq!(app.fail(held.context("gc")), Kind::Held.exit_code());
        assert_eq!(app.fail(anyhow::anyhow!("no thread").context("the runtime")), Kind::Machine.exit_code());
    }
}
