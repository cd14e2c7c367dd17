//! What people do with clusters themselves: make one, look at them, end one, end those that nobody needs.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Clusters;
use super::answers::{ALIVE, Cluster, ClusterState, EmrStep, Instance, is_ending, is_ready};
use super::candidates::Candidate;
use super::clusters::{ClusterRequest, chosen, left_behind};
use super::identity::{ClusterName, Identity};
use crate::error::{Error, Kind, Result};
use crate::store::lease::{Claim, LeaseMode, LeaseState, Turn, describe, sweep};
use crate::targets::Notes;

/// States of clusters that are there, those that are ending included.
const THERE: [ClusterState; 5] = [
    ClusterState::Starting,
    ClusterState::Bootstrapping,
    ClusterState::Running,
    ClusterState::Waiting,
    ClusterState::Terminating,
];

/// Why a cluster that fits cannot be had at once.
const HELD: &str = "held by others";

/// What a lease is taken for by whoever ends a cluster.
pub(super) const DOWN: &str = "cluster down";

/// How much longer than its idle timeout a cluster may idle before `reap` ends it: EMR's own timer comes first.
const IDLE_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// A cluster in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The cluster, and whether runs of the target's shape could use it.
    #[serde(flatten)]
    pub cluster: Candidate,
    /// Who has its lease.
    pub holders: Vec<Claim>,
    /// Who waits for it.
    pub queue: Vec<Claim>,
    /// Runs without the lease whose steps have not ended: nobody watches them.
    pub left: Vec<String>,
    /// Who looks at its pages.
    pub viewers: Vec<Claim>,
}

impl Listed {
    /// Returns how many have it, watched or not.
    pub fn taken(&self) -> usize {
        self.holders.len() + self.left.len()
    }

    /// Returns who has it, for people.
    pub fn users(&self) -> String {
        users(&self.holders, &self.left)
    }
}

/// Returns who has a cluster, for people: those who hold its lease, and runs whose steps nobody watches.
pub fn users(holders: &[Claim], left: &[String]) -> String {
    let held = Some(describe(holders)).filter(|_| !holders.is_empty() || left.is_empty());
    let left = left.iter().map(|run| format!("steps of {run}, which have not ended"));
    held.into_iter().chain(left).collect::<Vec<_>>().join(", ")
}

/// All about a cluster.
pub struct Shown {
    /// What EMR says.
    pub cluster: Cluster,
    /// Its instances, also those that have ended.
    pub instances: Vec<Instance>,
    /// Its steps that have not ended.
    pub active: Vec<EmrStep>,
    /// Who has its lease and who waits.
    pub book: LeaseState,
    /// Runs without the lease whose steps have not ended.
    pub left: Vec<String>,
    /// Who looks at its pages.
    pub viewers: Vec<Claim>,
}

/// A cluster that `reap` ends, or would end.
#[derive(Clone, Debug, Serialize)]
pub struct Reaped {
    /// `j-…`.
    pub id: String,
    /// Why.
    pub reason: String,
}

impl Clusters {
    /// Returns a cluster of the target's shape: one that is there and free, or a new one; its id, and whether it is ready.
    ///
    /// # Errors
    /// As a run's.
    pub async fn up(&self, token: &str, notes: &Notes) -> Result<(String, bool)> {
        let request = ClusterRequest { what: token, token, not: None, waited: SignedDuration::ZERO, notes };
        loop {
            let found = self.candidates().await?;
            if let Some(best) = found.iter().find(|found| found.fits) {
                notes.tell(chosen(&best.id, &best.reason));
                return Ok((best.id.clone(), is_ready(&best.state)));
            }
            if let Some(made) = self.create(&request).await? {
                made.lease.release().await?;
                return Ok((made.placed.cluster, made.ready));
            }
        }
    }

    /// Waits until a cluster takes steps, telling of each state.
    ///
    /// # Errors
    /// `Machine` with the reason when it ends instead.
    pub async fn await_ready(&self, id: &str, notes: &Notes) -> Result<Cluster> {
        let mut interval = self.poll();
        let mut state = None;
        loop {
            let cluster = self.api.describe_cluster(id).await?;
            self.end_spare(notes).await;
            if state.as_ref() != Some(&cluster.state) {
                notes.tell(cluster.changed());
                state = Some(cluster.state.clone());
                interval.reset();
            }
            if is_ready(&cluster.state) {
                return Ok(cluster);
            }
            if is_ending(&cluster.state) {
                return Err(cluster.ended_error(&self.why_lost(&cluster).await));
            }
            tokio::time::sleep(interval.next_pause()).await;
        }
    }

