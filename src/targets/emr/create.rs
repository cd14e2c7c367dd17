//! Makes a cluster, exactly once: of several clients that want one, one does, and of two that came of one request all the
//! same, one is ended.

use std::sync::PoisonError;

use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowInputBuilder;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Clusters;
use super::answers::{ALIVE, Cluster};
use super::candidates::judge;
use super::clusters::{Acquired, ClusterRequest};
use super::identity::Identity;
use super::send_once::{UniqueRequest, send_once};
use super::steps::SKEW;
use crate::aws::CallError;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::names::Uri;
use crate::store::Owner;
use crate::store::lease::{LeaseMode, Turn, describe, sweep};
use crate::targets::{Notes, Placed, Stop};

/// A request for a cluster that was sent again: a second cluster of its name may come up.
#[derive(Clone)]
pub(super) struct Resent {
    name: String,
    kept: String,
    since: Timestamp,
    /// Until when a request is taken by its signature.
    until: Instant,
}

impl Clusters {
    /// Makes a cluster; `None` when there is one by now: of several clients that want one of the same kind, one makes it and
    /// the others find it.
    pub(super) async fn create(&self, request: &ClusterRequest<'_>) -> Result<Option<Acquired>> {
        self.check_price()?;
        let bootstrap = self.upload_bootstrap().await?;
        let identity = self.identity();
        let guard = self.claim(&format!("create-{}-{}", identity.shape, identity.hash), request);
        let mut told: Vec<Owner> = Vec::new();
        let stale = loop {
            let holders = match guard.take(LeaseMode::Queue).await? {
                Turn::Ours { stale, .. } => break stale,
                Turn::Waiting { holders, .. } => holders,
            };
            if holders.iter().any(|claim| !told.contains(&claim.owner)) {
                let text = format!("A cluster of this shape is being made: {}; waiting.", describe(&holders));
                request.notes.tell(Event::Note { text });
                told = holders.into_iter().map(|claim| claim.owner).collect();
            }
            tokio::time::sleep(self.settings.emr.poll_fastest).await;
        };
        // Whoever asked for the same before us was cut off, perhaps after the request was sent.
        let doubt = stale.iter().any(|claim| claim.what == request.what);
        let guard = guard.hold();
        let made = self.create_guarded(request, &identity, &bootstrap, doubt).await;
        guard.release().await?;
        made
    }

    async fn create_guarded(
        &self,
        request: &ClusterRequest<'_>,
        identity: &Identity,
        bootstrap: &[Uri],
        doubt: bool,
    ) -> Result<Option<Acquired>> {
        // Someone may have made one while we waited; an earlier try of ours may have.
        let now = self.store.now();
        let alive = self.api.list_clusters(&ALIVE, None).await?;
        let found = judge(&alive, identity, self.settings.emr.shape.max_age_seconds, now);
        if found.iter().any(|found| found.fits && Some(found.id.as_str()) != request.not) {
            return Ok(None);
        }
        request.notes.tell(self.price());
        let name = identity.name(request.token);
        let input = self.cluster_request(bootstrap, &name);
        let creation = ClusterCreation { clusters: self, input, name, since: now - SKEW, unheard: false };
        let id = self.make_once(creation, doubt, request).await?;
        let lease = self.claim(&id, request);
        lease.take(LeaseMode::Queue).await?;
        // Making a cluster is rare and slow: the time to tidy up. What fails now succeeds the next time.
        let _ = sweep(self.store.as_ref(), &self.leases()).await;
        let reason = "none that fits was there".into();
        request.notes.tell(Event::ClusterChosen { cluster: id.clone(), reused: false, reason });
        Ok(Some(Acquired { placed: Placed { cluster: id, made: true }, ready: false, lease: lease.hold() }))
    }

    /// Makes a cluster. `doubt`: an earlier process may have asked for it.
    async fn make_once(
        &self,
        mut creation: ClusterCreation<'_>,
        doubt: bool,
        request: &ClusterRequest<'_>,
    ) -> Result<String> {
        // Whoever stops this drops it.
        let (_go, mut stop) = watch::channel(Stop::Go);
        let sent = send_once(&mut creation, self.settings.emr.lost_answer_wait, &mut stop, doubt).await;
        let ClusterCreation { name, since, unheard, .. } = creation;
        let (kept, again) = sent.map_err(|error| {
            // A cluster may come up after we gave up looking for it too.
            let maybe_done = error.maybe_done || unheard;
            let error = Error::from(CallError { maybe_done, ..error });
            if !maybe_done {
                return error;
            }
            error
                .detail(format!("whether it made the cluster `{name}` is not known"))
                .hint("`soflow cluster list` shows whether it came up later; run the same command again to use it")
        })?;
        if again {
            let resent = Resent { name, kept: kept.clone(), since, until: Instant::now() + SKEW.unsigned_abs() };
            self.resent.lock().unwrap_or_else(PoisonError::into_inner).push(resent);
            self.end_spare(request.notes).await;
        }
        Ok(kept)
    }

    /// Ends clusters that EMR made late of requests that were sent again meanwhile, and says so. Asks EMR only while any may
    /// come up; what fails now is done the next time.
    pub(super) async fn end_spare(&self, notes: &Notes) {
        let resent = {
            let mut resent = self.resent.lock().unwrap_or_else(PoisonError::into_inner);
            resent.retain(|resent| resent.until > Instant::now());
            resent.clone()
        };
        for resent in resent {
            let Ok(there) = self.api.list_clusters(&ALIVE, Some(resent.since)).await else { return };
            for spare in there.iter().filter(|cluster| cluster.name == resent.name && cluster.id != resent.kept) {
                if let Ok(true) = self.end_unused(&spare.id, "a spare cluster").await {
                    let (kept, id) = (&resent.kept, &spare.id);
                    notes.warn(format!("EMR made cluster {id} besides {kept}, of one request: it is ended"));
                }
            }
        }
    }

    /// Ends a cluster unless someone uses it; returns whether it did.
    pub(super) async fn end_unused(&self, id: &str, what: &str) -> Result<bool> {
        let lease = self.lease(id, what);
        let free = matches!(&lease.take(LeaseMode::Once).await?, Turn::Ours { beside, .. } if beside.is_empty())
            && self.api.active_steps(id).await?.is_empty()
            && self.viewing(id).await?.is_empty();
        if free {
            self.api.terminate(id).await?;
        }
        lease.release().await?;
        Ok(free)
    }
}

/// A cluster that is asked for.
struct ClusterCreation<'a> {
    clusters: &'a Clusters,
    input: RunJobFlowInputBuilder,
    name: String,
    since: Timestamp,
    /// Whether the last request may have been executed without an answer.
    unheard: bool,
}

impl UniqueRequest for ClusterCreation<'_> {
    type Made = String;

    async fn send(&mut self) -> Result<String, CallError> {
        let made = self.clusters.api.run_job_flow(&self.input).await;
        self.unheard = made.as_ref().is_err_and(|error| error.maybe_done);
        made
    }

    async fn look(&mut self) -> Result<Option<String>, CallError> {
        let mut there = self.clusters.api.list_clusters(&ALIVE, Some(self.since)).await?;
        there.retain(|cluster| cluster.name == self.name);
        there.sort_by_key(Cluster::age_order);
        Ok(there.into_iter().next().map(|cluster| cluster.id))
    }
}
