//! The layers of settings, each over the one before: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::describe::{DEFAULT_ORIGIN, DEFAULTS, LAKE, NOT_SETTINGS, SECRETS, STANDARD, VARIABLES};
use super::emr::HIDDEN;
use super::formats::ProjectFiles;
use super::stack::{OWN, StackSettings};
use super::{Settings, Target, TargetKind, describe, rules};
use crate::mask::is_secret;
use crate::yaml::{self, Content, Entry, Node, Problem, Problems, Source, did_you_mean};

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

/// Returns the nearest of `from` and the folders above it that has `config/soflow.yaml` or `jobs/`.
pub fn find_root(from: &Path, exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let marked = |folder: &&Path| exists(&folder.join("config/soflow.yaml")) || exists(&folder.join("jobs"));
    from.ancestors().find(marked).map(Path::to_path_buf)
}

/// Returns the settings that all layers together make; `exists` says whether a file they name is there.
///
/// # Errors
/// Every problem found, each with the line, variable or flag it is in; there is at least one.
pub fn read(layers: Layers, exists: &dyn Fn(&Path) -> bool) -> Result<Resolved, Problems> {
    let mut problems = Problems::default();
    let shipped = tree(&Source::file(DEFAULT_ORIGIN, DEFAULTS), &mut problems);
    let mut merged = match &layers.file {
        Some((path, text)) => merge(&shipped, &tree(&Source::file(path.display().to_string(), text), &mut problems)),
        None => shipped.clone(),
    };
    let given = given(&layers);
    // The target first: the other values are for the one selected.
    for given in given.iter().filter(|given| given.key == "default-target") {
        merged.put("default-target", given.node.clone());
    }
    let target = selected(&merged, &mut problems);
    for given in &given {
        apply(&mut merged, target.as_deref(), given, &mut problems);
    }

    let home = layers.environment.get("HOME").filter(|home| !home.is_empty()).map(Path::new);
    let project = ProjectFiles { root: &layers.root, home, exists };
    let formats = |format: &str, text: &str| project.judge(format, text);
    let checked = yaml::check(&merged, &describe::MERGED, "the settings", &formats, &mut problems);
    if let Some(checked) = &checked {
        rules::check(checked, &merged, &shipped, target.as_deref(), &mut problems);
    }
    problems.dedup();
    match (checked, target) {
        (Some(checked), Some(target)) if !problems.has_errors() => {
            let settings = settings(&project, &checked, target, &mut problems).ok_or(problems.clone())?;
            let mut warnings = unknown(&layers.environment);
            warnings.extend(problems.sorted().into_iter().map(warning));
            Ok(Resolved { settings, origins: origins(&merged), warnings })
        }
        _ => Err(problems),
    }
}

/// Returns the tree of a settings file, with what is written in a short form written out.
fn tree(source: &Arc<Source>, problems: &mut Problems) -> Node {
    let mut root = yaml::parse(source, problems).unwrap_or_else(|| Node::plain("", source.whole()));
    for target in entries_mut(&mut root, "targets") {
        let short = |node: &&Node| matches!(node.content, Content::Scalar { .. }) && !node.is_null();
        if let Some(node) = target.get("lake").filter(short).cloned() {
            target.put("lake", four(node.text(), &node));
        }
    }
    for shape in entries_mut(&mut root, "clusters") {
        for part in ["primary", "core", "task"] {
            // `core: m5.xlarge` and `core: [m5.xlarge, m5a.xlarge]` are short for its `types`.
            let short =
                |node: &&Node| !matches!(node.content, Content::Map(_)) && !node.is_null() && node.text() != "none";
            if let Some(types) = shape.get(part).filter(short).cloned() {
                let mut fleet = Node { content: Content::Map(Vec::new()), place: types.place.clone() };
                fleet.put("types", types);
                shape.put(part, fleet);
            }
        }
    }
    root
}

