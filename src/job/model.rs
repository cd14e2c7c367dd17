//! What a job is, once read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::chart::Chart;
use crate::yaml::units;

/// A parameter's value: text, a number or a boolean, as YAML has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Anything else.
    Text(String),
}

/// A job file, read and checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The file's name without `.yaml`.
    pub name: String,
    /// The file, as the person would write it.
    pub path: PathBuf,
    /// One sentence.
    pub description: String,
    /// Values handed to every step.
    pub parameters: BTreeMap<String, Value>,
    /// The steps in an order in which they can run: whoever writes a table comes before whoever reads it.
    pub steps: Vec<Step>,
    /// The tables by name.
    pub tables: BTreeMap<String, Table>,
    /// What the summary says about the result.
    pub insights: Vec<Insight>,
    /// The charts of its report. Of no use to whoever finishes a run, so records do not have them.
    #[serde(skip)]
    pub report: Vec<Chart>,
    /// What a cluster must have to run it. A local target has no cluster and passes over it.
    pub needs: Needs,
    /// Whether a cluster runs its steps one after another in one Spark application; `None`: as the target says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuse: Option<bool>,
}

impl Job {
    /// Returns the steps that must wait until `step` is over, in the order in which they run.
    pub fn downstream(&self, step: &str) -> Vec<&str> {
        let mut found: Vec<&Step> = self.steps.iter().filter(|one| one.name == step).collect();
        for later in &self.steps {
            if found.iter().any(|earlier| later.needs(earlier)) {
                found.push(later);
            }
        }
        found.into_iter().skip(1).map(|step| step.name.as_str()).collect()
    }
}

/// What a cluster must have at least.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Needs {
    /// Applications, as EMR spells them.
    #[schemars(schema_with = "units::texts", transform = units::or_single)]
    pub applications: Vec<String>,
    /// Memory of all core and task nodes together, at full size, in bytes.
    #[serde(rename(deserialize = "memory"), alias = "memory_bytes")]
    #[schemars(schema_with = "units::size", description = "Memory of all core and task nodes together, at full size.")]
    pub memory_bytes: Option<u64>,
    /// Processor cores of all core and task nodes together, at full size.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cores: Option<u32>,
}

/// What a step runs, as a path relative to the code folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepCode {
    /// A Python script.
    Script(PathBuf),
    /// A SQL file: one query, whose rows are the table that is written.
    Sql(PathBuf),
    /// A Jupyter notebook, whose code cells are run.
    Notebook(PathBuf),
}

impl StepCode {
    /// Returns the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Script(path) | Self::Sql(path) | Self::Notebook(path) => path,
        }
    }

    /// Returns its key in the job file.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Sql(_) => "sql",
            Self::Notebook(_) => "notebook",
        }
    }
}

/// One `spark-submit` of one script, SQL file or notebook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the job.
    pub name: String,
    /// What it runs.
    #[serde(flatten)]
    pub code: StepCode,
    /// What it reads.
    pub reads: Vec<Source>,
    /// What it writes.
    pub writes: Vec<Output>,
    /// Values of its own, over the job's.
    pub parameters: BTreeMap<String, Value>,
    /// `spark-submit` options without the dashes, such as `executor-memory`, and properties, such as
    /// `spark.sql.shuffle.partitions`: what starts with `spark.` is given as `--conf`.
    pub spark: BTreeMap<String, String>,
    /// Share of pages, and of rows, that may be quarantined before the step fails: 0 to 1.
    pub quarantine_limit: f64,
}

/// Something a step reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `raw.questions`: the pages of an endpoint for the logical date.
    Raw(String),
    /// A table.
    Table(String),
}

impl Step {
    /// Returns the raw endpoints that it reads.
    pub fn endpoints(&self) -> impl Iterator<Item = &String> {
        self.reads.iter().filter_map(|source| match source {
            Source::Raw(endpoint) => Some(endpoint),
            Source::Table(_) => None,
        })
    }

    /// Returns the tables that it reads.
    pub fn tables_read(&self) -> impl Iterator<Item = &String> {
        self.reads.iter().filter_map(|source| match source {
            Source::Raw(_) => None,
            Source::Table(table) => Some(table),
        })
    }

