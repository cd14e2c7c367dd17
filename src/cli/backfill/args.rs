//! The options of `soflow backfill`. The comments here are the help texts.

use clap::Args;
use jiff::civil::Date;

use super::super::args::Watching;

#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The job: a file in jobs/, without `.yaml`
    pub job: String,
    /// The first logical date
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Date,
    /// The last logical date [default: yesterday, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub to: Option<Date>,
    /// Set a parameter of the job; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Run all steps of all dates although nothing has changed
    #[arg(long)]
    pub force: bool,
    /// Begin no further date after one that failed
    #[arg(long)]
    pub stop_on_failure: bool,
    /// Show what would be run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Begin without asking
    #[arg(long)]
    pub yes: bool,
    /// The engine: sail or spark
    #[arg(long, value_name = "ENGINE", help_heading = "On this machine")]
    pub engine: Option<String>,
    /// How many dates run at once; a local lake takes one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one, help_heading = "On a cluster")]
    pub parallel: usize,
    /// The shape of the cluster: a name below `clusters:` in config/soflow.yaml
    #[arg(long, value_name = "SHAPE", help_heading = "On a cluster")]
    pub cluster: Option<String>,
    #[command(flatten)]
    pub watching: Watching,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a whole number from 1".to_string())
}
