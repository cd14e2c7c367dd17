//! The record of a run: what was intended, and how it went so far. One file, replaced at every change of state.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::intent::Intent;
use crate::cost::StepTime;
use crate::error::{Error, Kind, Result};
use crate::event::{RunState, StepState};
use crate::mask;
use crate::names::{Digest, RunId, RunKey, Uri};
use crate::plan::{Action, Scope, StepPlan};
use crate::store::Store;
use crate::store::document::{self, StoredDocument};
use crate::store::lease::Claim;
use crate::targets::{Bill, Cause, Placed, Shipped, Stay};

/// Version of the record's form, its field `record_version`.
pub const RECORD_VERSION: u32 = 2;

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
    /// Why it failed, when that is not a step's failure; of one that succeeded, why other catalogs do not show it yet.
    #[serde(serialize_with = "mask::stored_if_any")]
    pub error: Option<String>,
    /// Whether it was closed unpublished so that a run after it does anew what does not stand any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
    /// Whether its driver has set about showing its tables to readers: from there on nobody cancels it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publishing: bool,
    /// Who drives it, on a target where others can take over: as long as the claim lasts nobody else may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Claim>,
    /// The ARN of the execution that drives it part by part, when one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// Where on the target it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placed>,
    /// The clusters it went on from, when those were lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Placed>,
    /// What it has cost, once it has ended, on a target that costs something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Bill>,
    /// What its steps run with, on a target that this is shipped to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipped: Option<Shipped>,
    /// Whether its steps share applications, on a target that runs them one after another: whatever is set since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fused: bool,
    /// What is needed to finish it anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
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
    /// The target's name for it, such as EMR's `s-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// Where its output is kept.
    pub logs: Uri,
    /// Why it failed.
    pub cause: Option<Cause>,
}

impl RunRecord {
    /// Returns the record of a run that has just been claimed.
    #[cfg(test)]
    pub(crate) fn example(run: &str) -> Self {
        Self {
            record_version: RECORD_VERSION,
            run: run.parse().unwrap(),
            target: "prod".into(),
            engine: "emr-7.14.0".into(),
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            state: RunState::Running,
            asked: Vec::new(),
            steps: Vec::new(),
            error: None,
            behind: false,
            publishing: false,
            driver: None,
            execution: None,
            placed: None,
            left: Vec::new(),
            cost: None,
            shipped: None,
            fused: false,
            intent: None,
        }
    }

    /// Returns the step of that name.
    pub fn step(&self, name: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Returns the step of that name, to be changed.
    pub(super) fn step_mut(&mut self, name: &str) -> Option<&mut StepRecord> {
        self.steps.iter_mut().find(|step| step.name == name)
    }

    /// Returns what its cost is made of, or `None` when it had nothing that costs.
    pub fn stay(&self) -> Option<Stay> {
        let mut clusters = self.left.clone();
        // One that was only intended was never had.
        let had = |placed: &&Placed| placed.made || self.steps.iter().any(|step| step.step_id.is_some());
        clusters.extend(self.placed.iter().filter(had).cloned());
        let time = |step: &StepRecord| {
            let started = step.started_at?;
            let milliseconds = step.seconds.map(|seconds| (seconds * 1000.0) as i64);
            let ended = milliseconds.and_then(|took| started.checked_add(SignedDuration::from_millis(took)).ok());
            Some(StepTime { name: step.name.clone(), started, ended })
        };
        let steps = self.steps.iter().filter_map(time).collect();
        (!clusters.is_empty()).then_some(Stay { clusters, steps, ended: self.ended_at })
    }
}

impl StepRecord {
    /// Returns the record of a step that has not started.
    pub fn planned(plan: &StepPlan, logs: Uri) -> Self {
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
            step_id: None,
            logs,
            cause: None,
        }
    }
}

/// Returns the prefix of everything that is kept about a run.
pub fn run_prefix(artifacts: &Uri, run: &RunId) -> Uri {
    runs_prefix(artifacts, &run.key()).join(&run.number.to_string())
}

/// Returns the prefix of the runs of a job and date.
pub(super) fn runs_prefix(artifacts: &Uri, key: &RunKey) -> Uri {
    artifacts.join(&format!("runs/{}/{}", key.job, key.date))
}

/// Returns the prefix of what a step prints.
pub(super) fn logs_of(logs: &Uri, run: &RunId, step: &str) -> Uri {
    logs.join(&format!("{}/{}/{}/{step}", run.job, run.date, run.number))
}

/// Returns where a run's record is.
pub fn record_uri(artifacts: &Uri, run: &RunId) -> Uri {
    run_prefix(artifacts, run).join("run.json")
}

/// Returns a run's record.
///
/// # Errors
/// `Usage` when there is no such run.
pub async fn load_run(store: &dyn Store, artifacts: &Uri, run: &RunId) -> Result<RunRecord> {
    find_run(store, artifacts, run).await?.ok_or_else(|| no_such_run(run))
}

/// Returns a run's record, if there is one.
///
/// # Errors
/// Those of the store; `Machine` when it is damaged.
pub(super) async fn find_run(store: &dyn Store, artifacts: &Uri, run: &RunId) -> Result<Option<RunRecord>> {
    Ok(document::read(store, &record_uri(artifacts, run)).await?.map(|(record, _)| record))
}

pub(super) fn no_such_run(run: &RunId) -> Error {
    Error::new(Kind::Usage, format!("there is no run `{run}`")).hint("`soflow runs` lists the runs of this target")
}

impl StoredDocument for RunRecord {
    fn parse(uri: &Uri, body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|error| {
            Error::new(Kind::Machine, format!("the run record `{uri}` is damaged"))
                .caused_by(error)
                .hint("remove the file: the tables do not depend on it")
        })
    }
}
