//! Reading an entry of `clusters:`.

use super::{Raw, put, section, text};
use crate::config::keys::{CLUSTER, DISK, FLEET, NONE, SCALING};
use crate::yaml::{Content, Entry, Node, Problems};

/// Longest key and value of a tag. Source: EC2 user guide, "Tag restrictions".
const LONGEST_TAG: (usize, usize) = (128, 256);

pub(super) fn read(raw: &mut Raw, entry: &Entry, problems: &mut Problems) {
    let (name, node) = (&entry.key, &entry.value);
    let what = format!("cluster `{name}`");
    let map = node.map(&what, CLUSTER, problems);
    // Present even when it says nothing else, so that `clusters: { mine: }` is `standard` by another name.
    raw.insert(format!("clusters.{name}"), Node::plain("", node.place.clone()));
    for key in CLUSTER {
        let Some(node) = map.get(key) else { continue };
        let path = format!("clusters.{name}.{key}");
        match *key {
            "task" | "scaling" if text(node) == NONE => put(raw, path, Some(node)),
            "primary" | "core" | "task" => fleet(raw, &path, node, problems),
            "scaling" => section(raw, &path, (node, SCALING), problems),
            "disk" => section(raw, &path, (node, DISK), problems),
            "tags" => tags(raw, &path, node, problems),
            "configurations" => configurations(raw, &path, node, problems),
            _ => put(raw, path, Some(node)),
        }
    }
}

/// Puts a fleet; `core: m5.xlarge` and `core: [m5.xlarge, m5a.xlarge]` are short for its `types`.
fn fleet(raw: &mut Raw, path: &str, node: &Node, problems: &mut Problems) {
    match &node.content {
        Content::Map(_) => section(raw, path, (node, FLEET), problems),
        _ => put(raw, format!("{path}.types"), Some(node)),
    }
}

fn tags(raw: &mut Raw, path: &str, node: &Node, problems: &mut Problems) {
    let (longest_key, longest_value) = LONGEST_TAG;
    for entry in node.entries("`tags`", problems).iter().filter(|entry| !entry.value.is_null()) {
        let key = entry.key.as_str();
        if key.to_ascii_lowercase().starts_with("aws:") {
            problems
                .error(&entry.place, format!("`{key}` cannot be a tag: names that start with `aws:` are AWS's own"));
        } else if key.is_empty() || key.chars().count() > longest_key {
            problems.error(&entry.place, format!("the name of a tag has 1 to {longest_key} characters"));
        } else if text(&entry.value).chars().count() > longest_value {
            problems.error(&entry.value.place, format!("the value of a tag has at most {longest_value} characters"));
        } else {
            put(raw, format!("{path}.{key}"), Some(&entry.value));
        }
    }
}

/// Puts each classification as one value: what `standard` has of the same name is replaced.
fn configurations(raw: &mut Raw, path: &str, node: &Node, problems: &mut Problems) {
    if let Content::List(_) = &node.content {
        let problem = problems.error(&node.place, "`configurations` must be a mapping, found a list");
        problem.hint("write each classification by its name: `spark-defaults: { spark.sql.shuffle.partitions: 64 }`");
        return;
    }
    for entry in node.entries("`configurations`", problems) {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if entry.key.starts_with(|c: char| c.is_ascii_lowercase()) && entry.key.chars().all(fits) {
            let value = (!entry.value.is_null()).then_some(&entry.value);
            put(raw, format!("{path}.{}", entry.key), value);
        } else {
            let message =
                format!("`{}` cannot be a classification: they are words such as `spark-defaults`", entry.key);
            problems.error(&entry.place, message);
        }
    }
}
