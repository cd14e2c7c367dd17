//! From the text of a job file to a job, or to everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use super::file::{CODE_KEYS, JobFile, SCHEMA};
use super::links::Draft;
use super::model::{Check, Job, Table, Update};
use super::{chart, formats, links, parameters};
use crate::names::name_problem;
use crate::yaml::{self, Entry, Node, Problems, Source};

/// What is there in the place of a file that a step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeFile {
    /// A file that can be run.
    Good,
    /// Nothing.
    Missing,
    /// Something else than it should be.
    Bad {
        /// What is wrong, to be put behind the file's name.
        why: String,
        /// What to do about it.
        remedy: String,
    },
}

/// What reading a job needs to know besides its file.
pub struct Options<'a> {
    /// The logical date, which `{date}` stands for.
    pub date: Date,
    /// Values given for parameters: `name` or `step.name`, and the value.
    pub parameters: &'a [(String, String)],
    /// Says what is there in the place of a file that a step runs, by its path below the code folder.
    pub file: &'a dyn Fn(&Path) -> CodeFile,
    /// Files that steps can run, to suggest one; may be empty.
    pub files: &'a [PathBuf],
}

/// Returns the job called `name` whose file, at `path`, has `text`.
///
/// # Errors
/// Every problem found; there is at least one.
pub fn read(name: &str, path: &Path, text: &str, options: &Options<'_>) -> Result<Job, Problems> {
    let source = Source::file(path.display().to_string(), text);
    let mut problems = Problems::default();
    if let Some(why) = name_problem(name, true) {
        problems.error(&source.whole(), format!("`{name}` cannot name a job: {why}")).hint("rename the file");
    }
    let job = job(name, path, &source, options, &mut problems);
    match job {
        Some(job) if !problems.has_errors() => Ok(job),
        _ => Err(problems),
    }
}

fn job(name: &str, path: &Path, source: &Arc<Source>, options: &Options<'_>, problems: &mut Problems) -> Option<Job> {
    let root = yaml::parse(source, problems)?;
    let formats = |format: &str, text: &str| formats::judge(options, format, text);
    let tree = yaml::check(&root, &SCHEMA, "a job", &formats, problems);
    root.get("steps").map_or(&[][..], Node::entries).iter().for_each(|entry| check_code_keys(entry, problems));
    let tree = tree?;
    let mut file: JobFile = tree.read().map_err(|error| _ = problems.unread(&tree, &error)).ok()?;

    let nothing = Node::plain("", source.whole());
    let group = |key: &str| tree.get(key).unwrap_or(&nothing);
    let mut declared = Vec::new();
    for entry in group("tables").entries() {
        let table = file.tables.get(&entry.key)?;
        check_table(entry, table, problems);
        declared.push((entry, table));
    }
    // When they could not be read, what refers to them is not judged.
    let readable = tree.get("tables").is_some() || !problems.has_errors();
    let mut drafts: Vec<Draft<'_>> = group("steps").entries().iter().map(Draft::new).collect();
    drafts.iter().for_each(|draft| draft.check_code(&file.tables, problems));
    let parameters = parameters::resolve(group("parameters"), &mut drafts, options, problems);
    let steps = links::link(drafts, readable.then_some(&declared), problems)?;
    file.insights.iter_mut().for_each(|insight| insight.sql = formats::with_date(&insight.sql, options.date));
    let charts = group("report").items().iter().zip(&mut file.report);
    charts.for_each(|(node, chart)| {
        chart::check(node, chart, problems);
        chart.sql = formats::with_date(&chart.sql, options.date);
    });
    file.tables.values_mut().for_each(add_key_checks);
    Some(Job {
        name: name.into(),
        path: path.into(),
        description: file.description,
        parameters,
        steps,
        tables: file.tables,
        insights: file.insights,
        report: file.report,
        needs: file.cluster,
        fuse: file.fuse,
    })
}

/// Notes a step that runs nothing, or several files. A key that nobody knows may well be the one that is missing.
fn check_code_keys(Entry { key: step, value, place }: &Entry, problems: &mut Problems) {
    let is_named = |entry: &&Entry| CODE_KEYS.contains(&entry.key.as_str());
    let there: Vec<&Entry> = value.entries().iter().filter(is_named).collect();
    let keys = SCHEMA["$defs"]["Step"]["properties"].as_object();
    let is_known = |entry: &Entry| keys.is_some_and(|keys| keys.contains_key(&entry.key));
    match there.as_slice() {
        [first, second, ..] => {
            let message = format!("step `{step}` has `{}` and `{}`", first.key, second.key);
            problems.error(&second.place, message).hint("a step runs one file: remove one of them");
        }
        [only] if !only.value.is_null() => {}
        _ if !value.is_map() || !value.entries().iter().all(is_known) => {}
        rest => {
            let place = rest.first().map_or(place, |only| &only.place);
            let problem = problems.error(place, format!("step `{step}` has no `script`"));
            problem.hint("add one: `script: steps/<name>.py`; or `sql: steps/<name>.sql`, or `notebook: <name>.ipynb`");
        }
    }
}

/// Notes a table that cannot be merged, and checks that cannot hold.
fn check_table(Entry { key, value, .. }: &Entry, table: &Table, problems: &mut Problems) {
    if let Some(update) = value.get("update").filter(|_| table.update == Update::Merge && table.key.is_empty()) {
        let message = format!("table `{key}` is updated by merging but has no `key`");
        problems.error(&update.place, message).hint("rows are merged by key: add `key: [<column>]`");
    }
    let checks = value.get("checks").map_or(&[][..], Node::items).iter();
    for range in checks.filter_map(|check| check.get("range")) {
        let bound = |key: &str| range.get(key).and_then(|node| Some((node, node.read::<f64>().ok()?)));
        match (bound("min"), bound("max")) {
            (None, None) => _ = problems.error(&range.place, "`range` has neither `min` nor `max`"),
            (Some((_, min)), Some((node, max))) if min > max => {
                problems.error(&node.place, format!("`max` is below `min`, which is {min}"));
            }
            _ => {}
        }
    }
}

/// Adds the checks that a key implies, before the others.
fn add_key_checks(table: &mut Table) {
    if !table.key.is_empty() {
        let implied = [Check::Unique(table.key.clone()), Check::NotNull(table.key.clone())];
        table.checks.retain(|check| !implied.contains(check));
        table.checks.splice(0..0, implied);
    }
}
