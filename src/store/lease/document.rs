//! A document that one process at a time changes, with the claim of that process inside: a process that was taken for dead
//! and comes back finds out at its next write.

use std::sync::Arc;

use super::{Claim, LASTS};
use crate::error::Result;
use crate::names::Uri;
use crate::store::document::{self, Contention, StoredDocument};
use crate::store::{Owner, Store, Tag};

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

/// A document that this process may change.
pub struct LeasedDocument<T> {
    store: Arc<dyn Store>,
    uri: Uri,
    /// Who we are; `None` where a lock of this machine keeps others away.
    me: Option<Owner>,
    tag: Tag,
    /// What it says.
    pub state: T,
}

/// What trying to take a document came to.
pub enum Taking<T> {
    /// It is ours.
    Ours(LeasedDocument<T>),
    /// It is someone else's, or closed.
    Theirs(T),
}

impl<T: Leased> LeasedDocument<T> {
    /// Returns a document that was written with `tag`, and is ours by the claim in it.
    pub fn new(store: Arc<dyn Store>, uri: Uri, state: T, tag: Tag) -> Self {
        let me = state.claim().map(|claim| claim.owner.clone());
        Self { store, uri, me, tag, state }
    }

    /// Takes the document at `uri` unless someone else has it, or, by `force`, also then. `begin` returns a new one where
    /// there is none, or why there must be one.
    ///
    /// # Errors
    /// Those of `begin` and of the store.
    pub async fn acquire(
        store: Arc<dyn Store>,
        uri: Uri,
        me: &Owner,
        force: bool,
        begin: impl Fn() -> Result<T> + Send + Sync,
    ) -> Result<Taking<T>> {
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
            Some(tag) => Taking::Ours(Self::new(store, uri, document, tag)),
            None => Taking::Theirs(document),
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