fn entries_mut<'a>(root: &'a mut Node, group: &str) -> impl Iterator<Item = &'a mut Node> {
    root.get_mut(group).and_then(Node::entries_mut).into_iter().flatten().map(|entry| &mut entry.value)
}

/// Returns the four locations below the one that `text` names.
fn four(text: &str, node: &Node) -> Node {
    let mut lake = Node { content: Content::Map(Vec::new()), place: node.place.clone() };
    for key in LAKE {
        lake.put(key, Node::plain(format!("{}/{key}", text.trim_end_matches('/')), node.place.clone()));
    }
    lake
}

/// Returns `own` over `base`: mappings key by key, all else as a whole. A key without a value says nothing.
fn over(base: &Node, own: &Node, whole: bool) -> Node {
    let (Content::Map(below), Content::Map(entries)) = (&base.content, &own.content) else {
        return if own.is_null() { base.clone() } else { own.clone() };
    };
    let mut merged = Node { content: Content::Map(below.clone()), place: own.place.clone() };
    for entry in entries {
        let Entry { key, place, value } = entry.clone();
        match base.get(&key) {
            None => merged.entries_mut().into_iter().for_each(|entries| entries.push(entry.clone())),
            Some(_) if value.is_null() => {}
            // A classification replaces the one of the same name.
            Some(_) if whole => merged.put_entry(Entry { key, place, value }),
            Some(base) => {
                let value = over(base, &value, key == "configurations");
                merged.put_entry(Entry { key, place, value });
            }
        }
    }
    merged
}

/// Returns a file over the shipped settings: each target over the shipped one of its kind, each shape over `standard`.
fn merge(shipped: &Node, own: &Node) -> Node {
    let mut merged = over(shipped, own, false);
    let nothing = Node::plain("", own.place.clone());
    let within = |group: &str, name: &str| own.get(group).and_then(|all| all.get(name)).unwrap_or(&nothing).clone();
    if let Some(targets) = merged.get_mut("targets").and_then(Node::entries_mut) {
        for target in targets {
            let written = within("targets", &target.key);
            let base =
                shipped.get("targets").and_then(|all| all.get(written.get("kind").map_or(&target.key, Node::text)));
            target.value = over(base.unwrap_or(&nothing), &written, false);
        }
    }
    let standard = merged.get("clusters").and_then(|all| all.get(STANDARD)).cloned().unwrap_or(nothing.clone());
    if let Some(shapes) = merged.get_mut("clusters").and_then(Node::entries_mut) {
        for shape in shapes.iter_mut().filter(|shape| shape.key != STANDARD) {
            shape.value = over(&standard, &shape.value, false);
        }
    }
    merged
}

/// Returns the target in use, noting when there is none of that name.
fn selected(merged: &Node, problems: &mut Problems) -> Option<String> {
    let node = merged.get("default-target")?;
    // What is no mapping of targets is told by the schema.
    let targets = merged.get("targets").filter(|targets| matches!(targets.content, Content::Map(_)))?;
    rules::named(node, "target", targets.entries().iter().map(|entry| entry.key.as_str()), problems)
}

/// Returns the settings that a tree without mistakes says.
fn settings(project: &ProjectFiles<'_>, checked: &Node, target: String, problems: &mut Problems) -> Option<Settings> {
    let read = || -> serde_json::Result<Settings> {
        let at = |key: &str| checked.get(key).unwrap_or(checked);
        let mut targets = BTreeMap::new();
        for entry in at("targets").entries() {
            let mut node = entry.value.clone();
            // The shipped `emr` becomes a target with its lake, and lacks it only to those who use it.
            let Some(lake) = node.get("lake").cloned() else { continue };
            let kind = match node.get("cluster").map(Node::text).and_then(|cluster| at("clusters").get(cluster)) {
                Some(shape) => {
                    node.put("shape", shape.clone());
                    own_things(&entry.key, &mut node);
                    TargetKind::Emr(Box::new(node.read()?))
                }
                None => TargetKind::Local(node.read()?),
            };
            targets.insert(entry.key.clone(), Target { lake: lake.read()?, kind });
        }
        Ok(Settings {
            root: project.root.into(),
            jobs: at("jobs").read()?,
            code: at("code").read()?,
            target: target.clone(),
            targets,
            keep_seconds: at("keep-for").read()?,
            ingest: at("ingest").read()?,
        })
    };
    read().map_err(|error| _ = problems.unread(checked, &error)).ok()
}

