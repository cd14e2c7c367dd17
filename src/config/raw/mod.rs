//! Settings as written: values by the path of their key, such as `targets.local.lake.raw`, each with its place.

mod merge;
mod shape;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ingest::ENDPOINTS;
use super::keys::{DEFAULT_ORIGIN, INGEST, KINDS, LAKE, TARGET, TOP, kind_with};
use crate::names::name_problem;
use crate::yaml::{self, Content, Entry, Node, Problems, Source};

pub(super) use merge::{complete, fill};

/// Values by the path of their key. A key without a value is left out: it says nothing.
pub(super) type Raw = BTreeMap<String, Node>;

/// Returns what a settings file says; `defaults` knows the kind of a target that does not tell.
pub(super) fn read(source: &Arc<Source>, defaults: &Raw, problems: &mut Problems) -> Raw {
    let mut raw = Raw::new();
    let Some(root) = yaml::parse(source, problems) else { return raw };
    let map = root.map("the settings", TOP, problems);
    for key in TOP.iter().filter(|key| !matches!(**key, "targets" | "clusters" | "ingest")) {
        put(&mut raw, (*key).into(), map.get(key));
    }
    for entry in map.get("targets").map_or(&[][..], |node| node.entries("`targets`", problems)) {
        if named(entry, "target", problems) {
            let kind = kind(defaults, &entry.key);
            target(&mut raw, entry, kind, problems);
        }
    }
    for entry in map.get("clusters").map_or(&[][..], |node| node.entries("`clusters`", problems)) {
        if named(entry, "cluster", problems) {
            shape::read(&mut raw, entry, problems);
        }
    }
    if let Some(node) = map.get("ingest") {
        section(&mut raw, "ingest", (node, INGEST), problems);
        // By endpoint, so that who writes one filter keeps the others.
        if let Some(filters) = raw.remove("ingest.filters") {
            section(&mut raw, "ingest.filters", (&filters, &ENDPOINTS), problems);
        }
    }
    raw
}

/// Returns the names below `group`, which is `targets` or `clusters`.
pub(super) fn names(raw: &Raw, group: &str) -> Vec<String> {
    let name = |path: &String| {
        let name = path.strip_prefix(group)?.strip_prefix('.')?;
        (!name.contains('.')).then(|| name.to_string())
    };
    raw.keys().filter_map(name).collect()
}

/// Returns the kind of the target as written, empty when it is not.
pub(super) fn kind<'a>(raw: &'a Raw, target: &str) -> &'a str {
    raw.get(&format!("targets.{target}.kind")).map_or("", text)
}

/// Returns the text of a scalar, empty for anything else.
pub(super) fn text(node: &Node) -> &str {
    match &node.content {
        Content::Scalar { text, .. } => text,
        _ => "",
    }
}

/// Returns whether nobody wrote the value: it is as shipped.
pub(super) fn is_default(node: &Node) -> bool {
    node.place.source.origin == DEFAULT_ORIGIN
}

fn named(entry: &Entry, what: &str, problems: &mut Problems) -> bool {
    let why = name_problem(&entry.key, true);
    if let Some(why) = &why {
        problems.error(&entry.place, format!("`{}` cannot name a {what}: {why}", entry.key));
    }
    why.is_none()
}

fn target(raw: &mut Raw, entry: &Entry, default_kind: &str, problems: &mut Problems) {
    let (name, node) = (&entry.key, &entry.value);
    let what = format!("target `{name}`");
    let written = match &node.content {
        Content::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    let kind = written.iter().find(|entry| entry.key == "kind").map_or(default_kind, |entry| text(&entry.value));
    let known = known(kind, written);
    let map = node.map(&what, &known, problems);
    // Present even when it says nothing else, so that `targets: { mine: }` is a target.
    raw.insert(format!("targets.{name}"), Node::plain("", node.place.clone()));
    for key in known.iter().filter(|key| **key != "lake") {
        match (map.entry(key), kind_with(key)) {
            (Some(entry), Some(other)) if other != kind && is_kind(kind) => {
                let problem = problems.error(&entry.place, misplaced(key, other, name, kind));
                problem.hint("remove it");
            }
            _ => put(raw, format!("targets.{name}.{key}"), map.get(key)),
        }
    }
    let Some(node) = map.get("lake") else { return };
    match &node.content {
        Content::Scalar { text, .. } => lake(raw, name, text, node),
        _ => section(raw, &format!("targets.{name}.lake"), (node, LAKE), problems),
    }
}

/// Says for which kind of target a key is that is on one of another kind.
pub(super) fn misplaced(key: &str, other: &str, target: &str, kind: &str) -> String {
    format!("`{key}` is for targets of kind `{other}`, and `{target}` is of kind `{kind}`")
}

fn is_kind(kind: &str) -> bool {
    KINDS.iter().any(|(name, _)| *name == kind)
}

/// Returns the keys to suggest for a target of `kind`, and those of the other kinds that are written: they are told
/// apart from keys nobody knows.
fn known(kind: &str, written: &[Entry]) -> Vec<&'static str> {
    let fits = |name: &str, key: &str| name == kind || !is_kind(kind) || written.iter().any(|entry| entry.key == key);
    let of_kinds = KINDS.iter().flat_map(|(name, keys)| keys.iter().filter(|key| fits(name, key)));
    TARGET.iter().chain(of_kinds).copied().collect()
}

fn put(raw: &mut Raw, path: String, node: Option<&Node>) {
    if let Some(node) = node {
        raw.insert(path, node.clone());
    }
}

/// Puts the values of a mapping whose keys are known.
fn section(raw: &mut Raw, path: &str, (node, keys): (&Node, &[&str]), problems: &mut Problems) {
    let what = format!("`{}`", path.rsplit('.').next().unwrap_or(path));
    let map = node.map(&what, keys, problems);
    for key in keys {
        put(raw, format!("{path}.{key}"), map.get(key));
    }
}

/// Puts the four locations below the one that `text` names.
pub(super) fn lake(raw: &mut Raw, target: &str, text: &str, node: &Node) {
    for key in LAKE {
        let below = format!("{}/{key}", text.trim_end_matches('/'));
        raw.insert(format!("targets.{target}.lake.{key}"), Node::plain(below, node.place.clone()));
    }
}
