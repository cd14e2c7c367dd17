//! Settings of an EMR target and of cluster shapes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::stack::StackSettings;
use crate::mask::is_secret;
use crate::names::Uri;
use crate::yaml::units;

/// Stands for a value that is not shown.
pub(super) const HIDDEN: &str = "***";

/// Settings of a target of kind `emr`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Emr {
    /// The AWS region, which becomes a part of host names; `None`: as the AWS environment and profile say.
    #[serde(default)]
    #[schemars(schema_with = "units::text", extend("pattern" = "^[a-z0-9-]+$", "examples" = ["eu-west-1"]), transform = units::or_none)]
    pub region: Option<String>,
    /// The profile in the AWS config files; `None`: as the AWS environment says.
    #[serde(default)]
    #[schemars(schema_with = "units::optional_text")]
    pub profile: Option<String>,
    /// The Glue database of the tables.
    #[schemars(extend("pattern" = "^[a-z0-9_]+$", "examples" = ["soflow", "lake_2"]))]
    pub database: String,
    /// The Athena workgroup that `soflow query` runs in.
    #[schemars(schema_with = "units::text", extend("minLength" = 1))]
    pub workgroup: String,
    /// The name of the cluster shape that jobs run on.
    #[schemars(schema_with = "units::text", extend("minLength" = 1))]
    pub cluster: String,
    /// That shape.
    #[schemars(skip)]
    pub shape: Shape,
    /// The role that steps run with instead of the cluster's; needs a security configuration that allows it.
    #[serde(default)]
    #[schemars(schema_with = "units::optional_text")]
    pub execution_role: Option<String>,
    /// The hash-pinned requirements that steps import besides Spark; `None`: nothing is shipped.
    #[schemars(extend("format" = "requirements", "minLength" = 1), transform = units::or_none)]
    pub dependencies: Option<PathBuf>,
    /// Whether steps of a run share an application, one after another, on clusters that run one step at a time.
    pub fuse: bool,
    /// How long a submit waits in the queue of a busy cluster, in seconds.
    #[serde(rename(deserialize = "queue-for"))]
    #[schemars(schema_with = "units::duration", extend("minimum" = 0, "maximum" = 604_800))]
    pub queue_seconds: u64,
    /// The shortest time between two looks at a cluster, taken while something is about to change.
    #[serde(rename(serialize = "poll_fastest_seconds"), with = "seconds")]
    #[schemars(schema_with = "units::pause", extend("exclusiveMinimum" = 0))]
    pub poll_fastest: Duration,
    /// The longest time between two looks at a cluster, taken while nothing changes; not shorter than the fastest.
    #[serde(rename(serialize = "poll_slowest_seconds"), with = "seconds")]
    #[schemars(schema_with = "units::pause", extend("exclusiveMinimum" = 0))]
    pub poll_slowest: Duration,
    /// How long to look for what a request whose answer was lost may have made, before it is sent again.
    #[serde(rename(serialize = "lost_answer_wait_seconds"), with = "seconds")]
    #[schemars(schema_with = "units::pause")]
    pub lost_answer_wait: Duration,
    /// How many times the default EMR API quotas of AWS the account has, above 0.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub api_quota: f64,
    /// What runs its jobs unattended.
    pub stack: StackSettings,
}

