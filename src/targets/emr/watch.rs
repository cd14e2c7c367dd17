//! Adds a run's steps to its cluster and watches them to their end, wherever the cluster goes.
//!
//! One task of its own: steps come in through a channel, and one ListSteps call a tick serves all of them.

mod submit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::Clusters;
use super::answers::{Cluster, ClusterState, EmrStep, StepState, is_ending, is_ready};
use super::chain::Completed;
use super::clusters::Acquired;
use super::steps::step_of;
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event;
use crate::names::RunId;
use crate::targets::{Ended, Note, Notes, Opening, Shipped, StepEnd, StepOrder, Stop, asked};

/// What the watcher is asked for.
pub(super) enum WatchCommand {
    /// Add steps and say how each ended; what the person wants meanwhile.
    Steps(Vec<Watched>, watch::Receiver<Stop>),
    /// Give the cluster back, after ending what is left when asked to; then answer.
    Close(bool, oneshot::Sender<Result<()>>),
}

/// A step on its way.
pub(super) struct Watched {
    order: StepOrder,
    end: oneshot::Sender<Result<Ended>>,
    id: Option<String>,
    state: Option<StepState>,
}

impl Watched {
    /// Returns a step to add, and what hears of its end.
    pub fn new(order: StepOrder) -> (Self, oneshot::Receiver<Result<Ended>>) {
        let (end, ended) = oneshot::channel();
        (Self { id: order.step_id.clone(), state: None, order, end }, ended)
    }

    /// Ends it.
    fn end(self, how: Result<Ended>) {
        // Nobody waits for it when the run has been left.
        let _ = self.end.send(how);
    }
}

/// Watches the steps of one run.
pub(super) struct Watcher {
    clusters: Arc<Clusters>,
    run: RunId,
    since: Timestamp,
    /// Whether an earlier process may have added steps.
    resumed: bool,
    /// Whether what is added is looked at at once.
    brief: bool,
    shipped: Shipped,
    /// Whether steps share applications.
    fused: bool,
    acquired: Acquired,
    notes: Notes,
    commands: UnboundedReceiver<WatchCommand>,
    /// What the person wants.
    stop: watch::Receiver<Stop>,
    watched: Vec<Watched>,
    /// A cluster that is waited for, and its state as it was told last.
    cluster: Option<(String, ClusterState)>,
    /// How often the run has moved, with earlier processes too.
    moves: usize,
    cancelling: bool,
    /// Whether it was told that EMR cannot be asked.
    told_silence: bool,
    /// Whether it was told that the cluster's lease is lost.
    told_loss: bool,
    /// The steps of the run that are on the cluster, by name: any other of these names is a copy.
    there: BTreeMap<String, String>,
    /// Copies that were told of.
    copies: BTreeSet<String>,
    /// Whether a request was sent again, so that copies may come up.
    doubtful: bool,
    /// The steps of chains that have completed.
    completed: Completed,
}

impl Watcher {
    /// Starts the watcher of a run on the cluster it has acquired; returns where it takes commands, until which is dropped.
    pub fn start(
        clusters: Arc<Clusters>,
        opening: Opening,
        shipped: Shipped,
        acquired: Acquired,
    ) -> UnboundedSender<WatchCommand> {
        let Opening { run, since, resumed, lost, fused, brief, notes, .. } = opening;
        let (sender, commands) = unbounded_channel();
        let watcher = Self {
            clusters,
            run,
            since,
            resumed,
            brief,
            shipped,
            fused,
            acquired,
            notes,
            commands,
            stop: watch::channel(Stop::Go).1,
            watched: Vec::new(),
            cluster: None,
            moves: lost,
            cancelling: false,
            told_silence: false,
            told_loss: false,
            there: BTreeMap::new(),
            copies: BTreeSet::new(),
            doubtful: false,
            completed: Completed::default(),
        };
        tokio::spawn(watcher.run());
        sender
    }

    async fn run(mut self) {
        let mut interval = self.clusters.poll();
        let mut next = Instant::now() + interval.next_pause();
        loop {
            let mut at_once = false;
            let changed = tokio::select! {
                // What was handed over must be there to be ended.
                biased;
                command = self.commands.recv() => match command {
                    Some(WatchCommand::Steps(steps, stop)) => {
                        self.stop = stop;
                        self.add(steps, self.resumed).await;
                        at_once = self.brief;
                        true
                    }
                    Some(WatchCommand::Close(abandon, done)) => {
                        let _ = done.send(self.close(abandon).await);
                        false
                    }
                    None => return,
                },
                () = asked(&mut self.stop, |stop| *stop == Stop::Cancel), if !self.cancelling => {
                    self.cancel().await;
                    true
                }
                () = tokio::time::sleep_until(next), if !self.watched.is_empty() => self.tick().await,
            };
            if changed {
                interval.reset();
            }
            next = Instant::now() + if at_once { Duration::ZERO } else { interval.next_pause() };
        }
    }

