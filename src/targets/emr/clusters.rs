//! Gets a run its cluster: one that is there and free, one in whose queue it waits, or a new one.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::Clusters;
use super::answers::{ALIVE, ClusterState, EmrStep, is_ready};
use super::candidates::{Candidate, judge};
use super::identity::Identity;
use super::manage::users;
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::names::Uri;
use crate::store::lease::{Claim, HeldLease, Lease, LeaseMode, Turn, describe};
use crate::targets::{Note, Placed};

/// A cluster that a run may put steps on.
pub(super) struct Acquired {
    /// Where.
    pub placed: Placed,
    /// Whether it takes steps already, as far as is known.
    pub ready: bool,
    /// The right to use it.
    pub lease: HeldLease,
}

/// What came of making a cluster.
pub(super) enum Created {
    /// One that is ours.
    Ours(Acquired),
    /// Someone else has made one meanwhile, and uses it.
    Taken(Candidate),
}

/// Who asks for a cluster.
pub(super) struct ClusterRequest<'a> {
    /// What for: a run id, or a name that no other request has.
    pub what: &'a str,
    /// What the cluster is called after when one is made: no other request has the same.
    pub token: &'a str,
    /// A cluster that must not be taken: the one that has just ended.
    pub not: Option<&'a str>,
    /// Takes what happens on the way.
    pub notes: &'a UnboundedSender<Note>,
}

impl ClusterRequest<'_> {
    pub(super) fn tell(&self, event: Event) {
        // Nobody listening means that the run is over.
        let _ = self.notes.send(Note::Event(event));
    }
}

impl Clusters {
    /// Returns the identity of the clusters that jobs of this target run on.
    pub(super) fn identity(&self, bootstrap: &[Uri]) -> Identity {
        Identity::of(&self.settings.cluster, &self.settings.shape, &self.lake, bootstrap)
    }

    /// Returns the clusters of this lake that are there, the best first, and of each why it can or cannot be used.
    pub async fn candidates(&self) -> Result<Vec<Candidate>, CallError> {
        self.judged(&ALIVE).await
    }

    /// Returns the clusters of this lake in any of these states, as `candidates` does.
    pub(super) async fn judged(&self, states: &[ClusterState]) -> Result<Vec<Candidate>, CallError> {
        let wanted = self.identity(&self.bootstrap_places());
        let clusters = self.api.list_clusters(states, None).await?;
        let max_age = i64::try_from(self.settings.shape.max_age_seconds).unwrap_or(i64::MAX);
        Ok(judge(&clusters, &wanted, max_age, self.store.now()))
    }

    /// Returns the lease of a cluster, for `what`.
    pub fn lease(&self, cluster: &str, what: &str) -> Lease {
        let slots = self.settings.shape.step_concurrency;
        Lease::new(self.store.clone(), self.leases().join(&format!("{cluster}.json")), slots, what, &self.owner)
    }

    /// Returns the prefix of all leases.
    pub(super) fn leases(&self) -> Uri {
        self.lake.artifacts.join("leases")
    }

