//! Adds a run's steps to its cluster and watches them to their end, wherever the cluster goes.
//!
//! One task of its own: steps come in through a channel, and one ListSteps call a tick serves all of them.

mod failover;
mod submit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::Clusters;
use super::answers::{Cluster, ClusterState, EmrStep, StepState, is_ending, is_ready};
use super::clusters::Acquired;
use super::poll::PollInterval;
use super::steps::{CodePlace, is_of};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::{self, Event};
use crate::names::RunId;
use crate::targets::{Ended, Note, StepEnd, StepOrder, Stop};

/// What the watcher is asked for.
pub(super) enum WatchCommand {
    /// Add a step and say how it ended; what the person wants meanwhile.
    Step(Box<StepOrder>, oneshot::Sender<Result<Ended>>, watch::Receiver<Stop>),
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
    state: Option<StepState>,
}

/// Watches the steps of one run.
pub(super) struct Watcher {
    pub target: Arc<Clusters>,
    pub run: RunId,
    pub since: Timestamp,
    /// Whether an earlier process may have added steps.
    pub resumed: bool,
    pub code: CodePlace,
    pub acquired: Acquired,
    pub notes: UnboundedSender<Note>,
    pub commands: UnboundedReceiver<WatchCommand>,
    pub state: WatchState,
}

/// How far a watcher is.
#[derive(Default)]
pub(super) struct WatchState {
    watched: Vec<Watched>,
    /// A cluster that is waited for, and its state as it was told last.
    cluster: Option<(String, ClusterState)>,
    moves: u32,
    cancelling: bool,
    warned: bool,
    /// The steps of the run that are on the cluster, by name: any other of these names is a copy.
    there: BTreeMap<String, String>,
    /// Copies that were told of.
    copies: BTreeSet<String>,
    /// Whether a request was sent again, so that copies may come up.
    doubtful: bool,
    /// Whether it was told that the cluster's lease is lost.
    told_lost: bool,
    /// What the person wants.
    stop: Option<watch::Receiver<Stop>>,
}

