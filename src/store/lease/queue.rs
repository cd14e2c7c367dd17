//! A lease in an object of its own, with room for one holder or several, and a queue of those who wait.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Claim, Heartbeat, LASTS};
use crate::error::{Error, Kind, Result};
use crate::names::Uri;
use crate::store::document::{self, StoredDocument, nonce};
use crate::store::{Owner, Store};

/// How long an object of leases lies untouched before it is swept: whoever still has a place in it writes every 90 seconds.
const UNTOUCHED: SignedDuration = SignedDuration::from_hours(1);

/// What the object of a lease says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeaseState {
    /// Who has the lease now.
    pub holders: Vec<Claim>,
    /// Who waits, in order.
    pub queue: Vec<Claim>,
    /// Who was put out by force, and by whom; until that one has been told.
    pub forced: Vec<Forced>,
    /// Makes every writing unlike any other.
    pub writing: String,
}

/// A lease taken by force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forced {
    /// Who had it.
    pub from: Claim,
    /// Who took it.
    pub by: Owner,
    /// What for.
    #[serde(default)]
    pub what: String,
    /// When, UTC.
    pub at: Timestamp,
}

impl StoredDocument for LeaseState {
    /// A damaged object holds nobody: whoever writes next mends it.
    fn parse(_: &Uri, body: &[u8]) -> Result<Self> {
        Ok(serde_json::from_slice(body).unwrap_or_default())
    }

    fn stamp(&mut self) {
        self.writing = nonce();
    }
}

impl LeaseState {
    fn is_unused(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty() && self.forced.is_empty()
    }
}

/// What trying to take a lease came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// It is ours.
    Ours {
        /// Those who have it beside us.
        beside: Vec<Claim>,
        /// Those from whom it was taken because they were silent or gone.
        stale: Vec<Claim>,
    },
    /// It is not.
    Waiting {
        /// Our place in the queue, from 1; 0 when we do not queue.
        position: usize,
        /// Who has it.
        holders: Vec<Claim>,
    },
}

/// How a lease was lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Who has it, or that it ran out.
    pub to: String,
    /// What it was taken for by force.
    pub forced: Option<String>,
}

/// How to take a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseMode {
    /// If it is free.
    Once,
    /// In turn: the place in the queue is kept as long as it is asked for again before it runs out.
    Queue,
    /// Whoever has it.
    Force,
}

impl LeaseMode {
    /// Returns the mode of a command with or without `--force-lease`.
    pub const fn forced(force: bool) -> Self {
        if force { Self::Force } else { Self::Once }
    }
}

/// A lease, for one claimant.
#[derive(Clone)]
pub struct Lease {
    store: Arc<dyn Store>,
    uri: Uri,
    slots: usize,
    what: String,
    me: Owner,
}

impl Lease {
    /// Returns the lease kept at `uri`, which `slots` claimants may hold at once, for `what`.
    pub fn new(store: Arc<dyn Store>, uri: Uri, slots: u32, what: &str, me: &Owner) -> Self {
        Self { store, uri, slots: slots as usize, what: what.into(), me: me.clone() }
    }

    /// Tries to take the lease.
    ///
    /// # Errors
    /// Those of the store; `Held` when others change the object all the time.
    pub async fn take(&self, mode: LeaseMode) -> Result<Turn> {
        // The usual case in one call: nobody has it.
        let mut alone = LeaseState { holders: vec![self.claim(None)], ..LeaseState::default() };
        if document::replace(self.store.as_ref(), &self.uri, &mut alone, None).await?.is_some() {
            return Ok(Turn::Ours { beside: Vec::new(), stale: Vec::new() });
        }
        self.change(|state, now| self.enter(state, mode, now)).await
    }