/// A named cluster shape: everything soflow needs to make one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Shape {
    /// The release label, such as `emr-7.14.0`.
    #[schemars(extend("pattern" = "^emr-", "examples" = ["emr-7.14.0", "emr-spark-8.1.0"]))]
    pub release: String,
    /// Application names as EMR spells them.
    #[schemars(schema_with = "units::texts", transform = units::or_single)]
    pub applications: Vec<String>,
    /// The role EMR itself acts with.
    #[schemars(schema_with = "units::text", extend("minLength" = 1))]
    pub service_role: String,
    /// The instance profile of the nodes.
    #[schemars(schema_with = "units::text", extend("minLength" = 1))]
    pub instance_profile: String,
    /// The subnets EMR may choose from; empty: the default VPC.
    #[schemars(transform = units::or_single)]
    pub subnets: Vec<String>,
    /// An EC2 key pair for SSH; `None`: no SSH.
    #[serde(default)]
    #[schemars(schema_with = "units::optional_text")]
    pub key_name: Option<String>,
    /// The name of an EMR security configuration.
    #[serde(default)]
    #[schemars(schema_with = "units::optional_text")]
    pub security_configuration: Option<String>,
    /// The primary node.
    pub primary: Fleet,
    /// The core nodes, which hold HDFS.
    pub core: Fleet,
    /// The task nodes, at least one unit; `None`: there are none.
    #[serde(default, deserialize_with = "some_units")]
    #[schemars(transform = units::or_none)]
    pub task: Option<Fleet>,
    /// Managed scaling; `None`: the fleets keep their size.
    #[schemars(transform = units::or_none)]
    pub scaling: Option<Scaling>,
    /// How many steps the cluster runs at once, 1 to 256.
    #[schemars(range(min = 1, max = 256))]
    pub step_concurrency: u32,
    /// The Python of steps, such as `3.11`.
    #[schemars(schema_with = "units::text", extend("pattern" = "^3[.][0-9]+$", "examples" = ["3.11"]))]
    pub python: String,
    /// The disks of every node.
    pub disk: Disk,
    /// Bootstrap actions, in order.
    #[schemars(transform = units::or_single)]
    pub bootstrap: Vec<Bootstrap>,
    /// Configuration classifications, added to those that soflow makes (Glue for Spark, Hive and Trino; Python).
    #[serde(deserialize_with = "classifications")]
    #[schemars(schema_with = "configurations")]
    pub configurations: Vec<Classification>,
    /// Tags of the cluster and its instances.
    #[schemars(schema_with = "tags")]
    pub tags: BTreeMap<String, String>,
    /// The cluster ends after so many idle seconds, 60 to 604,800.
    #[serde(rename(deserialize = "idle-timeout"))]
    #[schemars(schema_with = "units::duration", extend("minimum" = 60, "maximum" = 604_800))]
    pub idle_seconds: u64,
    /// `cluster reap` ends a cluster older than so many seconds.
    #[serde(rename(deserialize = "max-age"))]
    #[schemars(schema_with = "units::duration", extend("minimum" = 60, "maximum" = 31_536_000))]
    pub max_age_seconds: u64,
    /// The most a cluster of this shape may cost an hour at full size, in dollars: `cluster up` refuses more.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub max_dollars_per_hour: f64,
    /// Whether step and driver logs go to CloudWatch as they are printed (releases from 7.11.0).
    pub cloudwatch_logs: bool,
    /// The KMS key logs are encrypted with.
    #[serde(default)]
    #[schemars(schema_with = "units::optional_text")]
    pub log_key: Option<String>,
}

/// The nodes of one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Fleet {
    /// The instance types EMR may choose from, each with how many units it counts.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true), transform = units::or_single)]
    pub types: Vec<InstanceType>,
    /// Units of on-demand capacity.
    #[schemars(range(min = 0, max = 100_000))]
    pub on_demand: u32,
    /// Units of spot capacity.
    #[schemars(range(min = 0, max = 100_000))]
    pub spot: u32,
    /// How long EMR looks for spot capacity before it falls back, in minutes, 5 to 1440.
    #[serde(rename(deserialize = "spot-timeout"))]
    #[schemars(schema_with = "units::minutes", extend("minimum" = 5, "maximum" = 1_440))]
    pub spot_timeout_minutes: u32,
    /// What happens then.
    #[serde(rename(deserialize = "when-no-spot"))]
    pub spot_fallback: SpotFallback,
}

/// An instance type of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "WrittenType")]
pub struct InstanceType {
    /// Such as `m5.xlarge`.
    pub name: String,
    /// How many units of the fleet's capacity one instance counts.
    pub weight: u32,
}

/// What happens when spot capacity is not found in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpotFallback {
    /// On-demand capacity is taken instead.
    OnDemand,
    /// The cluster is ended.
    Terminate,
}

/// Managed scaling between two sizes, in the units of the fleets; the primary node is not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Scaling {
    /// The smallest size.
    #[schemars(range(min = 1, max = 100_000))]
    pub min: u32,
    /// The largest size.
    #[schemars(range(min = 1, max = 100_000))]
    pub max: u32,
    /// The largest on-demand part of it.
    #[schemars(range(min = 0, max = 100_000), transform = units::or_none)]
    pub max_on_demand: Option<u32>,
    /// The largest core part of it.
    #[schemars(range(min = 1, max = 100_000), transform = units::or_none)]
    pub max_core: Option<u32>,
}

/// The disks of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct Disk {
    /// Gigabytes of each.
    #[schemars(range(min = 10, max = 16_384))]
    pub gigabytes: u32,
    /// How many.
    #[schemars(range(min = 1, max = 25))]
    pub count: u32,
    /// Input and output operations a second of a gp3 disk.
    #[schemars(range(min = 3_000, max = 16_000))]
    pub iops: u32,
    /// Megabytes a second of a gp3 disk, 125 to 1000.
    #[schemars(range(min = 125, max = 1_000))]
    pub throughput: u32,
}

