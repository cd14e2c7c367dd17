//! What landed: taken in when a step ends, audited when all have, and then shown to readers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::drive::ActiveRun;
use super::gather::{self, Gathered};
use crate::audit::{self, Finding, Opened};
use crate::catalog::{self, Index};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::names::{Digest, Uri, partition_path};
use crate::plan::{self, Action, Column, Facts, OutputPlan, Partition, Plan, StepPlan, StepResult, Version, Written};
use crate::store::Object;

/// Reads what a finished step has written and keeps that as its result.
pub async fn take_in(run: &ActiveRun<'_>, name: &str, seconds: f64) -> Result<StepResult> {
    let step = planned(run, name)?;
    let started_at = run.record.step(name).and_then(|step| step.started_at);
    let (run_id, tables) = (run.record.run.clone(), BTreeMap::new());
    let mut result = StepResult { run: run_id, step: name.into(), started_at, seconds, tables };
    for output in &step.outputs {
        let prefix = plan::run_prefix(&output.table, &run.record.run);
        let location = run.gathered.facts.lake.curated.join(&prefix);
        let objects = objects_under(run, output, &location).await?;
        let opened = read(run, output, &location, &objects).await?;
        // The engine leaves that to the system; from here on others count on these files.
        run.services.store.sync(&run.gathered.facts.lake.curated, &objects).await?;
        let landed = opened.landed.clone();
        seen(run).insert((name.into(), output.table.clone()), (objects, opened));
        let partitions = landed.partitions.into_iter().map(|part| Partition {
            values: part.values,
            prefix: prefix.clone(),
            directory: Some(part.directory).filter(|directory| !directory.is_empty()),
            rows: part.rows,
            bytes: part.bytes,
            files: part.files,
        });
        let columns = landed.schema.into_iter();
        let schema = columns.map(|column| Column { name: column.name, kind: column.kind, nullable: column.nullable });
        let written = Written { schema: schema.collect(), partitions: partitions.collect() };
        result.tables.insert(output.table.clone(), written);
    }
    let body = serde_json::to_vec(&(&step.result, &result)).map_err(internal)?;
    run.services.store.put(&result_uri(run, &step.result), &body).await?;
    Ok(result)
}

fn planned<'a>(run: &ActiveRun<'a>, name: &str) -> Result<&'a StepPlan> {
    run.plan
        .steps
        .iter()
        .find(|step| step.step.name == name)
        .ok_or_else(|| Error::new(Kind::Internal, format!("step `{name}` is not in the plan")))
}

fn result_uri(run: &ActiveRun<'_>, result: &Digest) -> Uri {
    let facts = &run.gathered.facts;
    gather::result_uri(&facts.lake.artifacts, &facts.job.name, result)
}

/// Returns the objects under a run's prefix but for those of other outputs that share it.
async fn objects_under(run: &ActiveRun<'_>, output: &OutputPlan, prefix: &Uri) -> Result<Vec<Object>> {
    let mut objects = run.services.store.list_all(prefix).await?;
    let by = &output.spec.partition_by;
    let others = run.plan.steps.iter().flat_map(|step| &step.outputs);
    for other in others.filter(|other| other.table == output.table && other.only != output.only) {
        objects.retain(|object| !audit::is_in(prefix, by, &other.only, object));
    }
    Ok(objects)
}

/// Returns the part of a run's prefix that an output fills, as Spark spells it.
fn place(output: &OutputPlan, prefix: &Uri) -> Uri {
    let only = output.only.iter().cloned().collect();
    let fixed: Vec<String> = output.only.iter().map(|(column, _)| column.clone()).collect();
    if fixed.is_empty() { prefix.clone() } else { prefix.join(&partition_path(&fixed, &only)) }
}

/// Returns where a step writes.
pub fn places(run: &ActiveRun<'_>, step: &StepPlan) -> Vec<Uri> {
    let curated = &run.gathered.facts.lake.curated;
    let prefix = |output: &OutputPlan| curated.join(&plan::run_prefix(&output.table, &run.record.run));
    step.outputs.iter().map(|output| place(output, &prefix(output))).collect()
}

