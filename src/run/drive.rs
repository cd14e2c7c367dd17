//! The sentence of the program: claim, prepare, run the steps, audit, publish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;

use super::claim::{LakeLock, claim};
use super::finish;
use super::gather::Gathered;
use super::record::{RECORD_VERSION, RunRecord, StepRecord, run_prefix, save_run};
use crate::catalog::Catalog;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, PlannedStep, RunState, Sink};
use crate::names::{RunId, Uri};
use crate::plan::{self, Action, Plan, StepPlan, StepResult, Version};
use crate::store::Store;
use crate::target::Target;

/// What a run is driven with.
pub struct Services {
    /// Objects of the lake.
    pub store: Arc<dyn Store>,
    /// The tables.
    pub catalog: Arc<dyn Catalog>,
    /// Where steps run.
    pub target: Arc<dyn Target>,
    /// The target's name.
    pub target_name: String,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Becomes true when the person wants to stop.
    pub stop: watch::Receiver<bool>,
}

/// A run that published.
pub struct Outcome {
    /// Its record.
    pub record: RunRecord,
    /// What each step wrote.
    pub results: BTreeMap<String, StepResult>,
    /// What it published.
    pub versions: Vec<Version>,
}

/// Executes a plan: all of it becomes visible to readers, or nothing does.
///
/// # Errors
/// `Job` when a step failed, `Audit` when what landed was refused, `Interrupted` when it was stopped, `Machine` and
/// `Held` from the services. The record says the same.
pub async fn drive(
    gathered: &Gathered<'_>,
    plan: &Plan,
    asked: Vec<String>,
    services: &Services,
    sink: &mut dyn Sink,
) -> Result<Outcome> {
    let facts = &gathered.facts;
    let mut lock = LakeLock::take(&facts.lake.artifacts, (services.now)())?;
    services.target.prepare(sink).await?;
    let mut run = Run::claim(gathered, plan, asked, services).await?;
    lock.tell(&run.record.run.to_string(), (services.now)())?;
    sink.emit(run.started_event());
    let ended = match run.execute(sink).await {
        Ok(()) => finish::audit_and_publish(&run, sink).await,
        Err(error) => Err(error),
    };
    run.close(ended.as_ref().err(), sink).await?;
    ended.map(|versions| Outcome { record: run.record, results: run.results, versions })
}

/// A claimed run on its way.
pub struct Run<'a> {
    /// What it was planned from.
    pub gathered: &'a Gathered<'a>,
    /// What it does.
    pub plan: &'a Plan,
    /// What it is driven with.
    pub services: &'a Services,
    /// How far it is.
    pub record: RunRecord,
    /// What finished and reused steps have written.
    pub results: BTreeMap<String, StepResult>,
    began: Instant,
}

impl<'a> Run<'a> {
    async fn claim(
        gathered: &'a Gathered<'a>,
        plan: &'a Plan,
        asked: Vec<String>,
        services: &'a Services,
    ) -> Result<Self> {
        let facts = &gathered.facts;
        let mut record = RunRecord {
            record_version: RECORD_VERSION,
            run: RunId { job: facts.job.name.clone(), date: facts.date, number: 0 },
            target: services.target_name.clone(),
            engine: services.target.engine(),
            started_at: (services.now)(),
            ended_at: None,
            state: RunState::Running,
            asked,
            steps: Vec::new(),
            error: None,
        };
        claim(services.store.as_ref(), &facts.lake.artifacts, &mut record).await?;
        let logs = |step: &StepPlan| logs_of(&facts.lake.logs, &record.run, &step.step.name);
        record.steps = plan.steps.iter().map(|step| StepRecord::planned(step, logs(step))).collect();
        let mut results = BTreeMap::new();
        for step in &plan.steps {
            if let Some(result) = &step.reused {
                results.insert(step.step.name.clone(), result.clone());
            }
            if step.action == Action::Run {
                let task = plan::task(facts, step, &record.run);
                let body = serde_json::to_vec_pretty(&task)
                    .map_err(|error| Error::new(Kind::Internal, "a task cannot be written as JSON").caused_by(error))?;
                let uri = task_uri(&facts.lake.artifacts, &record.run, &step.step.name);
                services.store.put(&uri, &body).await?;
            }
        }
        let run = Self { gathered, plan, services, record, results, began: Instant::now() };
        run.save().await?;
        Ok(run)
    }

    /// Writes the record.
    pub(super) async fn save(&self) -> Result<()> {
        save_run(self.services.store.as_ref(), &self.gathered.facts.lake.artifacts, &self.record).await
    }

    fn started_event(&self) -> Event {
        let action = |step: &StepPlan| match step.action {
            Action::Run => "run",
            Action::Reuse => "reuse",
            Action::UpToDate => "up-to-date",
            Action::NotAsked => "not-asked",
        };
        let planned = |step: &StepPlan| PlannedStep { name: step.step.name.clone(), action: action(step).into() };
        Event::RunStarted {
            run: self.record.run.clone(),
            target: self.record.target.clone(),
            engine: self.record.engine.clone(),
            steps: self.plan.steps.iter().map(planned).collect(),
        }
    }

    /// Writes how the run ended and removes what only it needed.
    async fn close(&mut self, failure: Option<&Error>, sink: &mut dyn Sink) -> Result<()> {
        self.record.state = match failure.map(|error| error.kind) {
            None => RunState::Succeeded,
            Some(Kind::Audit) => RunState::Refused,
            Some(Kind::Interrupted) => RunState::Cancelled,
            Some(_) => RunState::Failed,
        };
        self.record.error = failure.map(|error| error.message.clone());
        self.record.ended_at = Some((self.services.now)());
        let (store, artifacts) = (self.services.store.as_ref(), &self.gathered.facts.lake.artifacts);
        let cleaned = store.remove(&plan::scratch(artifacts, &self.record.run)).await;
        // A full disk must not hide why the run failed.
        if failure.is_none() {
            cleaned?;
            self.save().await?;
        } else {
            let _ = self.save().await;
        }
        let seconds = self.began.elapsed().as_secs_f64();
        sink.emit(Event::RunFinished { run: self.record.run.clone(), state: self.record.state, seconds });
        Ok(())
    }
}

/// Returns where a step's task is.
pub(super) fn task_uri(artifacts: &Uri, run: &RunId, step: &str) -> Uri {
    run_prefix(artifacts, run).join(&format!("tasks/{step}.json"))
}

/// Returns the prefix of what a step prints.
pub(super) fn logs_of(logs: &Uri, run: &RunId, step: &str) -> Uri {
    logs.join(&format!("{}/{}/{}/{step}", run.job, run.date, run.number))
}
