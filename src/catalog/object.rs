//! The catalog in the lake itself: one small index, replaced by compare-and-set, over version files that never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::restore::{Kept, Restored, anew};
use super::state::CatalogState;
use super::{Catalog, Index, VersionFile};
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::document::{self, StoredDocument as _};
use crate::store::{Store, Tag};

/// Files about versions read at once: on S3 one waits for the answers.
const AT_ONCE: usize = 16;

/// A catalog in `<curated>/_catalog`. Where the store cannot compare and set, callers hold the lake's lock.
pub struct ObjectCatalog {
    store: Arc<dyn Store>,
    root: Uri,
    /// What was read or written last: most often nobody has changed it since, and it need not be read again.
    known: Mutex<Option<(CatalogState, Tag)>>,
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
    pub(super) async fn state(&self) -> Result<CatalogState> {
        let (state, tag) = self.read().await?;
        *self.known() = tag.map(|tag| (state.clone(), tag));
        Ok(state)
    }

    async fn read(&self) -> Result<(CatalogState, Option<Tag>)> {
        let found = document::read(self.store.as_ref(), &self.index_uri()).await?;
        Ok(found.map_or_else(Default::default, |(state, tag)| (state, Some(tag))))
    }

    fn known(&self) -> MutexGuard<'_, Option<(CatalogState, Tag)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the latest state until nobody else has changed it in between; returns what it is then.
    ///
    /// # Errors
    /// Those of `apply`, which may also say `false`: nothing is written then.
    pub(super) async fn change(
        &self,
        mut apply: impl FnMut(&mut CatalogState) -> Result<bool> + Send,
    ) -> Result<CatalogState> {
        let known = self.known().take();
        // It may be otherwise by now: only a change that was made and written counts.
        if let Some((mut state, tag)) = known
            && matches!(apply(&mut state), Ok(true))
            && self.replace(&mut state, Some(tag)).await?
        {
            return Ok(state);
        }
        let change = |found: &mut Option<CatalogState>| {
            let altered = apply(found.get_or_insert_default())?;
            Ok(((), altered))
        };
        let changed = document::change(self.store.as_ref(), &self.index_uri(), change).await?;
        let state = changed.document.unwrap_or_default();
        *self.known() = changed.tag.map(|tag| (state.clone(), tag));
        Ok(state)
    }

    /// Writes the files of versions, which nobody refers to yet, and then makes all of them current with `apply`.
    ///
    /// # Errors
    /// As [`Catalog::publish`]; the files of a publication that was refused are taken back.
    pub(super) async fn publish_index(
        &self,
        versions: &[Version],
        apply: impl FnMut(&mut CatalogState) -> Result<bool> + Send,
    ) -> Result<CatalogState> {
        self.write_versions(versions).await?;
        let published = self.change(apply).await;
        if published.as_ref().is_err_and(|error| error.kind == Kind::Held)
            && let Ok((state, _)) = self.read().await
        {
            let is_kept = |version: &&Version| state.tables.get(&version.table).is_some_and(|e| e.keeps(&version.run));
            let refused = versions.iter().filter(|version| !is_kept(version));
            let files: Vec<Uri> = refused.map(|version| self.version_uri(&version.table, &version.run)).collect();
            // Whatever stays is what a run that did not publish has left: garbage.
            let _ = self.store.remove_all(&files).await;
        }
        published
    }

    async fn write_versions(&self, versions: &[Version]) -> Result<()> {
        let write = |version: &Version| {
            let (uri, body) = (self.version_uri(&version.table, &version.run), to_json(version));
            async move { self.store.put(&uri, &body?).await }
        };
        try_join_all(versions.iter().map(write)).await.map(drop)
    }

    /// Writes the state in place of the one with `tag`; returns whether nobody else was faster.
    async fn replace(&self, state: &mut CatalogState, tag: Option<Tag>) -> Result<bool> {
        let written = document::replace(self.store.as_ref(), &self.index_uri(), state, tag.as_ref()).await?;
        *self.known() = written.map(|tag| (state.clone(), tag));
        Ok(self.known().is_some())
    }

    /// Returns what the files about versions say, by table.
    async fn kept(&self) -> Result<BTreeMap<String, Kept>> {
        let one = |file: VersionFile| async move {
            let body = self.store.get(&file.object.uri).await?;
            Ok::<_, Error>((file, body))
        };
        let files = self.version_files().await?;
        let read = futures_util::stream::iter(files.into_iter().map(one)).buffered(AT_ONCE);
        let read: Vec<_> = read.try_collect().await?;
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        for (file, body) in read {
            let Some(body) = body else { continue };
            let version = parse(&file.object.uri, &body).ok();
            let version = version.filter(|version: &Version| version.table == file.table && version.run == file.run);
            kept.entry(file.table).or_default().insert(file.run, version);
        }
        Ok(kept)
    }
}

#[async_trait]
impl Catalog for ObjectCatalog {
    async fn index(&self) -> Result<Index> {
        self.state().await.map(CatalogState::index)
    }

    async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>> {
        let uri = self.version_uri(table, run);
        self.store.get(&uri).await?.map(|body| parse(&uri, &body)).transpose()
    }

    async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<Option<Error>> {
        self.publish_index(versions, |state| state.publish(seen, versions)).await.map(|_| None)
    }

    async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<Option<Error>> {
        self.change(|state| state.point(seen, to, self.now()).map(|()| true)).await.map(|_| None)
    }

    async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        let files = self.version_files().await?;
        let is_there = |(table, run): &(String, RunId)| files.iter().any(|f| f.table == *table && f.run == *run);
        let forget = |state: &mut CatalogState| {
            state.forgotten.retain(is_there);
            state.forget(seen, versions).map(|()| true)
        };
        self.change(forget).await.map(drop)
    }

    async fn version_files(&self) -> Result<Vec<VersionFile>> {
        let folder = self.root.join("versions");
        let file = |object: crate::store::Object| {
            let (table, run) = object.uri.below(&folder)?.strip_suffix(".json")?.split_once('/')?;
            let (table, run) = (table.to_string(), run.parse().ok()?);
            Some(VersionFile { table, run, object })
        };
        Ok(self.store.inventory(&folder).await?.objects.into_iter().filter_map(file).collect())
    }

    async fn restore(&self, published: &BTreeSet<RunId>, write: bool) -> Result<Restored> {
        let uri = self.index_uri();
        let found = self.store.get_tagged(&uri).await?;
        let read = found.as_ref().map(|(body, _)| CatalogState::parse(&uri, body));
        let lost = matches!(read, Some(Err(_)));
        let mut state = read.and_then(Result::ok).unwrap_or_else(|| anew(self.now()));
        let restored = Restored { lost, ..state.restore(&self.kept().await?, published) };
        if write && !restored.is_nothing() {
            state.generation += 1;
            if !self.replace(&mut state, found.map(|(_, tag)| tag)).await? {
                return Err(Error::new(Kind::Held, "someone else publishes at the moment")
                    .hint("run the same command again when that has ended"));
            }
        }
        Ok(restored)
    }
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(uri: &Uri, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::Machine, format!("the catalog file `{uri}` is damaged"))
            .caused_by(error)
            .hint("make the catalog anew from what is known of each version: `soflow tables repair`")
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(Kind::Internal, "a catalog entry cannot be written as JSON").caused_by(error))
}