/// Returns what a step has written according to its result, if it finished in this run.
pub async fn known_result(run: &ActiveRun<'_>, step: &StepPlan) -> Result<Option<StepResult>> {
    let found = gather::read_result(run.services.store.as_ref(), &result_uri(run, &step.result)).await?;
    Ok(found.map(|(_, result)| result).filter(|result| result.run == run.record.run))
}

/// What steps that ended in this process have written, by step and table, as it was listed then: as long as a listing
/// says the same, footers are not read again.
pub type Seen = Mutex<SeenOutputs>;

type SeenOutputs = BTreeMap<(String, String), (Vec<Object>, Opened)>;

fn seen<'a>(run: &'a ActiveRun<'_>) -> MutexGuard<'a, SeenOutputs> {
    run.seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(run: &ActiveRun<'_>, output: &OutputPlan, location: &Uri, objects: &[Object]) -> Result<Opened> {
    audit::read(&run.reader, location, &output.spec.partition_by, &output.only, objects).await
}

/// Returns the rows in files that a running step has finished; 0 when they cannot be read yet. `None` when the lake is
/// not on this machine: every look would cost requests.
pub async fn rows_so_far(run: &ActiveRun<'_>, name: &str) -> Option<u64> {
    run.gathered.facts.lake.curated.to_path()?;
    let step = planned(run, name).ok()?;
    let mut rows = 0;
    for output in &step.outputs {
        let prefix = run.gathered.facts.lake.curated.join(&plan::run_prefix(&output.table, &run.record.run));
        let objects = run.services.store.list(&place(output, &prefix)).await.unwrap_or_default();
        rows += audit::rows_so_far(&run.reader, &objects).await;
    }
    Some(rows)
}

/// What a run has published.
pub struct Publication {
    /// The versions.
    pub versions: Vec<Version>,
    /// What has kept other catalogs, such as Glue, from showing them.
    pub unshown: Option<Error>,
}

/// How often a publication is begun anew because others publish the same tables.
const ROUNDS: u32 = 20;

/// Compares what landed with the job file's checks and, when all hold, moves the catalog. When others have published one of
/// the tables meanwhile, what the steps wrote is put on top of that, as far as it does not depend on what they found.
///
/// # Errors
/// `Audit` when a check fails; `Held`, with `behind` set, when steps have to run again for what others have published.
pub async fn audit_and_publish(run: &mut ActiveRun<'_>, sink: &mut dyn Sink) -> Result<Publication> {
    // Whoever was put out must not publish.
    if run.services.owner.is_some() {
        run.save().await?;
    }
    let mut ended = publish(run, run.gathered, run.plan, &run.results, sink).await;
    for _ in 0..ROUNDS {
        let moved = match ended {
            Err(error) if error.kind == Kind::Held => error,
            ended => return ended,
        };
        let mut gathered = run.gathered_anew().await?;
        let plan = gather::plan(&mut gathered, run.services.store.as_ref()).await?;
        if plan.steps.iter().any(|step| step.action == Action::Run) {
            run.record.behind = true;
            return Err(moved);
        }
        let reused = |step: &StepPlan| Some((step.step.name.clone(), step.reused.clone()?));
        let results = plan.steps.iter().filter_map(reused).collect();
        ended = publish(run, &gathered, &plan, &results, sink).await;
    }
    ended
}

async fn publish(
    run: &ActiveRun<'_>,
    gathered: &Gathered<'_>,
    plan: &Plan,
    results: &BTreeMap<String, StepResult>,
    sink: &mut dyn Sink,
) -> Result<Publication> {
    let facts = &gathered.facts;
    let versions = plan::next_versions(facts, plan, results, &run.record.run, (run.services.now)());
    let finished: Vec<(&StepPlan, &StepResult)> =
        plan.steps.iter().filter_map(|step| Some((step, results.get(&step.step.name)?))).collect();
    let outputs: Vec<(&OutputPlan, &StepResult)> =
        finished.iter().flat_map(|(step, result)| step.outputs.iter().map(move |output| (output, *result))).collect();
    let checks = outputs.iter().map(|(output, _)| output.spec.checks.len()).sum();
    sink.emit(Event::Auditing { tables: versions.len(), checks });
    let mut refused = Vec::new();
    for (output, result) in outputs {
        for Finding { check, found, .. } in audit_output(run, facts, (output, result), &versions).await? {
            refused.push(format!("{}: {check}: {found}", output.table));
            sink.emit(Event::CheckFailed { table: output.table.clone(), check, found });
        }
    }
    if !refused.is_empty() {
        let count = refused.len();
        let failed = if count == 1 { "a check failed".to_string() } else { format!("{count} checks failed") };
        return Err(Error::new(Kind::Audit, format!("{failed}, nothing was published"))
            .detail(refused.join("\n"))
            .hint(format!("look at the data: {}", facts.lake.curated))
            .hint(format!("mend the step or the check, then `soflow submit {}`", facts.job.name)));
    }
    let unshown = move_catalog(run, &gathered.index, &versions, sink).await?;
    let results: Vec<Uri> = finished.iter().map(|(step, _)| result_uri(run, &step.result)).collect();
    // It is published, whatever is left lying about; garbage collection finds it.
    if let Err(error) = run.services.store.remove_all(&results).await {
        sink.emit(Event::Warning { text: format!("results that are published now were left: {error}") });
    }
    sink.emit(Event::Published {
        run: run.record.run.clone(),
        // A quarantine that never took anything in is no news.
        tables: versions.iter().filter(|v| !v.partitions.is_empty()).map(|v| v.table.clone()).collect(),
    });
    Ok(Publication { versions, unshown })
}

/// Moves the catalog. After a failure, what was written all the same is looked for before the run is said to have failed.
async fn move_catalog(
    run: &ActiveRun<'_>,
    seen: &Index,
    versions: &[Version],
    sink: &mut dyn Sink,
) -> Result<Option<Error>> {
    let catalog = run.services.catalog.as_ref();
    let failure = match catalog::telling(catalog, catalog.publish(seen, versions), sink).await {
        Err(error) if error.kind == Kind::Machine => error,
        ended => return ended,
    };
    match catalog.index().await {
        Ok(index) if index.published_by(&run.record.run).next().is_some() => Ok(catalog.settle().await.err()),
        Ok(_) => Err(failure),
        Err(_) => Err(run.goes_on(failure)),
    }
}

/// Returns the checks of an output that failed.
async fn audit_output(
    run: &ActiveRun<'_>,
    facts: &Facts<'_>,
    (output, result): (&OutputPlan, &StepResult),
    versions: &[Version],
) -> Result<Vec<Finding>> {
    let location = facts.lake.curated.join(&plan::run_prefix(&output.table, &result.run));
    let objects = objects_under(run, output, &location).await?;
    let known = seen(run).remove(&(result.step.clone(), output.table.clone()));
    let opened = match known {
        Some((listed, opened)) if listed == objects => opened,
        _ => read(run, output, &location, &objects).await?,
    };
    let landed = &opened.landed;
    let expected = result.tables.get(&output.table).map_or(0, Written::rows);
    if landed.rows != expected {
        let found = format!("{} rows in {location}, {expected} when the step ended", landed.rows);
        return Err(Error::new(
            Kind::Audit,
            format!("the files of `{}` changed after its step had ended", output.table),
        )
        .detail(found)
        .hint(format!("run the step again: `soflow submit {} --force`", facts.job.name)));
    }
    let before = facts.tables.get(&output.table).and_then(plan::TableFacts::current).map(Version::rows);
    let after = versions.iter().find(|version| version.table == output.table).map_or(0, Version::rows);
    let findings =
        audit::check(audit::Subject { table: output.spec.clone(), opened, before, after, date: facts.date }).await?;
    Ok(findings.into_iter().filter(|finding| !finding.passed).collect())
}

fn internal(error: serde_json::Error) -> Error {
    Error::new(Kind::Internal, "a result cannot be written as JSON").caused_by(error)
}
