//! The right to put steps on a cluster: one object in S3 that all clients compare and set, with holders and a queue.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::names::{Digest, Uri};
use crate::store::{Owner, Store, Tag};

/// How long a lease lasts unless it is renewed: longer than a laptop's nap on a train, short enough to wait for.
const LASTS: SignedDuration = SignedDuration::from_secs(90);

/// How often a holder renews it.
pub const RENEW_EVERY: Duration = Duration::from_secs(30);

/// How often a writer that lost the race for the object tries again before it gives up.
const RACES: u32 = 50;

/// What the object says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// Who may use the cluster now.
    pub holders: Vec<Claim>,
    /// Who waits, in order.
    pub queue: Vec<Claim>,
    /// Who was put out by `--force`, and by whom.
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
    /// When, UTC.
    pub at: Timestamp,
}

/// What trying to take a lease came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// It is ours; from whom it was taken because they were gone.
    Ours {
        /// Claims that had run out.
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

/// The lease of one cluster, for one claimant.
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
            return Ok(Turn::Ours { stale: Vec::new() });
        }
        self.change(|book, now| self.enter(book, manner, now)).await
    }

    /// Makes the lease last. Returns false when it has been lost.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn renew(&self) -> Result<bool> {
        self.change(|book, now| {
            let ours = book.holders.iter_mut().find(|claim| self.is_mine(claim));
            let kept = ours.map(|claim| claim.until = now + LASTS).is_some();
            (kept, kept)
        })
        .await
    }

    /// Gives the lease, or the place in the queue, back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release(&self) -> Result<()> {
        if let Some((book, tag)) = self.read().await?
            && book.queue.is_empty()
            && book.forced.is_empty()
            && book.holders.iter().all(|claim| self.is_mine(claim))
            && self.store.remove_if_match(&self.uri, &tag).await?
        {
            return Ok(());
        }
        self.change(|book, _| {
            let before = book.holders.len() + book.queue.len();
            book.holders.retain(|claim| !self.is_mine(claim));
            book.queue.retain(|claim| !self.is_mine(claim));
            ((), book.holders.len() + book.queue.len() < before)
        })
        .await
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

    fn enter(&self, book: &mut Book, manner: Manner, now: Timestamp) -> (Turn, bool) {
        let (live, stale): (Vec<_>, Vec<_>) =
            std::mem::take(&mut book.holders).into_iter().partition(|claim| self.is_live(claim, now));
        book.holders = live;
        book.queue.retain(|claim| self.is_live(claim, now) || self.is_mine(claim));
        if manner == Manner::Force {
            for from in std::mem::take(&mut book.holders).into_iter().filter(|claim| !self.is_mine(claim)) {
                book.forced.push(Forced { from, by: self.me.clone(), at: now });
            }
        }
        let mine = book.holders.iter().position(|claim| self.is_mine(claim));
        let ahead = book.queue.iter().position(|claim| self.is_mine(claim)).unwrap_or(book.queue.len());
        let free = self.slots.saturating_sub(book.holders.len());
        if mine.is_some() || manner == Manner::Force || ahead < free {
            let since = book.queue.iter().find(|claim| self.is_mine(claim)).map(|claim| claim.since);
            book.holders.retain(|claim| !self.is_mine(claim));
            book.queue.retain(|claim| !self.is_mine(claim));
            book.holders.push(self.claim(since));
            return (Turn::Ours { stale }, true);
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
        for _ in 0..RACES {
            let found = self.read().await?;
            let (mut book, tag) = found.map_or((Book::default(), None), |(book, tag)| (book, Some(tag)));
            let (answer, altered) = change(&mut book, self.store.now());
            if !altered || self.write(&book, tag.as_ref()).await? {
                return Ok(answer);
            }
        }
        Err(Error::new(Kind::Held, format!("`{}` is being changed by many others", self.uri))
            .hint("run the same command again"))
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

/// Returns who holds a lease, for people.
pub fn describe(holders: &[Claim]) -> String {
    let one = |claim: &Claim| format!("{} by {} until {:.0}", claim.what, claim.owner, claim.until);
    if holders.is_empty() { "nobody".into() } else { holders.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    fn lease(folder: &std::path::Path, what: &str, slots: u32) -> Lease {
        let me = Owner { who: what.into(), host: format!("host-of-{what}"), process: 1, started: None };
        Lease::new(Arc::new(FileStore), Uri::from_path(folder).join("j-1.json"), slots, what, &me)
    }

    fn position(turn: &Turn) -> usize {
        match turn {
            Turn::Ours { .. } => usize::MAX,
            Turn::Waiting { position, .. } => *position,
        }
    }

    #[tokio::test]
    async fn the_queue_is_served_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|who| lease(folder.path(), who, 1));
        assert_eq!(a.take(Manner::Ask).await.unwrap(), Turn::Ours { stale: vec![] });
        assert_eq!(a.take(Manner::Ask).await.unwrap(), Turn::Ours { stale: vec![] });
        assert_eq!(position(&b.take(Manner::Ask).await.unwrap()), 0);
        assert_eq!(position(&b.take(Manner::Queue).await.unwrap()), 1);
        assert_eq!(position(&c.take(Manner::Queue).await.unwrap()), 2);
        assert_eq!(position(&b.take(Manner::Queue).await.unwrap()), 1);
        a.release().await.unwrap();
        // It is b's turn, whoever asks first.
        assert_eq!(position(&c.take(Manner::Queue).await.unwrap()), 2);
        assert_eq!(position(&b.take(Manner::Queue).await.unwrap()), usize::MAX);
        assert!(!a.renew().await.unwrap());
        assert!(b.renew().await.unwrap());
        b.release().await.unwrap();
        assert_eq!(position(&c.take(Manner::Queue).await.unwrap()), usize::MAX);
        c.release().await.unwrap();
        assert_eq!(FileStore.get(&c.uri).await.unwrap(), None, "an unused lease leaves nothing");
    }

    #[tokio::test]
    async fn force_puts_the_holder_out_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 1));
        a.take(Manner::Ask).await.unwrap();
        assert_eq!(position(&b.take(Manner::Force).await.unwrap()), usize::MAX);
        assert!(!a.renew().await.unwrap());
        let book = b.look().await.unwrap();
        assert_eq!((book.forced[0].from.what.as_str(), book.forced[0].by.who.as_str()), ("a", "b"));
    }

    #[tokio::test]
    async fn a_cluster_of_several_steps_has_several_holders() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|who| lease(folder.path(), who, 2));
        for taken in [&a, &b] {
            assert_eq!(position(&taken.take(Manner::Ask).await.unwrap()), usize::MAX);
        }
        let Turn::Waiting { holders, .. } = c.take(Manner::Ask).await.unwrap() else { panic!("three of two") };
        assert!(describe(&holders).starts_with("a by a (process 1) until "), "{}", describe(&holders));
    }

    #[tokio::test]
    async fn what_ran_out_is_taken_over_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 1));
        a.take(Manner::Ask).await.unwrap();
        let mut book = a.read().await.unwrap().unwrap().0;
        book.holders[0].until = Timestamp::UNIX_EPOCH;
        FileStore.put(&a.uri, &serde_json::to_vec(&book).unwrap()).await.unwrap();
        let Turn::Ours { stale } = b.take(Manner::Ask).await.unwrap() else { panic!("it was free") };
        assert_eq!(stale[0].what, "a");
    }
}
