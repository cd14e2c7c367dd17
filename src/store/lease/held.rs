//! The heartbeat of a lease, and the fence before what cannot be taken back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{LASTS, Lease, Loss, Standing};
use crate::error::{Error, Kind, Result};
use crate::store::Store;

/// How often a holder renews it, and how soon again after that has failed.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_secs(5);

/// What must be left of a lease before its holder does what cannot be taken back: longer than a call to AWS may take, see
/// `aws::session`.
const ENOUGH: SignedDuration = SignedDuration::from_secs(45);

/// A lease that a task of its own renews, so that nothing the holder waits for lets it run out. Dropped, it runs out.
pub struct Held {
    lease: Lease,
    told: watch::Receiver<(Moment, Standing)>,
    tell: watch::Sender<(Moment, Standing)>,
    pub(super) heart: JoinHandle<()>,
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

impl Held {
    pub(super) fn new(lease: Lease) -> Self {
        let (tell, told) = watch::channel((Moment::now(lease.store.as_ref()), Standing::Ours));
        let heart = tokio::spawn(beat(lease.clone(), tell.clone()));
        Self { lease, told, tell, heart }
    }

    /// Returns how the lease was lost, as far as is known.
    pub fn loss(&self) -> Option<Loss> {
        match &self.told.borrow().1 {
            Standing::Ours => None,
            Standing::Lost(loss) => Some(loss.clone()),
        }
    }

    /// Asks whether the lease is still ours.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn check(&self) -> Result<Option<Loss>> {
        renew(&self.lease, &self.tell).await?;
        Ok(self.loss())
    }

    /// Returns once it is certain that the lease is ours for as long as a call takes: asked for right before something is
    /// done that cannot be taken back. A process that was stopped, or its machine asleep, finds out here. `anew`: ask the
    /// store however recently that was certain.
    ///
    /// # Errors
    /// `Held` when it has been lost; those of the store.
    pub async fn ensure(&self, anew: bool) -> Result<()> {
        let since = self.told.borrow().0;
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
        self.heart.abort();
        self.lease.release().await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

async fn renew(lease: &Lease, tell: &watch::Sender<(Moment, Standing)>) -> Result<()> {
    // Before it is written: an answer may take long.
    let at = Moment::now(lease.store.as_ref());
    let standing = lease.renew().await?;
    tell.send_replace((at, standing));
    Ok(())
}

async fn beat(lease: Lease, tell: watch::Sender<(Moment, Standing)>) {
    let mut pause = HEARTBEAT;
    while tell.borrow().1 == Standing::Ours {
        tokio::time::sleep(pause).await;
        pause = if renew(&lease, &tell).await.is_ok() { HEARTBEAT } else { AGAIN };
    }
}
