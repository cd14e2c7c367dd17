//! Which part of its output a step must compute: what has changed since the published version was made.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Facts;
use super::identity::TableNow;
use super::step::{Input, Scope};
use super::version::{Made, Partition, Version};
use crate::job::Step;
use crate::names::PartitionValues;

/// Returns `Changed` only when it is certain that the untouched partitions would come out as they are published:
/// same code, parameters and engine, and for every input table it is known which version went into them.
pub fn of(facts: &Facts<'_>, step: &Step, made: &Made, now: &BTreeMap<String, TableNow>) -> Scope {
    if facts.select.force {
        return Scope::All;
    }
    let same_work = step.writes.iter().all(|output| {
        latest(facts, step, &output.table).is_some_and(|before| {
            before.code == made.code && before.parameters == made.parameters && before.engine == made.engine
        })
    });
    // Raw pages are of one date and only make sense merged into what is there.
    let merges = !step.reads_raw() || step.writes.iter().any(|output| facts.job.merges(&output.table));
    let known = step.tables_read().all(|name| match (taken_in(facts, step, name), now.get(name)) {
        (Some(before), Some(table)) => nothing_vanished(before, table),
        _ => false,
    });
    if same_work && merges && known { Scope::Changed } else { Scope::All }
}

fn latest<'a>(facts: &'a Facts<'_>, step: &Step, table: &str) -> Option<&'a Made> {
    facts.current(table)?.made_by.get(&step.name)
}

/// Returns the version of `input` that the published output of `step` was made from.
fn taken_in<'a>(facts: &'a Facts<'_>, step: &Step, input: &str) -> Option<&'a Version> {
    let run = step.writes.iter().find_map(|output| latest(facts, step, &output.table)?.input_runs.get(input))?;
    facts.tables.get(input)?.versions.get(run)
}

/// A partition that is gone, or about to be written anew from an older base, leaves rows in the output that nothing
/// would correct.
fn nothing_vanished(before: &Version, table: &TableNow) -> bool {
    let live: BTreeSet<&PartitionValues> = table.partitions.iter().map(|partition| &partition.values).collect();
    before.partitions.iter().all(|partition| live.contains(&partition.values))
}

/// Returns the pages of an endpoint, of the logical date and of `others`, as the step's task will describe them.
pub fn pages(facts: &Facts<'_>, endpoint: &str, others: &BTreeSet<Date>) -> Input {
    let of = |date: Date| facts.pages(endpoint, date).to_vec();
    let others = others.iter().map(|date| (*date, of(*date))).collect();
    Input::Raw { endpoint: endpoint.into(), objects: of(facts.date), others }
}

/// Returns a table that a step reads as the step's task will describe it.
pub fn table(facts: &Facts<'_>, step: &Step, name: &str, scope: Scope, now: &BTreeMap<String, TableNow>) -> Input {
    let name = name.to_string();
    let Some(table) = now.get(&name) else {
        let (partitions, changed) = (Vec::new(), Vec::new());
        return Input::Table { name, partitions, changed, upstream: None };
    };
    let before = if scope == Scope::Changed { taken_in(facts, step, &name) } else { None };
    let same: BTreeSet<_> = before.iter().flat_map(|version| &version.partitions).map(Partition::key).collect();
    Input::Table {
        name,
        changed: table.partitions.iter().filter(|p| !same.contains(&p.key())).map(|p| p.values.clone()).collect(),
        partitions: table.partitions.clone(),
        upstream: table.upstream.clone(),
    }
}
