//! From what landed to what readers will see.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::replay;
use super::step::{Action, Input, Plan, StepPlan};
use super::version::{Made, Partition, Version};
use super::{Facts, StepResult};
use crate::job::Update;
use crate::names::{Digest, RunId};

/// Returns the version of every table that `run` publishes, given what each step that ran or was reused has written.
pub fn next_versions(
    facts: &Facts<'_>,
    plan: &Plan,
    results: &BTreeMap<String, StepResult>,
    run: &RunId,
    published_at: Timestamp,
) -> Vec<Version> {
    let mut versions: BTreeMap<String, Version> = BTreeMap::new();
    let finished = plan.steps.iter().filter(|step| matches!(step.action, Action::Run | Action::Reuse));
    for step in finished {
        let Some(result) = results.get(&step.step.name) else { continue };
        for output in &step.outputs {
            let current = facts.current(&output.table);
            let base = output.base.as_ref().and_then(|base| facts.tables.get(&output.table)?.versions.get(base));
            let written = result.tables.get(&output.table).cloned().unwrap_or_default();
            let version = versions.entry(output.table.clone()).or_insert_with(|| Version {
                table: output.table.clone(),
                run: run.clone(),
                published_at,
                published_with: BTreeSet::new(),
                content: output.content.clone(),
                base: output.base.clone(),
                made_by: base.map(|base| base.made_by.clone()).unwrap_or_default(),
                applied: base.map(|base| base.applied.clone()).unwrap_or_default(),
                brought: base.map(|base| base.brought.clone()).unwrap_or_default(),
                schema: current.map(|current| current.schema.clone()).unwrap_or_default(),
                partition_by: output.spec.partition_by.clone(),
                // Several steps may each replace a partition of their own: start from all, take away what each replaces.
                partitions: base.map(|base| base.partitions.clone()).unwrap_or_default(),
            });
            let kept: BTreeSet<_> = output.kept.iter().map(Partition::key).collect();
            let before = base.iter().flat_map(|base| &base.partitions).map(Partition::key);
            let gone: BTreeSet<_> = before.filter(|key| !kept.contains(key)).collect();
            let replaced: BTreeSet<_> = written.partitions.iter().map(|partition| &partition.values).collect();
            version.partitions.retain(|old| !gone.contains(&old.key()) && !replaced.contains(&old.values));
            version.partitions.extend(written.partitions.iter().cloned());
            if output.is_merged() {
                replay::note(version, base, step, output, &replaced);
            }
            version.partitions.sort_by(|a: &Partition, b| a.values.cmp(&b.values));
            // What a step left of its columns when it had no rows says nothing about the rows of others.
            let alone = version.schema.is_empty() || version.partitions.is_empty();
            if !written.schema.is_empty() && (alone || !written.partitions.is_empty()) {
                version.schema.clone_from(&written.schema);
            }
            version.content = if version.content == output.content {
                output.content.clone()
            } else {
                Digest::of([version.content.as_str(), output.content.as_str()])
            };
            let made = made_in(step, run);
            if output.spec.update == Update::Recompute && output.only.is_empty() {
                version.applied.clear();
            }
            version.applied.insert(made.fingerprint.clone());
            version.made_by.insert(step.step.name.clone(), made);
        }
    }
    let tables: BTreeSet<String> = versions.keys().cloned().collect();
    versions.into_values().map(|version| Version { published_with: tables.clone(), ..version }).collect()
}

/// Inputs that this run changes are published by this run, together with what was made from them.
fn made_in(step: &StepPlan, run: &RunId) -> Made {
    let mut made = step.made.clone();
    for input in &step.inputs {
        if let Input::Table { name, upstream: Some(_), .. } = input {
            made.input_runs.insert(name.clone(), run.clone());
        }
    }
    made
}
