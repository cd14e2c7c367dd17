//! Everything that can be told to the user while a run goes on. Stages emit; `report` decides what it looks like.

use serde::Serialize;

use crate::names::RunId;

/// Version of the event format, the field `v` of every NDJSON line. Raised when a field changes its meaning or goes.
pub const EVENT_VERSION: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Something worth knowing that needs no action.
    Note {
        /// A sentence with a full stop.
        text: String,
    },
    /// Something that may need action.
    Warning {
        /// A lowercase fragment, as in errors.
        text: String,
    },
    /// A file that goes to raw is being read.
    Reading {
        /// The file: `Posts.xml.gz`, `stackoverflow.com-Posts.7z/Posts.xml`.
        what: String,
        /// Bytes of it so far: as packed by gzip, as unpacked from an archive.
        done: u64,
        /// Bytes in all, in the same count.
        total: u64,
        /// Rows so far that are stored.
        rows: u64,
    },
    /// Pages of the API have come in.
    Fetched {
        /// The endpoint: `questions`.
        endpoint: String,
        /// Pages of it so far.
        pages: u64,
        /// Items on them.
        items: u64,
        /// Requests that are left of the quota, if it was said.
        left: Option<i64>,
        /// Whether these were the last ones.
        ended: bool,
    },
    /// Nothing is done for a while.
    Waiting {
        /// For how long.
        seconds: f64,
        /// Why, a fragment.
        reason: String,
    },
    /// Raw pages were written, by one of the verbs of `ingest`.
    Ingested {
        /// How many pages of each endpoint, such as `questions`.
        pages: Vec<(String, u64)>,
        /// Where they are now.
        location: String,
    },
    /// An engine environment is about to be made.
    EngineInstall {
        /// `sail`, `spark`, or `notebook` for JupyterLab.
        engine: String,
        /// What will be downloaded when nothing is cached, in bytes.
        bytes: u64,
        /// How many packages.
        packages: u64,
    },
    /// A package of the engine environment is there.
    EnginePackage {
        /// The package's name; empty while packages are being unpacked.
        name: String,
        /// Bytes so far, of `EngineInstall::bytes`.
        done: u64,
    },
    /// The engine environment is complete.
    EngineReady {
        /// `sail`, `spark`, or `notebook` for JupyterLab.
        engine: String,
        /// Where it is.
        path: String,
    },
    /// An archive for a cluster is about to be made.
    Packaging {
        /// What is in it and what for: `dependencies for Python 3.11 on Linux x86_64`.
        what: String,
        /// How many packages.
        packages: u64,
    },
    /// A package of the archive is there.
    PackagingItem {
        /// The package's name; empty while the archive is being compressed.
        name: String,
    },
    /// The archive is complete.
    Packaged {
        /// As in `Packaging`.
        what: String,
        /// Its size.
        bytes: u64,
    },
    /// A run has claimed its id and is about to start its steps.
    RunStarted {
        /// The run.
        run: RunId,
        /// The target's name.
        target: String,
        /// `sail`, `spark`, or `notebook` for JupyterLab.
        engine: String,
        /// All steps in order, with what will be done with each.
        steps: Vec<PlannedStep>,
    },
    /// A cluster was looked for, and one was found or has to be made.
    ClusterChosen {
        /// `j-…`.
        cluster: String,
        /// Whether it was there already.
        reused: bool,
        /// Why this one, a fragment.
        reason: String,
    },
    /// A cluster changed its state.
    ClusterChanged {
        /// `j-…`.
        cluster: String,
        /// EMR's word, such as `BOOTSTRAPPING`.
        state: String,
        /// Why, if EMR said so.
        reason: String,
    },
    /// The run waits for its turn on a cluster.
    InLine {
        /// `j-…`.
        cluster: String,
        /// The place in the queue, from 1.
        position: usize,
        /// Who is before it, and until when.
        holders: String,
    },
    /// Connections of this machine are carried to a cluster.
    Tunnel {
        /// How many are open.
        open: u64,
        /// How many there have been.
        connections: u64,
        /// Bytes that were carried, both ways.
        bytes: u64,
        /// Whether no more will be.
        ended: bool,
    },
    /// Something is being written to the lake.
    Uploading {
        /// What: `code`, `dependencies`.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The run's cluster ended; its unfinished steps go to another one.
    ClusterLost {
        /// `j-…`.
        cluster: String,
        /// Why, a fragment.
        reason: String,
    },
    /// A step changed its state.
    StepChanged {
        /// The step.
        step: String,
        /// Its new state.
        state: StepState,
        /// Rows written so far or in the end, over all tables.
        rows: u64,
        /// Seconds since the step started.
        seconds: f64,
    },
    /// A running step wrote something: only for listeners that draw.
    StepProgress {
        /// The step.
        step: String,
        /// Rows in finished files so far.
        rows: u64,
        /// Seconds since the step started.
        seconds: f64,
    },
    /// Some input was set aside.
    Quarantined {
        /// The step.
        step: String,
        /// Rows in the quarantine table for this date.
        rows: u64,
    },
    /// What landed is being compared with the job file's checks.
    Auditing {
        /// How many tables.
        tables: usize,
        /// How many checks.
        checks: usize,
    },
    /// A check failed.
    CheckFailed {
        /// The table.
        table: String,
        /// The check, as written in the job file.
        check: String,
        /// What was found.
        found: String,
    },
    /// The catalog now points at what this run wrote.
    Published {
        /// The run.
        run: RunId,
        /// The tables.
        tables: Vec<String>,
    },
    /// A date of a backfill changed its state.
    BackfillDate {
        /// The logical date, `2026-11-22`.
        date: String,
        /// Its new state.
        state: DateState,
        /// The place among the dates to run, from 1.
        number: usize,
        /// How many dates are to run.
        of: usize,
        /// Its run, once that is claimed.
        run: Option<RunId>,
        /// Steps that were run.
        steps: u64,
        /// Rows that those wrote.
        rows: u64,
        /// Seconds since the date was begun.
        seconds: f64,
        /// Why it failed, one line.
        error: Option<String>,
    },
    /// The run is over.
    RunFinished {
        /// The run.
        run: RunId,
        /// How it ended.
        state: RunState,
        /// Seconds since it was claimed.
        seconds: f64,
    },
}

