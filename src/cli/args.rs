//! The command line: clap only, no decisions. The comments here are the help texts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::civil::Date;

use super::backfill::BackfillArgs;
use super::config::ConfigCommand;
use super::deploy::{CompileArgs, DeployArgs, DestroyArgs, Driver};
use super::engine::EngineCommand;
use super::ingest::IngestCommand;
use super::init::InitArgs;
use super::new::NewCommand;
use super::notebook::NotebookArgs;
use super::open::OpenArgs;
use super::report::ReportArgs;
use super::sql::{QueryArgs, SqlArgs};
use super::watch::WatchArgs;

/// Runs Spark jobs on this machine, with an embedded engine, and on Amazon EMR: the same job file, the same PySpark.
#[derive(Debug, Parser)]
#[command(name = "soflow", version, max_term_width = 100, disable_help_subcommand = true, subcommand_required = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The options that every verb has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where to run: an entry under `targets:` in config/soflow.yaml
    #[arg(long, global = true, value_name = "NAME")]
    pub target: Option<String>,
    /// What stdout gets: text for people or one JSON document
    #[arg(long, global = true, value_enum, default_value_t = OutputForm::Text, value_name = "FORM")]
    pub output: OutputForm,
    /// What stderr gets: a live view (auto: on a terminal), plain lines, NDJSON events, or warnings only
    #[arg(long, global = true, value_enum, default_value_t = EventsForm::Auto, value_name = "FORM")]
    pub events: EventsForm,
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Start in this folder instead of the current one
    #[arg(short = 'C', long = "directory", global = true, value_name = "FOLDER")]
    pub directory: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventsForm {
    Auto,
    Plain,
    Ndjson,
    Quiet,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a job: what has changed since it was published, and nothing else
    Submit(SubmitArgs),
    /// Run a job on this machine whenever its code is saved: what a save changes, and nothing else
    Watch(WatchArgs),
    /// Show what `submit` would do, and do nothing
    Plan(Selection),
    /// Run a job for each date of a range; again: go on where it stopped
    Backfill(BackfillArgs),
    /// Make a project of your own: settings, a job, its code
    Init(InitArgs),
    /// Add a step to a job, from SQL, from a notebook or as a script
    #[command(subcommand)]
    New(NewCommand),
    /// Check the settings and job files, and show every mistake
    Validate {
        /// The jobs to check [default: all in jobs/]
        jobs: Vec<String>,
    },
    /// Run what is left of a run that failed or was stopped
    Retry(RetryArgs),
    /// Watch a run that goes on without its process, and finish it
    Attach {
        /// The run, such as daily.2026-11-22.3
        run: String,
        #[command(flatten)]
        watching: Watching,
    },
    /// End a run on a cluster
    Cancel {
        /// The run, such as daily.2026-11-22.3
        run: String,
    },
    /// Make, list, show and end clusters
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Open a web page of a cluster: Hue, JupyterHub, Spark, YARN, Trino and others, without a public port
    Open(OpenArgs),
    /// Look for what would stop a run on EMR: roles, network, quotas
    Doctor,
    /// Bring the stack that runs jobs unattended to what the settings say
    Deploy(DeployArgs),
    /// Delete that stack and end its clusters; data stays unless it is to go
    Destroy(DestroyArgs),
    /// Show that stack: when it runs next, what ran last, what others have changed
    Status,
    /// Print the state machine that runs a job unattended
    Compile(CompileArgs),
    /// Write a page about a job: what its tables say, how its latest run went, what comes from what
    Report(ReportArgs),
    /// List runs, or show one
    Runs(RunsArgs),
    /// Print what a step printed
    Logs(LogsArgs),
    /// List published tables, or show one
    #[command(args_conflicts_with_subcommands = true)]
    Tables {
        #[command(subcommand)]
        command: Option<TablesCommand>,
    },
    /// Run one SQL statement on the published tables
    Query(QueryArgs),
    /// Run SQL statements that are typed or piped in
    Sql(SqlArgs),
    /// Open JupyterLab on the published tables, or install its kernel
    Notebook(NotebookArgs),
    /// Make readers see an earlier version of a table
    Rollback {
        /// The table
        table: String,
        /// The run whose version readers should see [default: the version before the current one]
        #[arg(long, value_name = "RUN")]
        to: Option<String>,
    },
    /// Remove versions and files that nobody needs any more
    Gc {
        /// Show what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Bring Stack Exchange data into raw: API, data dump, or pages
    #[command(subcommand)]
    Ingest(IngestCommand),
    /// Run a job on Sail and on Spark 3.5 and show every difference
    Parity(ParityArgs),
    /// Show the settings in force
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what makes a shell complete soflow's command lines: commands, jobs, runs, tables
    ///
    /// For bash, add to ~/.bashrc: source <(soflow completions bash)
    ///
    /// For zsh, add to ~/.zshrc behind compinit: source <(soflow completions zsh)
    ///
    /// For fish: soflow completions fish > ~/.config/fish/completions/soflow.fish
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write man pages, one a command
    Man {
        /// The folder for them, such as ~/.local/share/man/man1
        folder: PathBuf,
    },
    /// Show the version of soflow and of its engines
    Version,
    /// Look after the local engine's environment
    #[command(subcommand)]
    Engine(EngineCommand),
}

/// What to run, shared by `submit` and `plan`.
#[derive(Clone, Debug, Default, Args)]
pub struct Selection {
    /// The job: a file in jobs/, without `.yaml`
    pub job: String,
    /// The logical date [default: yesterday, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<Date>,
    /// Set a parameter of the job; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Run only this step, on what is published; may be given several times
    #[arg(long, value_name = "STEP", conflicts_with = "from")]
    pub only: Vec<String>,
    /// Run this step and all that depend on it
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,
    /// Run steps although nothing has changed
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub local: TargetOptions,
}

/// Options of a target.
#[derive(Clone, Debug, Default, Args)]
pub struct TargetOptions {
    /// The engine: sail or spark
    #[arg(long, value_name = "ENGINE", help_heading = "On this machine")]
    pub engine: Option<String>,
    /// How many steps run at once [default: one per core]
    #[arg(long, value_name = "N", help_heading = "On this machine")]
    pub parallel: Option<String>,
    /// The shape of the cluster: a name below `clusters:` in config/soflow.yaml
    #[arg(long, value_name = "SHAPE", help_heading = "On a cluster")]
    pub cluster: Option<String>,
}

#[derive(Debug, Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    pub selection: Selection,
    /// Write a made-up sample of Stack Overflow pages into raw first, and run on its date
    #[arg(long, conflicts_with = "date")]
    pub sample: bool,
    #[command(flatten)]
    pub watching: Watching,
    #[command(flatten)]
    pub driver: Driver,
}

