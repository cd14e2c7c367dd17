//! The layers of settings, each over the one before: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::keys::{DEFAULT_ORIGIN, DEFAULTS, NOT_SETTINGS, TARGET, VARIABLES};
use super::raw::{self, Raw};
use super::{Settings, check};
use crate::error::Result;
use crate::yaml::{Content, Node, Place, Problems, Source, did_you_mean};

/// What settings are made of.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The folder relative paths start from.
    pub root: PathBuf,
    /// The settings file: what the person calls it, and its text.
    pub file: Option<(PathBuf, String)>,
    /// The environment; only what starts with `SOFLOW_` is looked at.
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

/// Returns the settings that all layers together make.
///
/// # Errors
/// `Usage` with every problem in the detail, each with the line, variable or flag it is in.
pub fn resolve(layers: Layers) -> Result<Resolved> {
    Ok(read(layers)?)
}

/// Returns what [`resolve`] does, with the problems as values for `--output json`.
///
/// # Errors
/// Every problem found; there is at least one.
pub fn read(layers: Layers) -> Result<Resolved, Problems> {
    let mut problems = Problems::default();
    let defaults = raw::read(&Source::file(DEFAULT_ORIGIN, DEFAULTS), &mut problems);
    let mut merged = defaults.clone();
    if let Some((path, text)) = &layers.file {
        let written = raw::read(&Source::file(path.display().to_string(), text), &mut problems);
        merged.extend(written);
    }
    fill(&mut merged, &defaults);

    let given = given(&layers);
    // The target first: the other values are for the one selected.
    for (_, node) in given.iter().filter(|(key, _)| *key == "default-target") {
        merged.insert("default-target".into(), node.clone());
    }
    let target = check::selected(&merged, &mut problems);
    for (key, node) in &given {
        apply(&mut merged, target.as_deref(), key, node, &mut problems);
    }

    let settings = check::settings(&layers.root, target, &merged, &mut problems);
    match settings {
        Some(settings) if !problems.has_errors() => {
            Ok(Resolved { settings, origins: origins(&merged), warnings: unknown(&layers.environment) })
        }
        _ => Err(problems),
    }
}

/// Gives each target of a kind the defaults of that kind where it says nothing.
fn fill(merged: &mut Raw, defaults: &Raw) {
    for name in check::targets(merged) {
        let local = merged.get(&format!("targets.{name}.kind")).is_some_and(|node| check::text(node) == "local");
        let prefix = "targets.local.";
        for (path, node) in defaults.iter().filter(|_| local) {
            let Some(key) = path.strip_prefix(prefix).filter(|key| *key != "kind") else { continue };
            merged.entry(format!("targets.{name}.{key}")).or_insert_with(|| node.clone());
        }
    }
}

/// Returns what variables and then flags give, later over earlier. An empty variable counts as not set.
fn given(layers: &Layers) -> Vec<(&str, Node)> {
    let variables = VARIABLES.iter().filter_map(|(name, key)| {
        let value = layers.environment.get(*name).filter(|value| !value.is_empty())?;
        Some((*key, Node::plain(value, Source::variable(name, value))))
    });
    let flags =
        layers.flags.iter().map(|(key, value, flag)| (key.as_str(), Node::plain(value, Source::flag(flag, value))));
    variables.chain(flags).collect()
}

fn apply(merged: &mut Raw, target: Option<&str>, key: &str, node: &Node, problems: &mut Problems) {
    match (key, target) {
        ("default-target", _) => {}
        ("jobs" | "code" | "keep-for", _) => _ = merged.insert(key.into(), node.clone()),
        // Without a target, which has been noted, there is nothing to set it on.
        (_, None) => {}
        ("lake", Some(target)) => raw::lake(merged, target, check::text(node), node),
        (key, Some(target)) if TARGET.contains(&key) && key != "kind" => {
            merged.insert(format!("targets.{target}.{key}"), node.clone());
        }
        _ => _ = problems.error(&node.place, format!("there is no setting `{key}`")),
    }
}

fn origins(merged: &Raw) -> Vec<Origin> {
    let origin = |place: &Place| match place.origin() {
        _ if place.source.origin == DEFAULT_ORIGIN => DEFAULT_ORIGIN.into(),
        origin => origin,
    };
    let value = |(key, node): (&String, &Node)| match &node.content {
        Content::Scalar { text, .. } if !text.is_empty() => {
            Some(Origin { key: key.clone(), value: text.clone(), origin: origin(&node.place) })
        }
        _ => None,
    };
    merged.iter().filter_map(value).collect()
}

/// Returns a warning for each variable that begins like ours and is none.
fn unknown(environment: &BTreeMap<String, String>) -> Vec<String> {
    let known: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
    let ours = |name: &&String| name.starts_with("SOFLOW_");
    let warning = |name: &String| {
        let near = did_you_mean(name, known.iter().copied()).map_or(String::new(), |near| format!(": {near}"));
        format!("the variable `{name}` sets nothing{near}")
    };
    let strange = environment.keys().filter(ours).filter(|name| !known.contains(&name.as_str()));
    strange.filter(|name| !NOT_SETTINGS.contains(&name.as_str())).map(warning).collect()
}
