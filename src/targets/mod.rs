//! Where steps run. A target prepares its engine and executes one step at a time of a run that `run` drives.

pub mod emr;
pub mod local;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::diagnose::{Class, Finding};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink, StepState};
use crate::mask;
use crate::names::{RunId, Uri};
pub use emr::{Bill, Stay};

/// One step to execute.
#[derive(Clone, Debug)]
pub struct StepOrder {
    /// The run it belongs to.
    pub run: RunId,
    /// Its name.
    pub step: String,
    /// The script, SQL file or notebook, relative to the code folder.
    pub code: PathBuf,
    /// Where its task file is.
    pub task: Uri,
    /// The prefix for what it prints.
    pub logs: Uri,
    /// `spark-submit` options from the job file.
    pub spark: BTreeMap<String, String>,
    /// Where it writes: what a try that was cut short has left there is removed before the next one.
    pub outputs: Vec<Uri>,
    /// The target's name for it, when an earlier process has handed it over.
    pub step_id: Option<String>,
}

/// What the person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// That it goes on.
    #[default]
    Go,
    /// That the run ends.
    Cancel,
    /// That the run goes on without this process watching it.
    Detach,
    /// The same, once its steps have been handed over.
    HandOver,
}

/// Returns once the person wants one of these things; never where nobody can say so any more.
pub(crate) async fn asked(stop: &mut watch::Receiver<Stop>, wanted: impl FnMut(&Stop) -> bool) {
    if stop.wait_for(wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Where on a target a run is: enough for another process to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The cluster, `j-…`.
    pub cluster: String,
    /// Whether the run made it.
    pub made: bool,
}

/// What a run's steps run with, in S3 under names that tell the content: whoever goes on with the run uses the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// The prefix of the code: scripts, and the archive of the packages.
    pub code: Uri,
    /// The archive of the Python packages that steps import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Uri>,
}

/// What a target tells about a run while it goes on.
#[derive(Debug)]
pub enum Note {
    /// A step is further than it was.
    Step {
        /// The step.
        step: String,
        /// Where it is now.
        state: StepState,
        /// The target's name for it.
        id: Option<String>,
    },
    /// The run is going to be somewhere: nothing is done there before `saved` is answered.
    Placed {
        /// Where.
        placed: Placed,
        /// Answered once the record says so.
        saved: oneshot::Sender<()>,
    },
    /// All steps that were handed over have been looked at.
    Looked {
        /// Those that have ended; how they did is told by their futures, which may take until their logs are there.
        ended: Vec<String>,
    },
    /// Something for the listeners.
    Event(Event),
}

/// Where a target tells about a run. Nobody listening means that the run is over.
#[derive(Clone, Debug)]
pub struct Notes(pub mpsc::UnboundedSender<Note>);

impl Notes {
    /// Tells the listeners something.
    pub fn tell(&self, event: Event) {
        let _ = self.0.send(Note::Event(event));
    }

    /// Warns the listeners.
    pub fn warn(&self, text: String) {
        self.tell(Event::Warning { text });
    }

    /// Tells how far a step is.
    pub fn step(&self, step: &str, state: StepState, id: Option<String>) {
        let _ = self.0.send(Note::Step { step: step.into(), state, id });
    }

    /// Tells where the run is going to be, and returns once its record says so.
    ///
    /// # Errors
    /// `Machine` when the record could not be written.
    pub async fn place(&self, placed: &Placed) -> Result<()> {
        let (saved, is_saved) = oneshot::channel();
        let _ = self.0.send(Note::Placed { placed: placed.clone(), saved });
        is_saved.await.map_err(|_| Error::new(Kind::Machine, "the run's record could not be written"))
    }
}

impl Sink for Notes {
    fn emit(&mut self, event: Event) {
        self.tell(event);
    }
}

/// A claimed run that is about to start its steps.
pub struct Opening {
    /// The run.
    pub run: RunId,
    /// When it was claimed: nothing of it is older.
    pub since: Timestamp,
    /// Where it is, when an earlier process had begun it.
    pub placed: Option<Placed>,
    /// Whether an earlier process had begun it.
    pub resumed: bool,
    /// How many places it has lost before that one.
    pub lost: usize,
    /// What its steps run with, as its record says.
    pub shipped: Option<Shipped>,
    /// Whether its steps share applications, as its record says.
    pub fused: bool,
    /// Whether this process stays only for a look, which it takes at once.
    pub brief: bool,
    /// Takes what the target tells.
    pub notes: Notes,
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

/// A step that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub how: StepEnd,
    /// When it started and ended, UTC, as far as the target tells: it may have ended while nobody watched.
    pub ran: Option<(Timestamp, Timestamp)>,
}

impl From<StepEnd> for Ended {
    fn from(how: StepEnd) -> Self {
        Self { how, ran: None }
    }
}

