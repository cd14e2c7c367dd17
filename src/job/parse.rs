//! From the text of a job file to a job, or to everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use super::file::{JobFile, SCHEMA};
use super::links::Draft;
use super::model::Job;
use super::{formats, links, parameters, tables};
use crate::encoding::Foreign;
use crate::error::Result;
use crate::names::name_problem;
use crate::yaml::{self, Node, Problems, Source};

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
/// `Usage` with every problem in the detail.
pub fn parse(name: &str, path: &Path, text: &str, options: &Options<'_>) -> Result<Job> {
    Ok(read(name, path, text, options)?)
}

/// Returns what [`parse`] does, with the problems as values for `--output json`.
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
    let tables = group("tables").entries().iter().filter_map(|entry| {
        let mut table = file.tables.remove(&entry.key)?;
        tables::check(&entry.key, &entry.value, &table, problems);
        table.checks = tables::with_key_checks(&table.key, table.checks);
        Some(tables::Draft { name: entry.key.clone(), place: entry.place.clone(), table })
    });
    let tables: Vec<_> = tables.collect();
    // When they could not be read, what refers to them is not judged.
    let tables = (tree.get("tables").is_some() || !problems.has_errors()).then_some(tables);
    let drafts = group("steps").entries().iter().filter_map(|entry| {
        let step = file.steps.remove(&entry.key)?;
        Some(Draft::new(entry, step))
    });
    let drafts: Vec<Draft> = drafts.collect();
    let declared = parameters::declared(group("parameters"), None);
    let values = parameters::resolve(declared, &drafts, options, problems);
    let steps = links::link(drafts, tables.as_deref(), values.by_step, problems)?;
    file.insights.iter_mut().for_each(|insight| insight.sql = formats::with_date(&insight.sql, options.date));
    Some(Job {
        name: name.into(),
        path: path.into(),
        description: file.description,
        parameters: values.of_job,
        steps,
        tables: tables.into_iter().flatten().map(|draft| (draft.name, draft.table)).collect(),
        insights: file.insights,
        needs: file.cluster,
    })
}
