//! The right to use something that several processes want: one object that all of them compare and set, with holders, a
//! queue, and a heartbeat. A holder that is silent for 90 seconds has lost it.

mod held;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use held::Held;

use super::{Contention, Owner, Store, Tag};
use crate::error::{Error, Kind, Result};
use crate::names::{Digest, Uri};

/// How long a lease lasts unless it is renewed: longer than a laptop's nap on a train, short enough to wait for.
pub const LASTS: SignedDuration = SignedDuration::from_secs(90);

/// How long an object of leases lies untouched before it is swept: whoever still has a place in it writes every 90 seconds.
const UNTOUCHED: SignedDuration = SignedDuration::from_hours(1);

/// What the object says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// Who has the lease now.
    pub holders: Vec<Claim>,
    /// Who waits, in order.
    pub queue: Vec<Claim>,
    /// Who was put out by force, and by whom; until that one has been told.
    pub forced: Vec<Forced>,
    /// Makes every writing of the book unlike any other.
    pub writing: String,
}

/// Someone's place in the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What for: a run id, `cluster down`.
    pub what: String,
    /// Who.
    pub owner: Owner,
    /// Since when, UTC.
    pub since: Timestamp,
    /// Until when, UTC, unless renewed.
    pub until: Timestamp,
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

/// Whether a lease is still ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It is.
    Ours,
    /// It is not.
    Lost(Loss),
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
pub enum Manner {
    /// If it is free.
    Ask,
    /// In turn: the place in the queue is kept as long as it is asked for again before it runs out.
    Queue,
    /// Whoever has it.
    Force,
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
    pub async fn take(&self, manner: Manner) -> Result<Turn> {
        // The usual case in one call: nobody has it.
        let alone = Book { holders: vec![self.claim(None)], ..Book::default() };
        if self.write(&alone, None).await? {
            return Ok(Turn::Ours { beside: Vec::new(), stale: Vec::new() });
        }
        self.change(|book, now| self.enter(book, manner, now)).await
    }

