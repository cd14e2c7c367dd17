//! Collects what a plan is made from: code, raw pages, published tables, results of finished steps. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use jiff::civil::Date;

use crate::catalog::{Catalog, Index};
use crate::config::Lake;
use crate::error::{Error, Result};
use crate::ingest::raw;
use crate::job::{Job, Step, Value};
use crate::names::{Digest, RunId, Uri};
use crate::plan::{self, About, Facts, Plan, RawObject, Select, StepResult, TableFacts, Version};
use crate::store::Store;
use crate::targets::Shipped;

/// The site whose pages are read when the job file has no parameter `site`.
const SITE: &str = "stackoverflow";

/// What a plan is made from, and the catalog's state it was read at.
pub struct Gathered<'a> {
    /// The facts.
    pub facts: Facts<'a>,
    /// The catalog's index: publishing compares with it.
    pub index: Index,
    /// What the steps run with, on a target that this is shipped to.
    pub shipped: Option<Shipped>,
}

/// The code that a run's steps run, and what runs it.
#[derive(Clone, Debug)]
pub struct Code {
    /// The digest of each step's code, by step.
    pub steps: BTreeMap<String, Digest>,
    /// The engine and its lock.
    pub engine: String,
    /// Where it is, on a target that it is shipped to.
    pub shipped: Option<Shipped>,
}

/// What to gather for.
pub struct PlanRequest<'a> {
    /// The job.
    pub job: &'a Job,
    /// The logical date.
    pub date: Date,
    /// The target's locations.
    pub lake: &'a Lake,
    /// The code.
    pub code: Code,
    /// Which steps are asked for.
    pub select: Select,
}

/// Returns the facts for a plan.
///
/// # Errors
/// Those of the store and the catalog.
pub async fn gather<'a>(request: PlanRequest<'a>, store: &dyn Store, catalog: &Catalog) -> Result<Gathered<'a>> {
    let PlanRequest { job, date, lake, code, select } = request;
    let index = catalog.index().await?;
    let names: Vec<String> = table_names(job).into_iter().filter(|name| index.tables.contains_key(name)).collect();
    let known = names.iter().map(|name| table_facts(name, catalog.current(&index, name), job, date, catalog));
    let (known, raw, results) =
        tokio::try_join!(try_join_all(known), raw_pages(job, date, lake, store), results(job, lake, store))?;
    let mut tables: BTreeMap<String, TableFacts> = names.into_iter().zip(known).collect();
    add_versions_taken_in(&mut tables, catalog).await?;
    for (name, table) in &mut tables {
        // One that was forgotten may be removed at any moment.
        table.versions.retain(|run, _| index.tables[name].keeps(run));
    }
    let Code { steps: code, engine, shipped } = code;
    let facts = Facts { job, date, lake, engine, code, raw, others: BTreeMap::new(), tables, results, select };
    Ok(Gathered { facts, index, shipped })
}

/// Returns the plan, after gathering the pages of other dates that it needs.
///
/// # Errors
/// As [`plan::plan`]; those of the store.
pub async fn plan(gathered: &mut Gathered<'_>, store: &dyn Store) -> Result<Plan> {
    loop {
        let plan = plan::plan(&gathered.facts)?;
        let facts = &mut gathered.facts;
        let is_missing = |date: &Date| *date != facts.date && !facts.others.contains_key(date);
        let missing: Vec<Date> = plan.dates().into_iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(plan);
        }
        let pages = missing.iter().map(|date| raw_pages(facts.job, *date, facts.lake, store));
        let pages = try_join_all(pages).await?;
        facts.others.extend(missing.into_iter().zip(pages));
    }
}

fn table_names(job: &Job) -> BTreeSet<String> {
    let written = |step: &Step| step.writes.iter().map(|output| output.table.clone()).collect::<Vec<_>>();
    job.steps.iter().flat_map(|step| step.tables_read().cloned().chain(written(step))).collect()
}

/// Returns the site whose raw pages `job` reads.
pub fn site(job: &Job) -> &str {
    match job.parameters.get("site") {
        Some(Value::Text(site)) => site,
        _ => SITE,
    }
}

async fn raw_pages(job: &Job, date: Date, lake: &Lake, store: &dyn Store) -> Result<BTreeMap<String, Vec<RawObject>>> {
    let endpoints: BTreeSet<&str> = job.steps.iter().flat_map(Step::endpoints).map(String::as_str).collect();
    let endpoints: Vec<&str> = endpoints.into_iter().collect();
    let listed = raw::list(store, &lake.raw, site(job), &endpoints, date).await?;
    Ok(listed.into_iter().map(|(name, pages)| (name, pages.into_iter().map(to_object).collect())).collect())
}

