//! Where steps run. A target prepares its engine and executes one step at a time of a run that `run` drives.

pub mod local;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::error::Result;
use crate::event::Sink;
use crate::names::{RunId, Uri};

/// One step to execute.
#[derive(Clone, Debug)]
pub struct StepOrder {
    /// The run it belongs to.
    pub run: RunId,
    /// Its name.
    pub step: String,
    /// The script, relative to the code folder.
    pub script: PathBuf,
    /// Where its task file is.
    pub task: Uri,
    /// The prefix for what it prints.
    pub logs: Uri,
    /// `spark-submit` options from the job file.
    pub spark: BTreeMap<String, String>,
}

/// How a step ended.
#[derive(Clone, Debug)]
pub enum StepEnd {
    /// It says that everything is written. What it told on the way, the last word for each name.
    Completed(BTreeMap<String, serde_json::Value>),
    /// It failed.
    Failed(Cause),
    /// It was asked to stop.
    Stopped,
}

/// Why a step failed, as far as its output tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cause {
    /// The last line of the traceback or engine error.
    pub summary: String,
    /// How the process went: its exit code or signal.
    #[serde(default)]
    pub ended: String,
    /// The lines that matter, trimmed; empty when it printed nothing.
    pub excerpt: String,
    /// The log file they are from.
    pub log: PathBuf,
    /// Their first and last line in it, counted from 1.
    pub lines: (usize, usize),
    /// Whether the machine is to blame rather than code or data: disk, memory, a damaged environment.
    pub machine: bool,
    /// A command to type or a thing to change, when one is known.
    pub hint: Option<String>,
}

impl Cause {
    /// Returns where the lines are, and how the process went.
    pub fn place(&self) -> String {
        let (first, last) = self.lines;
        let lines = if first == last { format!("line {first}") } else { format!("lines {first}-{last}") };
        let ended = if self.ended.is_empty() { String::new() } else { format!("; {}", self.ended) };
        format!("{lines} of {}{ended}", self.log.display())
    }
}

/// Where steps run.
#[async_trait]
pub trait Target: Send + Sync {
    /// Returns the engine and the lock of its packages: part of what makes results comparable.
    fn engine(&self) -> String;

    /// Returns how many steps may run at once.
    fn slots(&self) -> usize;

    /// Makes sure that steps can run; may take minutes the first time.
    ///
    /// # Errors
    /// `Machine` when the engine cannot be made ready; says what is missing.
    async fn prepare(&self, sink: &mut dyn Sink) -> Result<()>;

    /// Runs one step to its end, or until `stop` becomes true.
    ///
    /// # Errors
    /// Only when the step could not be started; a step that fails is `Ok(StepEnd::Failed)`.
    async fn run_step(&self, order: StepOrder, stop: watch::Receiver<bool>) -> Result<StepEnd>;
}
