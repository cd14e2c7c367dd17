//! When is a step's work the same work? Fingerprints of what goes in, and what they are compared with.

use std::collections::BTreeMap;

use super::Facts;
use super::replay;
use super::step::{Input, OutputPlan, Scope, Upstream};
use super::version::{Made, Partition, Version};
use crate::job::{Source, Step, Update, Value};
use crate::names::{Digest, RunId};

/// A table as a step of this run would find it.
#[derive(Clone, Debug)]
pub struct TableNow {
    /// Stands for its content.
    pub content: Digest,
    /// Published partitions that stay visible.
    pub partitions: Vec<Partition>,
    /// Where an earlier step of this run puts new partitions.
    pub upstream: Option<Upstream>,
    /// The run that published it; `None` when it is about to change.
    pub run: Option<RunId>,
}

/// Returns all tables as readers see them.
pub fn published(facts: &Facts<'_>) -> BTreeMap<String, TableNow> {
    let now = |version: &Version| TableNow {
        content: version.content.clone(),
        partitions: version.partitions.clone(),
        upstream: None,
        run: Some(version.run.clone()),
    };
    facts.tables.iter().filter_map(|(name, table)| Some((name.clone(), now(table.current()?)))).collect()
}

/// Returns what the catalog will know about how `step` made its output.
pub fn made(facts: &Facts<'_>, step: &Step, now: &BTreeMap<String, TableNow>) -> Made {
    let inputs: BTreeMap<String, Digest> =
        step.reads.iter().map(|source| (source_name(source), read_content(facts, source, now))).collect();
    let input_runs = step.tables_read().filter_map(|name| Some((name.clone(), now.get(name)?.run.clone()?)));
    let code = facts.code.get(&step.name).cloned().unwrap_or_else(|| Digest::of([""]));
    let parameters = parameters_digest(facts, step);
    let mut parts = vec!["step".to_string(), step.name.clone(), facts.engine.clone()];
    parts.extend([code.as_str().to_string(), parameters.as_str().to_string()]);
    for (name, content) in &inputs {
        parts.extend([name.clone(), content.as_str().to_string()]);
    }
    for output in &step.writes {
        let spec = facts.job.tables.get(&output.table);
        parts.push(format!("{} {:?} {:?}", output.table, spec.map(|s| &s.partition_by), spec.map(|s| s.update)));
    }
    // A step that reads only tables depends on them and not on the day it happens to run: submitting an older date
    // again must not compute every derived table anew.
    if step.reads_raw() || step.writes.iter().any(|output| !output.only.is_empty()) {
        parts.push(facts.date.to_string());
    }
    Made {
        fingerprint: Digest::of(&parts),
        code,
        parameters,
        engine: facts.engine.clone(),
        inputs,
        input_runs: input_runs.collect(),
    }
}

/// Returns an input's name as in the job file.
pub fn source_name(source: &Source) -> String {
    match source {
        Source::Raw(endpoint) => format!("raw.{endpoint}"),
        Source::Table(name) => name.clone(),
    }
}

fn read_content(facts: &Facts<'_>, source: &Source, now: &BTreeMap<String, TableNow>) -> Digest {
    match source {
        Source::Table(name) => now.get(name).map_or_else(|| Digest::of(["absent"]), |table| table.content.clone()),
        Source::Raw(endpoint) => replay::pages(facts, endpoint, facts.date),
    }
}

/// Returns the parameters a step gets: the job's, then its own over them.
pub fn parameters(facts: &Facts<'_>, step: &Step) -> BTreeMap<String, Value> {
    let mut merged = facts.job.parameters.clone();
    merged.extend(step.parameters.clone());
    merged
}

fn parameters_digest(facts: &Facts<'_>, step: &Step) -> Digest {
    Digest::of(parameters(facts, step).iter().flat_map(|(name, value)| [name.clone(), format!("{value:?}")]))
}

/// Returns the version `step` starts from: what is published, but for a merged table without what an earlier run
/// of this step for the same date had put on top. Running a date again replaces what it did before.
pub fn base<'a>(facts: &'a Facts<'_>, step: &Step, table: &str, update: Update, whole: bool) -> Option<&'a Version> {
    let known = facts.tables.get(table)?;
    let mut version = known.current()?;
    if update == Update::Recompute || !whole {
        return Some(version);
    }
    while version.run.date == facts.date
        && version.run.job == facts.job.name
        && version.made_by.contains_key(&step.name)
    {
        match &version.base {
            None => return None,
            Some(run) => match known.versions.get(run) {
                Some(older) => version = older,
                // Collected by age: merging into what is there is the next best, and gives the same newest rows.
                None => return known.current(),
            },
        }
    }
    Some(version)
}

/// Returns what names the output of a step until it is published: all that what it writes depends on. Not what stays
/// beside that: others may publish meanwhile.
pub fn result(fingerprint: &Digest, scope: Scope, inputs: &[Input], outputs: &[OutputPlan]) -> Digest {
    let mut parts = vec!["result".to_string(), fingerprint.as_str().to_string(), format!("{scope:?}")];
    for input in inputs {
        if let Input::Table { name, changed, .. } = input
            && scope == Scope::Changed
        {
            parts.push(format!("{name} {changed:?}"));
        }
    }
    for output in outputs {
        parts.extend([output.table.clone(), format!("{:?}", output.only)]);
        parts.extend(output.is_merged().then(|| kept(output)).into_iter().flatten());
        parts.extend(output.brings.iter().map(|(date, work)| format!("{date} {}", work.as_str())));
    }
    Digest::of(&parts)
}

/// Returns what stands for a table's content after a step: what the step writes, and what stays beside it.
pub fn content(result: &Digest, output: &OutputPlan) -> Digest {
    let made = ["content".to_string(), output.table.clone(), result.as_str().to_string()];
    Digest::of(made.into_iter().chain(kept(output)).collect::<Vec<_>>())
}

fn kept(output: &OutputPlan) -> impl Iterator<Item = String> + '_ {
    output.kept.iter().map(|partition| format!("{} {:?}", partition.prefix, partition.values))
}

/// Returns whether all that `step` would write is published.
pub fn is_published(facts: &Facts<'_>, step: &Step, made: &Made) -> bool {
    step.writes.iter().all(|output| {
        facts.current(&output.table).is_some_and(|version| {
            if facts.job.merges(&output.table) || !output.only.is_empty() {
                version.applied.contains(&made.fingerprint)
            } else {
                version.made_by.get(&step.name).is_some_and(|latest| latest.fingerprint == made.fingerprint)
            }
        })
    })
}

/// Returns in a few words why `step` must run.
pub fn why(facts: &Facts<'_>, step: &Step, made: &Made) -> String {
    let latest = step.writes.iter().find_map(|output| facts.current(&output.table)?.made_by.get(&step.name));
    let Some(latest) = latest else { return "never published".into() };
    let changed = [
        (latest.code != made.code, "code changed"),
        (latest.parameters != made.parameters, "parameters changed"),
        (latest.engine != made.engine, "engine changed"),
    ];
    let mut reasons: Vec<String> = changed.iter().filter(|(is, _)| *is).map(|(_, what)| (*what).into()).collect();
    let differs = |(name, content): &(&String, &Digest)| latest.inputs.get(*name) != Some(*content);
    let inputs: Vec<&str> = made.inputs.iter().filter(differs).map(|(name, _)| name.as_str()).collect();
    if !inputs.is_empty() {
        reasons.push(format!("new in {}", inputs.join(", ")));
    }
    if reasons.is_empty() { "not in the published version".into() } else { reasons.join(", ") }
}
