//! A job file as written: what serde reads of it, and its JSON Schema.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::model::{Insight, Needs, Table, Value};
use super::spark;
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
    pub(super) parameters: BTreeMap<String, Option<Value>>,
    /// The steps by name.
    #[schemars(extend("propertyNames" = { "format": "step name" }, "minProperties" = 1))]
    pub(super) steps: BTreeMap<String, StepFile>,
    /// The tables that the steps write, and those of other jobs that they read, by name.
    #[schemars(schema_with = "tables")]
    pub(super) tables: BTreeMap<String, Table>,
    /// What the summary says about the result.
    pub(super) insights: Vec<Insight>,
    /// What a cluster must have to run it.
    pub(super) cluster: Needs,
}

/// A step: one `spark-submit` of one script.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
#[schemars(title = "step", rename = "Step", extend("required" = ["script", "writes"]))]
pub(super) struct StepFile {
    /// A Python file below the code folder.
    #[schemars(extend("format" = "script", "examples" = ["steps/<name>.py"]))]
    pub(super) script: PathBuf,
    /// Tables, and raw pages as `raw.<endpoint>`.
    #[schemars(schema_with = "sources", transform = units::or_single)]
    pub(super) reads: Vec<String>,
    /// Tables, or partitions of a table with fixed values: `<table>/<column>=<value>`.
    #[schemars(schema_with = "outputs", transform = units::or_single, extend("examples" = ["[<table>]"]))]
    pub(super) writes: Vec<String>,
    /// Values for this step alone, over those of the job.
    #[schemars(schema_with = "parameters")]
    pub(super) parameters: BTreeMap<String, Option<Value>>,
    /// Options of `spark-submit` without the dashes; `conf` holds properties.
    #[schemars(schema_with = "spark::schema")]
    pub(super) spark: Map<String, Json>,
    /// Share of pages, and of rows, that may be quarantined before the step fails.
    #[serde(deserialize_with = "units::read_share")]
    #[schemars(schema_with = "units::share", extend("default" = "5%"))]
    pub(super) quarantine_limit: f64,
}

impl Default for StepFile {
    fn default() -> Self {
        Self {
            script: PathBuf::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            parameters: BTreeMap::new(),
            spark: Map::new(),
            quarantine_limit: 0.05,
        }
    }
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
    SCHEMA.clone()
}
