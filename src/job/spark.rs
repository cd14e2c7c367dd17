//! Reading a step's `spark:`, options of `spark-submit` without their dashes.

use std::collections::BTreeMap;

use crate::yaml::{Node, Problems, did_you_mean};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A size with a unit.
    Memory,
    /// A whole number, 1 or more.
    Count,
    /// Anything.
    Text,
}

/// What a step may set. Source: `spark-submit --help` of Spark 3.5, the options that apply to YARN in cluster mode.
const OPTIONS: [(&str, Kind); 18] = [
    ("driver-memory", Kind::Memory),
    ("executor-memory", Kind::Memory),
    ("driver-cores", Kind::Count),
    ("executor-cores", Kind::Count),
    ("num-executors", Kind::Count),
    ("archives", Kind::Text),
    ("driver-class-path", Kind::Text),
    ("driver-java-options", Kind::Text),
    ("driver-library-path", Kind::Text),
    ("exclude-packages", Kind::Text),
    ("files", Kind::Text),
    ("jars", Kind::Text),
    ("keytab", Kind::Text),
    ("packages", Kind::Text),
    ("principal", Kind::Text),
    ("properties-file", Kind::Text),
    ("queue", Kind::Text),
    ("repositories", Kind::Text),
];

/// What soflow decides itself, since a step must run the same everywhere.
const OURS: [&str; 9] = [
    "master",
    "deploy-mode",
    "name",
    "class",
    "py-files",
    "spark.master",
    "spark.submit.deployMode",
    "spark.submit.pyFiles",
    "spark.app.name",
];

/// Returns the options by name; properties below `conf` by their own name, which starts with `spark.`.
pub(super) fn read(node: &Node, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for entry in node.entries("`spark`", problems) {
        let key = entry.key.as_str();
        if key == "conf" {
            properties(&entry.value, &mut options, problems);
        } else if OURS.contains(&key) {
            problems.error(&entry.place, format!("`{key}` is set by soflow")).hint("remove it");
        } else if let Some((_, kind)) = OPTIONS.iter().find(|(name, _)| *name == key) {
            if let Some(text) = entry.value.scalar(key, problems)
                && valid(*kind, key, &text, &entry.value, problems)
            {
                options.insert(key.into(), text);
            }
        } else {
            let near = did_you_mean(key.trim_start_matches('-'), OPTIONS.iter().map(|(name, _)| *name).chain(["conf"]));
            let general = "options are those of `spark-submit --help`, without the dashes, and `conf`";
            let property = || format!("write it below `conf`: `conf: {{ {key}: ... }}`");
            let other = if key.starts_with("spark.") { property() } else { near.unwrap_or_else(|| general.into()) };
            problems.error(&entry.place, format!("unknown spark-submit option `{key}`")).hint(other);
        }
    }
    options
}

fn properties(node: &Node, options: &mut BTreeMap<String, String>, problems: &mut Problems) {
    for entry in node.entries("`conf`", problems) {
        let key = entry.key.as_str();
        if OURS.contains(&key) {
            problems.error(&entry.place, format!("`{key}` is set by soflow")).hint("remove it");
        } else if !key.starts_with("spark.") || key.contains(char::is_whitespace) || key.contains('=') {
            let problem = problems.error(&entry.place, format!("`{key}` is not a Spark property"));
            problem.hint("a property starts with `spark.`: spark-submit ignores all others");
        } else if let Some(text) = entry.value.scalar(key, problems) {
            options.insert(key.into(), text);
        }
    }
}

fn valid(kind: Kind, key: &str, text: &str, node: &Node, problems: &mut Problems) -> bool {
    match kind {
        Kind::Memory => node.size(key, problems).is_some(),
        Kind::Count => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let good = digits && text.bytes().any(|byte| byte != b'0');
            if !good {
                let message = format!("`{key}` must be a whole number of at least 1, found {}", node.describe());
                problems.error(&node.place, message);
            }
            good
        }
        Kind::Text => true,
    }
}
