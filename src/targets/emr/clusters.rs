//! Gets a run its cluster: one that is there and free, one in whose queue it waits, or a new one.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::Clusters;
use super::answers::{ALIVE, ClusterState, EmrStep, is_ready};
use super::candidates::{Candidate, judge};
use super::identity::{Identity, maker};
use super::manage::users;
use super::steps::run_of;
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::names::Uri;
use crate::store::lease::{Claim, HeldLease, Lease, LeaseMode, Turn, describe};
use crate::targets::{Notes, Placed};

/// A cluster that a run may put steps on.
pub(super) struct Acquired {
    /// Where.
    pub placed: Placed,
    /// Whether it takes steps already, as far as is known.
    pub ready: bool,
    /// The right to use it.
    pub lease: HeldLease,
}

/// Who asks for a cluster.
pub(super) struct ClusterRequest<'a> {
    /// What for: a run id, or a name that no other request has.
    pub what: &'a str,
    /// What the cluster is called after when one is made: no other request has the same.
    pub token: &'a str,
    /// A cluster that must not be taken: the one that has just ended.
    pub not: Option<&'a str>,
    /// How long earlier processes have waited already.
    pub waited: SignedDuration,
    /// Takes what happens on the way.
    pub notes: &'a Notes,
}

impl Clusters {
    /// Returns the identity of the clusters that jobs of this target run on.
    pub(super) fn identity(&self) -> Identity {
        let emr = &self.settings.emr;
        Identity::of(&emr.cluster, &emr.shape, &self.settings.lake, &self.bootstrap_places())
    }

    /// Returns the clusters of this lake that take steps, the best first, and of each why it can or cannot be used.
    pub async fn candidates(&self) -> Result<Vec<Candidate>, CallError> {
        self.judged(&ALIVE).await
    }

    /// Returns the clusters of this lake in any of these states, as `candidates` does.
    pub(super) async fn judged(&self, states: &[ClusterState]) -> Result<Vec<Candidate>, CallError> {
        let clusters = self.api.list_clusters(states, None).await?;
        Ok(judge(&clusters, &self.identity(), self.settings.emr.shape.max_age_seconds, self.store.now()))
    }

    /// Returns the lease of a cluster, for `what`.
    pub fn lease(&self, cluster: &str, what: &str) -> Lease {
        let (slots, owner) = (self.settings.emr.shape.step_concurrency, &self.settings.owner);
        Lease::new(self.store.clone(), self.leases().join(&format!("{cluster}.json")), slots, what, owner)
    }

    /// Returns the prefix of all leases.
    pub(super) fn leases(&self) -> Uri {
        self.settings.lake.artifacts.join("leases")
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
        mut found: Vec<Candidate>,
    ) -> Result<Acquired> {
        if let Some(had) = had
            && let Some(acquired) = self.return_to(request, had).await?
        {
            return Ok(acquired);
        }
        let mut mode = LeaseMode::forced(self.settings.force);
        loop {
            found.retain(|found| found.fits && Some(found.id.as_str()) != request.not);
            if let Some(acquired) = self.take_free(request, &found, mode).await? {
                return Ok(acquired);
            }
            if let Some(best) = found.first() {
                return self.wait_in_line(request, best).await;
            }
            if let Some(made) = self.create(request).await? {
                return Ok(made);
            }
            found = self.candidates().await?;
            // What others have made meanwhile is not what was to be taken by force.
            mode = LeaseMode::Once;
        }
    }

    /// Takes the first of these clusters that is free, if any is. They have just been listed.
    async fn take_free(
        &self,
        request: &ClusterRequest<'_>,
        found: &[Candidate],
        mode: LeaseMode,
    ) -> Result<Option<Acquired>> {
        for found in found {
            let lease = self.claim(&found.id, request);
            if self.turn((&lease, found), request, mode, true).await?.is_ok() {
                return Ok(Some(found.take(request, lease, &found.reason)));
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
        let is_ours = |step: &EmrStep| run_of(&step.name) == request.what;
        if !has_turn && !self.api.has_step(&had.cluster, is_ours).await? {
            return Ok(None);
        }
        request.notes.tell(chosen(&had.cluster, "its steps are there"));
        Ok(Some(Acquired { placed: had.clone(), ready: is_ready(&cluster.state), lease: lease.hold() }))
    }

    /// Tries to take a cluster; within, the place in its queue and who is before us. A lease says nothing about the steps
    /// that someone silent has left behind: EMR is asked for those, whatever the book remembers. `fresh`: it has just listed
    /// the cluster, and one that it called idle then, of which nobody had anything since, is.
    async fn turn(
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
        if beside.len() + left.len() < self.settings.emr.shape.step_concurrency as usize {
            return Ok(Ok(()));
        }
        Ok(Err((1, users(&beside, &left))))
    }

    async fn wait_in_line(&self, request: &ClusterRequest<'_>, found: &Candidate) -> Result<Acquired> {
        let lease = self.claim(&found.id, request);
        let began = Instant::now();
        let waited = request.waited.try_into().unwrap_or_default();
        let patience = Duration::from_secs(self.settings.emr.queue_seconds).saturating_sub(waited);
        let mode = if patience.is_zero() { LeaseMode::Once } else { LeaseMode::Queue };
        let mut told = None;
        loop {
            let now = match self.turn((&lease, found), request, mode, false).await? {
                Ok(()) => return Ok(found.take(request, lease, "its turn has come")),
                Err(before) => before,
            };
            if began.elapsed() >= patience {
                lease.release().await?;
                return Err(held(&found.id, &now.1));
            }
            if told.as_ref() != Some(&now) {
                let (position, holders) = now.clone();
                request.notes.tell(Event::InLine { cluster: found.id.clone(), position, holders });
                told = Some(now);
            }
            tokio::time::sleep(self.settings.emr.poll_fastest.min(patience)).await;
        }
    }
}

/// Returns the runs that have steps among `active` and no claim among `claims`: nobody watches them.
pub(super) fn left_behind(active: &[EmrStep], claims: &[Claim]) -> Vec<String> {
    let mut runs: Vec<String> = active.iter().map(|step| run_of(&step.name).to_string()).collect();
    runs.retain(|run| claims.iter().all(|claim| claim.what != *run));
    runs.sort();
    runs.dedup();
    runs
}

impl Candidate {
    /// Returns it as the cluster of a request, which has got its lease.
    fn take(&self, request: &ClusterRequest<'_>, lease: Lease, reason: &str) -> Acquired {
        request.notes.tell(chosen(&self.id, reason));
        // An earlier process may have been cut off before it could write that it had made it.
        let placed = Placed { cluster: self.id.clone(), made: maker(&self.name.token) == request.what };
        Acquired { placed, ready: is_ready(&self.state), lease: lease.hold() }
    }
}

/// Returns what is told of a cluster that was there.
pub(super) fn chosen(cluster: &str, reason: &str) -> Event {
    Event::ClusterChosen { cluster: cluster.into(), reused: true, reason: reason.into() }
}

fn held(cluster: &str, holders: &str) -> Error {
    Error::new(Kind::Held, format!("cluster `{cluster}` is in use"))
        .detail(format!("held by {holders}"))
        .hint("wait longer: `--queue-for 2h`, or take it over: `--force-lease`")
        .hint("`soflow cluster show` tells what it is running")
}
