//! Collects what a plan is made from: code, raw pages, published tables, results of finished steps. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use jiff::civil::Date;

use crate::catalog::{Catalog, Index};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::ingest::raw;
use crate::job::{Job, Source, Value};
use crate::names::{Digest, RunId, Uri};
use crate::plan::{self, About, Facts, Plan, RawObject, Select, StepResult, TableFacts, Version};
use crate::store::Store;
use crate::target::Shipped;

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
pub struct Request<'a> {
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
/// `Usage` for a lake that engines would look for elsewhere; those of the store and the catalog.
pub async fn gather<'a>(request: Request<'a>, store: &dyn Store, catalog: &dyn Catalog) -> Result<Gathered<'a>> {
    let Request { job, date, lake, code, select } = request;
    check_folders(lake)?;
    let index = catalog.index().await?;
    let names: Vec<String> = table_names(job).into_iter().filter(|name| index.tables.contains_key(name)).collect();
    let known = names.iter().map(|name| table_facts(name, &index.tables[name].current, job, date, catalog));
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

/// Refuses a lake in a folder whose name engines take for an escape or a pattern: they would read and write elsewhere.
fn check_folders(lake: &Lake) -> Result<()> {
    for location in [&lake.raw, &lake.curated, &lake.artifacts] {
        let Some(path) = location.to_path() else { continue };
        let path = path.to_string_lossy();
        if let Some(sign) = strange(&path) {
            let what = format!("`{path}` cannot hold a lake: engines do not take `{sign}` in a path as it is");
            return Err(Error::new(Kind::Usage, what)
                .hint("name another folder: `SOFLOW_LAKE=file:/some/folder`, or `lake:` in `config/soflow.yaml`"));
        }
    }
    Ok(())
}

fn strange(path: &str) -> Option<&str> {
    let is_escape = |sign: &&str| sign[1..].chars().all(|c| c.is_ascii_hexdigit());
    let escape = path.match_indices('%').find_map(|(at, _)| path.get(at..at + 3).filter(is_escape));
    escape.or_else(|| path.find(['*', '?', '[', ']', '{', '}', '\\']).map(|at| &path[at..=at]))
}

fn table_names(job: &Job) -> BTreeSet<String> {
    let read = job.steps.iter().flat_map(|step| &step.reads).filter_map(|source| match source {
        Source::Table(name) => Some(name.clone()),
        Source::Raw(_) => None,
    });
    read.chain(job.steps.iter().flat_map(|step| step.writes.iter().map(|output| output.table.clone()))).collect()
}

/// Returns the site whose raw pages `job` reads.
pub fn site(job: &Job) -> &str {
    match job.parameters.get("site") {
        Some(Value::Text(site)) => site,
        _ => SITE,
    }
}

async fn raw_pages(job: &Job, date: Date, lake: &Lake, store: &dyn Store) -> Result<BTreeMap<String, Vec<RawObject>>> {
    let sources = job.steps.iter().flat_map(|step| &step.reads);
    let endpoints: BTreeSet<&str> = sources.filter_map(raw_endpoint).collect();
    let endpoints: Vec<&str> = endpoints.into_iter().collect();
    let listed = raw::list(store, &lake.raw, site(job), &endpoints, date).await?;
    Ok(listed.into_iter().map(|(name, pages)| (name, pages.into_iter().map(to_object).collect())).collect())
}

fn raw_endpoint(source: &Source) -> Option<&str> {
    match source {
        Source::Raw(endpoint) => Some(endpoint),
        Source::Table(_) => None,
    }
}

fn to_object(page: raw::RawPage) -> RawObject {
    let raw::RawPage { uri, bytes, etag, fetched_at, line } = page;
    let about = About {
        bytes: line.bytes,
        quota_remaining: line.quota_remaining,
        watermark_before: line.watermark_before,
        watermark_after: line.watermark_after,
    };
    RawObject { uri, bytes, etag, fetched_at, about }
}

/// Reads the current version, and those below it that this date's own runs would be replaced from.
pub(super) async fn table_facts(
    table: &str,
    current: &RunId,
    job: &Job,
    date: Date,
    catalog: &dyn Catalog,
) -> Result<TableFacts> {
    let mut facts = TableFacts { current: Some(current.clone()), versions: BTreeMap::new() };
    let mut next = Some(current.clone());
    while let Some(run) = next.take() {
        let Some(version) = catalog.version(table, &run).await? else { break };
        if version.run.date == date && version.run.job == job.name {
            next.clone_from(&version.base);
        }
        facts.versions.insert(run, version);
    }
    Ok(facts)
}

/// Reads the versions that published tables were made from, where those are not current any more.
async fn add_versions_taken_in(tables: &mut BTreeMap<String, TableFacts>, catalog: &dyn Catalog) -> Result<()> {
    let current = tables.values().filter_map(TableFacts::current);
    let taken: BTreeSet<(String, RunId)> = current
        .flat_map(|version: &Version| version.made_by.values())
        .flat_map(|made| made.input_runs.iter().map(|(table, run)| (table.clone(), run.clone())))
        .collect();
    for (table, run) in taken {
        if let Some(facts) = tables.get_mut(&table)
            && !facts.versions.contains_key(&run)
            && let Some(version) = catalog.version(&table, &run).await?
        {
            facts.versions.insert(run, version);
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

/// Reads the results of steps that finished in runs which did not publish. One whose files are not all there counts
/// for nothing: the step runs again.
async fn results(job: &Job, lake: &Lake, store: &dyn Store) -> Result<BTreeMap<Digest, StepResult>> {
    let mut results = BTreeMap::new();
    for object in store.list(&results_prefix(&lake.artifacts, &job.name)).await? {
        let body = store.get(&object.uri).await?.unwrap_or_default();
        let Ok((digest, result)) = serde_json::from_slice::<(Digest, StepResult)>(&body) else { continue };
        if is_whole(&result, lake, store).await? {
            results.insert(digest, result);
        }
    }
    Ok(results)
}

/// Returns whether the files of a result are there.
pub(super) async fn is_whole(result: &StepResult, lake: &Lake, store: &dyn Store) -> Result<bool> {
    for (table, written) in &result.tables {
        let prefix = lake.curated.join(&crate::plan::run_prefix(table, &result.run));
        let bytes: u64 = store.list(&prefix).await?.iter().map(|object| object.bytes).sum();
        // Another step of that run may have written other partitions of the same table.
        if bytes < written.bytes() {
            return Ok(false);
        }
    }
    Ok(true)
}