    /// Returns the lease of a cluster for a run on its way to one: what it does not come to hold is given back.
    pub(super) fn claim(&self, cluster: &str, request: &ClusterRequest<'_>) -> Lease {
        let lease = self.lease(cluster, request.what);
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).push(lease.clone());
        lease
    }

    /// Keeps what has been claimed so far: it is held by whoever goes on.
    pub(super) fn keep_claims(&self) {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives back what was claimed on a way that led nowhere.
    pub(super) async fn give_back_claims(&self) -> Result<()> {
        let claims = std::mem::take(&mut *self.claims.lock().unwrap_or_else(PoisonError::into_inner));
        for lease in claims {
            lease.release().await?;
        }
        Ok(())
    }

    /// Returns a cluster for a run: the one it had, a free one, one it waited for, or a new one.
    pub(super) async fn acquire(
        &self,
        request: &ClusterRequest<'_>,
        had: Option<&Placed>,
        candidates: Vec<Candidate>,
    ) -> Result<Acquired> {
        if let Some(had) = had
            && let Some(acquired) = self.return_to(request, had).await?
        {
            return Ok(acquired);
        }
        let fits: Vec<&Candidate> =
            candidates.iter().filter(|found| found.fits && Some(found.id.as_str()) != request.not).collect();
        let mode = LeaseMode::forced(self.force);
        if let Some(acquired) = self.take_free(request, fits.iter().copied(), mode).await? {
            return Ok(acquired);
        }
        match fits.first() {
            Some(best) => self.wait_in_line(request, best).await,
            None => match self.create(request).await? {
                Created::Ours(acquired) => Ok(acquired),
                Created::Taken(found) => self.wait_in_line(request, &found).await,
            },
        }
    }

    /// Takes the first of these clusters that is free, if any is. They have just been listed.
    pub(super) async fn take_free<'a>(
        &self,
        request: &ClusterRequest<'_>,
        found: impl Iterator<Item = &'a Candidate>,
        mode: LeaseMode,
    ) -> Result<Option<Acquired>> {
        for found in found {
            let lease = self.claim(&found.id, request);
            if self.turn((&lease, found), request, mode, true).await?.is_ok() {
                request.tell(chosen(found, &found.reason));
                return Ok(Some(reused(found, lease)));
            }
            lease.release().await?;
        }
        Ok(None)
    }

    /// Goes back to the cluster an earlier process had, also when it has ended: what completed there is not run again.
    async fn return_to(&self, request: &ClusterRequest<'_>, had: &Placed) -> Result<Option<Acquired>> {
        let cluster = match self.api.describe_cluster(&had.cluster).await {
            Ok(cluster) => cluster,
            Err(error) if error.is_unknown_cluster() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let lease = self.claim(&had.cluster, request);
        let has_turn =
            matches!(lease.take(LeaseMode::Once).await?, Turn::Ours { .. }) || !ALIVE.contains(&cluster.state);
        // Steps that are there stay there, whoever else has come meanwhile.
        if !has_turn && !self.has_steps(&had.cluster, request.what).await? {
            return Ok(None);
        }
        let event =
            Event::ClusterChosen { cluster: had.cluster.clone(), reused: true, reason: "its steps are there".into() };
        request.tell(event);
        Ok(Some(Acquired { placed: had.clone(), ready: is_ready(&cluster.state), lease: lease.hold() }))
    }

    async fn has_steps(&self, cluster: &str, run: &str) -> Result<bool, CallError> {
        let mut marker = None;
        loop {
            let page = self.api.steps_page(cluster, &[], marker).await?;
            if page.items.iter().any(|step| run_of(step) == run) {
                return Ok(true);
            }
            marker = page.next;
            if marker.is_none() {
                return Ok(false);
            }
        }
    }

    /// Tries to take a cluster; within, the place in its queue and who is before us. A lease says nothing about the steps
    /// that someone silent has left behind: EMR is asked for those, whatever the book remembers. `fresh`: it has just listed
    /// the cluster, and one that it called idle then, of which nobody had anything since, is.
    pub(super) async fn turn(
        &self,
        (lease, found): (&Lease, &Candidate),
        request: &ClusterRequest<'_>,
        mode: LeaseMode,
        fresh: bool,
    ) -> Result<Result<(), (usize, String)>> {
        let beside = match lease.take(mode).await? {
            Turn::Ours { .. } if mode == LeaseMode::Force => return Ok(Ok(())),
            Turn::Ours { beside, stale }
                if fresh && found.state == ClusterState::Waiting && beside.is_empty() && stale.is_empty() =>
            {
                return Ok(Ok(()));
            }
            Turn::Ours { beside, .. } => beside,
            Turn::Waiting { position, holders } => return Ok(Err((position, describe(&holders)))),
        };
        let mut left = left_behind(&self.api.active_steps(&found.id).await?, &beside);
        left.retain(|run| run != request.what);
        if beside.len() + left.len() < self.settings.shape.step_concurrency as usize {
            return Ok(Ok(()));
        }
        Ok(Err((1, users(&beside, &left))))
    }

    async fn wait_in_line(&self, request: &ClusterRequest<'_>, found: &Candidate) -> Result<Acquired> {
        let lease = self.claim(&found.id, request);
        let began = Instant::now();
        let patience = Duration::from_secs(self.settings.queue_seconds);
        let mode = if patience.is_zero() { LeaseMode::Once } else { LeaseMode::Queue };
        let mut told = None;
        loop {
            let now = match self.turn((&lease, found), request, mode, false).await? {
                Ok(()) => {
                    request.tell(chosen(found, "its turn has come"));
                    return Ok(reused(found, lease));
                }
                Err(before) => before,
            };
            if began.elapsed() >= patience {
                lease.release().await?;
                return Err(held(&found.id, &now.1));
            }
            if told.as_ref() != Some(&now) {
                let (position, holders) = now.clone();
                request.tell(Event::InLine { cluster: found.id.clone(), position, holders });
                told = Some(now);
            }
            tokio::time::sleep(self.settings.poll_fastest.min(patience)).await;
        }
    }
}

/// Returns the run that a step belongs to, by its name.
pub(super) fn run_of(step: &EmrStep) -> &str {
    step.name.split_once('/').map_or(step.name.as_str(), |(run, _)| run)
}

/// Returns the runs that have steps among `active` and no claim among `claims`: nobody watches them.
pub(super) fn left_behind(active: &[EmrStep], claims: &[Claim]) -> Vec<String> {
    let mut runs: Vec<String> = active.iter().map(|step| run_of(step).to_string()).collect();
    runs.retain(|run| claims.iter().all(|claim| claim.what != *run));
    runs.sort();
    runs.dedup();
    runs
}

fn chosen(found: &Candidate, reason: &str) -> Event {
    Event::ClusterChosen { cluster: found.id.clone(), reused: true, reason: reason.into() }
}

fn reused(found: &Candidate, lease: Lease) -> Acquired {
    let placed = Placed { cluster: found.id.clone(), made: false };
    Acquired { placed, ready: is_ready(&found.state), lease: lease.hold() }
}

fn held(cluster: &str, holders: &str) -> Error {
    Error::new(Kind::Held, format!("cluster `{cluster}` is in use"))
        .detail(format!("held by {holders}"))
        .hint("wait longer: `--queue-for 2h`, or take it over: `--force-lease`")
        .hint("`soflow cluster show` tells what it is running")
}
