//! Amazon EMR on EC2: clusters that are found or made, steps that are added once, watched politely and explained.
//!
//! ```text
//! candidates (which cluster, and why) -> clusters (whose turn), create (one, once) -> ship (code, dependencies)
//!   -> steps (added once; chain: several in one application) -> watch (one call a tick for all, on to another cluster when one ends) -> failure (why)
//! ```
//!
//! All of it asks EMR through `api` and reads `answers`.
//!
//! ```text
//! manage (what people do with clusters), web (their web pages), logs, bill, cancel
//! ```

pub mod answers;
pub mod api;
mod bill;
mod cancel;
mod candidates;
mod chain;
mod clusters;
mod create;
mod failure;
mod identity;
mod logs;
mod manage;
mod poll;
mod request;
mod send_once;
mod ship;
mod steps;
mod watch;
pub mod web;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch as signal};

use crate::aws::Session;
use crate::config::{Emr, Lake};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::machine::Host;
use crate::names::{Digest, RunId};
use crate::package::Bundle;
use crate::store::lease::Lease;
use crate::store::{Owner, Store};
use crate::targets::{Ended, Opening, Placed, Shipped, StepOrder, Stop, Target};

use answers::ActionOnFailure;
pub use api::Api;
pub use bill::{Bill, Stay};
pub use candidates::Candidate;
pub use identity::{ClusterName, Identity, MARK};
pub use logs::s3::{LogStream, PUSHED_EVERY};
pub use logs::{LogPiece, LogProgress, LogReader, LogSink, LogSource};
pub use manage::{Listed, Reaped, Shown, users};
pub use poll::PollInterval;
pub use ship::Shipment;
use watch::{WatchCommand, Watched, Watcher};

/// Most steps handed over at once: EMR takes 256 active ones a cluster, its own system steps among them. Source: EMR
/// management guide, "Submit work to a cluster".
const QUEUED_AT_ONCE: usize = 250;

/// What an EMR target works with.
pub struct ClusterSettings {
    /// The target's settings.
    pub emr: Emr,
    /// The target's locations.
    pub lake: Lake,
    /// The folder with the Python code.
    pub code: PathBuf,
    /// The folder where built dependencies are kept.
    pub cache: PathBuf,
    /// What this machine has to build them with.
    pub host: Host,
    /// Who we are, for others who want the same cluster.
    pub owner: Owner,
    /// Whether to take a cluster that others hold.
    pub force: bool,
}

/// Runs steps on EMR clusters.
pub struct EmrTarget {
    clusters: Arc<Clusters>,
    engine: String,
    candidates: Mutex<Option<Vec<Candidate>>>,
    watcher: Mutex<Option<mpsc::UnboundedSender<WatchCommand>>>,
}

/// The clusters of a target, and what is needed to work on them.
pub struct Clusters {
    api: Api,
    store: Arc<dyn Store>,
    settings: ClusterSettings,
    bundle: OnceLock<Bundle>,
    /// What a run has claimed on its way to a cluster.
    claims: Mutex<Vec<Lease>>,
    /// Requests for clusters of which a second one may come up.
    resent: Mutex<Vec<create::Resent>>,
}

impl Clusters {
    /// Returns what works on clusters with these settings.
    pub fn new(session: &Session, store: Arc<dyn Store>, settings: ClusterSettings) -> Self {
        let (bundle, claims, resent) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Self { api: Api::new(session), store, settings, bundle, claims, resent }
    }

    /// Returns EMR's operations.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the target's settings.
    pub fn settings(&self) -> &Emr {
        &self.settings.emr
    }

    /// Returns the pauses between looks.
    pub fn poll(&self) -> PollInterval {
        PollInterval::new(self.settings.emr.poll_fastest, self.settings.emr.poll_slowest)
    }

    /// With several steps at once EMR takes nothing but `CONTINUE`; otherwise what waits behind a failed step must not run
    /// on what that has not written. Source: EMR's API model, StepConcurrencyLevel.
    fn action_on_failure(&self) -> ActionOnFailure {
        if self.settings.emr.shape.step_concurrency > 1 {
            ActionOnFailure::Continue
        } else {
            ActionOnFailure::CancelAndWait
        }
    }
}

impl EmrTarget {
    /// Returns the target.
    ///
    /// # Errors
    /// `Usage` when the dependencies' lock cannot be read.
    pub fn new(clusters: Arc<Clusters>) -> Result<Self> {
        let packages = clusters.dependencies()?.map_or_else(|| Digest::of::<&str>([]), |environment| environment.key());
        let engine = format!("{}@{}", clusters.settings.emr.shape.release, packages.short());
        Ok(Self { clusters, engine, candidates: Mutex::default(), watcher: Mutex::default() })
    }
}

