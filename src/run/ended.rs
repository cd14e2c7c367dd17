//! What the end of a step means for its run, and what the end of all of them.

use jiff::Timestamp;

use super::drive::ActiveRun;
use super::record::StepRecord;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink, StepState};
use crate::names::RunId;
use crate::plan::{Action, Plan, StepPlan};
use crate::targets::{Cause, Ended, StepEnd};

impl ActiveRun<'_> {
    /// Takes in how a step ended. Returns whether it completed.
    ///
    /// # Errors
    /// As [`Self::save`]; those of reading what it has written.
    pub(super) async fn take_end(
        &mut self,
        name: &str,
        seconds: f64,
        end: Result<Ended>,
        sink: &mut dyn Sink,
    ) -> Result<bool> {
        let Ended { how, ran } = end?;
        let seconds = self.seconds_of(name, ran, seconds);
        // What ran although a step before it had not finished worked on the state before this run: it has nothing to tell.
        let state = match how {
            StepEnd::Completed(told) if self.has_inputs(name) => {
                match self.take_in(name, seconds).await {
                    Ok(result) => drop(self.results.insert(name.into(), result)),
                    // On a cluster it is done all the same, and taken in by whoever goes on.
                    Err(error) => {
                        let error = self.goes_on(error);
                        if error.kind != Kind::Detached {
                            self.change(name, StepState::Failed, seconds, sink).await?;
                        }
                        return Err(error);
                    }
                }
                if let Some(rows) = told.get("quarantined").and_then(serde_json::Value::as_u64).filter(|n| *n > 0) {
                    sink.emit(Event::Quarantined { step: name.into(), rows });
                }
                StepState::Completed
            }
            StepEnd::Failed(cause) if self.has_inputs(name) => {
                if let Some(step) = self.record.step_mut(name) {
                    step.cause = Some(cause);
                }
                StepState::Failed
            }
            _ => StepState::Cancelled,
        };
        self.change(name, state, seconds, sink).await.map(|()| state == StepState::Completed)
    }

    /// Returns how long a step ran, and notes when it started, as far as the target knows better than we do.
    fn seconds_of(&mut self, name: &str, ran: Option<(Timestamp, Timestamp)>, seconds: f64) -> f64 {
        let now = Timestamp::now();
        let is_shared = self.is_shared();
        let Some(step) = self.record.step_mut(name) else { return seconds };
        if let Some((started, ended)) = ran {
            step.started_at = Some(started);
            return ended.duration_since(started).as_secs_f64();
        }
        match step.started_at {
            // It may have waited on the cluster, and another process may have started it.
            Some(started) if is_shared => now.duration_since(started).as_secs_f64(),
            // It was waiting on the cluster, not running.
            None if is_shared => 0.0,
            _ => seconds,
        }
    }

    /// Returns whether every step before this one has finished.
    fn has_inputs(&self, name: &str) -> bool {
        self.plan.step(name).is_some_and(|step| step.after.iter().all(|before| self.results.contains_key(before)))
    }

    /// Ends what has not ended of steps that an earlier process has handed over. What has finished is finished, whoever saw
    /// it, and is taken in.
    ///
    /// # Errors
    /// `Machine` when steps do not end; as [`Self::take_end`].
    pub(super) async fn end_steps(&mut self, sink: &mut dyn Sink) -> Result<()> {
        if let Some(placed) = self.record.placed.clone() {
            let (run, since) = (self.record.run.clone(), self.record.started_at);
            self.services.target.cancel(&run, &placed, since).await?;
            let mut ended = self.services.target.ended(&run, &placed, since).await?;
            for StepPlan { step, .. } in &self.plan.steps {
                if self.record.step(&step.name).is_some_and(|step| is_open(step.state))
                    && let Some(ended) = ended.remove(&step.name)
                {
                    self.take_end(&step.name, 0.0, Ok(ended), sink).await?;
                }
            }
        }
        self.cancel_open(sink).await
    }

    async fn cancel_open(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let left: Vec<String> =
            self.record.steps.iter().filter(|step| is_open(step.state)).map(|step| step.name.clone()).collect();
        for name in &left {
            self.change(name, StepState::Cancelled, 0.0, sink).await?;
        }
        Ok(())
    }

    pub(super) async fn after_steps(&mut self, stopped: bool, sink: &mut dyn Sink) -> Result<()> {
        self.cancel_open(sink).await?;
        let failed = self.record.steps.iter().find_map(|step| Some((step.name.clone(), step.cause.clone()?)));
        match failed {
            Some((step, cause)) => Err(step_failed(&self.record.run, &step, &cause)),
            None if stopped => Err(self.stopped()),
            // Those after it could not go on: the first one is the one that someone has ended.
            None => match self.record.steps.iter().find(|step| is_cut_short(self.plan, step)) {
                Some(StepRecord { name, .. }) => {
                    let run = &self.record.run;
                    let what = format!("step `{name}` of run `{run}` was cancelled, and not by soflow");
                    Err(Error::new(Kind::Machine, what)
                        .hint(format!("finished steps are kept: `soflow retry {run}` does the rest")))
                }
                None => Ok(()),
            },
        }
    }

    pub(super) fn stopped(&self) -> Error {
        Error::new(Kind::Interrupted, format!("run `{}` was stopped", self.record.run))
            .hint(format!("finished steps are kept: `soflow retry {}` does the rest", self.record.run))
    }

    pub(super) fn detached(&self) -> Error {
        let run = &self.record.run;
        let error = Error::new(Kind::Detached, format!("stopped watching run `{run}`, which goes on"));
        let waiting = self.record.steps.iter().any(|step| step.state == StepState::Pending);
        let error = if waiting {
            error.detail(
                "steps that depend on running ones start when someone attaches; nothing is published before that",
            )
        } else {
            error.detail("nothing is published before someone attaches")
        };
        error
            .hint(format!("watch it again, and publish: `soflow attach {run}`"))
            .hint(format!("end it: `soflow cancel {run}`"))
    }
}

/// Returns whether a step may still run.
pub(super) fn is_open(state: StepState) -> bool {
    matches!(state, StepState::Pending | StepState::Queued | StepState::Running)
}

/// Returns whether a step was to run and was cancelled.
fn is_cut_short(plan: &Plan, record: &StepRecord) -> bool {
    let wanted = |step: &StepPlan| step.step.name == record.name && step.action == Action::Run;
    record.state == StepState::Cancelled && plan.steps.iter().any(wanted)
}

fn step_failed(run: &RunId, step: &str, cause: &Cause) -> Error {
    let mut error = Error::new(cause.class.kind(), format!("step `{step}` of run `{run}` failed: {}", cause.summary));
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
