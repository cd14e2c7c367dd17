//! Amazon EMR on EC2: clusters that are found or made, steps that are added once, watched politely and explained.
//!
//! ```text
//! candidates (which cluster, and why) -> clusters (whose turn), create (one, once) -> ship (code, dependencies)
//!   -> steps (added once) -> watch (one call a tick for all, on to another cluster when one ends) -> failure (why)
//! ```
//!
//! All of it asks EMR through `api` and reads `answers`.
//!
//! ```text
//! manage (what people do with clusters), logs, bill, cancel
//! ```

pub mod answers;
pub mod api;
mod bill;
mod cancel;
mod candidates;
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

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
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
pub use request::logs;
pub use ship::Shipment;
use watch::{WatchCommand, WatchState, Watcher};

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
    settings: Emr,
    lake: Lake,
    code: PathBuf,
    cache: PathBuf,
    host: Host,
    owner: Owner,
    force: bool,
    bundle: OnceLock<Bundle>,
    /// What a run has claimed on its way to a cluster.
    claims: Mutex<Vec<Lease>>,
    /// Requests for clusters of which a second one may come up.
    resent: Mutex<Vec<create::Resent>>,
}

impl Clusters {
    /// Returns what works on clusters with these settings.
    pub fn new(session: &Session, store: Arc<dyn Store>, settings: ClusterSettings) -> Self {
        let ClusterSettings { emr, lake, code, cache, host, owner, force } = settings;
        Self {
            api: Api::new(session),
            store,
            settings: emr,
            lake,
            code,
            cache,
            host,
            owner,
            force,
            bundle: OnceLock::new(),
            claims: Mutex::default(),
            resent: Mutex::default(),
        }
    }

    /// Returns EMR's operations.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the target's settings.
    pub fn settings(&self) -> &Emr {
        &self.settings
    }

    /// With several steps at once EMR takes nothing but `CONTINUE`; otherwise what waits behind a failed step must not run
    /// on what that has not written. Source: EMR's API model, StepConcurrencyLevel.
    fn action_on_failure(&self) -> ActionOnFailure {
        if self.settings.shape.step_concurrency > 1 {
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
        let packages = clusters.dependencies()?.map(|environment| environment.key());
        let engine = match packages {
            Some(key) => format!("{}@{}", clusters.settings.shape.release, key.short()),
            None => format!("{}@{}", clusters.settings.shape.release, Digest::of::<&str>([]).short()),
        };
        Ok(Self { clusters, engine, candidates: Mutex::default(), watcher: Mutex::default() })
    }

    fn send(&self, command: WatchCommand) -> Result<()> {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = watcher.as_ref().is_some_and(|watcher| watcher.send(command).is_ok());
        if sent { Ok(()) } else { Err(gone()) }
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
        if self.queues() { QUEUED_AT_ONCE } else { self.clusters.settings.shape.step_concurrency as usize }
    }

    /// One step at a time means in order, and EMR keeps the order itself.
    fn queues(&self) -> bool {
        self.clusters.settings.shape.step_concurrency == 1
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

    async fn open(&self, opening: Opening) -> Result<()> {
        let Opening { run, since, placed, resumed, shipped, notes } = opening;
        let (commands, received) = mpsc::unbounded_channel();
        let found = self.candidates.lock().unwrap_or_else(PoisonError::into_inner).take();
        let found = match found {
            Some(found) => found,
            None => self.clusters.candidates().await?,
        };
        let token = run.to_string();
        let request = clusters::ClusterRequest { what: &token, token: &token, not: None, notes: &notes };
        let had = placed.as_ref().filter(|_| resumed);
        // Code on its way while a cluster is found or made.
        let (code, acquired) =
            tokio::try_join!(self.clusters.ship(shipped, &notes), self.clusters.acquire(&request, had, found))?;
        if placed.as_ref() != Some(&acquired.placed) {
            let (saved, is_saved) = oneshot::channel();
            let _ = notes.send(crate::targets::Note::Placed { placed: acquired.placed.clone(), saved });
            is_saved.await.map_err(|_| Error::new(Kind::Machine, "the run's record could not be written"))?;
        }
        let watcher = Watcher {
            target: self.clusters.clone(),
            run,
            since,
            resumed,
            code,
            acquired,
            notes,
            commands: received,
            state: WatchState::default(),
        };
        self.clusters.keep_claims();
        tokio::spawn(watcher.run());
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
        Ok(())
    }

    async fn run_step(&self, order: StepOrder, mut stop: signal::Receiver<Stop>) -> Result<Ended> {
        let (end, mut ended) = oneshot::channel();
        self.send(WatchCommand::Step(Box::new(order), end, stop.clone()))?;
        tokio::select! {
            end = &mut ended => return end.map_err(|_| gone())?,
            _ = stop.wait_for(|stop| *stop == Stop::Cancel) => self.send(WatchCommand::Cancel)?,
        }
        ended.await.map_err(|_| gone())?
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