/// How to watch a run that can go on without us.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "On a cluster")]
pub struct Watching {
    /// Stop watching after so long, such as 30m or 2h, with exit code 4; 0s: as soon as the steps are handed over
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// What Ctrl-C and SIGTERM do to a run that can go on without us
    #[arg(long, value_enum, default_value_t = OnInterrupt::Detach, value_name = "WHAT")]
    pub on_interrupt: OnInterrupt,
    /// How long to wait in the queue of a busy cluster, such as 30m; 0s: not at all
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub queue_for: Option<Duration>,
    /// Take the cluster, or the run, from whoever holds it; they are told by whom
    #[arg(long)]
    pub force_lease: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnInterrupt {
    #[default]
    Detach,
    Cancel,
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = crate::yaml::parse_duration(text).ok_or("write it as 90s, 30m, 12h or 7d")?;
    Ok(Duration::from_secs(seconds.try_into().unwrap_or_default()))
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make a cluster, or find one that is there, and wait until it takes steps
    Up {
        /// The shape: a name below `clusters:` [default: the target's]
        shape: Option<String>,
        /// Do not wait until it takes steps
        #[arg(long)]
        no_wait: bool,
    },
    /// List the clusters that soflow made for this lake
    List,
    /// Show a cluster: its state, who uses it, its steps, its instances
    Show {
        /// The cluster, `j-…` [default: the only one there is]
        cluster: Option<String>,
    },
    /// End a cluster that nobody uses
    Down {
        /// The cluster, `j-…` [default: the only one there is]
        cluster: Option<String>,
        /// End it although someone uses it
        #[arg(long)]
        force: bool,
    },
    /// End the clusters of this lake that nobody needs: idle, too old, or made from other settings
    Reap {
        /// Show which, and end none
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The run, such as daily.2026-11-22.3
    pub run: String,
    #[command(flatten)]
    pub local: TargetOptions,
    #[command(flatten)]
    pub watching: Watching,
    #[command(flatten)]
    pub driver: Driver,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// Only runs of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// At most so many, the latest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show a run: its steps, rows, times, and why it failed
    Show {
        /// The run, such as daily.2026-11-22.3
        run: String,
    },
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The run, such as daily.2026-11-22.3
    pub run: String,
    /// The step
    pub step: String,
    /// Which of its two outputs
    #[arg(long, value_enum, default_value_t = StreamChoice::Both)]
    pub stream: StreamChoice,
    /// Print what comes, too, until the step has ended and its logs are complete
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StreamChoice {
    Stdout,
    Stderr,
    Both,
}

#[derive(Debug, Subcommand)]
pub enum TablesCommand {
    /// Show a table: columns, partitions, rows, bytes, versions
    Show {
        /// The table
        table: String,
        /// Show every partition
        #[arg(long)]
        partitions: bool,
    },
    /// Print the files that make up a table, one a line, for tools that would else read replaced versions too
    Paths {
        /// The table
        table: String,
    },
    /// Make a lost or damaged catalog anew from what is kept about each version
    Repair {
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct ParityArgs {
    /// The job: a file in jobs/, without `.yaml`
    pub job: String,
    /// The logical date whose raw pages both engines get [default: yesterday, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<Date>,
    /// Set a parameter of the job; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Numbers with fractions may differ by so much, absolutely or relatively
    #[arg(long, value_name = "SHARE", default_value_t = 1e-9)]
    pub tolerance: f64,
    /// Keep both engines' tables for looking at
    #[arg(long)]
    pub keep: bool,
}
