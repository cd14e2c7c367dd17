//! A step run for trial: on what is published, into a folder that is removed again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::StepDraft;
use crate::audit::{self, Finding, Opened, Reader, Subject};
use crate::cli::app::yesterday;
use crate::cli::jobs;
use crate::cli::submit::Submission;
use crate::cli::workspace::Workspace;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::job::{Check, Job, Table};
use crate::names::{RunId, Uri};
use crate::plan::{self, Select, Version};
use crate::report::plural;
use crate::run::{LakeLock, Services};
use crate::targets::{Ended, StepEnd, StepOrder};

/// Most columns that a key of two is looked for among: 28 pairs, each of which costs a pass over two columns.
const PAIRED: usize = 8;

/// Types of columns that are no part of a key: equal ones are not the same row, or they cannot be compared.
const NO_KEY: [&str; 7] = ["float", "double", "boolean", "binary", "array", "map", "struct"];

/// What a trial has found of a table.
#[derive(Debug, Default, Serialize)]
pub struct TriedTable {
    /// How many rows it has.
    pub rows: u64,
    /// Its columns and their types, in Spark's words.
    pub columns: Vec<(String, String)>,
    /// Columns whose values no two rows share; empty when no one or two columns are such.
    pub key: Vec<String>,
    /// The other columns that are null in no row.
    pub not_null: Vec<String>,
}

impl TriedTable {
    /// Returns what it is: rows, columns, key.
    pub fn told(&self) -> String {
        let columns = self.columns.iter().map(|(name, kind)| format!("    {name}  {kind}"));
        let key = if self.key.is_empty() { "no key".into() } else { format!("key {}", self.key.join(", ")) };
        format!("{}, {key}:\n{}", plural(self.rows, "row"), columns.collect::<Vec<_>>().join("\n"))
    }
}

/// Returns the tables that the step reads as they are published, those that are.
///
/// # Errors
/// Those of the catalog.
pub async fn inputs(work: &Workspace<'_>, step: &StepDraft) -> Result<BTreeMap<String, Version>> {
    let index = work.catalog.index().await?;
    let mut inputs = BTreeMap::new();
    for table in &step.reads {
        if let Some(version) = work.catalog.current(&index, table).await? {
            inputs.insert(table.clone(), version);
        }
    }
    Ok(inputs)
}

/// Runs the step of `job` and returns what it has written of each of its tables. Nothing of it stays.
///
/// # Errors
/// `Usage` for code that cannot be read, the step's failure, `Interrupted`, `Held` when another trial goes on.
pub async fn run(work: &Workspace<'_>, job: Job, step: &StepDraft) -> Result<BTreeMap<String, TriedTable>> {
    let services = work.services()?;
    let place = work.lake().artifacts.join("trial");
    let _lock = LakeLock::take(&place, Timestamp::now())?;
    let folder = place.join(&step.name);
    work.store.remove(&folder).await?;
    let tried = run_in(work, &services, job, step, &folder).await;
    work.store.remove(&folder).await?;
    tried
}

