//! The layers of settings, each over the one before: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::check::Project;
use super::keys::{DEFAULT_ORIGIN, DEFAULTS, NOT_SETTINGS, SECRETS, VARIABLES, kind_with};
use super::raw::{self, Raw};
use super::{Settings, check, show};
use crate::error::Result;
use crate::yaml::{Node, Problem, Problems, Source, did_you_mean};

/// What settings are made of.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The folder relative paths start from.
    pub root: PathBuf,
    /// The settings file: what the person calls it, and its text.
    pub file: Option<(PathBuf, String)>,
    /// The environment; only what starts with `SOFLOW_`, and `HOME`, is looked at.
    pub environment: BTreeMap<String, String>,
    /// Settings given by flags: the key such as `engine` or `default-target`, the value, the flag such as `--engine`.
    pub flags: Vec<(String, String, String)>,
}

/// Settings, and where each came from.
#[derive(Clone, Debug, Serialize)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// Every value and its origin, by key.
    pub origins: Vec<Origin>,
    /// What looks like a mistake but stops nothing: lowercase fragments.
    pub warnings: Vec<String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The path of its key, such as `targets.local.engine`.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// `default`, `config/soflow.yaml:12`, `env SOFLOW_TARGET` or `--target`.
    pub origin: String,
}

/// Returns the settings that all layers together make; `exists` says whether a file they name is there.
///
/// # Errors
/// `Usage` with every problem in the detail, each with the line, variable or flag it is in.
pub fn resolve(layers: Layers, exists: &dyn Fn(&Path) -> bool) -> Result<Resolved> {
    Ok(read(layers, exists)?)
}

/// Returns what [`resolve`] does, with the problems as values for `--output json`.
///
/// # Errors
/// Every problem found; there is at least one.
pub fn read(layers: Layers, exists: &dyn Fn(&Path) -> bool) -> Result<Resolved, Problems> {
    let mut problems = Problems::default();
    let defaults = raw::read(&Source::file(DEFAULT_ORIGIN, DEFAULTS), &Raw::new(), &mut problems);
    let mut merged = match &layers.file {
        Some((path, text)) => raw::read(&Source::file(path.display().to_string(), text), &defaults, &mut problems),
        None => Raw::new(),
    };
    raw::complete(&mut merged, &defaults);
    raw::fill(&mut merged, &defaults);

    let given = given(&layers);
    // The target first: the other values are for the one selected.
    for given in given.iter().filter(|given| given.key == "default-target") {
        merged.insert("default-target".into(), given.node.clone());
    }
    let target = check::selected(&merged, &mut problems);
    let mut warnings = unknown(&layers.environment);
    for given in &given {
        apply(&mut merged, target.as_deref(), given, &mut problems);
    }

    let home = layers.environment.get("HOME").filter(|home| !home.is_empty()).map(Path::new);
    let project = Project { root: &layers.root, home, exists, defaults: &defaults };
    let settings = check::settings(&project, target, &merged, &mut problems);
    match settings {
        Some(settings) if !problems.has_errors() => {
            warnings.extend(problems.sorted().into_iter().map(warning));
            Ok(Resolved { settings, origins: origins(&merged), warnings })
        }
        _ => Err(problems),
    }
}

/// A value from outside the file.
struct Given<'a> {
    key: &'a str,
    node: Node,
    /// Whether it was typed for this command, and not left in the environment.
    flag: bool,
}

/// Returns what variables and then flags give, later over earlier. An empty variable counts as not set.
fn given(layers: &Layers) -> Vec<Given<'_>> {
    let variables = VARIABLES.iter().filter_map(|(name, key)| {
        let value = layers.environment.get(*name).filter(|value| !value.is_empty())?;
        Some(Given { key, node: Node::plain(value, Source::variable(name, value)), flag: false })
    });
    let flags = layers.flags.iter().map(|(key, value, flag)| Given {
        key,
        node: Node::plain(value, Source::flag(flag, value)),
        flag: true,
    });
    variables.chain(flags).collect()
}

/// Sets one value. A variable for another kind of target than the one in use is for other commands; a flag is a mistake.
fn apply(merged: &mut Raw, target: Option<&str>, given: &Given<'_>, problems: &mut Problems) {
    let Given { key, node, flag } = given;
    match (*key, target) {
        ("default-target", _) => {}
        ("jobs" | "code" | "keep-for", _) => _ = merged.insert((*key).into(), node.clone()),
        // Without a target, which has been noted, there is nothing to set it on.
        (_, None) => {}
        ("lake", Some(target)) => raw::lake(merged, target, raw::text(node), node),
        (key, Some(target)) => match (kind_with(key), raw::kind(merged, target)) {
            (None, _) => _ = problems.error(&node.place, format!("there is no setting `{key}`")),
            (Some(other), kind) if other != kind && *flag => {
                // The shipped target of a kind has its name.
                let problem = problems.error(&node.place, raw::misplaced(key, other, target, kind));
                problem.hint(format!("add `--target {other}`"));
            }
            (Some(other), kind) if other != kind => {}
            _ => _ = merged.insert(format!("targets.{target}.{key}"), node.clone()),
        },
    }
}

fn origins(merged: &Raw) -> Vec<Origin> {
    let origin = |node: &Node| if raw::is_default(node) { DEFAULT_ORIGIN.into() } else { node.place.origin() };
    let value = |(key, node): (&String, &Node)| {
        let value = show::value(node);
        (!value.is_empty()).then(|| Origin { key: key.clone(), value, origin: origin(node) })
    };
    merged.iter().filter_map(value).collect()
}

/// Returns a problem that stops nothing as one line.
fn warning(problem: &Problem) -> String {
    let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!(": {hint}"));
    format!("{}: {}{hint}", problem.place, problem.message)
}

/// Returns a warning for each variable that begins like ours and is none.
fn unknown(environment: &BTreeMap<String, String>) -> Vec<String> {
    let known: Vec<&str> = VARIABLES.iter().chain(&SECRETS).map(|(name, _)| *name).collect();
    let ours = |name: &&String| name.starts_with("SOFLOW_");
    let warning = |name: &String| {
        let near = did_you_mean(name, known.iter().copied()).map_or(String::new(), |near| format!(": {near}"));
        format!("the variable `{name}` sets nothing{near}")
    };
    let strange = environment.keys().filter(ours).filter(|name| !known.contains(&name.as_str()));
    strange.filter(|name| !NOT_SETTINGS.contains(&name.as_str())).map(warning).collect()
}
