//! The command line of what runs without a laptop.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Show what would change, and change nothing; exit code 1 when something would
    #[arg(long, conflicts_with = "yes")]
    pub check: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// The program for the functions, as `just lambda` builds it [default: this one]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Delete the buckets with all that is in them, and the database; asks for the name of the stack
    #[arg(long)]
    pub delete_data: bool,
}

/// Who drives a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Via {
    #[default]
    Here,
    Sfn,
}

/// Who drives a run, as it is said on the command line.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Driver {
    /// Who drives the run: this command, or an execution of the job's state machine, which this command only starts
    #[arg(long, value_enum, default_value_t = Via::Here, value_name = "WHO", help_heading = "On a cluster")]
    pub via: Via,
}

#[derive(Debug, Args)]
pub struct CompileArgs {
    /// The job: a file in jobs/, without `.yaml`
    pub job: String,
}
