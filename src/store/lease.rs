//! Leases: the right to something that several processes want, kept in an object that all of them compare and set. A holder
//! renews its claim by a heartbeat; one that is silent for 90 seconds, or whose process is gone, has lost it.
//!
//! Where others wait in a queue, or several may hold it at once, the object is a [`Lease`] of its own: clusters, backfills.
//! Where one process at a time changes a document, its claim is inside ([`LeasedDocument`]), so that the two cannot disagree:
//! records of runs, how far the API was read. The catalog holds the claim of whoever writes to Glue.

mod document;
mod held;
mod queue;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use document::{Leased, LeasedDocument, Taking};
pub use held::{Heartbeat, HeldLease};
pub use queue::{Forced, Lease, LeaseMode, LeaseState, Loss, Turn, describe, sweep};

use super::Owner;

/// How long a claim lasts unless it is renewed: longer than a laptop's nap on a train, short enough to wait for.
pub const LASTS: SignedDuration = SignedDuration::from_secs(90);

/// Someone's right, or place in a queue, until it runs out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What for: a run id, `cluster down`. Empty where the object says that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// Who.
    #[serde(default)]
    pub owner: Owner,
    /// Since when, UTC by the store's clock; records written by older versions do not say that.
    #[serde(default)]
    pub since: Timestamp,
    /// Until when, UTC by the store's clock, unless renewed.
    pub until: Timestamp,
}

impl Claim {
    /// Returns a claim that begins `now`.
    pub fn new(what: &str, owner: &Owner, now: Timestamp) -> Self {
        Self { what: what.into(), owner: owner.clone(), since: now, until: now + LASTS }
    }

    /// Returns whether its owner may still be there, as far as `me` can tell at `now`.
    pub fn is_live(&self, now: Timestamp, me: &Owner) -> bool {
        self.until > now && !self.owner.is_gone(me)
    }

    /// Returns whether it keeps `me` away at `now`.
    pub fn excludes(&self, me: &Owner, now: Timestamp) -> bool {
        self.owner != *me && self.is_live(now, me)
    }
}

#[cfg(test)]
mod tests;
