//! The right to write to Glue while it lasts: two writers at once would leave a mixture of two generations.

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::catalog::object::ObjectCatalog;
use crate::error::{Error, Kind, Result};
use crate::store::Owner;

/// How long the lease of a writer that was killed keeps others on other machines waiting; on its own it is seen to be gone.
/// A writer lengthens its lease as it goes.
pub const LENGTH: SignedDuration = SignedDuration::from_secs(60);

/// What must be left of a lease before a call is made: longer than a call may take, see `aws::session`.
const ENOUGH: SignedDuration = SignedDuration::from_secs(40);

/// A lease that is held.
pub struct GlueTurn<'a> {
    objects: &'a ObjectCatalog,
    /// Its holder.
    pub by: &'a str,
    owner: &'a Owner,
    until: Mutex<Timestamp>,
}

impl<'a> GlueTurn<'a> {
    /// Returns the lease that `by` has, as far as is known until `until`.
    pub fn new(objects: &'a ObjectCatalog, by: &'a str, owner: &'a Owner, until: Timestamp) -> Self {
        Self { objects, by, owner, until: Mutex::new(until) }
    }

    /// Returns once it is certain that nobody else may write for as long as a call takes.
    ///
    /// # Errors
    /// `Held` when someone else has taken the lease: this process was asleep for longer than it.
    pub async fn keep(&self) -> Result<()> {
        let mut until = self.until.lock().await;
        let now = self.objects.now();
        if until.duration_since(now) >= ENOUGH {
            return Ok(());
        }
        let state = self
            .objects
            .change(
                |state| Ok(state.is_lent_to(self.by) && state.lend(self.by, self.owner, self.objects.now(), LENGTH)),
            )
            .await?;
        let lease = state.lease.filter(|lease| lease.by == self.by).ok_or_else(|| {
            Error::new(Kind::Held, "another soflow has taken over showing the tables in Glue")
                .hint("run the same command again")
        })?;
        *until = lease.claim.until;
        Ok(())
    }
}
