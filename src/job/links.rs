//! What holds between steps and tables: everything read exists, everything written is declared, nobody writes over
//! another, nobody waits for themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::model::{Output, Source, Step, StepCode, Table, Update};
use super::{formats, graph};
use crate::yaml::{Entry, Node, Place, Problems, did_you_mean, ticked};

/// A step, and where in the file it and what it names are.
pub(super) struct Draft<'a> {
    pub(super) entry: &'a Entry,
    /// The step, without values for its parameters.
    pub(super) step: Step,
}

impl<'a> Draft<'a> {
    /// Returns the step at an entry of `steps`, as far as it could be read.
    pub(super) fn new(entry: &'a Entry) -> Self {
        let items = |key: &str| items(entry, key).map(Node::text);
        let step = Step {
            name: entry.key.clone(),
            code: code(entry),
            reads: items("reads").filter_map(|text| formats::source(text).ok()).collect(),
            writes: items("writes").filter_map(|text| formats::output(text).ok()).collect(),
            parameters: BTreeMap::new(),
            spark: BTreeMap::new(),
            quarantine_limit: entry.value.get("quarantine-limit").and_then(|limit| limit.read().ok()).unwrap_or(0.05),
        };
        // Properties stand below `conf`; their own names tell them from options.
        let options = entry.value.get("spark").map_or(&[][..], Node::entries).iter();
        let options =
            options.flat_map(
                |option| if option.key == "conf" { option.value.entries() } else { std::slice::from_ref(option) },
            );
        let spark = options.map(|option| (option.key.clone(), option.value.text().to_string())).collect();
        Self { entry, step: Step { spark, ..step } }
    }

    /// Notes what SQL files and notebooks cannot do.
    pub(super) fn check_code(&self, tables: &BTreeMap<String, Table>, problems: &mut Problems) {
        let name = &self.step.name;
        let what = match self.step.code {
            StepCode::Script(_) => return,
            StepCode::Sql(_) => "a SQL file",
            StepCode::Notebook(_) => "a notebook",
        };
        for (_, place) in self.reads().filter(|(source, _)| matches!(source, Source::Raw(_))) {
            problems.error(place, format!("{what} reads tables, and no raw pages")).hint("a script can read them");
        }
        for (output, place) in self.writes() {
            if tables.get(&output.table).is_some_and(|table| table.update == Update::Merge) {
                let message = format!("`{}` is updated by merging, which {what} cannot do", output.table);
                problems.error(place, message).hint("make the table whole in each run, or write a script");
            }
        }
        if let (StepCode::Sql(_), Some((_, place))) = (&self.step.code, self.writes().nth(1)) {
            problems.error(place, format!("step `{name}` has one query, and writes more than one table"));
        }
    }

    /// Returns what it reads, and where that is written.
    fn reads(&self) -> impl Iterator<Item = (&Source, &'a Place)> {
        self.step.reads.iter().zip(items(self.entry, "reads").map(|item| &item.place))
    }

    /// Returns what it writes, and where that is written.
    fn writes(&self) -> impl Iterator<Item = (&Output, &'a Place)> {
        self.step.writes.iter().zip(items(self.entry, "writes").map(|item| &item.place))
    }

    /// Returns where it reads a table, if it does.
    fn read_of(&self, table: &str) -> Option<&'a Place> {
        self.reads().find(|(source, _)| matches!(source, Source::Table(name) if name == table)).map(|(_, place)| place)
    }
}

/// Returns what a step runs.
fn code(entry: &Entry) -> StepCode {
    let path = |key: &str| Some(entry.value.get(key)?.text().into());
    let other = || path("sql").map(StepCode::Sql).or_else(|| path("notebook").map(StepCode::Notebook));
    path("script").map(StepCode::Script).or_else(other).unwrap_or_else(|| StepCode::Script(PathBuf::new()))
}

/// Returns the items of a list of a step; all of them have been checked.
fn items<'a>(entry: &'a Entry, key: &str) -> impl Iterator<Item = &'a Node> + use<'a> {
    entry.value.get(key).map_or(&[][..], Node::items).iter()
}

/// A table that the job declares.
type Declared<'a> = (&'a Entry, &'a Table);

/// Returns the steps in an order in which they can run, or `None` when there is none. `tables` is `None` when they could
/// not be read: then what refers to them is not judged.
pub(super) fn link(
    mut drafts: Vec<Draft<'_>>,
    tables: Option<&Vec<Declared<'_>>>,
    problems: &mut Problems,
) -> Option<Vec<Step>> {
    // What was not understood may well be what uses a table.
    let understood = !problems.has_errors();
    if let Some(tables) = tables {
        declared(&mut drafts, tables, problems);
        if understood {
            unused(&drafts, tables, problems);
        }
    }
    one_writer(&drafts, problems);
    own_input(&drafts, problems);

    let steps: Vec<Step> = drafts.iter().map(|draft| draft.step.clone()).collect();
    let needs = |step: &Step| (0..steps.len()).filter(|other| step.needs(&steps[*other])).collect();
    match graph::order(&steps.iter().map(needs).collect::<Vec<_>>()) {
        Ok(order) => Some(order.into_iter().map(|at| steps[at].clone()).collect()),
        Err(cycles) => {
            cycles.iter().for_each(|cycle| circular(cycle, &drafts, problems));
            None
        }
    }
}

