//! Gets a run its cluster: one that is there and free, one in whose queue it waits, or a new one, made exactly once.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use super::Inner;
use super::api::Cluster;
use super::identity::{Identity, Named};
use super::lease::{Claim, Lease, Manner, Turn, describe};
use super::pool::{ALIVE, Candidate, judge};
use super::request::Order;
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::names::Uri;
use crate::target::{Note, Placed};

/// How often a cluster that may have been made is looked for before it is asked for again.
const LOOKS: u32 = 4;

/// How often making one is begun anew.
const SENDS: u32 = 3;

/// A cluster that a run may put steps on.
pub(super) struct Acquired {
    /// Where.
    pub placed: Placed,
    /// Whether it takes steps already, as far as is known.
    pub ready: bool,
    /// The right to use it.
    pub lease: Lease,
}

/// What came of making a cluster.
pub(super) enum Created {
    /// One that is ours.
    Ours(Acquired),
    /// Someone else has made one meanwhile, and uses it.
    Taken(Candidate),
}

/// Who asks for a cluster.
pub(super) struct Asker<'a> {
    /// What for: a run id, or a name that no other request has.
    pub token: &'a str,
    /// A cluster that must not be taken: the one that has just ended.
    pub not: Option<&'a str>,
    /// Takes what happens on the way.
    pub notes: &'a UnboundedSender<Note>,
}

impl Asker<'_> {
    pub(super) fn tell(&self, event: Event) {
        // Nobody listening means that the run is over.
        let _ = self.notes.send(Note::Event(event));
    }
}

impl Inner {
    /// Returns the identity of the clusters that jobs of this target run on.
    pub(super) fn identity(&self, bootstrap: &[Uri]) -> Identity {
        Identity::of(&self.settings.cluster, &self.settings.shape, &self.lake, bootstrap)
    }

    /// Returns the clusters of this lake that are there, the best first, and of each why it can or cannot be used.
    pub async fn candidates(&self) -> Result<Vec<Candidate>, CallError> {
        self.judged(&ALIVE).await
    }

    /// Returns the clusters of this lake in any of these states, as `candidates` does.
    pub(super) async fn judged(&self, states: &[&str]) -> Result<Vec<Candidate>, CallError> {
        let wanted = self.identity(&self.bootstrap_places());
        let clusters = self.api.list_clusters(states, None).await?;
        let max_age = i64::try_from(self.settings.shape.max_age_seconds).unwrap_or(i64::MAX);
        Ok(judge(&clusters, &wanted, max_age, self.store.now()))
    }

    /// Returns the lease of a cluster, for `what`.
    pub fn lease(&self, cluster: &str, what: &str) -> Lease {
        let slots = self.settings.shape.step_concurrency;
        let uri = self.lake.artifacts.join(&format!("leases/{cluster}.json"));
        Lease::new(self.store.clone(), uri, slots, what, &self.owner)
    }

    /// Returns the lease of a cluster for a run on its way to one: what it does not come to hold is given back.
    fn claim(&self, cluster: &str, asker: &Asker<'_>) -> Lease {
        let lease = self.lease(cluster, asker.token);
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
        asker: &Asker<'_>,
        had: Option<&Placed>,
        candidates: Vec<Candidate>,
    ) -> Result<Acquired> {
        if let Some(had) = had
            && let Some(acquired) = self.return_to(asker, had).await?
        {
            return Ok(acquired);
        }
        let fits: Vec<&Candidate> =
            candidates.iter().filter(|found| found.fits && Some(found.id.as_str()) != asker.not).collect();
        let manner = if self.force { Manner::Force } else { Manner::Ask };
        for found in &fits {
            let lease = self.claim(&found.id, asker);
            if let Turn::Ours { stale } = lease.take(manner).await? {
                if self.is_free(&found.id, &stale).await? {
                    asker.tell(chosen(found, &found.reason));
                    return Ok(reused(found, lease));
                }
                lease.release().await?;
            }
        }
        match fits.first() {
            Some(best) => self.wait_in_line(asker, best).await,
            None => match self.create(asker).await? {
                Created::Ours(acquired) => Ok(acquired),
                Created::Taken(found) => self.wait_in_line(asker, &found).await,
            },
        }
    }