async fn run_in(
    work: &Workspace<'_>,
    services: &Services,
    job: Job,
    step: &StepDraft,
    folder: &Uri,
) -> Result<BTreeMap<String, TriedTable>> {
    let select = Select { steps: vec![step.name.clone()], force: true, after: Vec::new() };
    let code = jobs::code(&work.project, &job, services)?;
    let run = RunId { job: job.name.clone(), date: yesterday(), number: 1 };
    let submission = Submission { job, date: run.date, select: select.clone(), asked: Vec::new(), code, page: false };
    let gathered = submission.gather(select, work.lake(), services).await?;
    let planned = plan::plan(&gathered.facts)?;
    let planned = planned.step(&step.name).ok_or_else(|| Error::new(Kind::Internal, "the step is in no plan"))?;
    let mut task = plan::task(&gathered.facts, planned, &run);
    task["scratch"] = json!(folder.join("scratch"));
    for table in &step.writes {
        task["outputs"][table]["prefix"] = json!(folder.join(table));
    }
    let at = folder.join("task.json");
    work.store.put(&at, task.to_string().as_bytes()).await?;
    let mut sink = work.app.sink();
    services.target.prepare(sink.as_mut()).await?;
    sink.emit(Event::Note { text: format!("Trying `{}` on the published tables.", step.name) });
    let order = StepOrder {
        run,
        step: step.name.clone(),
        code: step.code.path().to_path_buf(),
        task: at,
        logs: folder.join("logs"),
        spark: planned.step.spark.clone(),
        outputs: Vec::new(),
        step_id: None,
    };
    for ended in services.target.start(vec![order], &services.stop) {
        check_end(&step.name, &ended.await?)?;
    }
    let reader = Reader::new(work.store.clone());
    let mut tried = BTreeMap::new();
    for table in &step.writes {
        tried.insert(table.clone(), look(work, &reader, &folder.join(table)).await?);
    }
    Ok(tried)
}

fn check_end(step: &str, ended: &Ended) -> Result<()> {
    match &ended.how {
        StepEnd::Completed(_) => Ok(()),
        StepEnd::Stopped => Err(Error::new(Kind::Interrupted, format!("the trial of step `{step}` was stopped"))),
        StepEnd::Failed(cause) => {
            let error = Error::new(cause.class.kind(), format!("step `{step}` failed in its trial: {}", cause.summary));
            let error = if cause.excerpt.is_empty() { error } else { error.detail(cause.excerpt.clone()) };
            let error = cause.hint.iter().fold(error, |error, hint| error.hint(hint.clone()));
            Err(error.hint("nothing was added; mend the code and try again"))
        }
    }
}

/// Returns what is below a prefix.
async fn look(work: &Workspace<'_>, reader: &Arc<Reader>, prefix: &Uri) -> Result<TriedTable> {
    let objects = work.store.list_all(prefix).await?;
    let opened = async || audit::read(reader, prefix, &[], &[], &objects).await;
    let landed = opened().await?.landed;
    let is_full = |column: &&audit::LandedColumn| landed.rows > 0 && column.nulls == Some(0);
    let full: Vec<&String> = landed.schema.iter().filter(is_full).map(|column| &column.name).collect();
    let may_be_key = |name: &&String| {
        let column = landed.schema.iter().find(|column| column.name == **name);
        column.is_some_and(|column| !NO_KEY.iter().any(|kind| column.kind.starts_with(kind)))
    };
    let candidates: Vec<String> = full.iter().copied().filter(may_be_key).cloned().collect();
    let singles = candidates.iter().map(|name| vec![name.clone()]).collect();
    let mut key = unique(opened().await?, singles).await?;
    if key.is_none() {
        let few = &candidates[..candidates.len().min(PAIRED)];
        let pairs = few
            .iter()
            .enumerate()
            .flat_map(|(at, one)| few[at + 1..].iter().map(|other| vec![one.clone(), other.clone()]));
        key = unique(opened().await?, pairs.collect()).await?;
    }
    let key = key.unwrap_or_default();
    Ok(TriedTable {
        rows: landed.rows,
        columns: landed.schema.iter().map(|column| (column.name.clone(), column.kind.clone())).collect(),
        not_null: full.into_iter().filter(|name| !key.contains(name)).cloned().collect(),
        key,
    })
}

/// Returns the first of these columns whose values no two rows share.
async fn unique(opened: Opened, candidates: Vec<Vec<String>>) -> Result<Option<Vec<String>>> {
    let after = opened.landed.rows;
    let checks = candidates.iter().cloned().map(Check::Unique).collect();
    let table = Table { checks, ..Table::default() };
    let subject = Subject { table, opened, before: None, after, date: yesterday() };
    let found: Vec<Finding> = audit::check(subject).await?;
    Ok(candidates.into_iter().zip(found).find_map(|(columns, finding)| finding.passed.then_some(columns)))
}
