//! A step's `spark:`, options of `spark-submit` without their dashes.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, json};

use crate::yaml::{Node, Refusal, did_you_mean, units};

/// Sizes that a step may set. Source of these lists: `spark-submit --help` of Spark 3.5, the options that apply to YARN
/// in cluster mode.
const MEMORY: [&str; 2] = ["driver-memory", "executor-memory"];

/// Whole numbers that a step may set.
const COUNTS: [&str; 3] = ["driver-cores", "executor-cores", "num-executors"];

/// What else a step may set.
const TEXTS: [&str; 13] = [
    "archives",
    "driver-class-path",
    "driver-java-options",
    "driver-library-path",
    "exclude-packages",
    "files",
    "jars",
    "keytab",
    "packages",
    "principal",
    "properties-file",
    "queue",
    "repositories",
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

/// Returns the schema of the options.
pub(super) fn schema(generator: &mut SchemaGenerator) -> Schema {
    let text = units::text(generator);
    let count = json!({ "type": ["integer", "string"], "format": "count" });
    let mut options = Map::new();
    options.extend(MEMORY.map(|name| (name.into(), units::size(generator).into())));
    options.extend(COUNTS.map(|name| (name.into(), count.clone())));
    options.extend(TEXTS.map(|name| (name.into(), text.clone().into())));
    let conf = json!({
        "type": "object",
        "propertyNames": { "format": "spark property" },
        "additionalProperties": text,
    });
    options.insert("conf".into(), conf);
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "spark option" },
        "properties": options,
        "additionalProperties": false,
    })
}

/// Refuses what is no option of a step.
pub(super) fn option(key: &str) -> Result<(), Refusal> {
    ours(key)?;
    let known = || MEMORY.into_iter().chain(COUNTS).chain(TEXTS).chain(["conf"]);
    if known().any(|name| name == key) {
        return Ok(());
    }
    let hint = if key.starts_with("spark.") {
        format!("write it below `conf`: `conf: {{ {key}: ... }}`")
    } else {
        let general = "options are those of `spark-submit --help`, without the dashes, and `conf`";
        did_you_mean(key.trim_start_matches('-'), known()).unwrap_or_else(|| general.into())
    };
    Err(Refusal::new(format!("unknown spark-submit option `{key}`"), hint))
}

/// Refuses what is no property of Spark.
pub(super) fn property(key: &str) -> Result<(), Refusal> {
    ours(key)?;
    if !key.starts_with("spark.") || key.contains(char::is_whitespace) || key.contains('=') {
        let hint = "a property starts with `spark.`: spark-submit ignores all others";
        return Err(Refusal::new(format!("`{key}` is not a Spark property"), hint));
    }
    Ok(())
}

fn ours(key: &str) -> Result<(), Refusal> {
    if OURS.contains(&key) { Err(Refusal::new(format!("`{key}` is set by soflow"), "remove it")) } else { Ok(()) }
}

/// Returns the options by name; properties below `conf` by their own name, which starts with `spark.`.
pub(super) fn read(node: Option<&Node>) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for entry in node.map_or(&[][..], Node::entries) {
        let single = (entry.key != "conf").then_some(entry);
        let all = entry.value.entries().iter().chain(single);
        options.extend(all.map(|entry| (entry.key.clone(), entry.value.text().to_string())));
    }
    options
}
