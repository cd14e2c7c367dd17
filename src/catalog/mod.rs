//! Tables and where their partitions are. Publishing here is the only moment readers see anything.
//!
//! One small index in the lake, replaced by compare-and-set, over version files that never change. What other readers
//! know, Glue on AWS and a Delta log beside each table, is made to follow it.

mod ddl;
mod delta;
mod duckdb;
mod follow;
mod glue;
mod restore;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::document::{self, StoredDocument as _, nonce};
use crate::store::{Object, Store, Tag};

pub use glue::GlueTables;
pub use restore::Restored;
use restore::{Kept, anew};
use state::CatalogState;
pub use state::{Index, Published, TableHistory};

/// Files read, and folders listed, at once: on S3 one waits for the answers.
const AT_ONCE: usize = 16;

/// A file about a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFile {
    /// The table.
    pub table: String,
    /// The run that published it, or was about to.
    pub run: RunId,
    /// The file.
    pub object: Object,
}

/// The catalog in `<curated>/_catalog`. Where the store cannot compare and set, callers hold the lake's lock.
pub struct Catalog {
    store: Arc<dyn Store>,
    root: Uri,
    /// What was read or written last: most often nobody has changed it since, and it need not be read again.
    known: Mutex<Option<(CatalogState, Tag)>>,
    /// Where the tables are shown besides.
    glue: Option<GlueTables>,
    curated: Uri,
}

impl Catalog {
    /// Returns the catalog of the tables at `curated`, which are shown in `glue` too.
    pub fn new(store: Arc<dyn Store>, curated: &Uri, glue: Option<GlueTables>) -> Self {
        Self { store, root: curated.join("_catalog"), known: Mutex::default(), glue, curated: curated.clone() }
    }

    /// Returns which versions there are; empty before the first publication.
    ///
    /// # Errors
    /// `Machine` when it is damaged; those of the store.
    pub async fn index(&self) -> Result<Index> {
        self.state().await.map(CatalogState::index)
    }

