//! Adds a run's steps to its cluster and watches them to their end, wherever the cluster goes.
//!
//! One task of its own: steps come in through a channel, and one ListSteps call a tick serves all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Inner;
use super::api::{Cluster, Step};
use super::calm::Calm;
use super::clusters::{Acquired, Asker};
use super::lease::RENEW_EVERY;
use super::steps::{Adding, CodePlace, is_of, new_step};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, StepState};
use crate::names::RunId;
use crate::target::{Ended, Note, StepEnd, StepOrder};

/// How often a run moves to another cluster before it gives up.
const MOST_MOVES: u32 = 3;

/// States a step does not leave any more. Source: EMR's API model, StepState.
pub(super) const ENDED: [&str; 4] = ["COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"];

/// What the watcher is asked for.
pub(super) enum Command {
    /// Add a step and say how it ended.
    Step(StepOrder, oneshot::Sender<Result<Ended>>),
    /// End all steps that have not ended.
    Cancel,
    /// Give the cluster back, after ending what is left when asked to; then answer.
    Close(bool, oneshot::Sender<Result<()>>),
}

/// A step on its way.
struct Watched {
    order: StepOrder,
    end: oneshot::Sender<Result<Ended>>,
    id: Option<String>,
    state: String,
}

/// Watches the steps of one run.
pub(super) struct Watcher {
    pub target: Arc<Inner>,
    pub run: RunId,
    pub since: Timestamp,
    /// Whether an earlier process may have added steps.
    pub resumed: bool,
    pub code: CodePlace,
    pub acquired: Acquired,
    pub notes: UnboundedSender<Note>,
    pub commands: UnboundedReceiver<Command>,
    pub state: Progress,
}

/// How far a watcher is.
#[derive(Default)]
pub(super) struct Progress {
    watched: Vec<Watched>,
    /// A cluster that is waited for, and its state as it was told last.
    cluster: (String, String),
    moves: u32,
    cancelling: bool,
    warned: bool,
}

impl Watcher {
    /// Works until the command channel closes.
    pub async fn run(mut self) {
        let settings = &self.target.settings;
        let mut calm = Calm::new(settings.poll_fastest, settings.poll_slowest);
        let mut next = Instant::now() + calm.pause();
        let mut renew = tokio::time::interval(RENEW_EVERY);
        renew.tick().await;
        loop {
            tokio::select! {
                command = self.commands.recv() => {
                    let Some(command) = command else { return };
                    // Steps that may start together come together: one call adds them all.
                    tokio::task::yield_now().await;
                    let mut batch = Vec::new();
                    let mut command = Some(command);
                    while let Some(one) = command.take().or_else(|| self.commands.try_recv().ok()) {
                        match one {
                            Command::Step(order, end) => batch.push((order, end)),
                            // What came before must be there to be ended.
                            Command::Cancel => {
                                self.add(std::mem::take(&mut batch)).await;
                                self.cancel().await;
                            }
                            Command::Close(abandon, done) => {
                                let _ = done.send(self.close(abandon).await);
                            }
                        }
                    }
                    self.add(batch).await;
                    calm.hurry();
                    next = Instant::now() + calm.pause();
                }
                () = tokio::time::sleep_until(next), if !self.state.watched.is_empty() => {
                    if self.tick().await { calm.hurry() } else { calm.relax() }
                    next = Instant::now() + calm.pause();
                }
                _ = renew.tick() => self.renew().await,
            }
        }
    }

    fn tell(&self, event: Event) {
        let _ = self.notes.send(Note::Event(event));
    }

    async fn renew(&self) {
        match self.acquired.lease.renew().await {
            Ok(true) | Err(_) => {}
            // What is queued stays queued; whoever took the cluster was told that.
            Ok(false) => {
                let text = format!("someone else has taken the lease of cluster {}", self.acquired.placed.cluster);
                self.tell(Event::Warning { text });
            }
        }
    }