/// Why a step failed, as far as its output tells.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cause {
    /// Whose fault it is; decides the exit code.
    #[serde(default)]
    pub class: Class,
    /// What happened, one line: the exception, or what is known to be behind it.
    #[serde(serialize_with = "mask::stored")]
    pub summary: String,
    /// How the process went: its exit code or signal.
    #[serde(default, serialize_with = "mask::stored")]
    pub ended: String,
    /// The lines that matter, trimmed; empty when it printed nothing.
    #[serde(serialize_with = "mask::stored")]
    pub excerpt: String,
    /// The log they are from: a path or a URI.
    pub log: String,
    /// Their first and last line in it, counted from 1.
    pub lines: (usize, usize),
    /// A command to type or a thing to change, when one is known.
    #[serde(serialize_with = "mask::stored_if_any")]
    pub hint: Option<String>,
}

impl Cause {
    /// Returns what a diagnosis says of a step whose process went as `ended` tells.
    pub fn new(finding: Finding, ended: &str) -> Self {
        Self {
            class: finding.class,
            summary: finding.summary,
            ended: ended.to_string(),
            excerpt: finding.excerpt.text(),
            lines: finding.excerpt.range(),
            log: finding.excerpt.file,
            hint: finding.hint,
        }
    }

    /// Returns where the lines are, and how the process went.
    pub fn place(&self) -> String {
        let (first, last) = self.lines;
        let lines = if first == last { format!("line {first}") } else { format!("lines {first}-{last}") };
        let ended = if self.ended.is_empty() { String::new() } else { format!("; {}", self.ended) };
        format!("{lines} of {}{ended}", self.log)
    }
}

/// Where steps run.
#[async_trait]
pub trait Target: Send + Sync {
    /// Returns the engine and the lock of its packages: part of what makes results comparable.
    fn engine(&self) -> String;

    /// Returns how many steps may be handed over at once.
    fn slots(&self) -> usize;

    /// Returns whether steps may be handed over before those they depend on have finished: the target runs them in the
    /// order they were given, and none after one has failed.
    fn queues(&self) -> bool {
        false
    }

    /// Returns whether the steps of a run share applications, one after another; `wanted`: what its job says of that.
    fn fuses(&self, _wanted: Option<bool>) -> bool {
        false
    }

    /// Makes sure that steps can run, as far as that needs no run; may take minutes the first time.
    ///
    /// # Errors
    /// `Machine` when the engine cannot be made ready; says what is missing.
    async fn prepare(&self, sink: &mut dyn Sink) -> Result<()>;

    /// Returns where the next run will most likely be, as far as `prepare` has found out.
    fn intended(&self) -> Option<Placed> {
        None
    }

    /// Returns what the steps of the next run will run with; `None` on a target that nothing is shipped to.
    ///
    /// # Errors
    /// `Usage` when code or dependencies cannot be packaged.
    fn shipment(&self) -> Result<Option<Shipped>> {
        Ok(None)
    }

    /// Returns whether all of what a run's steps run with has been shipped: before that none of them was handed over.
    ///
    /// # Errors
    /// Those of the store.
    async fn is_shipped(&self, _: &Shipped) -> Result<bool> {
        Ok(true)
    }

    /// Brings what a run's steps run with to where they run. Nothing on a target that nothing is shipped to.
    ///
    /// # Errors
    /// `Usage` when it cannot be packaged; those of the store.
    async fn ship(&self, _: Opening) -> Result<()> {
        Ok(())
    }

    /// Gets hold of what a run needs to itself and ships its code. Nothing on a target that steps have to themselves.
    ///
    /// # Errors
    /// `Held` when others have it for too long; `Machine` when it cannot be had.
    async fn open(&self, _: Opening) -> Result<()> {
        Ok(())
    }

    /// Hands steps over, in this order and before it returns. Each future waits for the end of its step, which `stop` may
    /// bring about; its errors are those of starting and watching: a step that fails has ended as `StepEnd::Failed`.
    fn start(&self, orders: Vec<StepOrder>, stop: &watch::Receiver<Stop>) -> Vec<BoxFuture<'static, Result<Ended>>>;

    /// Ends what has not ended of a run that another process has begun. Nothing on a target whose runs end with theirs.
    ///
    /// # Errors
    /// `Machine` when it does not end.
    async fn cancel(&self, _run: &RunId, _placed: &Placed, _since: Timestamp) -> Result<()> {
        Ok(())
    }

    /// Returns the steps of a run that have ended, by name. Nothing on a target whose runs end with their process.
    ///
    /// # Errors
    /// `Machine` when that cannot be found out.
    async fn ended(&self, _run: &RunId, _placed: &Placed, _since: Timestamp) -> Result<BTreeMap<String, Ended>> {
        Ok(BTreeMap::new())
    }

    /// Returns what a run has cost; `None` on a target that costs nothing.
    ///
    /// # Errors
    /// `Machine` when that cannot be found out.
    async fn bill(&self, _: Stay) -> Result<Option<Bill>> {
        Ok(None)
    }

    /// Gives back what the run had to itself; `abandon`: after ending those of its steps that are still there.
    ///
    /// # Errors
    /// `Machine` when that cannot be done; others wait until it runs out by itself then.
    async fn close(&self, _abandon: bool) -> Result<()> {
        Ok(())
    }

    /// Clears away what a run that is over has claimed, whichever of its processes did.
    ///
    /// # Errors
    /// `Machine` when that cannot be done; it runs out by itself then.
    async fn forget(&self, _run: &RunId, _placed: &Placed) -> Result<()> {
        Ok(())
    }
}