    /// Returns the version of `table` that `run` published, or `None` when it is not kept.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>> {
        let uri = self.version_uri(table, run);
        self.store.get(&uri).await?.map(|body| parse(&uri, &body)).transpose()
    }

    /// Returns the version of `table` that readers of `seen` see, or `None` when there is no such table or version.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub async fn current(&self, seen: &Index, table: &str) -> Result<Option<Version>> {
        let Some(run) = seen.current(table) else { return Ok(None) };
        match seen.versions.get(table).filter(|version| version.run == *run) {
            Some(version) => Ok(Some(version.clone())),
            None => self.version(table, run).await,
        }
    }

    /// Makes all `versions` current in one step: a reader of the index sees none or all of them, also after a crash.
    /// Of several callers that saw the same version of a table exactly one publishes it. Returns what has kept
    /// other readers from being shown the versions: they are published all the same.
    ///
    /// # Errors
    /// `Held` when one of these tables is not at the version it was `seen` at; nothing is changed then, and the files
    /// about the versions are taken back. `Usage` when Glue has a table of that name that is not ours.
    pub async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<Option<Error>> {
        if let Some(glue) = &self.glue {
            glue.refuse_foreign(seen, versions).await?;
        }
        // Nobody refers to them yet.
        let write = |version: &Version| {
            let (uri, body) = (self.version_uri(&version.table, &version.run), document::json(version));
            async move { self.store.put(&uri, &body?).await }
        };
        try_join_all(versions.iter().map(write)).await?;
        let by = nonce();
        let published = self.change(|state| {
            let changed = state.publish(seen, versions)?;
            if changed {
                self.take_turn(state, &by);
            }
            Ok(changed)
        });
        match published.await {
            Ok(state) => Ok(self.follow(&by, state, seen).await.err()),
            Err(error) => {
                if error.kind == Kind::Held {
                    self.take_back(versions).await;
                }
                Err(error)
            }
        }
    }

    /// Removes the files about versions that were refused. Whatever stays is what a run that did not publish has left:
    /// garbage.
    async fn take_back(&self, versions: &[Version]) {
        let Ok((state, _)) = self.read().await else { return };
        let is_kept = |version: &&Version| state.tables.get(&version.table).is_some_and(|e| e.keeps(&version.run));
        let refused = versions.iter().filter(|version| !is_kept(version));
        let files: Vec<Uri> = refused.map(|version| self.version_uri(&version.table, &version.run)).collect();
        let _ = self.store.remove_all(&files).await;
    }

    /// Points each table at a version of its history, all at once. Returns what `publish` returns.
    ///
    /// # Errors
    /// `Held` as in `publish`; `Usage` when a version is not kept.
    pub async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<Option<Error>> {
        let by = nonce();
        let point = |state: &mut CatalogState| {
            state.point(seen, to, self.store.now())?;
            self.take_turn(state, &by);
            Ok(true)
        };
        let state = self.change(point).await?;
        Ok(self.follow(&by, state, seen).await.err())
    }

    /// Forgets versions; the current ones are always kept. Their files stay, for runs that have begun with them: who
    /// collects garbage removes those, before the data.
    ///
    /// # Errors
    /// `Held` when anything was published since the index was `seen`.
    pub async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        self.settle().await?;
        let files = self.version_files().await?;
        let is_there = |(table, run): &(String, RunId)| files.iter().any(|f| f.table == *table && f.run == *run);
        let forget = |state: &mut CatalogState| {
            state.forgotten.retain(is_there);
            state.forget(seen, versions).map(|()| true)
        };
        self.change(forget).await.map(drop)
    }

    /// Returns the files about versions, whether the index names them or not.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn version_files(&self) -> Result<Vec<VersionFile>> {
        let folder = self.root.join("versions");
        let file = |object: Object| {
            let (table, run) = object.uri.below(&folder)?.strip_suffix(".json")?.split_once('/')?;
            let (table, run) = (table.to_string(), run.parse().ok()?);
            Some(VersionFile { table, run, object })
        };
        Ok(self.store.inventory(&folder).await?.objects.into_iter().filter_map(file).collect())
    }

    /// Finds what the index lacks, or all of it when it is lost or damaged, in the files about versions; `write`: and
    /// puts it there. A table that the index knows keeps its current version; of another one the latest is current.
    /// `published`: the runs that have surely ended without failing, or of which nothing is known.
    ///
    /// # Errors
    /// `Held` when someone else publishes at the same time.
    pub async fn restore(&self, published: &BTreeSet<RunId>, write: bool) -> Result<Restored> {
        let uri = self.index_uri();
        let found = self.store.get_tagged(&uri).await?;
        let read = found.as_ref().map(|(body, _)| CatalogState::parse(&uri, body));
        let lost = matches!(read, Some(Err(_)));
        let mut state = read.and_then(Result::ok).unwrap_or_else(|| anew(self.store.now()));
        let restored = Restored { lost, ..state.restore(&self.kept().await?, published) };
        if write && !restored.is_nothing() {
            state.generation += 1;
            if !self.replace(&mut state, found.map(|(_, tag)| tag)).await? {
                return Err(Error::new(Kind::Held, "someone else publishes at the moment")
                    .hint("run the same command again when that has ended"));
            }
        }
        if write {
            self.settle().await?;
        }
        Ok(restored)
    }

    /// Awaits a call of this catalog and tells what it waits for meanwhile.
    pub async fn telling<T>(&self, call: impl Future<Output = T>, sink: &mut dyn Sink) -> T {
        let Some(mut waits) = self.glue.as_ref().map(|glue| glue.waits.subscribe()) else { return call.await };
        tokio::pin!(call);
        loop {
            tokio::select! {
                done = &mut call => return done,
                Ok(()) = waits.changed() => {
                    let text = waits.borrow_and_update().clone();
                    sink.emit(Event::Note { text });
                }
            }
        }
    }

    fn index_uri(&self) -> Uri {
        self.root.join("catalog.json")
    }

    fn version_uri(&self, table: &str, run: &RunId) -> Uri {
        self.root.join(&format!("versions/{table}/{run}.json"))
    }

    /// Returns the state, empty before the first publication.
    async fn state(&self) -> Result<CatalogState> {
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
    async fn change(&self, mut apply: impl FnMut(&mut CatalogState) -> Result<bool> + Send) -> Result<CatalogState> {
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

    /// Writes the state in place of the one with `tag`; returns whether nobody else was faster.
    async fn replace(&self, state: &mut CatalogState, tag: Option<Tag>) -> Result<bool> {
        let written = document::replace(self.store.as_ref(), &self.index_uri(), state, tag.as_ref()).await?;
        *self.known() = written.map(|tag| (state.clone(), tag));
        Ok(self.known().is_some())
    }

    /// Returns what the files about versions say, by table.
    async fn kept(&self) -> Result<BTreeMap<String, Kept>> {
        let one = async |file: VersionFile| Ok::<_, Error>((self.store.get(&file.object.uri).await?, file));
        let files = self.version_files().await?;
        let read = futures_util::stream::iter(files.into_iter().map(one)).buffered(AT_ONCE);
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        for (body, file) in read.try_collect::<Vec<_>>().await? {
            let Some(body) = body else { continue };
            let version = parse(&file.object.uri, &body).ok();
            let version = version.filter(|version: &Version| version.table == file.table && version.run == file.run);
            kept.entry(file.table).or_default().insert(file.run, version);
        }
        Ok(kept)
    }
}

fn parse<T: serde::de::DeserializeOwned>(uri: &Uri, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        Error::new(Kind::Machine, format!("the catalog file `{uri}` is damaged"))
            .caused_by(error)
            .hint("make the catalog anew from what is known of each version: `soflow tables repair`")
    })
}