    /// Adds steps; each that cannot be added ends with the reason.
    async fn add(&mut self, batch: Vec<(StepOrder, oneshot::Sender<Result<Ended>>)>) {
        if batch.is_empty() {
            return;
        }
        let mut taken: Vec<Watched> = batch
            .into_iter()
            .map(|(order, end)| Watched { id: order.step_id.clone(), state: String::new(), order, end })
            .collect();
        match self.submit(&mut taken, self.resumed).await {
            Ok(()) => self.state.watched.extend(taken),
            Err(error) if error.is_ending_cluster() => {
                self.state.watched.extend(taken);
                // The next tick looks at the cluster, finds it ended, and moves.
                self.acquired.ready = false;
            }
            Err(error) => {
                let doubt = error.maybe_done;
                for step in taken {
                    let error = call_failed(&error, doubt, &self.run);
                    let _ = step.end.send(Err(error));
                }
            }
        }
    }

    /// Adds those of `steps` that have no id to the cluster, and notes their ids.
    async fn submit(&mut self, steps: &mut [Watched], look_first: bool) -> Result<(), CallError> {
        let action = self.target.action_on_failure();
        let usage = |error: Error| CallError {
            service: "EMR",
            operation: "AddJobFlowSteps".into(),
            code: "Usage".into(),
            message: error.message,
            maybe_done: false,
            partition: self.target.api.0.partition().id,
        };
        let adding = Adding {
            api: &self.target.api,
            cluster: &self.acquired.placed.cluster,
            role: self.target.settings.execution_role.as_deref(),
            since: self.since,
        };
        if look_first && steps.iter().any(|step| step.id.is_none()) {
            note_ids(steps, &adding.find(|name| is_of(name, &self.run)).await?);
        }
        let mut new = Vec::new();
        for step in steps.iter().filter(|step| step.id.is_none()) {
            new.push(new_step(&step.order, &self.code, action).map_err(usage)?);
        }
        if !new.is_empty() {
            note_ids(steps, &adding.add(&new).await?);
        }
        for step in steps.iter() {
            let (name, id) = (step.order.step.clone(), step.id.clone());
            let _ = self.notes.send(Note::Step { step: name, state: StepState::Queued, id });
        }
        Ok(())
    }

    /// Looks at the steps once. Returns whether anything changed.
    async fn tick(&mut self) -> bool {
        match self.look().await {
            Ok(changed) => {
                self.state.warned = false;
                changed
            }
            Err(error) if error.is_passing() => {
                // Steps go on without us; a network that is away for a night is no reason to give up on them.
                if !self.state.warned {
                    self.tell(Event::Warning { text: format!("EMR cannot be asked now, still trying: {error}") });
                }
                self.state.warned = true;
                false
            }
            Err(error) => {
                for step in std::mem::take(&mut self.state.watched) {
                    let _ = step.end.send(Err(call_failed(&error, true, &self.run)));
                }
                true
            }
        }
    }

    async fn look(&mut self) -> Result<bool, CallError> {
        let mut lost = None;
        if !self.acquired.ready {
            let before = self.state.cluster.clone();
            lost = self.look_at_cluster().await?;
            if lost.is_none() && !self.acquired.ready {
                return Ok(self.state.cluster != before);
            }
        }
        let steps = self.statuses().await?;
        let mut changed = false;
        let mut ended = Vec::new();
        for watched in &mut self.state.watched {
            let Some(step) = watched.id.as_ref().and_then(|id| steps.get(id)) else { continue };
            if ENDED.contains(&step.status.state.as_str()) {
                // Until it is taken in: a call on the way there may fail.
                ended.push(step.clone());
            }
            if watched.state == step.status.state {
                continue;
            }
            watched.state.clone_from(&step.status.state);
            changed = true;
            match watched.state.as_str() {
                "RUNNING" => {
                    let note = Note::Step { step: watched.order.step.clone(), state: StepState::Running, id: None };
                    let _ = self.notes.send(note);
                }
                "PENDING" | "CANCEL_PENDING" => {}
                state if ENDED.contains(&state) => {}
                state => {
                    let text = format!("step `{}` is in a state unknown to soflow: {state}", watched.order.step);
                    let _ = self.notes.send(Note::Event(Event::Warning { text }));
                }
            }
        }
        let completed = |step: &&Step| step.status.state == "COMPLETED";
        let lost = match lost {
            None if !ended.iter().all(|step| completed(&step)) && !self.state.cancelling => {
                let cluster = self.target.api.describe_cluster(&self.acquired.placed.cluster).await?;
                is_ending(&cluster.status.state).then_some(cluster)
            }
            lost => lost,
        };
        if let Some(lost) = lost.filter(|_| !self.state.cancelling) {
            self.finish(ended.iter().filter(completed)).await;
            self.move_on(lost).await;
            return Ok(true);
        }
        self.finish(ended.iter()).await;
        Ok(changed)
    }

