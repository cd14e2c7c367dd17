//! What people do with clusters themselves: make one, look at them, end one, end those that nobody needs.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use super::Clusters;
use super::answers::{ALIVE, Cluster, ClusterState, EmrStep, Instance, is_ending, is_ready};
use super::candidates::Candidate;
use super::clusters::{ClusterRequest, Created, left_behind};
use super::identity::ClusterName;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::store::lease::{Claim, LeaseMode, LeaseState, Turn, describe, sweep};
use crate::targets::Note;

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
    /// `j-…`.
    pub id: String,
    /// The shape it was made from.
    pub shape: String,
    /// EMR's word for its state.
    pub state: String,
    /// Its age in seconds.
    pub age_seconds: i64,
    /// Who has its lease.
    pub holders: Vec<Claim>,
    /// Who waits for it.
    pub queue: Vec<Claim>,
    /// Runs without the lease whose steps have not ended: nobody watches them.
    pub left: Vec<String>,
    /// Whether runs of the target's shape could use it, and why (not).
    pub fits: bool,
    /// Why, or why not.
    pub reason: String,
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
    pub async fn up(&self, token: &str, notes: &UnboundedSender<Note>) -> Result<(String, bool)> {
        let request = ClusterRequest { what: token, token, not: None, notes };
        let found = self.candidates().await?;
        if let Some(best) = found.iter().find(|found| found.fits) {
            request.tell(Event::ClusterChosen { cluster: best.id.clone(), reused: true, reason: best.reason.clone() });
            return Ok((best.id.clone(), is_ready(&best.state)));
        }
        match self.create(&request).await? {
            Created::Ours(acquired) => {
                acquired.lease.release().await?;
                Ok((acquired.placed.cluster, acquired.ready))
            }
            Created::Taken(found) => {
                request.tell(Event::ClusterChosen { cluster: found.id.clone(), reused: true, reason: found.reason });
                Ok((found.id, false))
            }
        }
    }

    /// Waits until a cluster takes steps, telling of each state.
    ///
    /// # Errors
    /// `Machine` with the reason when it ends instead.
    pub async fn await_ready(&self, id: &str, notes: &UnboundedSender<Note>) -> Result<Cluster> {
        let mut interval = super::poll::PollInterval::new(self.settings.poll_fastest, self.settings.poll_slowest);
        let mut state = None;
        loop {
            let cluster = self.api.describe_cluster(id).await?;
            self.end_spare(notes).await;
            if state.as_ref() != Some(&cluster.state) {
                let (now, reason) = (cluster.state.to_string(), cluster.reason.message.clone());
                let _ = notes.send(Note::Event(Event::ClusterChanged { cluster: id.into(), state: now, reason }));
                state = Some(cluster.state.clone());
                interval.shorten();
            }
            if is_ready(&cluster.state) {
                return Ok(cluster);
            }
            if is_ending(&cluster.state) {
                return Err(self.why_lost(&cluster).await.into_error(&cluster));
            }
            tokio::time::sleep(interval.pause()).await;
            interval.lengthen();
        }
    }

    /// Returns the clusters of this lake that are there, the best for the next run first.
    ///
    /// # Errors
    /// Those of EMR and the store.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let found = self.there().await?;
        let used = found.iter().map(|found| async {
            let book = self.lease(&found.id, "list").look().await?;
            // One that waits for steps has none; what is on one that is ending is being cancelled.
            let active = match found.state {
                ClusterState::Waiting | ClusterState::Terminating => Vec::new(),
                _ => match self.api.active_steps(&found.id).await {
                    // It has ended since it was listed.
                    Err(error) if error.is_unknown_cluster() => Vec::new(),
                    active => active?,
                },
            };
            Ok::<_, Error>((left_behind(&active, &book.holders), book))
        });
        let used = futures_util::future::try_join_all(used).await?;
        let slots = self.settings.shape.step_concurrency as usize;
        let listed = found.into_iter().zip(used).map(|(found, (left, book))| {
            let mut listed = Listed {
                id: found.id,
                shape: found.shape,
                state: found.state.to_string(),
                age_seconds: found.age_seconds,
                reason: found.reason,
                holders: book.holders,
                queue: book.queue,
                left,
                fits: found.fits,
            };
            if listed.fits && listed.taken() >= slots {
                listed.reason = HELD.into();
            }
            listed
        });
        Ok(listed.collect())
    }

    /// Returns the clusters of this lake that are there, those that are ending included, the best first.
    ///
    /// # Errors
    /// Those of EMR.
    pub async fn there(&self) -> Result<Vec<Candidate>> {
        Ok(self.judged(&THERE).await?)
    }

    /// Returns all about a cluster.
    ///
    /// # Errors
    /// `Usage` when there is no such cluster.
    pub async fn show(&self, id: &str) -> Result<Shown> {
        let cluster = self.described(id).await?;
        let lease = self.lease(id, "show");
        let (instances, active, book) =
            futures_util::future::join3(self.api.instances(id, None), self.api.active_steps(id), lease.look()).await;
        let (active, book) = (active?, book?);
        let left = left_behind(&active, &book.holders);
        Ok(Shown { cluster, instances: instances?, active, book, left })
    }

    async fn described(&self, id: &str) -> Result<Cluster> {
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
        self.check_ours(&cluster)?;
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
        self.api.terminate(id).await?;
        // It takes no steps any more. Whoever was put out is told by what is left of the lease.
        lease.release().await?;
        self.described(id).await
    }

    fn check_ours(&self, cluster: &Cluster) -> Result<ClusterName> {
        let wanted = self.identity(&self.bootstrap_places()).lake;
        ClusterName::parse(&cluster.name).filter(|named| named.identity.lake == wanted).ok_or_else(|| {
            Error::new(Kind::Usage, format!("soflow did not make cluster `{}` for this lake", cluster.id))
                .hint(format!("end it yourself: `aws emr terminate-clusters --cluster-ids {}`", cluster.id))
        })
    }

    /// Returns the clusters that nobody needs, after ending them unless `dry_run`: only those soflow made for this lake,
    /// and none that is in use.
    ///
    /// # Errors
    /// Those of EMR and the store.
    pub async fn reap(&self, dry_run: bool) -> Result<Vec<Reaped>> {
        let now = self.store.now();
        let lake = self.identity(&self.bootstrap_places()).lake;
        let mut reaped = Vec::new();
        let mut clusters = self.api.list_clusters(&ALIVE, None).await?;
        clusters.sort_by_key(Cluster::age_order);
        for (at, cluster) in clusters.iter().enumerate() {
            let Some(named) = ClusterName::parse(&cluster.name).filter(|named| named.identity.lake == lake) else {
                continue;
            };
            let twin = clusters[..at].iter().find(|older| older.name == cluster.name);
            let Some(reason) = self.reason_to_reap(cluster, &named, twin, now).await? else { continue };
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
        named: &ClusterName,
        twin: Option<&Cluster>,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let book = self.lease(&cluster.id, "cluster reap").look().await?;
        if !book.holders.is_empty() {
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
        let age = now.duration_since(cluster.created.unwrap_or(now));
        let shape = &self.settings.shape;
        if age.as_secs() >= i64::try_from(shape.max_age_seconds).unwrap_or(i64::MAX) {
            return Ok(Some(format!("{} old, `max-age` is {}", hours(age.as_secs()), hours_of(shape.max_age_seconds))));
        }
        let ended = steps.iter().filter_map(|step| step.ended).max();
        let idle = now.duration_since(ended.or(cluster.ready).unwrap_or(now));
        let limit = SignedDuration::from_secs(i64::try_from(shape.idle_seconds).unwrap_or(i64::MAX));
        if idle > limit.saturating_add(IDLE_GRACE) {
            return Ok(Some(format!("idle for {}", hours(idle.as_secs()))));
        }
        let wanted = self.identity(&self.bootstrap_places());
        let orphan = named.identity.shape == wanted.shape && named.identity.hash != wanted.hash;
        Ok(orphan.then(|| format!("made from settings of `{}` that are not in force any more", wanted.shape)))
    }
}

fn hours(seconds: i64) -> String {
    format!("{} h {} m", seconds / 3600, seconds % 3600 / 60)
}

fn hours_of(seconds: u64) -> String {
    hours(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn in_use(id: &str, detail: &str) -> Error {
    Error::new(Kind::Held, format!("cluster `{id}` is in use"))
        .detail(detail.to_string())
        .hint(format!("end it all the same: `soflow cluster down {id} --force`"))
}