    /// Looks at the steps once. Returns whether anything changed.
    async fn tick(&mut self) -> bool {
        self.tell_loss();
        let names = |steps: &[Watched]| steps.iter().map(|step| step.order.step.clone()).collect::<Vec<_>>();
        let mut ended = names(&self.watched);
        let changed = self.look_and_tell().await;
        let left = names(&self.watched);
        ended.retain(|name| !left.contains(name));
        // Nobody listens any more when the run has been left.
        let _ = self.notes.0.send(Note::Looked { ended });
        changed
    }

    async fn look_and_tell(&mut self) -> bool {
        match self.look().await {
            Ok(changed) => {
                self.told_silence = false;
                changed
            }
            Err(error) => match CallError::of(&error).filter(|call| call.is_passing()) {
                Some(call) => {
                    // Steps go on without us; a network that is away for a night is no reason to give up on them.
                    if !std::mem::replace(&mut self.told_silence, true) {
                        self.notes.warn(format!("{} cannot be asked now, still trying: {call}", call.service));
                    }
                    false
                }
                None => {
                    let error = self.going_on(error);
                    self.fail(&error);
                    true
                }
            },
        }
    }

    /// What is on the cluster stays there; whoever took it was told that.
    fn tell_loss(&mut self) {
        if let Some(loss) = self.acquired.lease.loss().filter(|_| !self.told_loss) {
            self.notes.warn(format!(
                "run {} has lost the lease of cluster {} to {}: it adds no more steps there, and watches the {} that are \
                 there to their end",
                self.run,
                self.acquired.placed.cluster,
                loss.to,
                self.watched.len()
            ));
            self.told_loss = true;
        }
    }

    async fn look(&mut self) -> Result<bool> {
        self.clusters.end_spare(&self.notes).await;
        let before = self.cluster.clone();
        let mut lost = if self.acquired.ready { None } else { self.look_at_cluster().await? };
        if lost.is_none() && !self.acquired.ready {
            return Ok(self.cluster != before);
        }
        let (found, copies) = self.statuses().await?;
        self.end_copies(copies).await;
        let mut steps = self.members(found).await?;
        let mut changed = false;
        for watched in &mut self.watched {
            let Some(step) = steps.get(&watched.order.step) else { continue };
            if watched.state.replace(step.state.clone()).as_ref() == Some(&step.state) {
                continue;
            }
            changed = true;
            let name = &watched.order.step;
            match &step.state {
                StepState::Running => self.notes.step(name, event::StepState::Running, None),
                _ if step.is_active() || step.has_ended() => {}
                state => self.notes.warn(format!("step `{name}` is in a state unknown to soflow: {state}")),
            }
        }
        steps.retain(|_, step| step.has_ended());
        let completed = |step: &EmrStep| step.state == StepState::Completed;
        if lost.is_none() && !self.cancelling && !steps.values().all(completed) {
            let cluster = self.clusters.api.describe_cluster(&self.acquired.placed.cluster).await?;
            lost = is_ending(&cluster.state).then_some(cluster);
        }
        match lost.filter(|_| !self.cancelling) {
            Some(lost) => {
                steps.retain(|_, step| completed(step));
                self.finish(&steps);
                self.move_on(lost).await;
                Ok(true)
            }
            None => {
                self.finish(&steps);
                Ok(changed)
            }
        }
    }

    /// Follows the cluster until it takes steps. Returns it when it ends instead.
    async fn look_at_cluster(&mut self) -> Result<Option<Cluster>, CallError> {
        let cluster = self.clusters.api.describe_cluster(&self.acquired.placed.cluster).await?;
        self.acquired.ready = is_ready(&cluster.state);
        let seen = Some((cluster.id.clone(), cluster.state.clone()));
        if seen != self.cluster {
            self.notes.tell(cluster.changed());
            self.cluster = seen;
        }
        Ok(is_ending(&cluster.state).then_some(cluster))
    }

