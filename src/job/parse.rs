//! From the text of a job file to a job, or to everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;

use super::model::{Job, Needs};
use super::{insights, links, needs, parameters, steps, tables};
use crate::encoding::Foreign;
use crate::error::Result;
use crate::names::name_problem;
use crate::yaml::{self, Place, Problems, Source};

/// The keys of a job file.
const KEYS: &[&str] = &["description", "parameters", "steps", "tables", "insights", "cluster"];

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
    let map = root.map("a job", KEYS, problems);
    let description = map.get("description").and_then(|node| node.text("description", problems));
    let declared = map.get("parameters").map_or(Vec::new(), |node| parameters::read(node, None, problems));
    let drafts = map.required("steps", problems).map_or(Vec::new(), |node| steps::read(node, options, problems));
    let tables = tables::read(&map, problems);
    let insights = map.get("insights").map_or(Vec::new(), |node| insights::read(node, options.date, problems));
    let needs = map.get("cluster").map_or_else(Needs::default, |node| needs::read(node, problems));

    let values = parameters::resolve(declared, &drafts, options, problems);
    let steps = links::link(drafts, tables.as_deref(), values.by_step, problems)?;
    Some(Job {
        name: name.into(),
        path: path.into(),
        description: description.unwrap_or_default(),
        parameters: values.of_job,
        steps,
        tables: tables.into_iter().flatten().map(|draft| (draft.name, draft.table)).collect(),
        insights,
        needs,
    })
}

/// Returns whether `text` can name a `what`; notes why not.
pub(super) fn named(text: &str, what: &str, hyphens: bool, place: &Place, problems: &mut Problems) -> bool {
    let why = name_problem(text, hyphens);
    if text.is_empty() {
        problems.error(place, format!("the name of a {what} is missing"));
    } else if let Some(why) = &why {
        problems.error(place, format!("`{text}` cannot name a {what}: {why}"));
    }
    why.is_none()
}
