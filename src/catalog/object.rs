//! The catalog in the lake itself: one small index, replaced by compare-and-set, over version files that never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::state::{State, nonce};
use super::{Catalog, Entry, Index};
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::{Contention, Object, Store, Tag};

/// A catalog in `<curated>/_catalog`. Where the store cannot compare and set, callers hold the lake's lock.
pub struct ObjectCatalog {
    store: Arc<dyn Store>,
    root: Uri,
    /// What was read or written last: most often nobody has changed it since, and it need not be read again.
    known: Mutex<Option<(State, Tag)>>,
}

impl ObjectCatalog {
    /// Returns the catalog of the tables at `curated`.
    pub fn new(store: Arc<dyn Store>, curated: &Uri) -> Self {
        Self { store, root: curated.join("_catalog"), known: Mutex::default() }
    }

    fn index_uri(&self) -> Uri {
        self.root.join("catalog.json")
    }

    fn version_uri(&self, table: &str, run: &RunId) -> Uri {
        self.root.join(&format!("versions/{table}/{run}.json"))
    }

    /// Returns the time by the store's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// Returns the state, empty before the first publication.
    pub(super) async fn state(&self) -> Result<State> {
        let (state, tag) = self.read().await?;
        *self.known() = tag.map(|tag| (state.clone(), tag));
        Ok(state)
    }

    async fn read(&self) -> Result<(State, Option<Tag>)> {
        let uri = self.index_uri();
        match self.store.get_tagged(&uri).await? {
            Some((body, tag)) => Ok((parse(&uri, &body)?, Some(tag))),
            None => Ok((State::default(), None)),
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<(State, Tag)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the latest state until nobody else has changed it in between; returns what it is then.
    ///
    /// # Errors
    /// Those of `apply`, which may also say `false`: nothing is written then.
    pub(super) async fn change(&self, mut apply: impl FnMut(&mut State) -> Result<bool> + Send) -> Result<State> {
        let uri = self.index_uri();
        let mut contention = Contention::on(&uri);
        loop {
            let known = self.known().take();
            let is_known = known.is_some();
            let (mut state, tag) = match known {
                Some((state, tag)) => (state, Some(tag)),
                None => self.read().await?,
            };
            match apply(&mut state) {
                Ok(true) => {}
                // It may be otherwise by now.
                _ if is_known => continue,
                applied => return applied.map(|_| state),
            }
            state.by = nonce();
            let body = to_json(&state)?;
            let written = match &tag {
                Some(tag) => self.store.put_if_match(&uri, &body, tag).await?,
                None => self.store.put_if_absent(&uri, &body).await?,
            };
            if let Some(tag) = written {
                *self.known() = Some((state.clone(), tag));
                return Ok(state);
            }
            if !is_known {
                contention.lost().await?;
            }
        }
    }

    /// Writes the files of versions that are about to be published; nobody refers to them yet.
    pub(super) async fn write_versions(&self, versions: &[Version]) -> Result<()> {
        let write = |version: &Version| {
            let (uri, body) = (self.version_uri(&version.table, &version.run), to_json(version));
            async move { self.store.put(&uri, &body?).await }
        };
        try_join_all(versions.iter().map(write)).await.map(drop)
    }

    /// Removes the files of versions that the index has forgotten.
    pub(super) async fn remove_versions(&self, gone: &[(String, RunId)]) -> Result<()> {
        for (table, run) in gone {
            self.store.remove(&self.version_uri(table, run)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Catalog for ObjectCatalog {
    async fn index(&self) -> Result<Index> {
        self.state().await.map(State::index)
    }

    async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>> {
        let uri = self.version_uri(table, run);
        self.store.get(&uri).await?.map(|body| parse(&uri, &body)).transpose()
    }

    async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<Option<Error>> {
        self.write_versions(versions).await?;
        self.change(|state| state.publish(seen, versions)).await.map(|_| None)
    }

    async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<Option<Error>> {
        self.change(|state| state.point(seen, to).map(|()| true)).await.map(|_| None)
    }

    async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        let mut gone = Vec::new();
        self.change(|state| {
            gone = state.forget(seen, versions)?;
            Ok(true)
        })
        .await?;
        self.remove_versions(&gone).await
    }

    async fn unnamed(&self, seen: &Index) -> Result<Vec<Object>> {
        let runs = |(table, entry): (&String, &Entry)| -> Vec<Uri> {
            entry.history.iter().map(|known| self.version_uri(table, &known.run)).collect()
        };
        let named: BTreeSet<Uri> = seen.tables.iter().flat_map(runs).collect();
        let mut found = self.store.list(&self.root.join("versions")).await?;
        found.retain(|object| !named.contains(&object.uri));
        Ok(found)
    }
}

fn parse<T: serde::de::DeserializeOwned>(uri: &Uri, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::Machine, format!("the catalog file `{uri}` is damaged"))
            .caused_by(error)
            .hint("restore it from a backup, or remove it and `soflow submit` again to rebuild the tables from raw")
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(Kind::Internal, "a catalog entry cannot be written as JSON").caused_by(error))
}