    /// Returns whether it reads a table that `other` writes. That it reads what it writes itself is no need.
    pub(super) fn needs(&self, other: &Self) -> bool {
        let writes = |table: &String| other.writes.iter().any(|output| output.table == *table);
        self.name != other.name && self.tables_read().any(writes)
    }

    /// Returns whether it reads raw pages.
    pub fn reads_raw(&self) -> bool {
        self.endpoints().next().is_some()
    }
}

impl Job {
    /// Returns whether what is written to a table is merged with what is there.
    pub fn merges(&self, table: &str) -> bool {
        self.tables.get(table).is_some_and(|table| table.update == Update::Merge)
    }
}

/// A table a step writes: all of it, or the partition with fixed values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The table.
    pub table: String,
    /// Fixed partition values, in the table's order; `{date}` stands for the logical date. Empty: the whole table.
    pub only: Vec<(String, String)>,
}

/// How a table takes in what a step writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Update {
    /// The step merges its date's rows into the touched partitions by key.
    Merge,
    /// The step computes the touched partitions anew from its inputs.
    #[default]
    Recompute,
}

/// A table of the job.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(title = "table")]
pub struct Table {
    /// One sentence.
    pub description: String,
    /// The columns whose values no two rows share; empty when rows have no key.
    #[schemars(schema_with = "columns", transform = units::or_single)]
    pub key: Vec<String>,
    /// The partition columns, outermost first.
    #[serde(rename(deserialize = "partition-by"), alias = "partition_by")]
    #[schemars(schema_with = "partition_columns", transform = units::or_single)]
    pub partition_by: Vec<String>,
    /// How it takes in what a step writes.
    pub update: Update,
    /// What must hold before readers see a new version.
    #[schemars(extend("examples" = ["[{ rows-at-least: 1 }]"]))]
    pub checks: Vec<Check>,
}

/// Something that must hold for the rows a run wrote, checked before they are published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "check")]
pub enum Check {
    /// At least so many rows landed.
    RowsAtLeast(u64),
    /// No row has a null in these columns.
    NotNull(#[schemars(schema_with = "columns", extend("minItems" = 1), transform = units::or_single)] Vec<String>),
    /// No two rows share the values of these columns.
    Unique(#[schemars(schema_with = "columns", extend("minItems" = 1), transform = units::or_single)] Vec<String>),
    /// Every value that is not null is one of these.
    Accepted {
        /// The column.
        #[schemars(extend("format" = "column name"))]
        column: String,
        /// The values.
        #[schemars(schema_with = "values", transform = units::or_single)]
        values: Vec<String>,
    },
    /// Every value that is not null lies between the two, inclusive.
    Range {
        /// The column.
        #[schemars(extend("format" = "column name"))]
        column: String,
        /// The smallest allowed value, if there is a limit.
        min: Option<f64>,
        /// The largest allowed value, if there is a limit.
        max: Option<f64>,
    },
    /// The newest value of a date or timestamp column is at most so long before the end of the logical date.
    Fresh {
        /// The column.
        #[schemars(extend("format" = "column name"))]
        column: String,
        /// The age allowed, in seconds.
        #[serde(rename(deserialize = "within"), alias = "within_seconds")]
        #[schemars(schema_with = "units::duration", description = "The age allowed.")]
        within_seconds: i64,
    },
    /// The columns in the files are these, and have these types: name and type as Spark's DDL has it. Partition columns are
    /// not among them.
    Columns(#[schemars(schema_with = "typed_columns")] BTreeMap<String, String>),
    /// The whole table has at most this share of rows less than the version before: 0 to 1.
    DropAtMost(#[schemars(schema_with = "units::share")] f64),
}

/// A sentence for the summary, made by a query on the published tables.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "insight")]
pub struct Insight {
    /// A heading of a few words.
    pub title: String,
    /// A query whose first column is the text to show, one line a row.
    #[schemars(extend("format" = "query"))]
    pub sql: String,
}

fn columns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "format": "column name" }, "uniqueItems": true })
}

fn typed_columns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "format": "column name" },
        "additionalProperties": { "type": "string" },
        "minProperties": 1,
    })
}

fn partition_columns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "format": "partition column" }, "uniqueItems": true })
}

fn values(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": units::text(generator), "minItems": 1 })
}
