//! A job file as written: what serde reads of it, and its JSON Schema.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json, json};

use super::chart::Chart;
use super::model::{Insight, Needs, Table, Value};
use crate::yaml::units;

/// A job: which scripts run, what they read and write, and what must hold before readers see the result.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(title = "soflow job", extend("required" = ["steps"]))]
pub(super) struct JobFile {
    /// One sentence.
    pub(super) description: String,
    /// Values handed to every step, by name; one without a value must be given with `--param`.
    #[schemars(schema_with = "parameters")]
    parameters: IgnoredAny,
    /// The steps by name.
    #[schemars(schema_with = "steps")]
    steps: IgnoredAny,
    /// The tables that the steps write, and those of other jobs that they read, by name.
    #[schemars(schema_with = "tables")]
    pub(super) tables: BTreeMap<String, Table>,
    /// What the summary says about the result.
    pub(super) insights: Vec<Insight>,
    /// The charts of its report, in order: `soflow report`.
    pub(super) report: Vec<Chart>,
    /// What a cluster must have to run it.
    pub(super) cluster: Needs,
    /// Whether a cluster runs its steps one after another in one Spark application; without it, as the target says.
    pub(super) fuse: Option<bool>,
}

/// A step: one `spark-submit` of one script, SQL file or notebook.
#[derive(JsonSchema)]
#[schemars(title = "step", rename = "Step", rename_all = "kebab-case", extend("required" = ["writes"]))]
#[expect(dead_code, reason = "steps are read with the places of what they name; this is their description")]
struct StepFile {
    /// A Python file below the code folder.
    #[schemars(extend("format" = "script", "examples" = ["steps/<name>.py"]))]
    script: Option<PathBuf>,
    /// In place of `script`: a file below the code folder with one query; its rows are the table that the step writes.
    #[schemars(extend("format" = "sql file", "examples" = ["steps/<name>.sql"]))]
    sql: Option<PathBuf>,
    /// In place of `script`: a Jupyter notebook below the code folder, whose code cells are run.
    #[schemars(extend("format" = "notebook", "examples" = ["notebooks/<name>.ipynb"]))]
    notebook: Option<PathBuf>,
    /// Tables, and raw pages as `raw.<endpoint>`.
    #[schemars(schema_with = "sources", transform = units::or_single)]
    reads: Vec<String>,
    /// Tables, or partitions of a table with fixed values: `<table>/<column>=<value>`.
    #[schemars(schema_with = "outputs", transform = units::or_single, extend("examples" = ["[<table>]"]))]
    writes: Vec<String>,
    /// Values for this step alone, over those of the job.
    #[schemars(schema_with = "parameters")]
    parameters: BTreeMap<String, Value>,
    /// Options of `spark-submit` without the dashes; `conf` holds properties.
    #[schemars(schema_with = "spark")]
    spark: BTreeMap<String, String>,
    /// Share of pages, and of rows, that may be quarantined before the step fails.
    #[schemars(schema_with = "units::share", extend("default" = "5%"))]
    quarantine_limit: f64,
}

/// The keys that say what a step runs; it has one of them.
pub(super) const CODE_KEYS: [&str; 3] = ["script", "sql", "notebook"];

fn steps(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "step name" },
        "additionalProperties": generator.subschema_for::<StepFile>(),
        "minProperties": 1,
    })
}

fn parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "parameter name" },
        "additionalProperties": { "type": ["boolean", "integer", "number", "string", "null"] },
    })
}

fn tables(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "table name" },
        "additionalProperties": { "anyOf": [generator.subschema_for::<Table>(), { "type": "null" }], "title": "table" },
    })
}

fn sources(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "format": "source" }, "uniqueItems": true })
}

fn outputs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "format": "output" }, "minItems": 1 })
}

/// What a step may set. Source: `spark-submit --help` of Spark 3.5, the options that apply to YARN in cluster mode.
fn spark(generator: &mut SchemaGenerator) -> Schema {
    let text = units::text(generator).to_value();
    let such = |pattern: &str, examples: [&str; 2]| {
        let mut such = text.clone();
        (such["pattern"], such["examples"]) = (pattern.into(), json!(examples));
        such
    };
    let memory = such("^[1-9][0-9]*[kKmMgGtT][bB]?$", ["4g", "512m"]);
    let count = such("^[1-9][0-9]*$", ["2", "16"]);
    let conf =
        json!({ "type": "object", "propertyNames": { "format": "spark property" }, "additionalProperties": text });
    let options = [
        (&["driver-memory", "executor-memory"][..], memory),
        (&["driver-cores", "executor-cores", "num-executors"], count),
        (&["archives", "driver-class-path", "driver-java-options", "driver-library-path"], text.clone()),
        (&["exclude-packages", "files", "jars", "keytab", "packages", "principal"], text.clone()),
        (&["properties-file", "queue", "repositories"], text),
        (&["conf"], conf),
    ];
    let named = |(names, schema): (&[&str], Json)| {
        names.iter().map(move |name| (name.to_string(), schema.clone())).collect::<Vec<_>>()
    };
    let options: Map<String, Json> = options.into_iter().flat_map(named).collect();
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "spark option" },
        "properties": options,
        "additionalProperties": false,
    })
}

/// The schema that job files are checked against.
pub(super) static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<JobFile>().to_value();
    close(&mut schema);
    for definition in schema["$defs"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        close(definition);
    }
    schema
});

/// Lets a mapping have the keys that are described, and no others.
fn close(schema: &mut Json) {
    for form in schema.get_mut("oneOf").and_then(Json::as_array_mut).into_iter().flatten() {
        close(form);
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        properties.values_mut().for_each(close);
        // What serde takes for absent says nothing to a person.
        for property in properties.values_mut().filter_map(Json::as_object_mut) {
            let empty = |value: &Json| value.is_null() || value == "" || value.is_array() || value.is_object();
            if property.get("default").is_some_and(empty) {
                property.shift_remove("default");
            }
        }
        schema["additionalProperties"] = false.into();
    }
}

/// Returns the JSON Schema of job files, for editors.
pub fn job_schema() -> Json {
    let mut schema = SCHEMA.clone();
    let one = |key: &str| json!({ "required": [key] });
    schema["$defs"]["Step"]["oneOf"] = CODE_KEYS.map(one).to_vec().into();
    schema
}
