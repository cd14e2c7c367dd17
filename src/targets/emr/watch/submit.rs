//! Hands steps over to the cluster, each once, and ends what is there twice all the same.

use std::collections::BTreeMap;

use aws_sdk_emr::types::StepCancellationOption;
use tokio::sync::oneshot;

use super::{Watched, Watcher, call_failed, fail};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::{self, Event};
use crate::targets::emr::answers::{EmrStep, StepState};
use crate::targets::emr::steps::{self, ClusterSteps, StepAdder, is_of, new_step};
use crate::targets::{Ended, Note, StepOrder, Stop};

/// Why steps were not added.
pub(super) enum NotAdded {
    /// EMR did not take them, or did not say.
    Call(CallError),
    /// They were not sent.
    Told(Error),
}

impl From<CallError> for NotAdded {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<Error> for NotAdded {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl Watcher {
    /// Adds steps; each that cannot be added ends with the reason.
    pub(super) async fn add(&mut self, batch: Vec<(StepOrder, oneshot::Sender<Result<Ended>>)>) {
        if batch.is_empty() {
            return;
        }
        let mut taken: Vec<Watched> = batch
            .into_iter()
            .map(|(order, end)| Watched { id: order.step_id.clone(), state: None, order, end })
            .collect();
        match self.submit(&mut taken, self.resumed).await {
            Ok(()) => self.state.watched.extend(taken),
            Err(NotAdded::Call(error)) if error.is_ending_cluster() => {
                self.state.watched.extend(taken);
                // The next tick looks at the cluster, finds it ended, and moves.
                self.acquired.ready = false;
            }
            Err(NotAdded::Call(error)) if error.maybe_done && *self.stop().borrow() == Stop::Cancel => {
                let cluster = &self.acquired.placed.cluster;
                let text =
                    format!("steps may still come up on cluster {cluster}: {error}; `soflow cluster show` tells");
                self.tell(Event::Warning { text });
                // The word to end them is on its way.
                self.state.watched.extend(taken);
            }
            Err(NotAdded::Call(error)) => {
                let goes_on = error.maybe_done;
                fail(taken, &call_failed(error, goes_on, &self.run));
            }
            Err(NotAdded::Told(error)) => fail(taken, &error),
        }
    }

    /// Returns what adds steps to the cluster.
    pub(super) fn adding(&self) -> StepAdder<'_> {
        let settings = &self.target.settings;
        StepAdder {
            api: &self.target.api,
            cluster: &self.acquired.placed.cluster,
            role: settings.execution_role.as_deref(),
            since: self.since,
            patience: settings.lost_answer_wait,
        }
    }

    /// Adds those of `steps` that have no id to the cluster, and notes their ids.
    pub(super) async fn submit(&mut self, steps: &mut [Watched], look_first: bool) -> Result<(), NotAdded> {
        let action = self.target.action_on_failure();
        let mut found = ClusterSteps::default();
        if look_first && steps.iter().any(|step| step.id.is_none()) {
            // Steps that an earlier process has added go on when nobody can look for them.
            let unseen = |error| CallError { maybe_done: true, ..error };
            found = self.adding().find(|name| is_of(name, &self.run)).await.map_err(unseen)?;
            note_ids(steps, &found.ids);
        }
        let mut new = Vec::new();
        for step in steps.iter().filter(|step| step.id.is_none()) {
            new.push(new_step(&step.order, &self.code, action.clone())?);
        }
        if !new.is_empty() {
            let later = !self.state.there.is_empty();
            self.acquired.lease.ensure(later).await.map_err(|error| self.put_out(error, new.len()))?;
            let added = self.adding().add(&new, &mut self.stop()).await?;
            note_ids(steps, &added.ids);
            found.spare.extend(added.spare);
            self.state.doubtful |= added.again;
        }
        // Before anyone hears of the steps, and may leave.
        self.end_copies(found.spare).await;
        for step in steps.iter() {
            let (name, id) = (step.order.step.clone(), step.id.clone());
            self.state.there.extend(id.clone().map(|id| (step.name(), id)));
            let _ = self.notes.send(Note::Step { step: name, state: event::StepState::Queued, id });
        }
        Ok(())
    }

    /// Returns the end of a run that may not add its steps any more.
    fn put_out(&self, error: Error, left: usize) -> Error {
        if error.kind != Kind::Held {
            return error;
        }
        let (run, cluster, there) = (&self.run, &self.acquired.placed.cluster, self.state.watched.len());
        let who = error.detail.unwrap_or_default();
        Error::new(Kind::Held, format!("run `{run}` has lost the lease of cluster `{cluster}`"))
            .detail(format!("{who}\nsteps not added: {left}; steps of the run there that are cancelled: {there}"))
            .hint(format!("finished steps are kept: `soflow retry {run}` does the rest"))
    }

    /// Cancels steps that are on the cluster a second time, and says so. What fails now is done at the next look.
    pub(super) async fn end_copies(&mut self, copies: Vec<EmrStep>) {
        let copies: Vec<EmrStep> = copies.into_iter().filter(|step| step.state != StepState::CancelPending).collect();
        if copies.is_empty() {
            return;
        }
        let cluster = self.acquired.placed.cluster.clone();
        let ids: Vec<String> = copies.iter().map(|step| step.id.clone()).collect();
        if self.target.api.cancel_steps(&cluster, &ids, StepCancellationOption::SendInterrupt).await.is_err() {
            return;
        }
        let running: Vec<EmrStep> = copies.iter().filter(|step| step.state == StepState::Running).cloned().collect();
        if let Err(error) = self.target.kill_applications(&cluster, &self.run, &running).await {
            self.tell(Event::Warning { text: format!("the application of a step may still be running: {error}") });
        }
        for EmrStep { id, name, .. } in copies {
            if self.state.copies.insert(id.clone()) {
                let text = format!("step {name} came to cluster {cluster} a second time: {id} is cancelled");
                self.tell(Event::Warning { text });
            }
        }
    }
}

impl Watched {
    /// Returns its name on the cluster.
    fn name(&self) -> String {
        steps::name(&self.order.run, &self.order.step)
    }
}

/// Gives those of `steps` that have no id the one that belongs to their name.
fn note_ids(steps: &mut [Watched], ids: &BTreeMap<String, String>) {
    for step in steps.iter_mut().filter(|step| step.id.is_none()) {
        step.id = ids.get(&step.name()).cloned();
    }
}