fn to_object(page: raw::RawPage) -> RawObject {
    let raw::RawPage { uri, bytes, etag, fetched_at, line } = page;
    let about = About {
        bytes: line.bytes,
        stored_bytes: Some(bytes),
        quota_remaining: line.quota_remaining,
        watermark_before: line.watermark_before,
        watermark_after: line.watermark_after,
    };
    RawObject { uri, bytes, etag, fetched_at, about }
}

/// Returns the current version and, where a step merges into it, those below it that this date's own runs would be
/// replaced from: one or two, since these have the same base.
pub(super) async fn table_facts(
    table: &str,
    current: impl Future<Output = Result<Option<Version>>>,
    job: &Job,
    date: Date,
    catalog: &Catalog,
) -> Result<TableFacts> {
    let mut facts = TableFacts::default();
    let mut next = current.await?;
    facts.current = next.as_ref().map(|version| version.run.clone());
    let merges = job.merges(table);
    while let Some(version) = next.take() {
        if let Some(base) =
            version.base.as_ref().filter(|_| merges && version.run.date == date && version.run.job == job.name)
        {
            next = catalog.version(table, base).await?;
        }
        facts.versions.insert(version.run.clone(), version);
    }
    Ok(facts)
}

/// Reads the versions that published tables were made from, where those are not current any more.
async fn add_versions_taken_in(tables: &mut BTreeMap<String, TableFacts>, catalog: &Catalog) -> Result<()> {
    let current = tables.values().filter_map(TableFacts::current);
    let unknown =
        |(table, run): &(String, RunId)| tables.get(table).is_some_and(|facts| !facts.versions.contains_key(run));
    let taken: BTreeSet<(String, RunId)> = current
        .flat_map(|version: &Version| version.made_by.values())
        .flat_map(|made| made.input_runs.iter().map(|(table, run)| (table.clone(), run.clone())))
        .filter(unknown)
        .collect();
    let read = taken.iter().map(|(table, run)| catalog.version(table, run));
    for version in try_join_all(read).await?.into_iter().flatten() {
        if let Some(facts) = tables.get_mut(&version.table) {
            facts.versions.insert(version.run.clone(), version);
        }
    }
    Ok(())
}

/// Returns where a job's results wait to be published.
pub fn results_prefix(artifacts: &Uri, job: &str) -> Uri {
    artifacts.join(&format!("results/{job}"))
}

/// Returns where the result of a step waits to be published.
pub fn result_uri(artifacts: &Uri, job: &str, result: &Digest) -> Uri {
    results_prefix(artifacts, job).join(&format!("{}.json", result.as_str()))
}

/// Returns the result kept at `uri` and the digest that names it, or `None` when there is none that can be read.
pub(super) async fn read_result(store: &dyn Store, uri: &Uri) -> Result<Option<(Digest, StepResult)>> {
    let body = store.get(uri).await?.unwrap_or_default();
    Ok(serde_json::from_slice(&body).ok())
}

/// Reads the results of steps that finished in runs which did not publish. One whose files are not all there counts
/// for nothing: the step runs again.
async fn results(job: &Job, lake: &Lake, store: &dyn Store) -> Result<BTreeMap<Digest, StepResult>> {
    let listed = store.list(&results_prefix(&lake.artifacts, &job.name)).await?;
    let read = listed.iter().map(|object| async move {
        let Some((digest, result)) = read_result(store, &object.uri).await? else { return Ok(None) };
        Ok::<_, Error>(is_whole(&result, lake, store).await?.then_some((digest, result)))
    });
    Ok(try_join_all(read).await?.into_iter().flatten().collect())
}

/// Returns whether the files of a result are there.
pub(super) async fn is_whole(result: &StepResult, lake: &Lake, store: &dyn Store) -> Result<bool> {
    for (table, written) in &result.tables {
        let prefix = crate::plan::run_prefix(table, &result.run);
        // An older soflow called the folders otherwise.
        if written.partitions.iter().any(|partition| partition.prefix != prefix) {
            return Ok(false);
        }
        let prefix = lake.curated.join(&prefix);
        let bytes: u64 = store.list(&prefix).await?.iter().map(|object| object.bytes).sum();
        // Another step of that run may have written other partitions of the same table.
        if bytes < written.bytes() {
            return Ok(false);
        }
    }
    Ok(true)
}