/// Names what the stack of a target makes for its clusters and queries, where jobs run by it and nobody has named other things.
fn own_things(target: &str, node: &mut Node) {
    let stack = node.get("stack").cloned();
    let Some(stack) = stack.filter(|stack| stack.get("schedules").is_some_and(|jobs| !jobs.entries().is_empty()))
    else {
        return;
    };
    let written = stack.get("name").filter(|name| !name.is_null()).map(Node::text);
    let name = StackSettings::name_of(target, written);
    for (path, ending) in OWN {
        if node.at(path).is_none_or(rules::is_default) {
            let (group, key) = path.rsplit_once('.').unwrap_or(("", path));
            let own = Node::plain(format!("{name}{ending}"), stack.place.clone());
            match group {
                "" => node.put(key, own),
                group => node.get_mut(group).into_iter().for_each(|group| group.put(key, own.clone())),
            }
        }
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
fn apply(merged: &mut Node, target: Option<&str>, given: &Given<'_>, problems: &mut Problems) {
    let Given { key, node, flag } = given;
    // Without a target, which has been noted, there is nothing to set it on.
    let place = target.and_then(|name| Some((name, merged.get_mut("targets")?.get_mut(name)?)));
    let Some((name, target)) = place.filter(|_| *key != "default-target") else { return };
    let kind = target.get("kind").map_or("", Node::text).to_string();
    match describe::kind_with(key) {
        _ if *key == "lake" => target.put("lake", four(node.text(), node)),
        None => _ = problems.error(&node.place, format!("there is no setting `{key}`")),
        Some(other) if other == kind => target.put(key, node.clone()),
        Some(other) if *flag => {
            let message = format!("`{key}` is for targets of kind `{other}`, and `{name}` is of kind `{kind}`");
            // The shipped target of a kind has its name.
            problems.error(&node.place, message).hint(format!("add `--target {other}`"));
        }
        Some(_) => {}
    }
}

/// Returns every value that says something, by the path of its key.
fn origins(merged: &Node) -> Vec<Origin> {
    let mut found = Vec::new();
    leaves(merged, "", false, &mut found);
    found.sort_by(|one, other| one.key.cmp(&other.key));
    found
}

fn leaves(node: &Node, path: &str, whole: bool, found: &mut Vec<Origin>) {
    if let (Content::Map(entries), false) = (&node.content, whole) {
        for entry in entries {
            let dot = if path.is_empty() { "" } else { "." };
            // A classification is one value.
            let whole = path.starts_with("clusters.") && path.ends_with(".configurations");
            leaves(&entry.value, &format!("{path}{dot}{}", entry.key), whole, found);
        }
        return;
    }
    let (key, value) = (path.to_string(), if node.is_null() { String::new() } else { shown(node) });
    let origin = if rules::is_default(node) { DEFAULT_ORIGIN.into() } else { node.place.origin() };
    found.extend((!value.is_empty()).then_some(Origin { key, value, origin }));
}

/// Returns the value of a setting as it could be written on one line. What looks like a secret is not shown.
fn shown(node: &Node) -> String {
    match &node.content {
        Content::Scalar { text, .. } => text.clone(),
        Content::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Content::Map(entries) => {
            let entry = |entry: &Entry| {
                let hidden = is_secret(&entry.key) && matches!(entry.value.content, Content::Scalar { .. });
                format!("{}: {}", entry.key, if hidden { HIDDEN.into() } else { shown(&entry.value) })
            };
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
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