    /// Goes back to the cluster an earlier process had, also when it has ended: what completed there is not run again.
    async fn return_to(&self, asker: &Asker<'_>, had: &Placed) -> Result<Option<Acquired>> {
        let cluster = match self.api.describe_cluster(&had.cluster).await {
            Ok(cluster) => cluster,
            Err(error) if error.is_unknown_cluster() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let state = cluster.status.state.as_str();
        let lease = self.claim(&had.cluster, asker);
        let has_turn = matches!(lease.take(Manner::Ask).await?, Turn::Ours { .. }) || !ALIVE.contains(&state);
        // Steps that are there stay there, whoever else has come meanwhile.
        if !has_turn && !self.has_steps(&had.cluster, asker.token).await? {
            return Ok(None);
        }
        let event =
            Event::ClusterChosen { cluster: had.cluster.clone(), reused: true, reason: "its steps are there".into() };
        asker.tell(event);
        Ok(Some(Acquired { placed: had.clone(), ready: ["RUNNING", "WAITING"].contains(&state), lease }))
    }

    async fn has_steps(&self, cluster: &str, run: &str) -> Result<bool, CallError> {
        let mut marker = None;
        loop {
            let (page, next) = self.api.steps_page(cluster, marker).await?;
            if page.iter().any(|step| step.name.strip_prefix(run).is_some_and(|rest| rest.starts_with('/'))) {
                return Ok(true);
            }
            marker = next;
            if marker.is_none() {
                return Ok(false);
            }
        }
    }

    /// A lease that has run out says nothing about the steps its holder has left behind.
    async fn is_free(&self, cluster: &str, stale: &[Claim]) -> Result<bool> {
        if stale.is_empty() || self.force {
            return Ok(true);
        }
        let active = self.api.steps_in(cluster, &["PENDING", "CANCEL_PENDING", "RUNNING"]).await?;
        Ok(active.len() < self.settings.shape.step_concurrency as usize)
    }

    async fn wait_in_line(&self, asker: &Asker<'_>, found: &Candidate) -> Result<Acquired> {
        let lease = self.claim(&found.id, asker);
        let began = tokio::time::Instant::now();
        let patience = Duration::from_secs(self.settings.queue_seconds);
        let mut told = None;
        loop {
            let turn = lease.take(if patience.is_zero() { Manner::Ask } else { Manner::Queue }).await?;
            let (position, holders) = match turn {
                Turn::Ours { stale } if self.is_free(&found.id, &stale).await? => {
                    asker.tell(chosen(found, "its turn has come"));
                    return Ok(reused(found, lease));
                }
                Turn::Ours { stale } => (1, stale),
                Turn::Waiting { position, holders } => (position, holders),
            };
            if began.elapsed() >= patience {
                lease.release().await?;
                return Err(held(&found.id, &holders));
            }
            let now = (position, describe(&holders));
            if told.as_ref() != Some(&now) {
                let (position, holders) = now.clone();
                asker.tell(Event::InLine { cluster: found.id.clone(), position, holders });
                told = Some(now);
            }
            tokio::time::sleep(self.settings.poll_fastest.min(patience)).await;
        }
    }

    /// Makes a cluster. Of several clients that want one of the same kind, one makes it and the others find it.
    pub(super) async fn create(&self, asker: &Asker<'_>) -> Result<Created> {
        self.check_price()?;
        let bootstrap = self.upload_bootstrap().await?;
        let identity = self.identity(&bootstrap);
        let guard = self.claim(&format!("create-{}-{}", identity.shape, identity.hash), asker);
        loop {
            if let Turn::Ours { .. } = guard.take(Manner::Queue).await? {
                break;
            }
            tokio::time::sleep(self.settings.poll_fastest).await;
        }
        let made = self.create_guarded(asker, &identity, &bootstrap).await;
        guard.release().await?;
        made
    }

    async fn create_guarded(&self, asker: &Asker<'_>, identity: &Identity, bootstrap: &[Uri]) -> Result<Created> {
        // Someone may have made one while we waited; an earlier try of ours may have.
        let since = self.store.now();
        let alive = self.api.list_clusters(&ALIVE, None).await?;
        let max_age = i64::try_from(self.settings.shape.max_age_seconds).unwrap_or(i64::MAX);
        let ours = named(&alive, asker.token).map(|cluster| cluster.id.clone());
        let mut found = judge(&alive, identity, max_age, since);
        found.retain(|found| found.fits && Some(found.id.as_str()) != asker.not);
        for candidate in found.iter().filter(|found| ours.as_ref().is_none_or(|id| *id == found.id)) {
            let lease = self.claim(&candidate.id, asker);
            if matches!(lease.take(Manner::Ask).await?, Turn::Ours { .. }) {
                asker.tell(chosen(candidate, &candidate.reason));
                return Ok(Created::Ours(reused(candidate, lease)));
            }
        }
        if !found.is_empty() {
            return Ok(Created::Taken(found.swap_remove(0)));
        }
        let order = Order { shape: &self.settings.shape, identity, lake: &self.lake, bootstrap, token: asker.token };
        asker.tell(self.price());
        let id = self.make_once(&order, since).await?;
        let lease = self.claim(&id, asker);
        lease.take(Manner::Queue).await?;
        asker.tell(Event::ClusterChosen {
            cluster: id.clone(),
            reused: false,
            reason: "none that fits was there".into(),
        });
        Ok(Created::Ours(Acquired { placed: Placed { cluster: id, made: true }, ready: false, lease }))
    }

    /// RunJobFlow has no token that would make sending twice harmless: after any doubt the name is looked for first.
    async fn make_once(&self, order: &Order<'_>, since: Timestamp) -> Result<String> {
        let request = order.request();
        let name = order.identity.name(order.token);
        let since = since - jiff::SignedDuration::from_mins(5);
        let mut last = None;
        for _ in 0..SENDS {
            let doubt = match self.api.run_job_flow(&request).await {
                Ok(id) => return Ok(id),
                Err(error) if !error.maybe_done => return Err(error.into()),
                Err(doubt) => doubt,
            };
            for look in 0..LOOKS {
                tokio::time::sleep(self.api.0.pace().refill() * 2_u32.pow(look)).await;
                let there = self.api.list_clusters(&ALIVE, Some(since)).await?;
                if let Some(cluster) = there.iter().find(|cluster| cluster.name == name) {
                    return Ok(cluster.id.clone());
                }
            }
            last = Some(doubt);
        }
        let failure = Error::new(Kind::Machine, "EMR did not say that it made the cluster");
        Err(last
            .into_iter()
            .fold(failure, Error::caused_by)
            .detail(format!("asked {SENDS} times for `{name}`, and none of that name came up"))
            .hint("`soflow cluster list` shows whether it came up later; run the same command again to use it"))
    }
}

/// Returns the cluster that a request has made.
fn named<'a>(clusters: &'a [Cluster], token: &str) -> Option<&'a Cluster> {
    clusters.iter().find(|cluster| Named::parse(&cluster.name).is_some_and(|named| named.token == token))
}

fn chosen(found: &Candidate, reason: &str) -> Event {
    Event::ClusterChosen { cluster: found.id.clone(), reused: true, reason: reason.into() }
}

fn reused(found: &Candidate, lease: Lease) -> Acquired {
    let ready = ["RUNNING", "WAITING"].contains(&found.state.as_str());
    Acquired { placed: Placed { cluster: found.id.clone(), made: false }, ready, lease }
}

fn held(cluster: &str, holders: &[Claim]) -> Error {
    Error::new(Kind::Held, format!("cluster `{cluster}` is in use"))
        .detail(format!("held by {}", describe(holders)))
        .hint("wait longer: `--queue-for 2h`, or take it over: `--force-lease`")
        .hint("`soflow cluster show` tells what it is running")
}
