//! Reading `steps:`.

use std::path::{Component, Path, PathBuf};

use super::model::{Output, Source, Step};
use super::parameters::{self, Declared};
use super::parse::{Options, Script, named};
use super::{outputs, spark};
use crate::encoding::Foreign;
use crate::yaml::{Content, Map, Node, Place, Problems, did_you_mean};

/// The keys of a step.
const KEYS: &[&str] = &["script", "reads", "writes", "parameters", "spark", "quarantine-limit"];

/// Share that may be quarantined when a step does not say.
const QUARANTINE_LIMIT: f64 = 0.05;

/// A step as far as it could be read, with the places later checks point at.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) script: PathBuf,
    pub(super) reads: Vec<(Source, Place)>,
    pub(super) writes: Vec<(Output, Place)>,
    pub(super) parameters: Vec<Declared>,
    pub(super) spark: std::collections::BTreeMap<String, String>,
    pub(super) quarantine_limit: f64,
    /// Whether everything it reads and writes was understood.
    pub(super) complete: bool,
}

impl Draft {
    /// Returns the step, without values for its parameters.
    pub(super) fn step(&self) -> Step {
        Step {
            name: self.name.clone(),
            script: self.script.clone(),
            reads: self.reads.iter().map(|(source, _)| source.clone()).collect(),
            writes: self.writes.iter().map(|(output, _)| output.clone()).collect(),
            parameters: Default::default(),
            spark: self.spark.clone(),
            quarantine_limit: self.quarantine_limit,
        }
    }
}

/// Returns the steps in the order written.
pub(super) fn read(node: &Node, options: &Options<'_>, problems: &mut Problems) -> Vec<Draft> {
    let entries = node.entries("`steps`", problems);
    if entries.is_empty() && matches!(node.content, Content::Map(_)) {
        problems.error(&node.place, "a job needs at least one step");
    }
    entries.iter().map(|entry| step(&entry.key, &entry.place, &entry.value, options, problems)).collect()
}

fn step(name: &str, place: &Place, node: &Node, options: &Options<'_>, problems: &mut Problems) -> Draft {
    named(name, "step", true, place, problems);
    let what = format!("step `{name}`");
    let map = node.map(&what, KEYS, problems);
    let (reads, all_reads) = sources(&map, problems);
    let (writes, all_writes) = written(&map, &what, place, problems);
    let limit = map.get("quarantine-limit").and_then(|node| node.share("quarantine-limit", problems));
    Draft {
        name: name.into(),
        place: place.clone(),
        script: script(&map, &what, place, options, problems).unwrap_or_default(),
        reads,
        writes,
        parameters: map.get("parameters").map_or(Vec::new(), |node| parameters::read(node, Some(name), problems)),
        spark: map.get("spark").map_or_else(Default::default, |node| spark::read(node, problems)),
        quarantine_limit: limit.unwrap_or(QUARANTINE_LIMIT),
        complete: all_reads && all_writes,
    }
}

/// Returns the script: a Python file below the code folder that is there.
fn script(map: &Map<'_>, what: &str, step: &Place, options: &Options<'_>, problems: &mut Problems) -> Option<PathBuf> {
    if let Some(place) = map.lacks("script", step) {
        problems.error(place, format!("{what} has no `script`")).hint("add one: `script: steps/<name>.py`");
    }
    let node = map.get("script")?;
    let text = node.text("script", problems)?;
    let path = Path::new(&text);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) || text.contains('\\') {
        let problem = problems.error(&node.place, format!("script `{text}` is not a path below the code folder"));
        problem.hint("write it as `steps/<name>.py`");
        return None;
    }
    if path.extension().is_none_or(|extension| extension != "py") {
        problems.error(&node.place, format!("script `{text}` is not a Python file")).hint("its name must end in `.py`");
        return None;
    }
    match (options.script)(path) {
        Script::There => {}
        Script::Missing => {
            let known: Vec<String> = options.scripts.iter().map(|script| script.display().to_string()).collect();
            let near = did_you_mean(&text, known.iter().map(String::as_str));
            let problem = problems.error(&node.place, format!("script `{text}` does not exist"));
            problem.hint_if(
                near.or_else(|| Some("scripts are looked for below the code folder, `code` in the settings".into())),
            );
        }
        Script::Foreign(Foreign { what, mending, .. }) => {
            problems.error(&node.place, format!("script `{text}` is {what}")).hint(mending);
        }
    }
    Some(path.into())
}

/// Returns what a step reads, and whether all of it was understood.
fn sources(map: &Map<'_>, problems: &mut Problems) -> (Vec<(Source, Place)>, bool) {
    let items = map.get("reads").map_or(Vec::new(), |node| node.items("reads", problems));
    let mut sources: Vec<(Source, Place)> = Vec::new();
    let mut complete = true;
    for item in items {
        let text = item.text("reads", problems);
        let Some(source) = text.and_then(|text| outputs::source(&text, &item.place, problems)) else {
            complete = false;
            continue;
        };
        match sources.iter().find(|(other, _)| *other == source) {
            Some((_, first)) => _ = problems.error(&item.place, "this is read twice").note(first, "first here"),
            None => sources.push((source, item.place.clone())),
        }
    }
    (sources, complete)
}

/// Returns what a step writes, and whether all of it was understood.
fn written(map: &Map<'_>, what: &str, step: &Place, problems: &mut Problems) -> (Vec<(Output, Place)>, bool) {
    let items = map.get("writes").map_or(Vec::new(), |node| node.items("writes", problems));
    if items.is_empty() {
        let empty = map.get("writes").map(|node| &node.place);
        if let Some(place) = empty.or_else(|| map.lacks("writes", step)) {
            problems.error(place, format!("{what} writes nothing")).hint("name its table: `writes: [<table>]`");
        }
        return (Vec::new(), false);
    }
    let count = items.len();
    let read = |item: &Node| {
        let text = item.text("writes", problems)?;
        Some((outputs::output(&text, &item.place, problems)?, item.place.clone()))
    };
    let outputs: Vec<_> = items.into_iter().filter_map(read).collect();
    let complete = outputs.len() == count;
    (outputs, complete)
}