/// A bootstrap action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "WrittenBootstrap")]
pub struct Bootstrap {
    /// What the console calls it.
    pub name: String,
    /// The script: a file of the project, uploaded by content, or an object that is there.
    #[schemars(schema_with = "script")]
    pub script: Uri,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A configuration classification, as `RunJobFlow` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Classification {
    /// Such as `spark-defaults`.
    pub classification: String,
    /// Its properties. Written with `serde` to show them, without the values that look like secrets: make requests from
    /// the fields.
    #[serde(serialize_with = "without_secrets")]
    pub properties: BTreeMap<String, String>,
    /// Classifications within it.
    pub configurations: Vec<Classification>,
}

/// An instance type as written: `m5.xlarge`, which counts one unit, or `{ m5.2xlarge: 2 }`, which counts two.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum WrittenType {
    Name(String),
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    Weighted(#[schemars(schema_with = "weight")] BTreeMap<String, u32>),
}

impl From<WrittenType> for InstanceType {
    fn from(written: WrittenType) -> Self {
        let (name, weight) = match written {
            WrittenType::Name(name) => (name, 1),
            WrittenType::Weighted(one) => one.into_iter().next().unwrap_or_default(),
        };
        Self { name, weight }
    }
}

/// A bootstrap action as written: the script alone, or all of it.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "bootstrap action")]
enum WrittenBootstrap {
    Script(#[schemars(schema_with = "script")] Uri),
    #[schemars(extend("additionalProperties" = false))]
    Whole {
        /// The script: a file of the project, or an object in S3.
        #[schemars(schema_with = "script")]
        script: Uri,
        /// What the console calls it; without it, the name of the script.
        #[serde(default)]
        #[schemars(schema_with = "units::text", extend("minLength" = 1))]
        name: Option<String>,
        /// Its arguments.
        #[serde(default)]
        #[schemars(schema_with = "units::texts", transform = units::or_single)]
        args: Vec<String>,
    },
}

impl From<WrittenBootstrap> for Bootstrap {
    fn from(written: WrittenBootstrap) -> Self {
        let (script, name, args) = match written {
            WrittenBootstrap::Script(script) => (script, None, Vec::new()),
            WrittenBootstrap::Whole { script, name, args } => (script, name, args),
        };
        let file_name = || script.as_str().rsplit('/').next().unwrap_or_default().into();
        Self { name: name.unwrap_or_else(file_name), script, args }
    }
}

/// Reads a fleet; EMR takes none of no units.
fn some_units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Fleet>, D::Error> {
    let fleet = Option::<Fleet>::deserialize(deserializer)?;
    Ok(fleet.filter(|fleet| fleet.on_demand + fleet.spot > 0))
}

/// Reads classifications by name: single values are properties, mappings are classifications within.
fn classifications<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Classification>, D::Error> {
    let written = Map::<String, Value>::deserialize(deserializer)?;
    let mut named: Vec<_> = written.iter().map(|(name, within)| classification(name, within)).collect();
    named.sort_by(|one, other| one.classification.cmp(&other.classification));
    Ok(named)
}

fn classification(name: &str, within: &Value) -> Classification {
    let entries = || within.as_object().into_iter().flatten();
    let property = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_string()));
    let inner = entries().filter(|(_, value)| value.is_object());
    Classification {
        classification: name.into(),
        properties: entries().filter_map(property).collect(),
        configurations: inner.map(|(name, within)| classification(name, within)).collect(),
    }
}

fn configurations(generator: &mut SchemaGenerator) -> Schema {
    let text = units::text(generator);
    generator.definitions_mut().insert(
        "Properties".into(),
        json!({ "type": "object", "additionalProperties": { "anyOf": [text, { "$ref": "#/$defs/Properties" }] } }),
    );
    json_schema!({
        "type": "object",
        "additionalProperties": { "$ref": "#/$defs/Properties" },
    })
}

fn tags(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": units::text(generator) })
}

fn script(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "script" })
}

/// At least 1 by the EMR API reference, InstanceTypeConfig; the vCPUs of the largest instances are near the end.
fn weight(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 1000 } })
}

/// Writes properties without the values that look like secrets: settings are written to show them.
fn without_secrets<S: Serializer>(properties: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(properties.iter().map(|(name, value)| (name, if is_secret(name) { HIDDEN } else { value })))
}

/// A time as seconds, with a fraction where there is one.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
