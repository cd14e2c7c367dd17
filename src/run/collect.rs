//! Garbage: what no reader and no later run needs any more.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::catalog::{Catalog, Index};
use crate::config::Lake;
use crate::error::Result;
use crate::names::{Digest, RunId, Uri};
use crate::plan::{self, StepResult};
use crate::store::{Object, Store};

/// What can be removed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Garbage {
    /// Table versions past their age, as table and run.
    pub versions: Vec<(String, RunId)>,
    /// Files that no kept version and no waiting result refers to.
    pub files: Vec<Uri>,
    /// Results that waited too long to be published, and what crashes left.
    pub leftovers: Vec<Uri>,
    /// Bytes of all of it.
    pub bytes: u64,
}

/// Returns what is garbage at `now`: versions replaced longer than `keep` ago, except each table's current one and the
/// one before it, so that a rollback is always possible.
///
/// A lake that others write to at the same time has files that nothing refers to yet: there, only what is older than `keep`
/// is garbage.
pub async fn find_garbage(
    lake: &Lake,
    store: &dyn Store,
    catalog: &dyn Catalog,
    now: Timestamp,
    keep: SignedDuration,
) -> Result<(Index, Garbage)> {
    let index = catalog.index().await?;
    let mut garbage = Garbage::default();
    let shared = lake.artifacts.to_path().is_none();
    let is_young = |object: &Object| shared && now.duration_since(object.modified) <= keep;
    let mut needed: BTreeSet<String> = BTreeSet::new();
    for (table, entry) in &index.tables {
        let spared = entry.history.len().saturating_sub(2);
        for (at, published) in entry.history.iter().enumerate() {
            let replaced_at = entry.history.get(at + 1).map(|next| next.at);
            let old = replaced_at.is_some_and(|replaced| now.duration_since(replaced) > keep);
            if old && at < spared && published.run != entry.current {
                garbage.versions.push((table.clone(), published.run.clone()));
            } else if let Some(version) = catalog.version(table, &published.run).await? {
                needed.extend(version.partitions.iter().map(|partition| partition.place(&version.partition_by)));
            }
        }
    }
    for object in store.list(&lake.artifacts.join("results")).await? {
        let body = store.get(&object.uri).await?.unwrap_or_default();
        match serde_json::from_slice::<(Digest, StepResult)>(&body) {
            Ok((_, result)) if now.duration_since(object.modified) <= keep => {
                needed.extend(result.tables.keys().map(|table| plan::run_prefix(table, &result.run)));
            }
            _ => leftover(&mut garbage, &object),
        }
    }
    for object in store.list(&lake.curated).await? {
        let below = object.uri.below(&lake.curated).unwrap_or_default();
        if !is_needed(below, &needed) && !is_young(&object) {
            garbage.bytes += object.bytes;
            garbage.files.push(object.uri);
        }
    }
    let mut left = store.list(&lake.artifacts.join("scratch")).await?;
    left.extend(catalog.unnamed(&index).await?);
    for location in [&lake.curated, &lake.artifacts, &lake.raw] {
        left.extend(store.unfinished(location).await?);
    }
    left.iter().filter(|object| !is_young(object)).for_each(|object| leftover(&mut garbage, object));
    Ok((index, garbage))
}

fn leftover(garbage: &mut Garbage, object: &Object) {
    garbage.bytes += object.bytes;
    garbage.leftovers.push(object.uri.clone());
}

/// A file is needed when one of the folders it is in is.
fn is_needed(file: &str, needed: &BTreeSet<String>) -> bool {
    file.match_indices('/').any(|(at, _)| needed.contains(&file[..at]))
}

/// Removes the garbage: the catalog forgets first, so that nothing it names is ever missing.
pub async fn collect(index: &Index, garbage: &Garbage, store: &dyn Store, catalog: &dyn Catalog) -> Result<()> {
    if !garbage.versions.is_empty() {
        catalog.forget(index, &garbage.versions).await?;
    }
    let gone: Vec<Uri> = garbage.files.iter().chain(&garbage.leftovers).cloned().collect();
    store.remove_all(&gone).await
}
