//! Hands steps over to the cluster, each once, and on to another one when it ends; ends what is there twice all the same.

use std::collections::BTreeMap;

use aws_sdk_emr::types::StepCancellationOption;
use jiff::SignedDuration;

use super::{Watched, Watcher};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::{self, Event};
use crate::store::lease::Loss;
use crate::targets::emr::answers::{Cluster, EmrStep, StepState, has_ended};
use crate::targets::emr::chain::done_prefix;
use crate::targets::emr::clusters::{Acquired, ClusterRequest};
use crate::targets::emr::identity::moved;
use crate::targets::emr::manage::DOWN;
use crate::targets::emr::steps::{self, ClusterSteps, StepAdder, StepForm};
use crate::targets::{StepEnd, StepOrder, Stop, asked};

/// How often a run moves to another cluster before it gives up.
const MOST_MOVES: usize = 3;

impl Watcher {
    /// Adds steps; each that cannot be added ends with the reason. `look_first`: some may be on the cluster.
    pub(super) async fn add(&mut self, mut steps: Vec<Watched>, look_first: bool) {
        if self.cancelling {
            return steps.into_iter().for_each(|step| step.end(Ok(StepEnd::Stopped.into())));
        }
        let error = match self.submit(&mut steps, look_first).await {
            Ok(()) => return self.watched.extend(steps),
            Err(error) => error,
        };
        // A failure of S3 is one of the lease: whatever became of it, no steps were sent.
        let call = CallError::of(&error).filter(|call| call.service == "EMR");
        let maybe_done = call.is_some_and(|call| call.maybe_done);
        // Whoever goes on adds them, or finds them.
        let is_left = call.is_some_and(CallError::is_passing) && *self.stop.borrow() == Stop::Detach;
        if call.is_some_and(CallError::is_ending_cluster) {
            // The next tick looks at the cluster, finds it ended, and moves.
            self.acquired.ready = false;
            self.watched.extend(steps);
        } else if maybe_done && *self.stop.borrow() == Stop::Cancel {
            let (cluster, why) = (&self.acquired.placed.cluster, error.causes().join(": "));
            self.notes
                .warn(format!("steps may still come up on cluster {cluster}: {why}; `soflow cluster show` tells"));
            // They are ended by their names.
            self.watched.extend(steps);
        } else {
            let error = if maybe_done || is_left { self.going_on(error) } else { error };
            let others = std::mem::replace(&mut self.watched, steps);
            self.fail(&error);
            self.watched = others;
        }
    }