    /// Returns the steps that are watched, by name.
    async fn members(&mut self, found: Vec<EmrStep>) -> Result<BTreeMap<String, EmrStep>> {
        let mut members = BTreeMap::new();
        for step in found {
            let (id, watched) = (Some(step.id.clone()), &self.watched);
            let wanted = |name: &str| watched.iter().any(|step| step.id == id && step.order.step == name);
            for member in self.clusters.members(step, &mut self.completed, &wanted).await? {
                let name = step_of(&member.name);
                if wanted(name) {
                    members.insert(name.to_string(), member);
                }
            }
        }
        Ok(members)
    }

    /// Returns EMR's steps that are watched, in as few calls as there are pages with any of them; and copies of the run's
    /// steps that were met on the way, newer than those.
    async fn statuses(&self) -> Result<(Vec<EmrStep>, Vec<EmrStep>), CallError> {
        let wanted: BTreeSet<&String> = self.watched.iter().filter_map(|step| step.id.as_ref()).collect();
        let cluster = &self.acquired.placed.cluster;
        let (mut found, mut copies, mut marker) = (BTreeMap::new(), Vec::new(), None);
        loop {
            let page = self.clusters.api.steps_page(cluster, &[], marker).await?;
            marker = page.next;
            for step in page.items {
                let is_copy = |name: &String| self.there.get(name).is_some_and(|id| *id != step.id);
                if wanted.contains(&step.id) {
                    found.insert(step.id.clone(), step);
                } else if step.is_active() && step.names().iter().any(is_copy) {
                    copies.push(step);
                }
            }
            if found.len() == wanted.len() || marker.is_none() {
                break;
            }
        }
        // ListSteps forgets all but the latest 1,000 steps of a cluster; DescribeStep does not.
        for id in wanted {
            if !found.contains_key(id) {
                found.insert(id.clone(), self.clusters.api.describe_step(cluster, id).await?);
            }
        }
        Ok((found.into_values().collect(), copies))
    }

    /// Tells those who wait for these steps how they ended.
    fn finish(&mut self, ended: &BTreeMap<String, EmrStep>) {
        for watched in self.watched.extract_if(.., |watched| ended.contains_key(&watched.order.step)) {
            let Some(step) = ended.get(&watched.order.step).cloned() else { continue };
            if step.state != StepState::Failed {
                watched.end(Ok(step.outcome(StepEnd::Stopped)));
                continue;
            }
            // Reading logs can take minutes; the other steps are watched meanwhile.
            let (clusters, cluster) = (self.clusters.clone(), self.acquired.placed.cluster.clone());
            let notes = self.notes.clone();
            tokio::spawn(async move {
                let cause = clusters.explain(&cluster, &step, &notes).await;
                watched.end(Ok(step.outcome(StepEnd::Failed(cause))));
            });
        }
    }

    async fn cancel(&mut self) {
        if std::mem::replace(&mut self.cancelling, true) {
            return;
        }
        if let Err(error) = self.clusters.cancel_run(&self.acquired.placed.cluster, &self.run, self.since).await {
            self.notes.warn(format!("steps may still be running: {error}"));
        }
        // Those that no cluster has taken yet.
        for step in self.watched.extract_if(.., |step| step.id.is_none()) {
            step.end(Ok(StepEnd::Stopped.into()));
        }
    }

    async fn close(&mut self, abandon: bool) -> Result<()> {
        if abandon && !self.watched.is_empty() {
            self.cancel().await;
        }
        self.clusters.end_spare(&self.notes).await;
        if self.doubtful
            && let Ok(found) = self.adder().find().await
        {
            self.end_copies(found.spare).await;
        }
        self.acquired.lease.release().await
    }

    /// Returns an error after which the steps may be on the cluster all the same.
    fn going_on(&self, mut error: Error) -> Error {
        error.kind = Kind::Detached;
        error.hint(format!("the run may go on: `soflow attach {}` finds out and finishes it", self.run))
    }

    /// Ends all steps with one failure. Each tells all of it, as any may be the first that is heard.
    fn fail(&mut self, error: &Error) {
        for step in std::mem::take(&mut self.watched) {
            let mut copy = Error::new(error.kind, error.message.clone());
            copy.detail.clone_from(&error.detail);
            copy.hints.clone_from(&error.hints);
            let causes = error.causes();
            step.end(Err(if causes.is_empty() { copy } else { copy.caused_by(causes.join(": ")) }));
        }
    }
}
