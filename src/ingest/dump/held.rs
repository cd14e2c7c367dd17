//! What raw holds of a dump already.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result};
use crate::ingest::raw::{self, Folder};
use crate::names::Uri;
use crate::store::Store;

/// The dumps of one table, site and date.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many pages the very folder has, when it is complete.
    pub complete: Option<u64>,
    /// Whether an interrupted ingest left something in it.
    pub begun: bool,
    /// Folders of other dumps, and whether they are complete.
    pub others: Vec<(Folder, bool)>,
}

/// Returns what is there of `folder`, and of others like it.
pub async fn held(store: &dyn Store, raw: &Uri, folder: &Folder) -> Result<Held> {
    let mut pages: BTreeMap<Folder, u64> = BTreeMap::new();
    for object in store.list(&raw::of_date(raw, &folder.site, &folder.endpoint, folder.date)).await? {
        if let Some((found, _)) = Folder::parse(raw, &object.uri).filter(|(found, _)| found.run.starts_with(super::RUN))
        {
            *pages.entry(found).or_default() += 1;
        }
    }
    // A table without rows has a manifest and no page.
    pages.entry(folder.clone()).or_default();
    let mut held = Held::default();
    for (found, pages) in pages {
        let complete = store.size(&found.manifest(raw)).await?.is_some();
        if found == *folder {
            held.complete = complete.then_some(pages);
            held.begun = !complete && pages > 0;
        } else {
            held.others.push((found, complete));
        }
    }
    Ok(held)
}

/// Returns the error of a table that raw holds another dump of.
pub fn another(folder: &Folder, other: &Folder, name: &str) -> Error {
    let Folder { site, endpoint, date, .. } = folder;
    let message = format!("raw holds another dump of {endpoint} of {site} for {date}, nothing was written");
    Error::new(Kind::Usage, message)
        .detail(format!("there: run={}\n`{name}`: run={}", other.run, folder.run))
        .hint("file this one under a date of its own with `--date YYYY-MM-DD`")
        .hint("or add `--replace`: the other one is removed as soon as this one is complete")
}
