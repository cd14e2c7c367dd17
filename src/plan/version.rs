//! What a published table is made of. Written by a run, kept by the catalog, read by every later plan.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::names::{Digest, PartitionValues, RunId, partition_path};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in Spark's DDL, such as `bigint` or `array<string>`.
    pub kind: String,
    /// Whether the files allow nulls in it.
    pub nullable: bool,
}

/// One directory of Parquet files, written once by one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The partition's values by column; empty in a table without partitions.
    pub values: PartitionValues,
    /// The prefix of the run that wrote it, relative to the curated location: `questions/run=daily.2026-11-22.3`.
    pub prefix: String,
    /// Its directory below the prefix as the engine that wrote it spelled it: `month=2026-10`, or `hour=10:00`, which Hive
    /// would spell `hour=10%3A00`. `None` in a table without partitions, and in files written before this was noted,
    /// whose directories are spelled as Hive does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// How many files.
    pub files: u64,
}

impl Partition {
    /// Returns what tells it from all others of its table.
    pub(super) fn key(&self) -> (&String, &PartitionValues) {
        (&self.prefix, &self.values)
    }

    /// Returns where its files are, relative to the curated location; `partition_by` is that of its table.
    pub fn place(&self, partition_by: &[String]) -> String {
        let directory = self.directory.clone().unwrap_or_else(|| partition_path(partition_by, &self.values));
        if directory.is_empty() { self.prefix.clone() } else { format!("{}/{directory}", self.prefix) }
    }
}

/// What a step of a run made of which inputs: enough to tell later whether it must run again, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Of code, engine, parameters and inputs together.
    pub fingerprint: Digest,
    /// Of the script and everything it imports.
    pub code: Digest,
    /// Of the parameters.
    pub parameters: Digest,
    /// The engine and the lock of its packages.
    pub engine: String,
    /// What each input contained, by name as in the job file.
    pub inputs: BTreeMap<String, Digest>,
    /// The run that had published each input table when it was read.
    pub input_runs: BTreeMap<String, RunId>,
}

/// What a logical date has brought into a table that dates are merged into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Of the pages, the code and the parameters its rows were made from.
    pub work: Digest,
    /// Of the step that merged them.
    pub fingerprint: Digest,
    /// The partitions its rows are in, without those that also have rows of which nobody knows the date.
    pub partitions: BTreeSet<PartitionValues>,
}

/// A table as one run published it. Each run publishes a table at most once, so the run names the version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The table.
    pub table: String,
    /// The run that published it.
    pub run: RunId,
    /// When, UTC.
    pub published_at: Timestamp,
    /// Stands for the content: equal when made by the same code from the same inputs.
    pub content: Digest,
    /// The tables that the run published at once, this one too. Empty in files written before this was noted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub published_with: BTreeSet<String>,
    /// The version this one was made from: its partitions stayed unless replaced. `None`: made from nothing.
    pub base: Option<RunId>,
    /// The steps that made it, the latest of each name.
    pub made_by: BTreeMap<String, Made>,
    /// Fingerprints of all steps whose results are in here.
    pub applied: BTreeSet<Digest>,
    /// What each date has brought, in a table that dates are merged into.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub brought: BTreeMap<Date, Brought>,
    /// Columns in the files; partition columns are not among them.
    pub schema: Vec<Column>,
    /// The partition columns, outermost first.
    pub partition_by: Vec<String>,
    /// The live partitions, sorted by values.
    pub partitions: Vec<Partition>,
}

impl Version {
    /// Returns how many rows readers see.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.rows).sum()
    }

    /// Returns how many bytes the live files have.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }
}
