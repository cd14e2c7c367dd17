//! The catalog of a local lake: one small index, replaced atomically, over version files that never change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::{Catalog, Entry, Index, Published};
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::{Object, Store};

/// A catalog in `<curated>/_catalog`. Callers hold the lake's lock while they write.
pub struct FileCatalog {
    store: Arc<dyn Store>,
    root: Uri,
}

impl FileCatalog {
    /// Returns the catalog of the tables at `curated`.
    pub fn new(store: Arc<dyn Store>, curated: &Uri) -> Self {
        Self { store, root: curated.join("_catalog") }
    }

    fn index_uri(&self) -> Uri {
        self.root.join("catalog.json")
    }

    fn version_uri(&self, table: &str, run: &RunId) -> Uri {
        self.root.join(&format!("versions/{table}/{run}.json"))
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, uri: &Uri) -> Result<Option<T>> {
        let Some(body) = self.store.get(uri).await? else { return Ok(None) };
        serde_json::from_slice(&body).map(Some).map_err(|error| {
            Error::new(Kind::Machine, format!("the catalog file `{uri}` is damaged"))
                .caused_by(error)
                .hint("restore it from a backup, or remove it and `soflow submit` again to rebuild the tables from raw")
        })
    }

    async fn replace(&self, seen: &Index, mut next: Index) -> Result<()> {
        if self.index().await?.generation != seen.generation {
            return Err(Error::new(Kind::Held, "someone else published while this was going on")
                .hint("run the same command again: it starts from what is published now"));
        }
        next.generation = seen.generation + 1;
        self.store.put(&self.index_uri(), &to_json(&next)?).await
    }
}

#[async_trait]
impl Catalog for FileCatalog {
    async fn index(&self) -> Result<Index> {
        Ok(self.read(&self.index_uri()).await?.unwrap_or_default())
    }

    async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>> {
        self.read(&self.version_uri(table, run)).await
    }

    async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<()> {
        let mut next = seen.clone();
        for version in versions {
            self.store.put(&self.version_uri(&version.table, &version.run), &to_json(version)?).await?;
            let published = Published {
                run: version.run.clone(),
                at: version.published_at,
                rows: version.rows(),
                bytes: version.bytes(),
            };
            let entry = next
                .tables
                .entry(version.table.clone())
                .or_insert_with(|| Entry { current: version.run.clone(), history: Vec::new() });
            entry.current = version.run.clone();
            entry.history.retain(|known| known.run != version.run);
            entry.history.push(published);
        }
        self.replace(seen, next).await
    }

    async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<()> {
        let mut next = seen.clone();
        for (table, run) in to {
            let kept = next.tables.get_mut(table).filter(|entry| entry.history.iter().any(|known| known.run == *run));
            let entry = kept.ok_or_else(|| {
                Error::new(Kind::Usage, format!("table `{table}` has no version of run `{run}`"))
                    .hint(format!("`soflow tables show {table}` lists its versions"))
            })?;
            entry.current = run.clone();
        }
        self.replace(seen, next).await
    }

    async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        let mut next = seen.clone();
        let mut gone = Vec::new();
        for (table, run) in versions {
            if let Some(entry) = next.tables.get_mut(table).filter(|entry| entry.current != *run) {
                entry.history.retain(|known| known.run != *run);
                gone.push(self.version_uri(table, run));
            }
        }
        self.replace(seen, next).await?;
        for uri in gone {
            self.store.remove(&uri).await?;
        }
        Ok(())
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

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(Kind::Internal, "a catalog entry cannot be written as JSON").caused_by(error))
}
