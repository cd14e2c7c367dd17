//! The sentence of the program: claim, prepare, run the steps, audit, publish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::claim::{LakeLock, claim};
use super::finish;
use super::gather::Gathered;
use super::record::{RECORD_VERSION, RunRecord, StepRecord, run_prefix, save_run};
use crate::catalog::Catalog;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, PlannedStep, RunState, Sink, StepState};
use crate::names::{RunId, Uri};
use crate::plan::{self, Action, Plan, StepPlan, StepResult};
use crate::store::Store;
use crate::target::{Cause, StepEnd, StepOrder, Target};

/// How often a running step's output is looked at for the live view.
const LOOK_EVERY: Duration = Duration::from_millis(400);

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
    let ended = run.execute(sink).await;
    let ended = match ended {
        Ok(()) => finish::audit_and_publish(&run, sink).await,
        failed => failed,
    };
    run.close(&ended, sink).await?;
    ended.map(|()| Outcome { record: run.record, results: run.results })
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

type Ended = (String, f64, Result<StepEnd>);

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

    async fn save(&self) -> Result<()> {
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

    /// Runs the steps, as many at once as the target has slots and the graph allows. After a failure nothing new is
    /// started, but what runs may finish: its results are there for the next try.
    async fn execute(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut began: BTreeMap<String, Instant> = BTreeMap::new();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut stop = self.services.stop.clone();
        let mut failed = false;
        loop {
            let stopped = *stop.borrow();
            while !failed && !stopped && running.len() < self.services.target.slots() {
                let Some(step) = self.next_ready() else { break };
                let name = step.step.name.clone();
                self.start(step, &mut running);
                began.insert(name.clone(), Instant::now());
                self.change(&name, StepState::Running, 0.0, sink).await?;
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                Some(ended) = running.join_next() => {
                    let (name, seconds, end) = ended
                        .map_err(|error| Error::new(Kind::Internal, "a step's watcher ended unexpectedly").caused_by(error))?;
                    began.remove(&name);
                    failed |= !self.take_end(&name, seconds, end, sink).await?;
                }
                _ = tick.tick() => self.look(&began, sink).await,
                Ok(()) = stop.changed() => {}
            }
        }
        self.after_steps(*stop.borrow(), sink).await
    }

    fn next_ready(&self) -> Option<&'a StepPlan> {
        let pending = |name: &str| self.record.step(name).is_some_and(|step| step.state == StepState::Pending);
        self.plan
            .steps
            .iter()
            .find(|step| pending(&step.step.name) && step.after.iter().all(|before| self.results.contains_key(before)))
    }

    fn start(&self, step: &StepPlan, running: &mut JoinSet<Ended>) {
        let facts = &self.gathered.facts;
        let order = StepOrder {
            run: self.record.run.clone(),
            step: step.step.name.clone(),
            script: step.step.script.clone(),
            task: task_uri(&facts.lake.artifacts, &self.record.run, &step.step.name),
            logs: logs_of(&facts.lake.logs, &self.record.run, &step.step.name),
            spark: step.step.spark.clone(),
        };
        let (target, stop) = (self.services.target.clone(), self.services.stop.clone());
        running.spawn(async move {
            let began = Instant::now();
            let name = order.step.clone();
            let end = target.run_step(order, stop).await;
            (name, began.elapsed().as_secs_f64(), end)
        });
    }

    /// Returns whether the step completed.
    async fn take_end(&mut self, name: &str, seconds: f64, end: Result<StepEnd>, sink: &mut dyn Sink) -> Result<bool> {
        match end? {
            StepEnd::Completed(told) => {
                let landed = finish::take_in(self, name, seconds).await;
                match landed {
                    Ok(result) => {
                        self.results.insert(name.into(), result);
                        if let Some(rows) =
                            told.get("quarantined").and_then(serde_json::Value::as_u64).filter(|n| *n > 0)
                        {
                            sink.emit(Event::Quarantined { step: name.into(), rows });
                        }
                        self.change(name, StepState::Completed, seconds, sink).await?;
                        Ok(true)
                    }
                    Err(error) => {
                        self.change(name, StepState::Failed, seconds, sink).await?;
                        Err(error)
                    }
                }
            }
            StepEnd::Failed(cause) => {
                self.fail(name, cause);
                self.change(name, StepState::Failed, seconds, sink).await.map(|()| false)
            }
            StepEnd::Stopped => self.change(name, StepState::Cancelled, seconds, sink).await.map(|()| false),
        }
    }

    fn fail(&mut self, name: &str, cause: Cause) {
        if let Some(step) = self.record.steps.iter_mut().find(|step| step.name == name) {
            step.cause = Some(cause);
        }
    }

    async fn change(&mut self, name: &str, state: StepState, seconds: f64, sink: &mut dyn Sink) -> Result<()> {
        let now = (self.services.now)();
        let result = self.results.get(name);
        let rows: BTreeMap<String, u64> = result
            .iter()
            .flat_map(|result| &result.tables)
            .map(|(table, written)| (table.clone(), written.rows()))
            .collect();
        let total = rows.values().sum();
        if let Some(step) = self.record.steps.iter_mut().find(|step| step.name == name) {
            step.state = state;
            step.rows = rows;
            match state {
                StepState::Running => step.started_at = Some(now),
                _ => step.seconds = Some(seconds),
            }
        }
        // The record first: whoever acts on the event finds it written.
        self.save().await?;
        sink.emit(Event::StepChanged { step: name.into(), state, rows: total, seconds });
        Ok(())
    }

    async fn look(&self, began: &BTreeMap<String, Instant>, sink: &mut dyn Sink) {
        for (name, began) in began {
            let rows = finish::rows_so_far(self, name).await;
            sink.emit(Event::StepProgress { step: name.clone(), rows, seconds: began.elapsed().as_secs_f64() });
        }
    }

    async fn after_steps(&mut self, stopped: bool, sink: &mut dyn Sink) -> Result<()> {
        let left: Vec<String> =
            self.record.steps.iter().filter(|s| s.state == StepState::Pending).map(|s| s.name.clone()).collect();
        for name in &left {
            self.change(name, StepState::Cancelled, 0.0, sink).await?;
        }
        let failed = self.record.steps.iter().find_map(|step| Some((step.name.clone(), step.cause.clone()?)));
        match failed {
            Some((step, cause)) => Err(step_failed(&self.record.run, &step, &cause)),
            None if stopped => Err(Error::new(Kind::Interrupted, format!("run `{}` was stopped", self.record.run))
                .hint(format!("finished steps are kept: `soflow retry {}` does the rest", self.record.run))),
            None => Ok(()),
        }
    }

    /// Writes how the run ended and removes what only it needed.
    async fn close(&mut self, ended: &Result<()>, sink: &mut dyn Sink) -> Result<()> {
        self.record.state = match ended {
            Ok(()) => RunState::Succeeded,
            Err(error) if error.kind == Kind::Audit => RunState::Refused,
            Err(error) if error.kind == Kind::Interrupted => RunState::Cancelled,
            Err(_) => RunState::Failed,
        };
        self.record.error = ended.as_ref().err().map(|error| error.message.clone());
        self.record.ended_at = Some((self.services.now)());
        let (store, artifacts) = (self.services.store.as_ref(), &self.gathered.facts.lake.artifacts);
        let cleaned = store.remove(&plan::scratch(artifacts, &self.record.run)).await;
        // A full disk must not hide why the run failed.
        if ended.is_ok() {
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

fn step_failed(run: &RunId, step: &str, cause: &Cause) -> Error {
    let kind = if cause.machine { Kind::Machine } else { Kind::Job };
    let (first, last) = cause.lines;
    let place = format!("lines {first}-{last} of {}", cause.log.display());
    let mut error = Error::new(kind, format!("step `{step}` of run `{run}` failed: {}", cause.summary))
        .detail(format!("{}\n\n{place}", cause.excerpt));
    if let Some(hint) = &cause.hint {
        error = error.hint(hint.clone());
    }
    error
        .hint(format!("all it printed: `soflow logs {run} {step}`"))
        .hint(format!("when it is mended: `soflow retry {run}`; finished steps are not run again"))
}

fn task_uri(artifacts: &Uri, run: &RunId, step: &str) -> Uri {
    run_prefix(artifacts, run).join(&format!("tasks/{step}.json"))
}

fn logs_of(logs: &Uri, run: &RunId, step: &str) -> Uri {
    logs.join(&format!("{}/{}/{}/{step}", run.job, run.date, run.number))
}