impl Watcher {
    /// Works until the command channel closes.
    pub async fn run(mut self) {
        let settings = &self.target.settings;
        let mut interval = PollInterval::new(settings.poll_fastest, settings.poll_slowest);
        let mut next = Instant::now() + interval.pause();
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
                            WatchCommand::Step(order, end, stop) => {
                                self.state.stop.get_or_insert(stop);
                                batch.push((*order, end));
                            }
                            // What came before must be there to be ended.
                            WatchCommand::Cancel => {
                                self.add(std::mem::take(&mut batch)).await;
                                self.cancel().await;
                            }
                            WatchCommand::Close(abandon, done) => {
                                let _ = done.send(self.close(abandon).await);
                            }
                        }
                    }
                    self.add(batch).await;
                    interval.shorten();
                    next = Instant::now() + interval.pause();
                }
                () = tokio::time::sleep_until(next), if !self.state.watched.is_empty() => {
                    if self.tick().await { interval.shorten() } else { interval.lengthen() }
                    next = Instant::now() + interval.pause();
                }
            }
        }
    }

    fn tell(&self, event: Event) {
        let _ = self.notes.send(Note::Event(event));
    }

    /// Returns what the person wants, and will.
    fn stop(&self) -> watch::Receiver<Stop> {
        self.state.stop.clone().unwrap_or_else(|| watch::channel(Stop::Go).1)
    }

    /// What is on the cluster stays there; whoever took it was told that.
    fn tell_loss(&mut self) {
        if let Some(loss) = self.acquired.lease.loss().filter(|_| !self.state.told_lost) {
            let (cluster, run, count) = (&self.acquired.placed.cluster, &self.run, self.state.watched.len());
            let text = format!(
                "run {run} has lost the lease of cluster {cluster} to {}: it adds no more steps there, and watches the \
                 {count} that are there to their end",
                loss.to
            );
            self.tell(Event::Warning { text });
            self.state.told_lost = true;
        }
    }

    /// Looks at the steps once. Returns whether anything changed.
    async fn tick(&mut self) -> bool {
        self.tell_loss();
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
                fail(std::mem::take(&mut self.state.watched), &call_failed(error, true, &self.run));
                true
            }
        }
    }

    async fn look(&mut self) -> Result<bool, CallError> {
        self.target.end_spare(&self.notes).await;
        let mut lost = None;
        if !self.acquired.ready {
            let before = self.state.cluster.clone();
            lost = self.look_at_cluster().await?;
            if lost.is_none() && !self.acquired.ready {
                return Ok(self.state.cluster != before);
            }
        }
        let (steps, copies) = self.statuses().await?;
        self.end_copies(copies).await;
        let mut changed = false;
        let mut ended = Vec::new();
        for watched in &mut self.state.watched {
            let Some(step) = watched.id.as_ref().and_then(|id| steps.get(id)) else { continue };
            if step.has_ended() {
                // Until it is taken in: a call on the way there may fail.
                ended.push(step.clone());
            }
            if watched.state.as_ref() == Some(&step.state) {
                continue;
            }
            watched.state = Some(step.state.clone());
            changed = true;
            match &step.state {
                StepState::Running => {
                    let note =
                        Note::Step { step: watched.order.step.clone(), state: event::StepState::Running, id: None };
                    let _ = self.notes.send(note);
                }
                _ if step.is_active() || step.has_ended() => {}
                state => {
                    let text = format!("step `{}` is in a state unknown to soflow: {state}", watched.order.step);
                    let _ = self.notes.send(Note::Event(Event::Warning { text }));
                }
            }
        }
        let completed = |step: &&EmrStep| step.state == StepState::Completed;
        let lost = match lost {
            None if !ended.iter().all(|step| completed(&step)) && !self.state.cancelling => {
                let cluster = self.target.api.describe_cluster(&self.acquired.placed.cluster).await?;
                is_ending(&cluster.state).then_some(cluster)
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
        self.acquired.ready = is_ready(&cluster.state);
        let seen = Some((cluster.id.clone(), cluster.state.clone()));
        if seen != self.state.cluster {
            let (cluster, state, reason) =
                (cluster.id.clone(), cluster.state.to_string(), cluster.reason.message.clone());
            self.tell(Event::ClusterChanged { cluster, state, reason });
            self.state.cluster = seen;
        }
        Ok(is_ending(&cluster.state).then_some(cluster))
    }

    /// Returns the steps that are watched, by id, in as few calls as there are pages with any of them; and copies of the
    /// run's steps that were met on the way, newer than those.
    async fn statuses(&self) -> Result<(BTreeMap<String, EmrStep>, Vec<EmrStep>), CallError> {
        let wanted: Vec<&String> = self.state.watched.iter().filter_map(|step| step.id.as_ref()).collect();
        let cluster = &self.acquired.placed.cluster;
        let (mut found, mut copies, mut marker) = (BTreeMap::new(), Vec::new(), None);
        loop {
            let page = self.target.api.steps_page(cluster, &[], marker).await?;
            marker = page.next;
            for step in page.items {
                if wanted.contains(&&step.id) {
                    found.insert(step.id.clone(), step);
                } else if self.state.there.get(&step.name).is_some_and(|id| *id != step.id) && step.is_active() {
                    copies.push(step);
                }
            }
            if found.len() == wanted.len() || marker.is_none() {
                break;
            }
        }
        // ListSteps forgets all but the latest 1,000 steps of a cluster; DescribeStep does not.
        for id in wanted.into_iter().filter(|id| !found.contains_key(*id)).collect::<Vec<_>>() {
            found.insert(id.clone(), self.target.api.describe_step(cluster, id).await?);
        }
        Ok((found, copies))
    }

    /// Tells those who wait for these steps how they ended.
    async fn finish(&mut self, ended: impl Iterator<Item = &EmrStep>) {
        for step in ended {
            let Some(at) = self.state.watched.iter().position(|known| known.id.as_ref() == Some(&step.id)) else {
                continue;
            };
            let watched = self.state.watched.remove(at);
            if step.state != StepState::Failed {
                let _ = watched.end.send(Ok(step.outcome(StepEnd::Stopped)));
                continue;
            }
            // Reading logs can take minutes; the other steps are watched meanwhile.
            let (target, cluster, step) = (self.target.clone(), self.acquired.placed.cluster.clone(), step.clone());
            let (notes, end) = (self.notes.clone(), watched.end);
            tokio::spawn(async move {
                let cause = target.explain(&cluster, &step, &notes).await;
                let _ = end.send(Ok(step.outcome(StepEnd::Failed(cause))));
            });
        }
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
        self.target.end_spare(&self.notes).await;
        if self.state.doubtful
            && let Ok(found) = self.adding().find(|name| is_of(name, &self.run)).await
        {
            self.end_copies(found.spare).await;
        }
        self.acquired.lease.release().await
    }
}

/// Returns the failure of a call; `goes_on`: the steps may be on the cluster all the same.
fn call_failed(error: CallError, goes_on: bool, run: &RunId) -> Error {
    let mut failure = Error::from(error);
    if goes_on {
        failure.kind = Kind::Detached;
        failure = failure.hint(format!("the run may go on: `soflow attach {run}` finds out and finishes it"));
    }
    failure
}

/// Ends steps with one failure. Each tells all of it, as any may be the first that is heard.
fn fail(steps: Vec<Watched>, error: &Error) {
    for step in steps {
        let mut copy = Error::new(error.kind, error.message.clone());
        copy.detail.clone_from(&error.detail);
        copy.hints.clone_from(&error.hints);
        let causes = error.causes();
        let copy = if causes.is_empty() { copy } else { copy.caused_by(causes.join(": ")) };
        let _ = step.end.send(Err(copy));
    }
}
