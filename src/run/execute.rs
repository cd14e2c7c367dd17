//! Runs the steps of a claimed run: what may run at once, what each one's end means.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::drive::{Run, logs_of, task_uri};
use super::finish;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink, StepState};
use crate::names::RunId;
use crate::plan::StepPlan;
use crate::target::{Cause, StepEnd, StepOrder};

/// How often a running step's output is looked at for the live view.
const LOOK_EVERY: Duration = Duration::from_millis(400);

type Ended = (String, f64, Result<StepEnd>);

impl<'a> Run<'a> {
    /// Runs the steps, as many at once as the target has slots and the graph allows. After a failure nothing new is
    /// started, but what runs may finish: its results are there for the next try.
    pub(super) async fn execute(&mut self, sink: &mut dyn Sink) -> Result<()> {
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
}

fn step_failed(run: &RunId, step: &str, cause: &Cause) -> Error {
    let kind = if cause.machine { Kind::Machine } else { Kind::Job };
    let mut error = Error::new(kind, format!("step `{step}` of run `{run}` failed: {}", cause.summary));
    if !cause.excerpt.is_empty() {
        error = error.detail(format!("{}\n\n{}", cause.excerpt, cause.place()));
    }
    if let Some(hint) = &cause.hint {
        error = error.hint(hint.clone());
    }
    error
        .hint(format!("all it printed: `soflow logs {run} {step}`"))
        .hint(format!("when it is mended: `soflow retry {run}`; finished steps are not run again"))
}
