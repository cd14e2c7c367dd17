//! The catalog made anew from the files about versions, with what records tell of the runs that wrote those.

use std::collections::BTreeSet;

use super::record::{RunRecord, record_uri};
use crate::catalog::{Catalog, Restored};
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::{RunId, Uri};
use crate::store::Store;
use crate::store::document::StoredDocument as _;

/// Finds what the catalog lacks; `write`: and puts it there.
///
/// # Errors
/// Those of the store and the catalog; `Held` when someone else publishes at the same time.
pub async fn repair(store: &dyn Store, catalog: &Catalog, artifacts: &Uri, write: bool) -> Result<Restored> {
    let index = catalog.index().await.unwrap_or_default();
    let mut files = catalog.version_files().await?;
    files.retain(|file| !index.tables.get(&file.table).is_some_and(|entry| entry.keeps(&file.run)));
    let runs: BTreeSet<RunId> = files.into_iter().map(|file| file.run).collect();
    let mut published = BTreeSet::new();
    for run in runs {
        let uri = record_uri(artifacts, &run);
        let record = store.get(&uri).await?.and_then(|body| RunRecord::parse(&uri, &body).ok());
        // Without a record nothing speaks against it.
        if record.is_none_or(|record| record.state == RunState::Succeeded) {
            published.insert(run);
        }
    }
    catalog.restore(&published, write).await
}

/// Refuses to go on with a catalog that lacks what was published: what it does not name is not garbage.
///
/// # Errors
/// `Machine` when it lacks something, saying what.
pub(super) async fn must_be_whole(store: &dyn Store, catalog: &Catalog, artifacts: &Uri) -> Result<()> {
    let found = repair(store, catalog, artifacts, false).await?;
    if found.is_nothing() {
        return Ok(());
    }
    let versions = found.added.iter().chain(&found.dropped).map(|(table, run)| format!("version {run} of {table}"));
    let tables = found.unreadable.iter().map(|table| format!("all versions of {table}"));
    Err(Error::new(Kind::Machine, "the catalog and the files about versions do not agree: nothing was removed")
        .detail(versions.chain(tables).collect::<Vec<_>>().join("\n"))
        .hint("make the catalog whole first: `soflow tables repair`"))
}
