//! The task file a step gets, as `docs/task.md` describes it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::identity::{parameters, source_name};
use super::step::{Input, OutputPlan, StepPlan, Upstream};
use super::version::Partition;
use super::{Facts, RawObject};
use crate::names::{PartitionValues, RunId, Uri};

/// Version of the task file's form, its field `task_version`.
const TASK_VERSION: u32 = 1;

/// Returns the task of one step of `run`.
pub fn task(facts: &Facts<'_>, plan: &StepPlan, run: &RunId) -> Json {
    let step = &plan.step;
    let inputs: serde_json::Map<String, Json> = step
        .reads
        .iter()
        .zip(&plan.inputs)
        .map(|(source, input)| (source_name(source), input_json(facts, input, run)))
        .collect();
    let outputs: serde_json::Map<String, Json> =
        plan.outputs.iter().map(|output| (output.table.clone(), output_json(facts, output, run))).collect();
    json!({
        "task_version": TASK_VERSION,
        "run": run,
        "job": facts.job.name,
        "step": step.name,
        "date": facts.date,
        "scope": plan.scope,
        "parameters": parameters(facts, step),
        "quarantine_limit": step.quarantine_limit,
        "scratch": scratch(&facts.lake.artifacts, run).join(&step.name),
        "inputs": inputs,
        "outputs": outputs,
    })
}

/// Returns where the steps of a run may put what nobody needs afterwards.
pub fn scratch(artifacts: &Uri, run: &RunId) -> Uri {
    artifacts.join(&format!("scratch/{run}"))
}

/// Returns the prefix a run writes a table's partitions to, relative to the curated location.
pub fn run_prefix(table: &str, run: &RunId) -> String {
    // No `run=`: readers would take that for a partition column.
    format!("{table}/run-{run}")
}

fn input_json(facts: &Facts<'_>, input: &Input, run: &RunId) -> Json {
    match input {
        Input::Raw { objects, others, .. } => {
            let mut objects: Vec<Json> = objects.iter().map(object_json).collect();
            for (date, pages) in others {
                objects.extend(pages.iter().map(|page| {
                    let mut page = object_json(page);
                    page["date"] = json!(date);
                    page
                }));
            }
            json!({ "objects": objects })
        }
        Input::Table { name, partitions, changed, upstream, .. } => {
            let writer = match upstream {
                None => None,
                Some(Upstream::ThisRun) => Some(run),
                Some(Upstream::Earlier(earlier)) => Some(earlier),
            };
            json!({
                "partition_by": partition_by(facts, name),
                "published": by_prefix(facts, partitions, Some(changed)),
                "upstream": writer.map(|writer| facts.lake.curated.join(&run_prefix(name, writer))),
            })
        }
    }
}

/// Returns the partition columns of a table: as this job's steps write it, or as it is published.
fn partition_by<'a>(facts: &'a Facts<'_>, table: &str) -> &'a [String] {
    let is_ours = facts.job.steps.iter().flat_map(|step| &step.writes).any(|output| output.table == table);
    let published = facts.current(table).filter(|_| !is_ours).map(|version| version.partition_by.as_slice());
    published.or_else(|| Some(facts.job.tables.get(table)?.partition_by.as_slice())).unwrap_or_default()
}

fn object_json(object: &RawObject) -> Json {
    let mut json = json!({ "uri": object.uri, "fetched_at": object.fetched_at });
    // Tasks name thousands of pages: what is not known takes no room.
    if !object.about.is_empty() {
        json["about"] = json!(object.about);
    }
    json
}

fn output_json(facts: &Facts<'_>, output: &OutputPlan, run: &RunId) -> Json {
    let only: serde_json::Map<String, Json> =
        output.only.iter().map(|(column, value)| (column.clone(), Json::from(value.as_str()))).collect();
    json!({
        "prefix": facts.lake.curated.join(&run_prefix(&output.table, run)),
        "partition_by": output.spec.partition_by,
        "only": only,
        "current": if output.is_merged() { by_prefix(facts, &output.kept, None) } else { Vec::new() },
    })
}

fn by_prefix(facts: &Facts<'_>, partitions: &[Partition], changed: Option<&[PartitionValues]>) -> Vec<Json> {
    let mut grouped: BTreeMap<&str, Vec<&PartitionValues>> = BTreeMap::new();
    for partition in partitions {
        grouped.entry(&partition.prefix).or_default().push(&partition.values);
    }
    let group = |(prefix, values): (&str, Vec<&PartitionValues>)| {
        let mut group = json!({ "prefix": facts.lake.curated.join(prefix), "partitions": values });
        if let Some(changed) = changed {
            group["changed"] = values.iter().filter(|values| changed.contains(values)).map(|v| json!(v)).collect();
        }
        group
    };
    grouped.into_iter().map(group).collect()
}
