//! Leases: the right to something that several processes want, kept in an object that all of them compare and set. A holder
//! renews its claim by a heartbeat; one that is silent for 90 seconds, or whose process is gone, has lost it.
//!
//! Where others wait in a queue, or several may hold it at once, the object is a [`Lease`] of its own: clusters, backfills.
//! Where one process at a time changes a document, its claim is inside ([`LeasedDocument`]), so that the two cannot disagree:
//! records of runs, how far the API was read. The catalog holds the claim of whoever writes to Glue.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

pub use queue::{Forced, HeldLease, Lease, LeaseMode, LeaseState, Loss, Turn, describe, sweep};

use super::document::{self, Contention, StoredDocument};
use super::{Owner, Store, Tag};
use crate::error::Result;
use crate::names::Uri;

/// How long a claim lasts unless it is renewed: longer than a laptop's nap on a train, short enough to wait for.
pub const LASTS: SignedDuration = SignedDuration::from_secs(90);

/// How often a holder renews its claim, and how soon again after that has failed.
const INTERVAL: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_secs(5);

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

/// A task that renews a claim, so that nothing its holder waits for lets it run out. It ends when this is dropped.
pub struct Heartbeat(JoinHandle<()>);

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

/// A document with the claim on it inside.
pub trait Leased: StoredDocument {
    /// Returns the claim of the process that changes it.
    fn claim(&self) -> Option<&Claim>;

    /// Sets the claim.
    fn set_claim(&mut self, claim: Option<Claim>);

    /// Returns whether nobody is to change it any more.
    fn is_closed(&self) -> bool {
        false
    }
}

/// A document that this process may change, with the claim of the process inside: one that was taken for dead and comes back
/// finds out at its next write.
pub struct LeasedDocument<T> {
    store: Arc<dyn Store>,
    uri: Uri,
    /// Who we are; `None` where a lock of this machine keeps others away.
    me: Option<Owner>,
    tag: Tag,
    /// What it says.
    pub state: T,
}

impl<T: Leased> LeasedDocument<T> {
    /// Returns a document that was written with `tag`, and is ours by the claim in it.
    pub fn new(store: Arc<dyn Store>, uri: Uri, state: T, tag: Tag) -> Self {
        let me = state.claim().map(|claim| claim.owner.clone());
        Self { store, uri, me, tag, state }
    }

    /// Takes the document at `uri` unless someone else has it, or, by `force`, also then; within, what it says when it is
    /// someone else's, or closed. `begin` returns a new one where there is none, or why there must be one.
    ///
    /// # Errors
    /// Those of `begin` and of the store.
    pub async fn acquire(
        store: Arc<dyn Store>,
        uri: Uri,
        me: &Owner,
        force: bool,
        begin: impl Fn() -> Result<T> + Send + Sync,
    ) -> Result<Result<Self, T>> {
        let take = |found: &mut Option<T>| {
            let document = match found {
                Some(document) => document,
                None => found.insert(begin()?),
            };
            let now = store.now();
            let taken =
                !document.is_closed() && (force || !document.claim().is_some_and(|claim| claim.excludes(me, now)));
            if taken {
                document.set_claim(Some(Claim::new("", me, now)));
            }
            Ok((taken, taken))
        };
        let changed = document::change(store.as_ref(), &uri, take).await?;
        let document = changed.document.map_or_else(begin, Ok)?;
        Ok(match changed.tag.filter(|_| changed.answer) {
            Some(tag) => Ok(Self::new(store, uri, document, tag)),
            None => Err(document),
        })
    }

    /// Writes the document, which renews the claim. Within, what is there instead when someone else has taken it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn write(&mut self) -> Result<Result<(), Option<T>>> {
        if self.me.is_none() {
            // Nobody else writes it.
            return self.store.put(&self.uri, &document::json(&self.state)?).await.map(Ok);
        }
        let until = self.store.now() + LASTS;
        let claim = self.state.claim().map(|claim| Claim { until, ..claim.clone() });
        self.state.set_claim(claim);
        let uri = self.uri.clone();
        let mut contention = Contention::on(&uri);
        loop {
            if let Some(tag) = document::replace(self.store.as_ref(), &uri, &mut self.state, Some(&self.tag)).await? {
                self.tag = tag;
                return Ok(Ok(()));
            }
            match document::read::<T>(self.store.as_ref(), &uri).await? {
                // An earlier write of ours, to which no answer came.
                Some((there, tag)) if there.claim().map(|claim| &claim.owner) == self.me.as_ref() => self.tag = tag,
                there => return Ok(Err(there.map(|(there, _)| there))),
            }
            contention.lost().await?;
        }
    }
}
