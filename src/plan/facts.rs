//! What a plan is made from, collected beforehand.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::version::{Column, Partition, Version};
use crate::config::Lake;
use crate::job::Job;
use crate::names::{Digest, RunId, RunKey, Uri};

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The job.
    pub job: &'a Job,
    /// The logical date.
    pub date: Date,
    /// The target's locations.
    pub lake: &'a Lake,
    /// The engine and the lock of its packages, such as `sail@1f0c…`.
    pub engine: String,
    /// The digest of each step's script and of all it imports.
    pub code: BTreeMap<String, Digest>,
    /// The pages of each endpoint that some step reads, for the logical date.
    pub raw: BTreeMap<String, Vec<RawObject>>,
    /// The same of other dates, as far as a plan needs them: see `Plan::dates`.
    pub others: BTreeMap<Date, BTreeMap<String, Vec<RawObject>>>,
    /// The published tables.
    pub tables: BTreeMap<String, TableFacts>,
    /// Outputs of finished steps that no run has published yet, by result digest.
    pub results: BTreeMap<Digest, StepResult>,
    /// Which steps are asked for.
    pub select: Select,
}

impl Facts<'_> {
    /// Returns the job and the logical date.
    pub fn key(&self) -> RunKey {
        RunKey { job: self.job.name.clone(), date: self.date }
    }

    /// Returns the version of a table that readers see.
    pub fn current(&self, table: &str) -> Option<&Version> {
        self.tables.get(table)?.current()
    }

    /// Returns the pages of an endpoint for a date.
    pub fn pages(&self, endpoint: &str, date: Date) -> &[RawObject] {
        let of_date = if date == self.date { Some(&self.raw) } else { self.others.get(&date) };
        of_date.and_then(|pages| pages.get(endpoint)).map_or(&[], Vec::as_slice)
    }
}

/// A page in raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawObject {
    /// Where it is.
    pub uri: Uri,
    /// Its size as stored.
    pub bytes: u64,
    /// Changes whenever the content does.
    pub etag: String,
    /// When it was fetched from the API, UTC.
    pub fetched_at: Timestamp,
    /// What else its ingester noted. No part of what makes the page the same page: work is not repeated for it.
    pub about: About,
}

/// What an ingester noted about a page and the page itself does not tell, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Bytes of the body, decompressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes of the object as stored, which a step must hold in memory to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Requests left after the one that gave the page; the API does send negative ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_remaining: Option<i64>,
    /// How far the endpoint was read before the page, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_before: Option<i64>,
    /// How far it was read with the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark_after: Option<i64>,
}

impl About {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A published table.
#[derive(Clone, Debug, Default)]
pub struct TableFacts {
    /// The run whose version readers see.
    pub current: Option<RunId>,
    /// That version, those it was made from as far as they are of the same date, and those that consumers have read.
    pub versions: BTreeMap<RunId, Version>,
}

impl TableFacts {
    /// Returns the version readers see.
    pub fn current(&self) -> Option<&Version> {
        self.versions.get(self.current.as_ref()?)
    }
}

/// Which steps are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Select {
    /// Only these steps; empty: all.
    pub steps: Vec<String>,
    /// Run them although nothing has changed.
    pub force: bool,
    /// The runs this one goes on from: what their steps have written is taken whatever else is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<RunId>,
}

/// What a finished step wrote, kept until a run publishes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The run in which the step ran.
    pub run: RunId,
    /// The step.
    pub step: String,
    /// When it started, UTC, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// What it wrote, by table.
    pub tables: BTreeMap<String, Written>,
}

impl StepResult {
    /// Returns the rows it wrote, by table.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        self.tables.iter().map(|(table, written)| (table.clone(), written.rows())).collect()
    }

    /// Returns the prefixes of what it wrote, relative to the curated location.
    pub fn prefixes(&self) -> impl Iterator<Item = String> {
        let written = self.tables.values().flat_map(|written| &written.partitions);
        let own = self.tables.keys().map(|table| super::run_prefix(table, &self.run));
        own.chain(written.map(|partition| partition.prefix.clone()))
    }
}

/// What a step wrote to one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// The columns of the files; empty when no file was written.
    pub schema: Vec<Column>,
    /// The partitions.
    pub partitions: Vec<Partition>,
}

impl Written {
    /// Returns the rows of all partitions.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.rows).sum()
    }

    /// Returns the bytes of all partitions.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }
}