    /// Follows the cluster until it takes steps. Returns it when it ends instead.
    async fn look_at_cluster(&mut self) -> Result<Option<Cluster>, CallError> {
        let cluster = self.target.api.describe_cluster(&self.acquired.placed.cluster).await?;
        let (state, reason) = (cluster.status.state.clone(), cluster.status.state_change_reason.message.clone());
        self.acquired.ready = ["RUNNING", "WAITING"].contains(&state.as_str());
        let seen = (cluster.id.clone(), state.clone());
        if seen != self.state.cluster {
            self.tell(Event::ClusterChanged { cluster: cluster.id.clone(), state: state.clone(), reason });
            self.state.cluster = seen;
        }
        Ok(is_ending(&state).then_some(cluster))
    }

    /// Returns the steps that are watched, by id, in as few calls as there are pages with any of them.
    async fn statuses(&self) -> Result<BTreeMap<String, Step>, CallError> {
        let wanted: Vec<&String> = self.state.watched.iter().filter_map(|step| step.id.as_ref()).collect();
        let cluster = &self.acquired.placed.cluster;
        let (mut found, mut marker) = (BTreeMap::new(), None);
        loop {
            let (page, next) = self.target.api.steps_page(cluster, marker).await?;
            found
                .extend(page.into_iter().filter(|step| wanted.contains(&&step.id)).map(|step| (step.id.clone(), step)));
            marker = next;
            if found.len() == wanted.len() || marker.is_none() {
                break;
            }
        }
        // ListSteps forgets all but the latest 1,000 steps of a cluster; DescribeStep does not.
        for id in wanted.into_iter().filter(|id| !found.contains_key(*id)).collect::<Vec<_>>() {
            found.insert(id.clone(), self.target.api.describe_step(cluster, id).await?);
        }
        Ok(found)
    }

    /// Tells those who wait for these steps how they ended.
    async fn finish(&mut self, ended: impl Iterator<Item = &Step>) {
        for step in ended {
            let Some(at) = self.state.watched.iter().position(|known| known.id.as_ref() == Some(&step.id)) else {
                continue;
            };
            let watched = self.state.watched.remove(at);
            if step.status.state != "FAILED" {
                let _ = watched.end.send(Ok(step.ended(StepEnd::Stopped)));
                continue;
            }
            // Reading logs can take minutes; the other steps are watched meanwhile.
            let (target, cluster, step) = (self.target.clone(), self.acquired.placed.cluster.clone(), step.clone());
            let (notes, end) = (self.notes.clone(), watched.end);
            tokio::spawn(async move {
                let cause = target.explain(&cluster, &step, &notes).await;
                let _ = end.send(Ok(step.ended(StepEnd::Failed(cause))));
            });
        }
    }

