//! What holds between steps and tables: everything read exists, everything written is declared, nobody writes over
//! another, nobody waits for themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::file::StepFile;
use super::graph::Graph;
use super::model::{Output, Source, Step, Value};
use super::parameters::{self, Declared};
use super::{formats, spark, tables};
use crate::yaml::{Entry, Node, Place, Problems, did_you_mean, ticked};

/// A step as far as it could be read, with the places that problems point at.
pub(super) struct Draft {
    /// The step, without values for its parameters.
    pub(super) step: Step,
    pub(super) parameters: Vec<Declared>,
    place: Place,
    reads: Vec<(Source, Place)>,
    writes: Vec<(Output, Place)>,
}

impl Draft {
    /// Returns the step at an entry of `steps`.
    pub(super) fn new(entry: &Entry, file: StepFile) -> Self {
        let items = |key: &str| entry.value.get(key).map_or(&[][..], Node::items).iter();
        let reads = items("reads").filter_map(|item| Some((formats::source(item.text()).ok()?, item.place.clone())));
        let writes = items("writes").filter_map(|item| Some((formats::output(item.text()).ok()?, item.place.clone())));
        let declared = entry.value.get("parameters").map(|node| parameters::declared(node, Some(&entry.key)));
        let step = Step {
            name: entry.key.clone(),
            script: file.script,
            reads: Vec::new(),
            writes: Vec::new(),
            parameters: BTreeMap::new(),
            spark: spark::read(entry.value.get("spark")),
            quarantine_limit: file.quarantine_limit,
        };
        let (reads, writes) = (reads.collect(), writes.collect());
        Self { step, parameters: declared.unwrap_or_default(), place: entry.place.clone(), reads, writes }
    }

    /// Returns the step with its values.
    fn with(&self, parameters: BTreeMap<String, Value>) -> Step {
        let reads = self.reads.iter().map(|(source, _)| source.clone()).collect();
        let writes = self.writes.iter().map(|(output, _)| output.clone()).collect();
        Step { reads, writes, parameters, ..self.step.clone() }
    }
}

/// Returns the steps in an order in which they can run, or `None` when there is none. `tables` is `None` when they could
/// not be read: then what refers to them is not judged.
pub(super) fn link(
    mut drafts: Vec<Draft>,
    tables: Option<&[tables::Draft]>,
    values: Vec<BTreeMap<String, Value>>,
    problems: &mut Problems,
) -> Option<Vec<Step>> {
    // What was not understood may well be what uses a table.
    let understood = !problems.has_errors();
    if let Some(tables) = tables {
        declared(&mut drafts, tables, problems);
        unused(&drafts, tables.iter().filter(|_| understood), problems);
    }
    one_writer(&drafts, problems);
    own_input(&drafts, problems);

    let steps: Vec<Step> = drafts.iter().zip(values).map(|(draft, values)| draft.with(values)).collect();
    match Graph::of(&steps).order() {
        Ok(order) => Some(order.into_iter().map(|at| steps[at].clone()).collect()),
        Err(cycles) => {
            cycles.iter().for_each(|cycle| circular(cycle, &drafts, problems));
            None
        }
    }
}

/// Notes tables that are used but not declared, and partitions that are not the table's.
fn declared(drafts: &mut [Draft], tables: &[tables::Draft], problems: &mut Problems) {
    let find = |name: &str| tables.iter().find(|table| table.name == name);
    let near = |name: &str| did_you_mean(name, tables.iter().map(|table| table.name.as_str()));
    let written: BTreeSet<String> = all_writes(drafts).map(|(output, _)| output.table.clone()).collect();
    for draft in drafts {
        for (output, place) in &mut draft.writes {
            match find(&output.table) {
                Some(table) => fixed(output, table, place, problems),
                None => {
                    let problem = problems.error(place, format!("table `{}` is not declared", output.table));
                    problem.hint(
                        near(&output.table).unwrap_or_else(|| format!("add `{}:` below `tables:`", output.table)),
                    );
                }
            }
        }
        for (source, place) in &draft.reads {
            if let Source::Table(name) = source
                && find(name).is_none()
                && !written.contains(name)
            {
                let problem = problems.error(place, format!("nobody writes table `{name}`"));
                let raw = || format!("raw pages are `raw.{name}`; a table of another job is declared below `tables:`");
                problem.hint(near(name).unwrap_or_else(raw));
            }
        }
    }
}