    /// Returns what adds steps to the cluster.
    pub(super) fn adder(&self) -> StepAdder<'_> {
        StepAdder {
            clusters: &self.clusters,
            cluster: &self.acquired.placed.cluster,
            run: &self.run,
            since: self.since,
        }
    }

    /// Returns how the run's steps are on the cluster.
    fn form(&self) -> StepForm<'_> {
        let (artifacts, cluster) = (&self.clusters.settings.lake.artifacts, &self.acquired.placed.cluster);
        StepForm {
            shipped: &self.shipped,
            action_on_failure: self.clusters.action_on_failure(),
            done: self.fused.then(|| done_prefix(artifacts, &self.run, cluster)),
        }
    }

    /// Adds those of `steps` that have no id to the cluster, and notes their ids.
    async fn submit(&mut self, steps: &mut [Watched], look_first: bool) -> Result<()> {
        let mut found = ClusterSteps::default();
        if look_first && steps.iter().any(|step| step.id.is_none()) {
            // Steps that an earlier process has added go on when nobody can look for them.
            let unseen = |error| CallError { maybe_done: true, ..error };
            let find = async { self.adder().find().await.map_err(|error| unseen(error).into()) };
            found = self.unless_left(find).await?;
            note_ids(steps, &found.ids);
        }
        let new: Vec<&StepOrder> = steps.iter().filter(|step| step.id.is_none()).map(|step| &step.order).collect();
        let new = self.form().steps(&new)?;
        if !new.is_empty() {
            let later = !self.there.is_empty();
            let ensured = self.unless_left(self.acquired.lease.ensure(later)).await;
            ensured.map_err(|error| self.put_out(error, new.len()))?;
            let added = self.adder().add(&new, &mut self.stop.clone()).await?;
            note_ids(steps, &added.ids);
            found.spare.extend(added.spare);
            self.doubtful |= added.again;
        }
        // Before anyone hears of the steps, and may leave.
        self.end_copies(found.spare).await;
        for step in steps.iter() {
            self.there.extend(step.id.clone().map(|id| (step.name(), id)));
            self.notes.step(&step.order.step, event::StepState::Queued, step.id.clone());
        }
        Ok(())
    }

    /// Returns what comes of something that is of no use to whoever leaves before it is done.
    async fn unless_left<T>(&self, doing: impl Future<Output = Result<T>>) -> Result<T> {
        let mut stop = self.stop.clone();
        tokio::select! {
            done = doing => done,
            () = asked(&mut stop, |stop| *stop == Stop::Detach) => {
                let run = &self.run;
                Err(Error::new(Kind::Detached, format!("stopped watching run `{run}` before its steps were handed over"))
                    .hint(format!("go on with it: `soflow attach {run}`")))
            }
        }
    }

    /// Returns the end of a run that may not add its steps any more.
    fn put_out(&self, error: Error, left: usize) -> Error {
        if error.kind != Kind::Held {
            return error;
        }
        let (run, cluster, there) = (&self.run, &self.acquired.placed.cluster, self.watched.len());
        let who = error.detail.unwrap_or_default();
        Error::new(Kind::Held, format!("run `{run}` has lost the lease of cluster `{cluster}`"))
            .detail(format!("{who}\nsteps not added: {left}; steps of the run there that are cancelled: {there}"))
            .hint(format!("finished steps are kept: `soflow retry {run}` does the rest"))
    }

    /// Cancels steps that are on the cluster a second time, and says so. What fails now is done at the next look.
    pub(super) async fn end_copies(&mut self, mut copies: Vec<EmrStep>) {
        copies.retain(|step| step.state != StepState::CancelPending);
        if copies.is_empty() {
            return;
        }
        let cluster = self.acquired.placed.cluster.clone();
        let ids: Vec<String> = copies.iter().map(|step| step.id.clone()).collect();
        if self.clusters.api.cancel_steps(&cluster, &ids, StepCancellationOption::SendInterrupt).await.is_err() {
            return;
        }
        let running: Vec<EmrStep> = copies.iter().filter(|step| step.state == StepState::Running).cloned().collect();
        if let Err(error) = self.clusters.kill_applications(&cluster, &self.run, &running).await {
            self.notes.warn(format!("the application of a step may still be running: {error}"));
        }
        for EmrStep { id, name, .. } in copies {
            if self.copies.insert(id.clone()) {
                self.notes.warn(format!("step {name} came to cluster {cluster} a second time: {id} is cancelled"));
            }
        }
    }

    /// Goes on with the unfinished steps on another cluster, or ends them when that would not help.
    pub(super) async fn move_on(&mut self, lost: Cluster) {
        if let Err(error) = self.move_from(lost).await {
            self.fail(&error);
        }
    }

    async fn move_from(&mut self, lost: Cluster) -> Result<()> {
        let run = self.run.clone();
        let why = self.clusters.why_lost(&lost).await;
        // Whoever ends a cluster under a run does not want another one for it.
        if let Ok(Some(Loss { to, forced: Some(what) })) = self.acquired.lease.check().await
            && what == DOWN
        {
            return Err(Error::new(Kind::Held, format!("cluster `{}` was ended under run `{run}`", lost.id))
                .detail(format!("with `soflow cluster down`, by {to}"))
                .hint(format!("finished steps are kept: `soflow retry {run}` does the rest, on another cluster")));
        }
        // One that never took steps will not do so elsewhere either. What ends one that did, be it a person, the idle timer
        // or the loss of its primary node, is told by codes that also stand for other things.
        if lost.ready.is_none() || self.moves >= MOST_MOVES {
            return Err(lost.ended_error(&why));
        }
        self.notes.tell(Event::ClusterLost { cluster: lost.id.clone(), reason: why.summary });
        self.moves += 1;
        let mut stop = self.stop.clone();
        let acquired = tokio::select! {
            acquired = self.elsewhere(&lost) => acquired?,
            () = asked(&mut stop, |stop| *stop == Stop::Cancel) => {
                return Err(Error::new(Kind::Interrupted, format!("run `{run}` was stopped"))
                    .hint(format!("finished steps are kept: `soflow retry {run}` does the rest")));
            }
        };
        // What the ended cluster left half-written must not mix with what comes now.
        for output in self.watched.iter().flat_map(|step| &step.order.outputs) {
            self.clusters.store.remove(output).await?;
        }
        self.notes.place(&acquired.placed).await?;
        let old = std::mem::replace(&mut self.acquired, acquired);
        // The lease of a cluster that is gone is nobody's concern.
        let _ = old.lease.release().await;
        self.told_loss = false;
        self.there.clear();
        let mut unfinished = std::mem::take(&mut self.watched);
        for step in &mut unfinished {
            step.id = None;
            step.state = None;
        }
        self.add(unfinished, true).await;
        Ok(())
    }

    /// Returns another cluster, once nothing runs on the one that ends any more.
    async fn elsewhere(&self, lost: &Cluster) -> Result<Acquired> {
        let found = self.clusters.candidates().await?;
        let run = self.run.to_string();
        let token = moved(&run, self.moves);
        let request = ClusterRequest {
            what: &run,
            token: &token,
            not: Some(&lost.id),
            waited: SignedDuration::ZERO,
            notes: &self.notes,
        };
        let acquired = self.clusters.acquire(&request, None, found).await?;
        let emr = &self.clusters.settings.emr;
        while !has_ended(&self.clusters.api.describe_cluster(&lost.id).await?.state) {
            tokio::time::sleep(emr.poll_slowest.max(emr.poll_fastest)).await;
        }
        Ok(acquired)
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