    /// Makes the lease last; returns how it was lost, if it was.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn renew(&self) -> Result<Option<Loss>> {
        self.change(|state, now| match state.holders.iter_mut().find(|claim| self.is_mine(claim)) {
            Some(ours) => {
                ours.until = now + LASTS;
                (None, true)
            }
            None => (Some(self.loss(state)), false),
        })
        .await
    }

    /// Returns the lease, which is ours, with a heartbeat.
    pub fn hold(self) -> HeldLease {
        HeldLease::new(self)
    }

    /// Gives the lease, or the place in the queue, back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release(&self) -> Result<()> {
        self.clear(|claim| self.is_mine(claim)).await
    }

    /// Takes away all that was claimed for the same, by whomever: it is over.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget(&self) -> Result<()> {
        self.clear(|claim| claim.what == self.what).await
    }

    /// Clears claims away. Those who are gone lose theirs too; nothing is left of a lease that nobody has.
    async fn clear(&self, goes: impl Fn(&Claim) -> bool + Send + Sync) -> Result<()> {
        self.change(|state, now| {
            let before = state.clone();
            let stays = |claim: &Claim| !goes(claim) && claim.is_live(now, &self.me);
            state.holders.retain(stays);
            state.queue.retain(stays);
            state.forced.retain(|Forced { from, .. }| !goes(from) && !from.owner.is_gone(&self.me));
            ((), *state != before || state.is_unused())
        })
        .await
    }

    /// Returns who has the lease and who waits, without those whose time has run out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look(&self) -> Result<LeaseState> {
        let found = document::read::<LeaseState>(self.store.as_ref(), &self.uri).await?;
        let mut state = found.map(|(state, _)| state).unwrap_or_default();
        let now = self.store.now();
        state.holders.retain(|claim| claim.is_live(now, &self.me));
        state.queue.retain(|claim| claim.is_live(now, &self.me));
        Ok(state)
    }

    fn loss(&self, state: &LeaseState) -> Loss {
        match state.forced.iter().rfind(|forced| self.is_mine(&forced.from)) {
            Some(Forced { by, what, .. }) => Loss { to: format!("{by}, by force"), forced: Some(what.clone()) },
            None if state.holders.is_empty() => Loss { to: "nobody: it ran out".into(), forced: None },
            None => Loss { to: describe(&state.holders), forced: None },
        }
    }

    fn enter(&self, state: &mut LeaseState, mode: LeaseMode, now: Timestamp) -> (Turn, bool) {
        let (live, stale): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.holders).into_iter().partition(|claim| claim.is_live(now, &self.me));
        state.holders = live;
        state.queue.retain(|claim| claim.is_live(now, &self.me) || self.is_mine(claim));
        if mode == LeaseMode::Force {
            for from in std::mem::take(&mut state.holders).into_iter().filter(|claim| !self.is_mine(claim)) {
                state.forced.push(Forced { from, by: self.me.clone(), what: self.what.clone(), at: now });
            }
        }
        let mine = state.holders.iter().position(|claim| self.is_mine(claim));
        let ahead = state.queue.iter().position(|claim| self.is_mine(claim)).unwrap_or(state.queue.len());
        let free = self.slots.saturating_sub(state.holders.len());
        if mine.is_some() || mode == LeaseMode::Force || ahead < free {
            let since = state.queue.iter().find(|claim| self.is_mine(claim)).map(|claim| claim.since);
            state.holders.retain(|claim| !self.is_mine(claim));
            state.queue.retain(|claim| !self.is_mine(claim));
            let beside = state.holders.clone();
            state.holders.push(self.claim(since));
            return (Turn::Ours { beside, stale }, true);
        }
        let holders = state.holders.clone();
        if mode == LeaseMode::Once {
            return (Turn::Waiting { position: 0, holders }, false);
        }
        let claim = self.claim(state.queue.get(ahead).map(|claim| claim.since));
        match state.queue.get_mut(ahead) {
            Some(place) => *place = claim,
            None => state.queue.push(claim),
        }
        (Turn::Waiting { position: ahead + 1, holders }, true)
    }

    fn claim(&self, since: Option<Timestamp>) -> Claim {
        let claim = Claim::new(&self.what, &self.me, self.store.now());
        Claim { since: since.unwrap_or(claim.since), ..claim }
    }

    fn is_mine(&self, claim: &Claim) -> bool {
        claim.what == self.what && claim.owner == self.me
    }

    /// Lets `change` answer and alter what the object says; an object that says nothing any more is removed.
    async fn change<T: Send>(&self, change: impl Fn(&mut LeaseState, Timestamp) -> (T, bool) + Send) -> Result<T> {
        let apply = |found: &mut Option<LeaseState>| {
            let mut state = found.take().unwrap_or_default();
            let answer = change(&mut state, self.store.now());
            *found = (!state.is_unused()).then_some(state);
            Ok(answer)
        };
        Ok(document::change(self.store.as_ref(), &self.uri, apply).await?.answer)
    }
}

/// What must be left of a lease before its holder does what cannot be taken back: longer than a call to AWS may take, see
/// `aws::session`.
const ENOUGH: SignedDuration = SignedDuration::from_secs(45);

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
    heartbeat: Heartbeat,
}

impl HeldLease {
    fn new(lease: Lease) -> Self {
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

/// Removes what leases have left below `prefix` that nobody has had for an hour.
///
/// # Errors
/// Those of the store.
pub async fn sweep(store: &dyn Store, prefix: &Uri) -> Result<()> {
    let now = store.now();
    for object in store.list(prefix).await? {
        if now.duration_since(object.modified) < UNTOUCHED {
            continue;
        }
        // Someone may have come since the listing.
        let Some((state, tag)) = document::read::<LeaseState>(store, &object.uri).await? else { continue };
        if state.holders.iter().chain(&state.queue).all(|claim| claim.until <= now) {
            store.remove_if_match(&object.uri, &tag).await?;
        }
    }
    Ok(())
}

/// Returns who holds a lease, for people.
pub fn describe(holders: &[Claim]) -> String {
    let one = |claim: &Claim| format!("{} by {} until {:.0}", claim.what, claim.owner, claim.until);
    if holders.is_empty() { "nobody".into() } else { holders.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests;