    /// Makes the lease last.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn renew(&self) -> Result<Standing> {
        self.change(|book, now| match book.holders.iter_mut().find(|claim| self.is_mine(claim)) {
            Some(ours) => {
                ours.until = now + LASTS;
                (Standing::Ours, true)
            }
            None => (Standing::Lost(self.loss(book)), false),
        })
        .await
    }

    /// Returns the lease, which is ours, in the care of a task that renews it.
    pub fn hold(self) -> Held {
        Held::new(self)
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
    async fn clear(&self, goes: impl Fn(&Claim) -> bool) -> Result<()> {
        let mut contention = Contention::on(&self.uri);
        loop {
            let Some((mut book, tag)) = self.read().await? else { return Ok(()) };
            let (before, now) = (book.clone(), self.store.now());
            let stays = |claim: &Claim| !goes(claim) && self.is_live(claim, now);
            book.holders.retain(stays);
            book.queue.retain(stays);
            book.forced.retain(|Forced { from, .. }| !goes(from) && !from.owner.is_gone(&self.me));
            let done = if book.holders.is_empty() && book.queue.is_empty() && book.forced.is_empty() {
                self.store.remove_if_match(&self.uri, &tag).await?
            } else {
                book == before || self.write(&book, Some(&tag)).await?
            };
            if done {
                return Ok(());
            }
            contention.lost().await?;
        }
    }

    /// Returns who has the lease and who waits, without those whose time has run out.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look(&self) -> Result<Book> {
        let mut book = self.read().await?.map(|(book, _)| book).unwrap_or_default();
        let now = self.store.now();
        book.holders.retain(|claim| self.is_live(claim, now));
        book.queue.retain(|claim| self.is_live(claim, now));
        Ok(book)
    }

    fn loss(&self, book: &Book) -> Loss {
        match book.forced.iter().rfind(|forced| self.is_mine(&forced.from)) {
            Some(Forced { by, what, .. }) => Loss { to: format!("{by}, by force"), forced: Some(what.clone()) },
            None if book.holders.is_empty() => Loss { to: "nobody: it ran out".into(), forced: None },
            None => Loss { to: describe(&book.holders), forced: None },
        }
    }

    fn enter(&self, book: &mut Book, manner: Manner, now: Timestamp) -> (Turn, bool) {
        let (live, stale): (Vec<_>, Vec<_>) =
            std::mem::take(&mut book.holders).into_iter().partition(|claim| self.is_live(claim, now));
        book.holders = live;
        book.queue.retain(|claim| self.is_live(claim, now) || self.is_mine(claim));
        if manner == Manner::Force {
            for from in std::mem::take(&mut book.holders).into_iter().filter(|claim| !self.is_mine(claim)) {
                book.forced.push(Forced { from, by: self.me.clone(), what: self.what.clone(), at: now });
            }
        }
        let mine = book.holders.iter().position(|claim| self.is_mine(claim));
        let ahead = book.queue.iter().position(|claim| self.is_mine(claim)).unwrap_or(book.queue.len());
        let free = self.slots.saturating_sub(book.holders.len());
        if mine.is_some() || manner == Manner::Force || ahead < free {
            let since = book.queue.iter().find(|claim| self.is_mine(claim)).map(|claim| claim.since);
            book.holders.retain(|claim| !self.is_mine(claim));
            book.queue.retain(|claim| !self.is_mine(claim));
            let beside = book.holders.clone();
            book.holders.push(self.claim(since));
            return (Turn::Ours { beside, stale }, true);
        }
        let holders = book.holders.clone();
        if manner == Manner::Ask {
            return (Turn::Waiting { position: 0, holders }, false);
        }
        let claim = self.claim(book.queue.get(ahead).map(|claim| claim.since));
        match book.queue.get_mut(ahead) {
            Some(place) => *place = claim,
            None => book.queue.push(claim),
        }
        (Turn::Waiting { position: ahead + 1, holders }, true)
    }

    fn claim(&self, since: Option<Timestamp>) -> Claim {
        let now = self.store.now();
        Claim { what: self.what.clone(), owner: self.me.clone(), since: since.unwrap_or(now), until: now + LASTS }
    }

    fn is_mine(&self, claim: &Claim) -> bool {
        claim.what == self.what && claim.owner == self.me
    }

    fn is_live(&self, claim: &Claim, now: Timestamp) -> bool {
        claim.until > now && !claim.owner.is_gone(&self.me)
    }

    /// Reads the book, lets `change` answer and alter it, and writes it back when that says so, until nobody interferes.
    async fn change<T>(&self, change: impl Fn(&mut Book, Timestamp) -> (T, bool)) -> Result<T> {
        let mut contention = Contention::on(&self.uri);
        loop {
            let found = self.read().await?;
            let (mut book, tag) = found.map_or((Book::default(), None), |(book, tag)| (book, Some(tag)));
            let (answer, altered) = change(&mut book, self.store.now());
            if !altered || self.write(&book, tag.as_ref()).await? {
                return Ok(answer);
            }
            contention.lost().await?;
        }
    }

    async fn read(&self) -> Result<Option<(Book, Tag)>> {
        let Some((body, tag)) = self.store.get_tagged(&self.uri).await? else { return Ok(None) };
        // A damaged book holds nobody: whoever writes next mends it.
        Ok(Some((serde_json::from_slice(&body).unwrap_or_default(), tag)))
    }

    async fn write(&self, book: &Book, tag: Option<&Tag>) -> Result<bool> {
        let mut book = book.clone();
        let now = Timestamp::now().as_nanosecond();
        book.writing = Digest::of([format!("{} {} {now}", self.me.host, self.me.process)]).short().into();
        let body = serde_json::to_vec_pretty(&book)
            .map_err(|error| Error::new(Kind::Internal, "a lease cannot be written as JSON").caused_by(error))?;
        let written = match tag {
            Some(tag) => self.store.put_if_match(&self.uri, &body, tag).await?,
            None => self.store.put_if_absent(&self.uri, &body).await?,
        };
        Ok(written.is_some())
    }
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
        let Some((body, tag)) = store.get_tagged(&object.uri).await? else { continue };
        let book: Book = serde_json::from_slice(&body).unwrap_or_default();
        if book.holders.iter().chain(&book.queue).all(|claim| claim.until <= now) {
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
