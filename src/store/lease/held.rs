//! The heartbeat of a lease, and the check before what cannot be taken back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{LASTS, Lease, Loss};
use crate::error::{Error, Kind, Result};
use crate::store::Store;

/// How often a holder renews its claim, and how soon again after that has failed.
pub(super) const INTERVAL: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_secs(5);

/// What must be left of a lease before its holder does what cannot be taken back: longer than a call to AWS may take, see
/// `aws::session`.
const ENOUGH: SignedDuration = SignedDuration::from_secs(45);

/// A task that renews a claim, so that nothing its holder waits for lets it run out. It ends when this is dropped.
pub struct Heartbeat(pub(super) JoinHandle<()>);

impl Heartbeat {
    /// Calls `renew` every 30 seconds, until it says that the claim is lost.
    pub fn start<F: Future<Output = Result<bool>> + Send>(renew: impl Fn() -> F + Send + 'static) -> Self {
        Self(tokio::spawn(async move {
            let mut pause = INTERVAL;
            loop {
                tokio::time::sleep(pause).await;
                pause = match renew().await {
                    Ok(true) => INTERVAL,
                    Ok(false) => return,
                    Err(_) => AGAIN,
                };
            }
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// When a lease was ours for sure, by two clocks: the monotonic one does not count the sleep of a machine, the other one
/// may be set.
#[derive(Clone, Copy)]
struct Moment {
    monotonic: Instant,
    wall: Timestamp,
}

impl Moment {
    fn now(store: &dyn Store) -> Self {
        Self { monotonic: Instant::now(), wall: store.now() }
    }

    /// Returns the time since then by the clock that has counted more.
    fn age(self, store: &dyn Store) -> SignedDuration {
        let counted = SignedDuration::try_from(self.monotonic.elapsed()).unwrap_or(SignedDuration::MAX);
        counted.max(store.now().duration_since(self.wall))
    }
}

/// What was found out last: when that was, and how the lease was lost, if it was.
type Known = (Moment, Option<Loss>);

/// A lease that is renewed. Dropped, it runs out.
pub struct HeldLease {
    lease: Lease,
    known: watch::Sender<Known>,
    pub(super) heartbeat: Heartbeat,
}

impl HeldLease {
    pub(super) fn new(lease: Lease) -> Self {
        let known = watch::Sender::new((Moment::now(lease.store.as_ref()), None));
        let (renewed, tell) = (lease.clone(), known.clone());
        let heartbeat = Heartbeat::start(move || {
            let (lease, known) = (renewed.clone(), tell.clone());
            async move { renew(&lease, &known).await.map(|loss| loss.is_none()) }
        });
        Self { lease, known, heartbeat }
    }

    /// Returns how the lease was lost, as far as is known.
    pub fn loss(&self) -> Option<Loss> {
        self.known.borrow().1.clone()
    }

    /// Asks whether the lease is still ours; returns how it was lost.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn check(&self) -> Result<Option<Loss>> {
        renew(&self.lease, &self.known).await
    }

    /// Returns once it is certain that the lease is ours for as long as a call takes: asked for right before something is
    /// done that cannot be taken back. A process that was stopped, or its machine asleep, finds out here. `anew`: ask the
    /// store however recently that was certain.
    ///
    /// # Errors
    /// `Held` when it has been lost; those of the store.
    pub async fn ensure(&self, anew: bool) -> Result<()> {
        let since = self.known.borrow().0;
        let fresh = LASTS - since.age(self.lease.store.as_ref()) >= ENOUGH;
        let loss = if fresh && !anew { self.loss() } else { self.check().await? };
        let Some(Loss { to, .. }) = loss else { return Ok(()) };
        Err(Error::new(Kind::Held, "the lease was lost while it was needed").detail(format!("held by {to}")))
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release(&self) -> Result<()> {
        self.heartbeat.0.abort();
        self.lease.release().await
    }
}

async fn renew(lease: &Lease, known: &watch::Sender<Known>) -> Result<Option<Loss>> {
    // Before it is written: an answer may take long.
    let at = Moment::now(lease.store.as_ref());
    let loss = lease.renew().await?;
    known.send_replace((at, loss.clone()));
    Ok(loss)
}