    /// Goes on with the unfinished steps on another cluster, or ends them when that would not help.
    async fn move_on(&mut self, lost: Cluster) {
        let finding = self.target.why_lost(&lost).await;
        let helpless = !finding.elsewhere || self.state.moves == MOST_MOVES;
        let moved = if helpless {
            Err(finding.into_error(&lost))
        } else {
            self.tell(Event::ClusterLost { cluster: lost.id.clone(), reason: finding.summary });
            self.move_from(&lost).await
        };
        if let Err(error) = moved {
            let mut error = Some(error);
            for step in std::mem::take(&mut self.state.watched) {
                let message = format!("cluster `{}` ended", lost.id);
                let error = error.take().unwrap_or_else(|| Error::new(Kind::Machine, message));
                let _ = step.end.send(Err(error));
            }
        }
    }

    async fn move_from(&mut self, lost: &Cluster) -> Result<()> {
        self.state.moves += 1;
        let candidates = self.target.candidates().await?;
        let token = format!("{}.move-{}", self.run, self.state.moves);
        let asker = Asker { token: &token, not: Some(&lost.id), notes: &self.notes };
        let acquired = self.target.acquire(&asker, None, candidates).await?;
        self.await_end(&lost.id).await?;
        // What the ended cluster left half-written must not mix with what comes now.
        for step in &self.state.watched {
            for output in &step.order.outputs {
                self.target.store.remove(output).await?;
            }
        }
        let (saved, is_saved) = oneshot::channel();
        let _ = self.notes.send(Note::Placed { placed: acquired.placed.clone(), saved });
        let unsaved = |_| Error::new(Kind::Machine, "the run's record could not be written");
        is_saved.await.map_err(unsaved)?;
        let old = std::mem::replace(&mut self.acquired, acquired);
        // The lease of a cluster that is gone is nobody's concern.
        let _ = old.lease.release().await;
        let mut unfinished = std::mem::take(&mut self.state.watched);
        for step in &mut unfinished {
            step.id = None;
            step.state.clear();
        }
        let submitted = self.submit(&mut unfinished, true).await;
        self.state.watched = unfinished;
        match submitted {
            // This one has ended too: the next tick moves on.
            Err(error) if error.is_ending_cluster() => {
                self.acquired.ready = false;
                Ok(())
            }
            submitted => Ok(submitted?),
        }
    }

    /// Waits until nothing of a cluster runs any more.
    async fn await_end(&self, id: &str) -> Result<()> {
        while !["TERMINATED", "TERMINATED_WITH_ERRORS"]
            .contains(&self.target.api.describe_cluster(id).await?.status.state.as_str())
        {
            tokio::time::sleep(self.target.settings.poll_slowest).await;
        }
        Ok(())
    }

    async fn cancel(&mut self) {
        if std::mem::replace(&mut self.state.cancelling, true) {
            return;
        }
        if let Err(error) = self.target.cancel_run(&self.acquired.placed.cluster, &self.run, self.since).await {
            self.tell(Event::Warning { text: format!("steps may still be running: {error}") });
        }
        // Those that no cluster has taken yet.
        for step in self.state.watched.extract_if(.., |step| step.id.is_none()) {
            let _ = step.end.send(Ok(StepEnd::Stopped.into()));
        }
    }

    async fn close(&mut self, abandon: bool) -> Result<()> {
        if abandon && !self.state.watched.is_empty() {
            self.cancel().await;
        }
        self.acquired.lease.release().await
    }
}

/// Gives those of `steps` that have no id the one that belongs to their name.
fn note_ids(steps: &mut [Watched], ids: &BTreeMap<String, String>) {
    for step in steps.iter_mut().filter(|step| step.id.is_none()) {
        step.id = ids.get(&super::steps::name(&step.order.run, &step.order.step)).cloned();
    }
}

fn is_ending(state: &str) -> bool {
    ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"].contains(&state)
}

/// Returns the failure of a call; `goes_on`: the steps may be on the cluster all the same.
fn call_failed(error: &CallError, goes_on: bool, run: &RunId) -> Error {
    let mut failure = Error::from(error.clone());
    if error.code == "Usage" {
        failure.kind = Kind::Usage;
    } else if goes_on {
        failure.kind = Kind::Detached;
        failure = failure.hint(format!("the run may go on: `soflow attach {run}` finds out and finishes it"));
    }
    failure
}
