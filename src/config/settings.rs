//! What all settings together say, once merged and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::emr::Emr;
use super::ingest::Ingest;
use crate::names::Uri;
use crate::yaml::units;

/// Everything soflow needs to know besides the job, resolved.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// The folder all relative paths start from: where `config/soflow.yaml` or `jobs/` is.
    pub root: PathBuf,
    /// The folder of job files.
    pub jobs: PathBuf,
    /// The folder with the Python code: its `steps/` and packages.
    pub code: PathBuf,
    /// The target in use, one of `targets`.
    pub target: String,
    /// All targets by name; one of kind `emr` is among them when it has a lake.
    pub targets: BTreeMap<String, Target>,
    /// How long replaced table versions and unpublished outputs are kept, in seconds.
    pub keep_seconds: i64,
    /// What is read from the Stack Exchange API, and how.
    pub ingest: Ingest,
}

/// Where a job runs.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Its locations.
    pub lake: Lake,
    /// What kind it is, with the settings of that kind.
    pub kind: TargetKind,
}

/// The kinds of target.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetKind {
    /// This machine.
    Local(Local),
    /// A cluster on Amazon EMR.
    Emr(Box<Emr>),
}

/// Settings of a local target.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Local {
    /// Which engine runs the steps.
    pub engine: Engine,
    /// How many steps may run at once; `None`: one per processor core.
    #[schemars(range(min = 1, max = 256), transform = or_auto)]
    pub parallel: Option<usize>,
    /// How many bytes of memory the steps that run at once may take together; `None`: as many as there are.
    #[schemars(schema_with = "units::size", transform = or_auto)]
    pub memory: Option<u64>,
    /// The Python to make engine environments with; `None`: the first suitable one on `PATH`.
    #[schemars(extend("format" = "program", "minLength" = 1), transform = or_auto)]
    pub python: Option<PathBuf>,
    /// The folder of engine environments.
    #[schemars(extend("format" = "path", "minLength" = 1))]
    pub engine_dir: PathBuf,
    /// What engine and steps see of the network.
    pub network: Network,
}

/// What an engine on this machine, and the step that it runs, see of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Nothing but a loopback of their own, where the kernel allows that.
    None,
    /// What everyone on the machine sees.
    Host,
}

impl Network {
    /// Returns the name used in config and by the launcher.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Host => "host",
        }
    }
}

/// An engine of the local target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Sail, embedded: no Java.
    Sail,
    /// PySpark 3.5 on a JVM.
    Spark,
}

impl Engine {
    /// Returns the name used in config, flags and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sail => "sail",
            Self::Spark => "spark",
        }
    }
}

/// A target's locations.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Lake {
    /// Pages as received.
    #[schemars(schema_with = "location")]
    pub raw: Uri,
    /// Tables.
    #[schemars(schema_with = "location")]
    pub curated: Uri,
    /// Run records, task files, results.
    #[schemars(schema_with = "location")]
    pub artifacts: Uri,
    /// What steps print.
    #[schemars(schema_with = "location")]
    pub logs: Uri,
}

/// Returns the schema of a location.
pub(super) fn location(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "location" })
}

/// Lets `auto` be written for a value that is left out.
fn or_auto(schema: &mut Schema) {
    units::or_word(schema, "auto");
}
