//! Settings as written: values by the path of their key, such as `targets.local.lake.raw`, each with its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keys::{LAKE, TARGET, TOP};
use crate::names::name_problem;
use crate::yaml::{self, Content, Node, Problems, Source};

/// Values by the path of their key. A key without a value is left out: it says nothing.
pub(super) type Raw = BTreeMap<String, Node>;

/// Returns what a settings file says.
pub(super) fn read(source: &Arc<Source>, problems: &mut Problems) -> Raw {
    let mut raw = Raw::new();
    let Some(root) = yaml::parse(source, problems) else { return raw };
    let map = root.map("the settings", TOP, problems);
    for key in TOP.iter().filter(|key| **key != "targets") {
        put(&mut raw, (*key).into(), map.get(key));
    }
    for entry in map.get("targets").map_or(&[][..], |node| node.entries("`targets`", problems)) {
        if let Some(why) = name_problem(&entry.key, true) {
            problems.error(&entry.place, format!("`{}` cannot name a target: {why}", entry.key));
        } else {
            target(&mut raw, &entry.key, &entry.value, problems);
        }
    }
    raw
}

fn target(raw: &mut Raw, name: &str, node: &Node, problems: &mut Problems) {
    let what = format!("target `{name}`");
    let map = node.map(&what, TARGET, problems);
    // Present even when it says nothing else, so that `targets: { mine: }` is a target.
    raw.insert(format!("targets.{name}"), Node::plain("", node.place.clone()));
    for key in TARGET.iter().filter(|key| **key != "lake") {
        put(raw, format!("targets.{name}.{key}"), map.get(key));
    }
    let Some(node) = map.get("lake") else { return };
    match &node.content {
        Content::Scalar { text, .. } => lake(raw, name, text, node),
        _ => {
            let map = node.map("`lake`", LAKE, problems);
            for key in LAKE {
                put(raw, format!("targets.{name}.lake.{key}"), map.get(key));
            }
        }
    }
}

fn put(raw: &mut Raw, path: String, node: Option<&Node>) {
    if let Some(node) = node {
        raw.insert(path, node.clone());
    }
}

/// Puts the four locations below the one that `text` names.
pub(super) fn lake(raw: &mut Raw, target: &str, text: &str, node: &Node) {
    for key in LAKE {
        let below = format!("{}/{key}", text.trim_end_matches('/'));
        raw.insert(format!("targets.{target}.lake.{key}"), Node::plain(below, node.place.clone()));
    }
}