/// Notes tables that are used but not declared, and partitions that are not the table's.
fn declared(drafts: &mut [Draft<'_>], tables: &[Declared<'_>], problems: &mut Problems) {
    let find = |name: &str| tables.iter().find(|(entry, _)| entry.key == name);
    let near = |name: &str| did_you_mean(name, tables.iter().map(|(entry, _)| entry.key.as_str()));
    let written: BTreeSet<String> = all_writes(drafts).map(|(output, _)| output.table.clone()).collect();
    for draft in drafts {
        for (source, place) in draft.reads() {
            if let Source::Table(name) = source
                && find(name).is_none()
                && !written.contains(name)
            {
                let raw = || format!("raw pages are `raw.{name}`; a table of another job is declared below `tables:`");
                let problem = problems.error(place, format!("nobody writes table `{name}`"));
                problem.hint(near(name).unwrap_or_else(raw));
            }
        }
        for (output, item) in draft.step.writes.iter_mut().zip(items(draft.entry, "writes")) {
            match find(&output.table) {
                Some(table) => fixed(output, table, &item.place, problems),
                None => {
                    let add = || format!("add `{}:` below `tables:`", output.table);
                    let problem = problems.error(&item.place, format!("table `{}` is not declared", output.table));
                    problem.hint(near(&output.table).unwrap_or_else(add));
                }
            }
        }
    }
}

/// Brings fixed values into the table's order, or notes that they are not exactly its partition columns.
fn fixed(output: &mut Output, (entry, table): &Declared<'_>, place: &Place, problems: &mut Problems) {
    let columns = &table.partition_by;
    if output.only.is_empty() {
        return;
    }
    let given: BTreeSet<&String> = output.only.iter().map(|(column, _)| column).collect();
    if given != columns.iter().collect() {
        let by =
            if columns.is_empty() { "not partitioned".into() } else { format!("partitioned by {}", ticked(columns)) };
        let problem = problems.error(place, format!("table `{}` is {by}", entry.key));
        problem.note(&entry.place, "declared here");
        problem.hint("fix every partition column and no other, or write the table's name alone");
        return;
    }
    output.only.sort_by_key(|(column, _)| columns.iter().position(|other| other == column));
}

/// Notes tables, or partitions of one, that two outputs would write.
fn one_writer(drafts: &[Draft<'_>], problems: &mut Problems) {
    let mut outputs: Vec<(&str, &Output, &Place)> = Vec::new();
    for draft in drafts {
        for (output, place) in draft.writes() {
            let before = outputs.iter().find(|(_, other, _)| other.table == output.table && !apart(other, output));
            if let Some((step, other, first)) = before {
                let part = if other.only.is_empty() { "" } else { "the same partition of " };
                let problem = problems.error(place, format!("{part}table `{}` already has a writer", output.table));
                problem.note(first, format!("step `{step}`")).hint(
                    "a table has one writer, unless each fixes a different partition: `<table>/<column>=<value>`",
                );
            }
            outputs.push((&draft.step.name, output, place));
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
fn unused(drafts: &[Draft<'_>], tables: &[Declared<'_>], problems: &mut Problems) {
    for (entry, _) in tables {
        let written = all_writes(drafts).any(|(output, _)| output.table == entry.key);
        if !written && !drafts.iter().any(|draft| draft.read_of(&entry.key).is_some()) {
            let problem = problems.error(&entry.place, format!("no step reads or writes table `{}`", entry.key));
            problem.hint("remove it, or add it to the `writes` of a step");
        }
    }
}

/// Notes steps that read what they write themselves.
fn own_input(drafts: &[Draft<'_>], problems: &mut Problems) {
    for draft in drafts {
        for output in &draft.step.writes {
            if let Some(place) = draft.read_of(&output.table) {
                let message = format!("step `{}` reads table `{}`, which it writes", draft.step.name, output.table);
                problems
                    .error(place, message)
                    .hint("remove it here: with `update: merge` a step is given the current rows of its table anyway");
            }
        }
    }
}

/// Notes a cycle with a place for each of its edges.
fn circular(cycle: &[usize], drafts: &[Draft<'_>], problems: &mut Problems) {
    let draft = |at: usize| &drafts[cycle[at % cycle.len()]];
    let names: Vec<&str> = (0..=cycle.len()).map(|at| draft(at).step.name.as_str()).collect();
    let message = format!("these steps wait for each other: {}", names.join(" -> "));
    let problem = problems.error(&draft(0).entry.place, message);
    for (reader, writer) in (0..cycle.len()).map(|at| (draft(at), draft(at + 1))) {
        let edge = writer.step.writes.iter().find_map(|output| Some((&output.table, reader.read_of(&output.table)?)));
        if let Some((table, place)) = edge {
            problem.note(place, format!("`{}` needs `{table}` from `{}`", reader.step.name, writer.step.name));
        }
    }
    problem.hint("an arrow points to the step that must run before: one of these reads has to go");
}

fn all_writes<'a>(drafts: &'a [Draft<'_>]) -> impl Iterator<Item = (&'a Output, &'a Place)> {
    drafts.iter().flat_map(Draft::writes)
}
