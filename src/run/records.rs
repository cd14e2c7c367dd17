//! The records of all runs of a lake, and the catalog made anew with what they tell.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::record::{RunRecord, record_uri};
use crate::catalog::{Catalog, Restored};
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::{RunId, Uri};
use crate::store::document::StoredDocument as _;
use crate::store::{Object, Store};

/// Small objects read at once: on S3 one waits for the answers.
pub const AT_ONCE: usize = 16;

/// A run, and its record or why that cannot be read.
pub type Listed = (RunId, Result<RunRecord>);

/// Returns all runs, the latest first. One whose record is damaged has the time at which it was written last.
///
/// # Errors
/// Those of the store; a single file that this machine does not let us read is one that cannot be read.
pub async fn list_runs(store: &dyn Store, artifacts: &Uri) -> Result<Vec<Listed>> {
    let objects = store.list(&artifacts.join("runs")).await?;
    let records = objects.into_iter().filter_map(|object| Some((record_of(&object, artifacts)?, object)));
    let mut runs = read(store, records).await?;
    let at = |(_, object, record): &(RunId, Object, Result<RunRecord>)| {
        record.as_ref().map_or(object.modified, |record| record.started_at)
    };
    runs.sort_by(|a, b| at(b).cmp(&at(a)).then(b.0.cmp(&a.0)));
    Ok(runs.into_iter().map(|(run, _, record)| (run, record)).collect())
}

async fn read(
    store: &dyn Store,
    records: impl Iterator<Item = (RunId, Object)>,
) -> Result<Vec<(RunId, Object, Result<RunRecord>)>> {
    let one = async |(run, object): (RunId, Object)| {
        let record = match store.get(&object.uri).await {
            Ok(None) => return Ok(None),
            Ok(Some(body)) => RunRecord::parse(&object.uri, &body),
            // Elsewhere it is the way there that fails, and not this one object.
            Err(error) if object.uri.to_path().is_none() => return Err(error),
            Err(error) => Err(error),
        };
        Ok(Some((run, object, record)))
    };
    let read: Vec<Option<_>> = futures_util::stream::iter(records.map(one)).buffered(AT_ONCE).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

/// Returns the run whose record an object is.
fn record_of(object: &Object, artifacts: &Uri) -> Option<RunId> {
    run_of(object, artifacts).filter(|(_, name)| *name == "run.json").map(|(run, _)| run)
}

/// Returns the run about which an object is kept, and the object's name there.
fn run_of<'a>(object: &'a Object, artifacts: &Uri) -> Option<(RunId, &'a str)> {
    let mut parts = object.uri.below(artifacts)?.strip_prefix("runs/")?.splitn(4, '/');
    let id = [parts.next()?, parts.next()?, parts.next()?].join(".");
    Some((id.parse().ok()?, parts.next()?))
}

/// What is kept about the runs of a lake, looked at several times: a run that has ended is not looked at again.
#[derive(Default)]
pub struct Runs {
    ended: BTreeSet<RunId>,
    /// Those that go on, as far as records tell; a record that cannot be read may be of such a run.
    pub going: BTreeMap<RunId, Option<RunRecord>>,
    /// The tasks of each run.
    tasks: BTreeMap<RunId, Vec<Uri>>,
}

impl Runs {
    /// Looks at what has changed. The runs of a local lake end with their process, and who looks holds its lock.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look(&mut self, store: &dyn Store, artifacts: &Uri) -> Result<()> {
        let mut records = Vec::new();
        self.tasks.clear();
        for object in store.list(&artifacts.join("runs")).await? {
            let Some((run, name)) = run_of(&object, artifacts) else { continue };
            let tasks = self.tasks.entry(run.clone()).or_default();
            if name.starts_with("tasks/") {
                tasks.push(object.uri);
            } else if name == "run.json" && artifacts.to_path().is_none() && !self.ended.contains(&run) {
                records.push((run, object));
            }
        }
        self.going.clear();
        for (run, _, record) in read(store, records.into_iter()).await? {
            match record {
                Ok(record) if record.state != RunState::Running => drop(self.ended.insert(run)),
                record => drop(self.going.insert(run, record.ok())),
            }
        }
        Ok(())
    }

    /// Returns whether there was such a run.
    pub fn knows(&self, run: &RunId) -> bool {
        self.tasks.contains_key(run)
    }

    /// Returns the tables that the steps of a run were told to write.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn wrote(&self, store: &dyn Store, run: &RunId) -> Result<BTreeSet<String>> {
        let mut tables = BTreeSet::new();
        for task in self.tasks.get(run).into_iter().flatten() {
            let body = store.get(task).await?.unwrap_or_default();
            let task: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            tables.extend(task["outputs"].as_object().into_iter().flat_map(|outputs| outputs.keys().cloned()));
        }
        Ok(tables)
    }
}

/// Finds what the catalog lacks; `write`: and puts it there.
///
/// # Errors
/// Those of the store and the catalog; `Held` when someone else publishes at the same time.
pub async fn repair(store: &dyn Store, catalog: &Catalog, artifacts: &Uri, write: bool) -> Result<Restored> {
    let index = catalog.index().await.unwrap_or_default();
    let mut files = catalog.version_files().await?;
    files.retain(|file| !index.keeps(&file.table, &file.run));
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