/// Brings fixed values into the table's order, or notes that they are not exactly its partition columns.
fn fixed(output: &mut Output, table: &tables::Draft, place: &Place, problems: &mut Problems) {
    let columns = &table.table.partition_by;
    if output.only.is_empty() {
        return;
    }
    let given: BTreeSet<&String> = output.only.iter().map(|(column, _)| column).collect();
    if given != columns.iter().collect() {
        let by =
            if columns.is_empty() { "not partitioned".into() } else { format!("partitioned by {}", ticked(columns)) };
        let problem = problems.error(place, format!("table `{}` is {by}", table.name));
        problem.note(&table.place, "declared here");
        problem.hint("fix every partition column and no other, or write the table's name alone");
        return;
    }
    output.only.sort_by_key(|(column, _)| columns.iter().position(|other| other == column));
}

/// Notes tables, or partitions of one, that two outputs would write.
fn one_writer(drafts: &[Draft], problems: &mut Problems) {
    let outputs: Vec<(&str, &Output, &Place)> = drafts
        .iter()
        .flat_map(|draft| draft.writes.iter().map(|(output, place)| (draft.step.name.as_str(), output, place)))
        .collect();
    for (at, (_, output, place)) in outputs.iter().enumerate() {
        let before = outputs[..at].iter().find(|(_, other, _)| other.table == output.table && !apart(other, output));
        if let Some((step, other, first)) = before {
            let part = if other.only.is_empty() { "" } else { "the same partition of " };
            let problem = problems.error(place, format!("{part}table `{}` already has a writer", output.table));
            problem.note(first, format!("step `{step}`"));
            let fix = "a table has one writer, unless each fixes a different partition: `<table>/<column>=<value>`";
            problem.hint(fix);
        }
    }
}

/// Returns whether two outputs of one table can never meet: some column has two different literal values.
/// When they fix different columns one of them is wrong, which has been noted.
fn apart(one: &Output, other: &Output) -> bool {
    let columns = |output: &Output| output.only.iter().map(|(column, _)| column.clone()).collect::<BTreeSet<_>>();
    if !one.only.is_empty() && !other.only.is_empty() && columns(one) != columns(other) {
        return true;
    }
    let literal = |value: &str| !value.contains('{');
    one.only.iter().any(|(column, value)| {
        let matching = other.only.iter().find(|(name, _)| name == column);
        matching.is_some_and(|(_, other)| other != value && literal(other) && literal(value))
    })
}

/// Notes tables that are declared but that no step reads or writes.
fn unused<'a>(drafts: &[Draft], tables: impl Iterator<Item = &'a tables::Draft>, problems: &mut Problems) {
    let written: Vec<&str> = all_writes(drafts).map(|(output, _)| output.table.as_str()).collect();
    let reads = |name: &str| {
        let named = |source: &Source| matches!(source, Source::Table(table) if table == name);
        drafts.iter().flat_map(|draft| &draft.reads).any(|(source, _)| named(source))
    };
    for table in tables.filter(|table| !written.contains(&table.name.as_str()) && !reads(&table.name)) {
        let problem = problems.error(&table.place, format!("no step reads or writes table `{}`", table.name));
        problem.hint("remove it, or add it to the `writes` of a step");
    }
}

/// Notes steps that read what they write themselves.
fn own_input(drafts: &[Draft], problems: &mut Problems) {
    for draft in drafts {
        for (output, _) in &draft.writes {
            let own = |source: &Source| matches!(source, Source::Table(table) if *table == output.table);
            if let Some((_, place)) = draft.reads.iter().find(|(source, _)| own(source)) {
                let problem = problems.error(
                    place,
                    format!("step `{}` reads table `{}`, which it writes", draft.step.name, output.table),
                );
                problem
                    .hint("remove it here: with `update: merge` a step is given the current rows of its table anyway");
            }
        }
    }
}

/// Notes a cycle with a place for each of its edges.
fn circular(cycle: &[usize], drafts: &[Draft], problems: &mut Problems) {
    let step = |at: usize| &drafts[cycle[at % cycle.len()]];
    let names: Vec<&str> = (0..=cycle.len()).map(|at| step(at).step.name.as_str()).collect();
    let edges: Vec<(&Place, String)> = (0..cycle.len())
        .filter_map(|at| {
            let (reader, writer) = (step(at), step(at + 1));
            let writes = |name: &str| writer.writes.iter().any(|(output, _)| output.table == name);
            let found = reader.reads.iter().find_map(|(source, place)| match source {
                Source::Table(name) if writes(name) => Some((place, name)),
                _ => None,
            });
            found.map(|(place, name)| {
                (place, format!("`{}` needs `{name}` from `{}`", reader.step.name, writer.step.name))
            })
        })
        .collect();
    let place = &step(0).place;
    let problem = problems.error(place, format!("these steps wait for each other: {}", names.join(" -> ")));
    for (place, label) in edges {
        problem.note(place, label);
    }
    problem.hint("an arrow points to the step that must run before: one of these reads has to go");
}

fn all_writes(drafts: &[Draft]) -> impl Iterator<Item = &(Output, Place)> {
    drafts.iter().flat_map(|draft| &draft.writes)
}
