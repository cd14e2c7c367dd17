//! What must stay: all that the catalog, waiting results and runs that go on refer to. And what is ours at all.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::records::{AT_ONCE, Runs};
use crate::catalog::{Catalog, Index};
use crate::config::Lake;
use crate::error::Result;
use crate::names::{PartitionValues, RunId, parse_partition_path, run_of_folder};
use crate::plan::{self, StepResult, Version};
use crate::store::Store;

/// What runs that go on refer to.
#[derive(Default)]
pub struct OpenRuns {
    /// Their ids.
    pub runs: BTreeSet<RunId>,
    /// The versions they were planned from, as table and run.
    pub versions: BTreeMap<(String, RunId), Version>,
    /// Where the results they take are.
    pub prefixes: BTreeSet<String>,
}

impl OpenRuns {
    /// Returns what the runs that go on refer to.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn of(runs: &Runs, lake: &Lake, catalog: &Catalog) -> Result<Self> {
        let mut going = Self { runs: runs.going.keys().cloned().collect(), ..Self::default() };
        for record in runs.going.values().flatten() {
            let Some(intent) = &record.intent else { continue };
            let gathered = intent.gathered(record, lake, catalog).await?;
            for version in gathered.facts.tables.into_values().flat_map(|table| table.versions.into_values()) {
                going.versions.insert((version.table.clone(), version.run.clone()), version);
            }
            for step in &intent.plan.steps {
                going.prefixes.extend(step.reused.iter().flat_map(StepResult::prefixes));
            }
        }
        Ok(going)
    }

    /// Returns whether a run of a job goes on: when others publish meanwhile it looks again for results to take.
    pub fn has_job(&self, job: &str) -> bool {
        self.runs.iter().any(|run| run.job == job)
    }
}

/// Returns the prefixes that a version's partitions are below.
pub fn prefixes_of(version: &Version) -> impl Iterator<Item = String> {
    version.partitions.iter().map(|partition| partition.prefix.clone())
}

/// What must stay below the curated location, and what of the rest is ours.
#[derive(Default)]
pub struct LiveSet {
    runs: BTreeSet<RunId>,
    whole: BTreeSet<String>,
    /// Where kept versions were written, also those of no partition.
    written: BTreeSet<String>,
    /// The columns that partitions of kept versions have directories for, by prefix.
    columns: BTreeMap<String, BTreeSet<Vec<String>>>,
    /// The partitions that are needed, by prefix.
    values: BTreeSet<(String, PartitionValues)>,
    /// Where they are: a directory that reads as other values today stays, too.
    places: BTreeSet<String>,
    named: BTreeSet<String>,
    asked: BTreeSet<RunId>,
}

/// What a file below the curated location is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Someone refers to it.
    Live,
    /// We wrote it, and nobody refers to it any more.
    Garbage,
    /// Nothing tells that it is ours.
    Unknown,
    /// Hidden from readers, as what Spark keeps for itself: not told.
    Hidden,
}

/// Returns the folders of a table that a run may have written, as they are called and as they were before.
pub fn folders_of(table: &str, run: &RunId) -> [String; 2] {
    [plan::run_prefix(table, run), format!("{table}/run={run}")]
}

impl LiveSet {
    /// Keeps all that `going` refers to.
    pub fn by_runs(going: &OpenRuns) -> Self {
        let mut live = Self { runs: going.runs.clone(), whole: going.prefixes.clone(), ..Self::default() };
        going.versions.values().for_each(|version| live.keep(version));
        live
    }

    /// Keeps all that the versions of an index refer to.
    ///
    /// # Errors
    /// Those of the catalog: without knowing what a version is made of nothing may be removed.
    pub async fn add_index(&mut self, index: &Index, catalog: &Catalog) -> Result<()> {
        let versions =
            index.tables.iter().flat_map(|(table, entry)| entry.history.iter().map(move |known| (table, known)));
        let read = versions.map(|(table, known)| catalog.version(table, &known.run));
        let mut read = futures_util::stream::iter(read).buffered(AT_ONCE);
        while let Some(version) = read.try_next().await? {
            version.iter().for_each(|version| self.keep(version));
        }
        Ok(())
    }

    /// Keeps all that a result describes.
    pub fn add_result(&mut self, result: &StepResult) {
        self.whole.extend(result.prefixes());
    }

    /// Notes that prefixes are ours, whether they are needed or not.
    pub fn name(&mut self, prefixes: impl IntoIterator<Item = String>) {
        self.named.extend(prefixes);
    }

    fn keep(&mut self, version: &Version) {
        self.written.extend(folders_of(&version.table, &version.run));
        for partition in &version.partitions {
            let prefix = partition.prefix.clone();
            self.columns.entry(prefix.clone()).or_default().insert(version.partition_by.clone());
            self.values.insert((prefix, partition.values.clone()));
            self.places.insert(partition.place(&version.partition_by));
        }
    }

    /// Returns what the file at `below`, below the curated location, is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn liveness(&mut self, below: &str, runs: &Runs, store: &dyn Store) -> Result<Liveness> {
        let parts: Vec<&str> = below.split('/').collect();
        let hidden = |part: &&str| part.is_empty() || part.starts_with(['.', '_']) || part.ends_with("_$folder$");
        let others = if parts.iter().any(hidden) { Liveness::Hidden } else { Liveness::Unknown };
        let [table, folder, rest @ ..] = parts.as_slice() else { return Ok(others) };
        let Some(run) = run_of_folder(folder) else { return Ok(others) };
        let prefix = format!("{table}/{folder}");
        if self.runs.contains(&run) || self.whole.contains(&prefix) {
            return Ok(Liveness::Live);
        }
        // What an engine left beside the data, and the columns of a table without rows, stay as long as the version does.
        if rest.iter().any(hidden) && self.written.contains(&prefix) {
            return Ok(Liveness::Live);
        }
        if let Some(columns) = self.columns.get(&prefix) {
            let mut in_partition = false;
            for by in columns {
                let Some(directory) = rest.get(..by.len()).filter(|_| rest.len() > by.len()) else { continue };
                let directory = directory.join("/");
                let place = if directory.is_empty() { prefix.clone() } else { format!("{prefix}/{directory}") };
                let values = parse_partition_path(by, &directory).map(|values| (prefix.clone(), values));
                in_partition |= values.is_some();
                if self.places.contains(&place) || values.is_some_and(|values| self.values.contains(&values)) {
                    return Ok(Liveness::Live);
                }
            }
            if !in_partition {
                return Ok(others);
            }
            self.named.insert(prefix.clone());
        }
        // What steps write: files whose names Spark gives them, also before they are whole.
        if !rest.iter().any(hidden) && !rest.last().is_some_and(|name| name.contains(".parquet")) {
            return Ok(Liveness::Unknown);
        }
        if !self.named.contains(&prefix) && self.asked.insert(run.clone()) {
            let wrote = runs.wrote(store, &run).await?;
            self.named.extend(wrote.iter().map(|table| format!("{table}/{folder}")));
        }
        Ok(if self.named.contains(&prefix) { Liveness::Garbage } else { others })
    }
}
