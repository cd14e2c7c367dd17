//! Makes a cluster, exactly once: of several clients that want one, one does, and of two that came of one request all the
//! same, one is ended.

use std::sync::PoisonError;

use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowInputBuilder;
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Clusters;
use super::answers::{ALIVE, Cluster};
use super::candidates::judge;
use super::clusters::{Acquired, ClusterRequest, Created};
use super::identity::{ClusterName, Identity};
use super::request::ClusterOrder;
use super::send_once::{UniqueRequest, Unsent, send_once};
use super::steps::SKEW;
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::names::Uri;
use crate::store::Owner;
use crate::store::lease::{LeaseMode, Turn, describe, sweep};
use crate::targets::{Note, Placed, Stop};

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
    /// Makes a cluster. Of several clients that want one of the same kind, one makes it and the others find it.
    pub(super) async fn create(&self, request: &ClusterRequest<'_>) -> Result<Created> {
        self.check_price()?;
        let bootstrap = self.upload_bootstrap().await?;
        let identity = self.identity(&bootstrap);
        let guard = self.claim(&format!("create-{}-{}", identity.shape, identity.hash), request);
        let mut told: Vec<Owner> = Vec::new();
        let stale = loop {
            let holders = match guard.take(LeaseMode::Queue).await? {
                Turn::Ours { stale, .. } => break stale,
                Turn::Waiting { holders, .. } => holders,
            };
            if holders.iter().any(|claim| !told.contains(&claim.owner)) {
                let text = format!("A cluster of this shape is being made: {}; waiting.", describe(&holders));
                request.tell(Event::Note { text });
                told = holders.into_iter().map(|claim| claim.owner).collect();
            }
            tokio::time::sleep(self.settings.poll_fastest).await;
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
    ) -> Result<Created> {
        // Someone may have made one while we waited; an earlier try of ours may have.
        let since = self.store.now();
        let alive = self.api.list_clusters(&ALIVE, None).await?;
        let max_age = i64::try_from(self.settings.shape.max_age_seconds).unwrap_or(i64::MAX);
        let ours = named(&alive, request.token).map(|cluster| cluster.id.clone());
        let mut found = judge(&alive, identity, max_age, since);
        found.retain(|found| found.fits && Some(found.id.as_str()) != request.not);
        let may_have = found.iter().filter(|found| ours.as_ref().is_none_or(|id| *id == found.id));
        if let Some(acquired) = self.take_free(request, may_have, LeaseMode::Once).await? {
            return Ok(Created::Ours(acquired));
        }
        if !found.is_empty() {
            return Ok(Created::Taken(found.swap_remove(0)));
        }
        let order =
            ClusterOrder { shape: &self.settings.shape, identity, lake: &self.lake, bootstrap, token: request.token };
        request.tell(self.price());
        let id = self.make_once(&order, since, doubt, request).await?;
        let lease = self.claim(&id, request);
        lease.take(LeaseMode::Queue).await?;
        // Making a cluster is rare and slow: the time to tidy up. What fails now succeeds the next time.
        let _ = sweep(self.store.as_ref(), &self.leases()).await;
        request.tell(Event::ClusterChosen {
            cluster: id.clone(),
            reused: false,
            reason: "none that fits was there".into(),
        });
        let lease = lease.hold();
        Ok(Created::Ours(Acquired { placed: Placed { cluster: id, made: true }, ready: false, lease }))
    }

    /// Makes the cluster of an order. `doubt`: an earlier process may have asked for it.
    async fn make_once(
        &self,
        order: &ClusterOrder<'_>,
        since: Timestamp,
        doubt: bool,
        request: &ClusterRequest<'_>,
    ) -> Result<String> {
        let name = order.identity.name(order.token);
        let since = since - SKEW;
        let mut creation = ClusterCreation { clusters: self, input: order.request(), name: &name, since };
        // Whoever stops this drops it.
        let (_go, mut stop) = watch::channel(Stop::Go);
        let patience = self.settings.lost_answer_wait;
        let sent = send_once(&mut creation, patience, &mut stop, doubt).await;
        let sent = sent.map_err(|Unsent { error, .. }| match error.maybe_done {
            true => Error::new(Kind::Machine, "EMR did not say that it made the cluster")
                .caused_by(error)
                .detail(format!("none of the name `{name}` came up"))
                .hint("`soflow cluster list` shows whether it came up later; run the same command again to use it"),
            false => Error::from(error),
        })?;
        if sent.again {
            let resent = Resent { name, kept: sent.made.clone(), since, until: Instant::now() + SKEW.unsigned_abs() };
            self.resent.lock().unwrap_or_else(PoisonError::into_inner).push(resent);
            self.end_spare(request.notes).await;
        }
        Ok(sent.made)
    }

    /// Ends clusters that EMR made late of requests that were sent again meanwhile, and says so. Asks EMR only while any may
    /// come up; what fails now is done the next time.
    pub(super) async fn end_spare(&self, notes: &UnboundedSender<Note>) {
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
                    let text = format!("EMR made cluster {id} besides {kept}, of one request: it is ended");
                    let _ = notes.send(Note::Event(Event::Warning { text }));
                }
            }
        }
    }

    /// Ends a cluster unless someone uses it; returns whether it did.
    pub(super) async fn end_unused(&self, id: &str, what: &str) -> Result<bool> {
        let lease = self.lease(id, what);
        let free = matches!(&lease.take(LeaseMode::Once).await?, Turn::Ours { beside, .. } if beside.is_empty())
            && self.api.active_steps(id).await?.is_empty();
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
    name: &'a str,
    since: Timestamp,
}

impl UniqueRequest for ClusterCreation<'_> {
    type Made = String;

    async fn send(&mut self) -> Result<String, CallError> {
        self.clusters.api.run_job_flow(&self.input).await
    }

    async fn look(&mut self) -> Result<Option<String>, CallError> {
        let mut there = self.clusters.api.list_clusters(&ALIVE, Some(self.since)).await?;
        there.retain(|cluster| cluster.name == self.name);
        there.sort_by_key(Cluster::age_order);
        Ok(there.into_iter().next().map(|cluster| cluster.id))
    }
}

/// Returns the cluster that a request has made.
fn named<'a>(clusters: &'a [Cluster], token: &str) -> Option<&'a Cluster> {
    clusters.iter().find(|cluster| ClusterName::parse(&cluster.name).is_some_and(|named| named.token == token))
}