    /// Returns the clusters of this lake that are there, the best for the next run first.
    ///
    /// # Errors
    /// Those of EMR and the store.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let slots = self.settings.emr.shape.step_concurrency as usize;
        let listed = self.there().await?.into_iter().map(|cluster| async {
            let (lease, viewers) = (self.lease(&cluster.id, "list"), self.viewing(&cluster.id));
            let (LeaseState { holders, queue, .. }, viewers) = futures_util::try_join!(lease.look(), viewers)?;
            // One that waits for steps has none; what is on one that is ending is being cancelled.
            let active = match cluster.state {
                ClusterState::Waiting | ClusterState::Terminating => Vec::new(),
                _ => match self.api.active_steps(&cluster.id).await {
                    // It has ended since it was listed.
                    Err(error) if error.is_unknown_cluster() => Vec::new(),
                    active => active?,
                },
            };
            let left = left_behind(&active, &holders);
            let mut listed = Listed { cluster, holders, queue, left, viewers };
            if listed.cluster.fits && listed.taken() >= slots {
                listed.cluster.reason = HELD.into();
            }
            Ok(listed)
        });
        futures_util::future::try_join_all(listed).await
    }

    /// Returns the clusters of this lake that are there, those that are ending included, the best first.
    ///
    /// # Errors
    /// Those of EMR.
    pub async fn there(&self) -> Result<Vec<Candidate>> {
        Ok(self.judged(&THERE).await?)
    }

    /// Returns for how many seconds the oldest cluster of this lake has been older than `max-age`; 0 when none is.
    ///
    /// # Errors
    /// Those of EMR.
    pub async fn over_age(&self) -> Result<i64> {
        let most = lasting(self.settings.emr.shape.max_age_seconds).as_secs();
        let oldest = self.there().await?.into_iter().map(|cluster| cluster.age_seconds).max();
        Ok(oldest.map_or(0, |age| age.saturating_sub(most).max(0)))
    }

    /// Returns all about a cluster.
    ///
    /// # Errors
    /// `Usage` when there is no such cluster.
    pub async fn show(&self, id: &str) -> Result<Shown> {
        let cluster = self.described(id).await?;
        let lease = self.lease(id, "show");
        let (instances, active) = (self.api.instances(id, None), self.api.active_steps(id));
        let (instances, active, book, viewers) =
            futures_util::future::join4(instances, active, lease.look(), self.viewing(id)).await;
        let (active, book) = (active?, book?);
        let left = left_behind(&active, &book.holders);
        Ok(Shown { cluster, instances: instances?, active, book, left, viewers: viewers? })
    }

    pub(super) async fn described(&self, id: &str) -> Result<Cluster> {
        self.api.describe_cluster(id).await.map_err(|error| {
            if error.is_unknown_cluster() {
                Error::new(Kind::Usage, format!("there is no cluster `{id}` here"))
                    .hint("`soflow cluster list` shows those of this target")
            } else {
                error.into()
            }
        })
    }

    /// Ends a cluster that soflow made, unless someone uses it and `force` is not given. Returns its state then.
    ///
    /// # Errors
    /// `Held` when it is in use; `Usage` when soflow did not make it for this lake.
    pub async fn down(&self, id: &str, force: bool) -> Result<Cluster> {
        let cluster = self.described(id).await?;
        if named(&cluster, &self.identity().lake).is_none() {
            return Err(Error::new(Kind::Usage, format!("soflow did not make cluster `{id}` for this lake"))
                .hint(format!("end it yourself: `aws emr terminate-clusters --cluster-ids {id}`")));
        }
        if !ALIVE.contains(&cluster.state) {
            return Ok(cluster);
        }
        if cluster.termination_protected {
            return Err(Error::new(Kind::Usage, format!("cluster `{id}` is protected against termination"))
                .hint(format!("`aws emr modify-cluster-attributes --cluster-id {id} --no-termination-protected`")));
        }
        // The lease first: no run may begin on it while it ends.
        let lease = self.lease(id, DOWN);
        if let Turn::Waiting { holders, .. } = lease.take(LeaseMode::forced(force)).await? {
            return Err(in_use(id, &format!("held by {}", describe(&holders))));
        }
        let active = self.api.active_steps(id).await?;
        if !force && let Some(step) = active.first() {
            lease.release().await?;
            let what = format!("step `{}` is {}, and {} in all have not ended", step.name, step.state, active.len());
            return Err(in_use(id, &what));
        }
        let viewers = if force { Vec::new() } else { self.viewing(id).await? };
        if !viewers.is_empty() {
            lease.release().await?;
            return Err(in_use(id, &format!("its pages are looked at: {}", describe(&viewers))));
        }
        self.api.terminate(id).await?;
        // It takes no steps any more. Whoever was put out is told by what is left of the lease.
        lease.release().await?;
        self.described(id).await
    }

    /// Returns the clusters that nobody needs, after ending them unless `dry_run`: only those soflow made for this lake,
    /// and none that is in use.
    ///
    /// # Errors
    /// Those of EMR and the store.
    pub async fn reap(&self, dry_run: bool) -> Result<Vec<Reaped>> {
        let (wanted, mut reaped) = (self.identity(), Vec::new());
        let mut clusters = self.api.list_clusters(&ALIVE, None).await?;
        clusters.sort_by_key(Cluster::age_order);
        for (at, cluster) in clusters.iter().enumerate() {
            let Some(named) = named(cluster, &wanted.lake) else { continue };
            let twin = clusters[..at].iter().find(|older| older.name == cluster.name);
            let Some(reason) = self.reason_to_reap(cluster, (&named.identity, &wanted), twin).await? else { continue };
            if dry_run || self.end_unused(&cluster.id, "cluster reap").await? {
                reaped.push(Reaped { id: cluster.id.clone(), reason });
            }
        }
        if !dry_run {
            sweep(self.store.as_ref(), &self.leases()).await?;
        }
        Ok(reaped)
    }

    async fn reason_to_reap(
        &self,
        cluster: &Cluster,
        (is, wanted): (&Identity, &Identity),
        twin: Option<&Cluster>,
    ) -> Result<Option<String>> {
        if !self.lease(&cluster.id, "cluster reap").look().await?.holders.is_empty()
            || !self.viewing(&cluster.id).await?.is_empty()
        {
            return Ok(None);
        }
        let steps = self.api.steps_page(&cluster.id, &[], None).await?.items;
        if steps.iter().any(EmrStep::is_active) {
            return Ok(None);
        }
        if let Some(twin) = twin {
            return Ok(Some(format!("made by one request with {}", twin.id)));
        }
        if !is_ready(&cluster.state) {
            return Ok(None);
        }
        let now = self.store.now();
        let since = |time: Option<Timestamp>| time.map_or(SignedDuration::ZERO, |time| now.duration_since(time));
        let (shape, age) = (&self.settings.emr.shape, since(cluster.created));
        if age >= lasting(shape.max_age_seconds) {
            let most = lasting(shape.max_age_seconds);
            return Ok(Some(format!("{} old, `max-age` is {}", hours(age), hours(most))));
        }
        let ended = steps.iter().filter_map(|step| step.ended).max();
        let idle = since(ended.or(cluster.ready));
        if idle > lasting(shape.idle_seconds).saturating_add(IDLE_GRACE) {
            return Ok(Some(format!("idle for {}", hours(idle))));
        }
        let orphan = is.shape == wanted.shape && is.hash != wanted.hash;
        Ok(orphan.then(|| format!("made from settings of `{}` that are not in force any more", wanted.shape)))
    }
}

/// Returns what a cluster's name tells, when soflow made it for the lake that `lake` stands for.
fn named(cluster: &Cluster, lake: &str) -> Option<ClusterName> {
    ClusterName::parse(&cluster.name).filter(|named| named.identity.lake == lake)
}

fn lasting(seconds: u64) -> SignedDuration {
    i64::try_from(seconds).map_or(SignedDuration::MAX, SignedDuration::from_secs)
}

fn hours(time: SignedDuration) -> String {
    format!("{} h {} m", time.as_hours(), time.as_mins() % 60)
}

fn in_use(id: &str, detail: &str) -> Error {
    Error::new(Kind::Held, format!("cluster `{id}` is in use"))
        .detail(detail.to_string())
        .hint(format!("end it all the same: `soflow cluster down {id} --force`"))
}
