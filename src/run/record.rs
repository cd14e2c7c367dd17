//! The record of a run: what was intended, and how it went so far. One file, replaced at every change of state.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::event::{RunState, StepState};
use crate::names::{Digest, RunId, Uri};
use crate::plan::{Action, Scope};
use crate::store::Store;
use crate::target::Cause;

/// Version of the record's form, its field `record_version`.
pub const RECORD_VERSION: u32 = 1;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The form of the record, `RECORD_VERSION` of the writer.
    pub record_version: u32,
    /// Its id.
    pub run: RunId,
    /// The target's name.
    pub target: String,
    /// The engine and its lock.
    pub engine: String,
    /// When it was claimed, UTC.
    pub started_at: Timestamp,
    /// When it ended, UTC.
    pub ended_at: Option<Timestamp>,
    /// Where it is.
    pub state: RunState,
    /// What was asked for beyond the job and date: `--only`, `--param` and so on.
    pub asked: Vec<String>,
    /// The steps in order.
    pub steps: Vec<StepRecord>,
    /// Why it failed, when that is not a step's failure.
    pub error: Option<String>,
}

/// A step of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: StepState,
    /// Why it runs, or does not.
    pub reason: String,
    /// Which part of its output it computes.
    pub scope: String,
    /// The digest of its code.
    pub code: Digest,
    /// When its process started, UTC.
    pub started_at: Option<Timestamp>,
    /// How long it ran, in seconds.
    pub seconds: Option<f64>,
    /// Rows written, by table.
    pub rows: BTreeMap<String, u64>,
    /// Where its output is kept.
    pub logs: Uri,
    /// Why it failed.
    pub cause: Option<Cause>,
}

impl RunRecord {
    /// Returns the step of that name.
    pub fn step(&self, name: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.name == name)
    }
}

impl StepRecord {
    /// Returns the record of a step that has not started.
    pub fn planned(plan: &crate::plan::StepPlan, logs: Uri) -> Self {
        let state = match plan.action {
            Action::Run => StepState::Pending,
            Action::Reuse => StepState::Reused,
            Action::UpToDate => StepState::UpToDate,
            Action::NotAsked => StepState::Cancelled,
        };
        Self {
            name: plan.step.name.clone(),
            state,
            reason: plan.reason.clone(),
            scope: if plan.scope == Scope::All { "all" } else { "changed" }.into(),
            code: plan.made.code.clone(),
            started_at: None,
            seconds: None,
            rows: BTreeMap::new(),
            logs,
            cause: None,
        }
    }
}

/// Returns the prefix of everything that is kept about a run.
pub fn run_prefix(artifacts: &Uri, run: &RunId) -> Uri {
    artifacts.join(&format!("runs/{}/{}/{}", run.job, run.date, run.number))
}

/// Writes the record of a run that has been claimed.
pub async fn save_run(store: &dyn Store, artifacts: &Uri, record: &RunRecord) -> Result<()> {
    store.put(&run_prefix(artifacts, &record.run).join("run.json"), &to_json(record)?).await
}

/// Returns a run's record.
///
/// # Errors
/// `Usage` when there is no such run.
pub async fn load_run(store: &dyn Store, artifacts: &Uri, run: &RunId) -> Result<RunRecord> {
    let uri = run_prefix(artifacts, run).join("run.json");
    let body = store.get(&uri).await?.ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no run `{run}`")).hint("`soflow runs` lists the runs of this target")
    })?;
    parse(&uri, &body)
}

/// Returns all runs, the latest first.
pub async fn list_runs(store: &dyn Store, artifacts: &Uri) -> Result<Vec<RunRecord>> {
    let mut runs = Vec::new();
    for object in store.list(&artifacts.join("runs")).await? {
        if object.uri.as_str().ends_with("/run.json")
            && let Some(body) = store.get(&object.uri).await?
        {
            runs.push(parse(&object.uri, &body)?);
        }
    }
    runs.sort_by(|a: &RunRecord, b| b.started_at.cmp(&a.started_at).then(b.run.cmp(&a.run)));
    Ok(runs)
}

fn parse(uri: &Uri, body: &[u8]) -> Result<RunRecord> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::Machine, format!("the run record `{uri}` is damaged"))
            .caused_by(error)
            .hint("remove the file: the tables do not depend on it")
    })
}

/// Returns the record as the bytes of its file.
pub fn to_json(record: &RunRecord) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(record)
        .map_err(|error| Error::new(Kind::Internal, "a run record cannot be written as JSON").caused_by(error))
}
