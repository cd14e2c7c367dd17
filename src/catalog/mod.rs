//! Tables and where their partitions are. Publishing here is the only moment readers see anything.

mod glue;
mod object;
mod restore;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::names::RunId;
use crate::plan::Version;
use crate::store::Object;

pub use glue::GlueCatalog;
pub use object::ObjectCatalog;
pub use restore::Restored;

/// Which version of each table readers see, and which ones they could go back to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Counts publications, rollbacks and collections.
    pub generation: u64,
    /// By table name.
    pub tables: BTreeMap<String, TableHistory>,
    /// Current versions by table, as far as the index holds them: see [`Catalog::current`].
    #[serde(skip)]
    pub versions: BTreeMap<String, Version>,
    /// Whether other catalogs, such as Glue, are known to say the same.
    #[serde(skip)]
    pub shown: bool,
}

impl Index {
    /// Returns the run whose version of `table` readers see.
    pub fn current(&self, table: &str) -> Option<&RunId> {
        self.tables.get(table).map(|entry| &entry.current)
    }

    /// Returns those of `tables` whose readers see another version now than they did in `seen`.
    pub fn moved<'a>(&self, seen: &Self, tables: impl IntoIterator<Item = &'a String>) -> Vec<&'a String> {
        tables.into_iter().filter(|table| self.current(table) != seen.current(table)).collect()
    }

    /// Returns the tables that `run` has published.
    pub fn published_by<'a>(&'a self, run: &RunId) -> impl Iterator<Item = &'a String> {
        self.tables.iter().filter(move |(_, entry)| entry.keeps(run)).map(|(table, _)| table)
    }
}

/// The versions of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableHistory {
    /// The run whose version readers see.
    pub current: RunId,
    /// All versions kept, oldest first.
    pub history: Vec<Published>,
}

/// A version in a table's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The run that published it.
    pub run: RunId,
    /// When, UTC.
    pub at: Timestamp,
    /// Rows in all its partitions.
    pub rows: u64,
    /// Bytes in all its partitions.
    pub bytes: u64,
    /// When readers were last pointed elsewhere, UTC; `None` while they see it, and where an older soflow pointed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl TableHistory {
    /// Returns the version before the current one: the one to go back to.
    pub fn before(&self) -> Option<&Published> {
        let at = self.history.iter().position(|known| known.run == self.current)?;
        self.history.get(at.checked_sub(1)?)
    }

    /// Returns whether the version of `run` is kept.
    pub fn keeps(&self, run: &RunId) -> bool {
        self.history.iter().any(|known| known.run == *run)
    }
}

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

/// Tables and where their partitions are.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Returns which versions there are; empty before the first publication.
    async fn index(&self) -> Result<Index>;

    /// Returns the version of `table` that `run` published, or `None` when it is not kept.
    async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>>;

    /// Returns the version of `table` that readers of `seen` see, or `None` when there is no such table or version.
    async fn current(&self, seen: &Index, table: &str) -> Result<Option<Version>> {
        let Some(entry) = seen.tables.get(table) else { return Ok(None) };
        match seen.versions.get(table).filter(|version| version.run == entry.current) {
            Some(version) => Ok(Some(version.clone())),
            None => self.version(table, &entry.current).await,
        }
    }

    /// Returns a channel on which a call that is going on says, in a sentence, what it waits for.
    fn waits(&self) -> watch::Receiver<String> {
        watch::channel(String::new()).1
    }

    /// Makes all `versions` current in one step: a reader of the index sees none or all of them, also after a crash.
    /// Of several callers that saw the same version of a table exactly one publishes it. Returns what has kept other
    /// catalogs, such as Glue, from showing the versions: they are published all the same.
    ///
    /// # Errors
    /// `Held` when one of these tables is not at the version it was `seen` at; nothing is changed then.
    async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<Option<Error>>;

    /// Points each table at a version of its history, all at once. Returns what `publish` returns.
    ///
    /// # Errors
    /// `Held` as in `publish`; `Usage` when a version is not kept.
    async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<Option<Error>>;

    /// Forgets versions; the current ones are always kept. Their files stay, for runs that have begun with them: who
    /// collects garbage removes those, before the data.
    async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()>;

    /// Returns the files about versions, whether the index names them or not.
    async fn version_files(&self) -> Result<Vec<VersionFile>>;

    /// Finds what the index lacks, or all of it when it is lost or damaged, in the files about versions; `write`: and
    /// puts it there. A table that the index knows keeps its current version; of another one the latest is current.
    /// `published`: the runs that have surely ended without failing, or of which nothing is known.
    ///
    /// # Errors
    /// `Held` when someone else publishes at the same time.
    async fn restore(&self, published: &BTreeSet<RunId>, write: bool) -> Result<Restored>;

    /// Makes other catalogs, such as Glue, say what the index says; does what a crash or a failure left undone.
    /// Before files are removed nobody may point at them any more, so this comes first.
    async fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Returns where other catalogs differ from the index, a lowercase fragment each.
    async fn check(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Awaits a call to `catalog` and tells what it waits for meanwhile.
pub async fn telling<T>(catalog: &dyn Catalog, call: impl Future<Output = T>, sink: &mut dyn Sink) -> T {
    let mut waits = catalog.waits();
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