fn gone() -> Error {
    Error::new(Kind::Internal, "the watcher of the steps is gone")
}

#[async_trait]
impl Target for EmrTarget {
    fn engine(&self) -> String {
        self.engine.clone()
    }

    fn slots(&self) -> usize {
        if self.queues() { QUEUED_AT_ONCE } else { self.clusters.settings.emr.shape.step_concurrency as usize }
    }

    /// One step at a time means in order, and EMR keeps the order itself.
    fn queues(&self) -> bool {
        self.clusters.settings.emr.shape.step_concurrency == 1
    }

    fn fuses(&self, wanted: Option<bool>) -> bool {
        self.queues() && wanted.unwrap_or(self.clusters.settings.emr.fuse)
    }

    async fn prepare(&self, _: &mut dyn Sink) -> Result<()> {
        let found = self.clusters.candidates().await?;
        // Before a run is claimed that could only fail.
        if !found.iter().any(|found| found.fits) {
            self.clusters.check_price()?;
        }
        *self.candidates.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(())
    }

    fn intended(&self) -> Option<Placed> {
        let candidates = self.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        let best = candidates.iter().flatten().find(|found| found.fits)?;
        Some(Placed { cluster: best.id.clone(), made: false })
    }

    fn shipment(&self) -> Result<Option<Shipped>> {
        self.clusters.shipment().map(Some)
    }

    async fn is_shipped(&self, shipped: &Shipped) -> Result<bool> {
        self.clusters.is_shipped(shipped).await
    }

    async fn ship(&self, opening: Opening) -> Result<()> {
        self.clusters.ship(opening.shipped, &opening.notes).await.map(drop)
    }

    async fn open(&self, opening: Opening) -> Result<()> {
        let found = self.candidates.lock().unwrap_or_else(PoisonError::into_inner).take();
        let found = match found {
            Some(found) => found,
            None => self.clusters.candidates().await?,
        };
        let (token, notes) = (opening.run.to_string(), &opening.notes);
        let waited =
            if opening.brief { self.clusters.store.now().duration_since(opening.since) } else { SignedDuration::ZERO };
        let request = clusters::ClusterRequest { what: &token, token: &token, not: None, waited, notes };
        let had = opening.placed.as_ref().filter(|_| opening.resumed);
        // Code on its way while a cluster is found or made.
        let (shipped, acquired) = tokio::try_join!(
            self.clusters.ship(opening.shipped.clone(), notes),
            self.clusters.acquire(&request, had, found)
        )?;
        if opening.placed.as_ref() != Some(&acquired.placed) {
            notes.place(&acquired.placed).await?;
        }
        self.clusters.keep_claims();
        let commands = Watcher::start(self.clusters.clone(), opening, shipped, acquired);
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
        Ok(())
    }

    fn start(&self, orders: Vec<StepOrder>, stop: &signal::Receiver<Stop>) -> Vec<BoxFuture<'static, Result<Ended>>> {
        let (steps, ends): (Vec<_>, Vec<_>) = orders.into_iter().map(Watched::new).unzip();
        if let Some(watcher) = &*self.watcher.lock().unwrap_or_else(PoisonError::into_inner) {
            // Without a watcher the ends are gone too.
            let _ = watcher.send(WatchCommand::Steps(steps, stop.clone()));
        }
        let wait = |end: oneshot::Receiver<_>| -> BoxFuture<'static, Result<Ended>> {
            Box::pin(async move { end.await.map_err(|_| gone())? })
        };
        ends.into_iter().map(wait).collect()
    }

    async fn bill(&self, stay: Stay) -> Result<Option<Bill>> {
        self.clusters.bill(stay).await.map(Some)
    }

    async fn cancel(&self, run: &RunId, placed: &Placed, since: Timestamp) -> Result<()> {
        self.clusters.cancel_run(&placed.cluster, run, since).await
    }

    async fn ended(&self, run: &RunId, placed: &Placed, since: Timestamp) -> Result<BTreeMap<String, Ended>> {
        self.clusters.ended_of(&placed.cluster, run, since).await
    }

    async fn close(&self, abandon: bool) -> Result<()> {
        self.clusters.give_back_claims().await?;
        let Some(watcher) = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        let (done, is_done) = oneshot::channel();
        watcher.send(WatchCommand::Close(abandon, done)).map_err(|_| gone())?;
        is_done.await.map_err(|_| gone())?
    }

    async fn forget(&self, run: &RunId, placed: &Placed) -> Result<()> {
        self.clusters.lease(&placed.cluster, &run.to_string()).forget().await
    }
}