/// A step as it stands in the plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    /// Its name.
    pub name: String,
    /// What will happen: `run`, `reuse` or `up-to-date`.
    pub action: String,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Waits for upstream steps or a free slot.
    Pending,
    /// Handed over to a cluster, where it waits for its turn.
    Queued,
    /// Its process runs.
    Running,
    /// It wrote everything and its output was read back.
    Completed,
    /// Published before with the same code, inputs and parameters.
    UpToDate,
    /// Finished by an earlier run that did not publish; its output is taken.
    Reused,
    /// It failed.
    Failed,
    /// It was stopped, or never started because another one failed.
    Cancelled,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Claimed, steps may be running.
    Running,
    /// Everything is published.
    Succeeded,
    /// A step failed.
    Failed,
    /// The audit refused what landed.
    Refused,
    /// Stopped from the keyboard or by SIGTERM.
    Cancelled,
    /// Its process is gone without having said how it ended.
    Interrupted,
}

/// Where a date of a backfill is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateState {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// It is being run; or was, when its process was killed.
    Running,
    /// It is published.
    Done,
    /// It was published before, and nothing has changed.
    NothingToDo,
    /// Raw has no pages for it.
    NoRaw,
    /// Its run failed.
    Failed,
    /// Its run was stopped.
    Cancelled,
}

/// Receives events. Implemented by the terminal, plain and JSON reporters, and by `Vec` in tests.
pub trait Sink: Send {
    /// Takes one event, in the order in which things happened.
    fn emit(&mut self, event: Event);
}

impl Sink for Vec<Event> {
    fn emit(&mut self, event: Event) {
        self.push(event);
    }
}
