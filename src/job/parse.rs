//! From the text of a job file to a job, or to everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use super::file::{JobFile, SCHEMA};
use super::links::Draft;
use super::model::{Check, Job, Table, Update};
use super::{formats, links, parameters};
use crate::encoding::Foreign;
use crate::names::name_problem;
use crate::yaml::{self, Entry, Node, Problems, Source};

/// What is there in the place of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// A file that Python can read.
    There,
    /// Nothing.
    Missing,
    /// Something else than the text it should be.
    Foreign(Foreign),
}

/// What reading a job needs to know besides its file.
pub struct Options<'a> {
    /// The logical date, which `{date}` stands for.
    pub date: Date,
    /// Values given for parameters: `name` or `step.name`, and the value.
    pub parameters: &'a [(String, String)],
    /// Says what is there in the place of a script, by its path below the code folder.
    pub script: &'a dyn Fn(&Path) -> Script,
    /// Scripts that are there, to suggest one; may be empty.
    pub scripts: &'a [PathBuf],
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
    let tree = yaml::check(&root, &SCHEMA, "a job", &formats, problems)?;
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
    let parameters = parameters::resolve(group("parameters"), &mut drafts, options, problems);
    let steps = links::link(drafts, readable.then_some(&declared), problems)?;
    file.insights.iter_mut().for_each(|insight| insight.sql = formats::with_date(&insight.sql, options.date));
    file.tables.values_mut().for_each(add_key_checks);
    Some(Job {
        name: name.into(),
        path: path.into(),
        description: file.description,
        parameters,
        steps,
        tables: file.tables,
        insights: file.insights,
        needs: file.cluster,
        fuse: file.fuse,
    })
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
