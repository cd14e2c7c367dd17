//! Settings of the stack that runs the jobs of an EMR target unattended.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::yaml::units;

/// What an expression of EventBridge Scheduler looks like.
const EXPRESSION: &str = "^(at|cron|rate)[(][^()]+[)]$";

/// The settings below `stack` of a target of kind `emr`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct StackSettings {
    /// Its name; `None`: `soflow-` and the name of the target.
    #[serde(default)]
    #[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9-]{0,39}$", "examples" = ["soflow-prod"]), transform = units::or_none)]
    pub name: Option<String>,
    /// When each job runs, by the job's name.
    #[schemars(schema_with = "schedules")]
    pub schedules: BTreeMap<String, String>,
    /// When the Stack Exchange API is read on; `None`: not by the stack.
    #[schemars(extend("format" = "schedule", "pattern" = EXPRESSION, "examples" = ["rate(30 minutes)"]), transform = units::or_none)]
    pub ingest: Option<String>,
    /// The time zone of schedules.
    #[schemars(extend("pattern" = "^[A-Za-z][A-Za-z0-9_+/-]*$", "examples" = ["UTC", "Europe/Berlin"]))]
    pub time_zone: String,
    /// Who is told.
    #[schemars(schema_with = "addresses", transform = units::or_single)]
    pub alert_emails: Vec<String>,
    /// Where the buckets of the lake come from.
    pub buckets: Provision,
    /// Where the Glue database comes from.
    pub database: Provision,
    /// How many days logs are kept.
    #[schemars(range(min = 1, max = 3_653))]
    pub log_retention_days: u32,
    /// An execution is ended after so many seconds.
    #[serde(rename(deserialize = "longest-run"))]
    #[schemars(schema_with = "units::duration", extend("minimum" = 600, "maximum" = 604_800))]
    pub longest_run_seconds: u32,
    /// The processors of the functions.
    pub architecture: LambdaArchitecture,
    /// The most that a query may read, in gigabytes.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub scan_limit_gb: u64,
    /// The ways from the clusters' network to AWS that the stack makes.
    pub endpoints: EndpointSettings,
}

impl StackSettings {
    /// Returns the name of the stack of a target; `name`: the one that is written, if one is.
    pub fn name_of(target: &str, name: Option<&str>) -> String {
        name.map_or_else(|| format!("soflow-{}", target.replace('_', "-")), String::from)
    }
}

/// What of a stack the clusters and queries of its target use: the settings that name it, and what the name ends in behind that
/// of the stack.
pub const OWN: [(&str, &str); 4] = [
    ("shape.service-role", "-emr"),
    ("shape.instance-profile", "-nodes"),
    ("shape.security-configuration", ""),
    ("workgroup", ""),
];

/// Endpoints of AWS services in a network. Lists that are empty make none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct EndpointSettings {
    /// The network: `vpc-…`.
    #[serde(default)]
    #[schemars(extend("pattern" = "^vpc-[0-9a-f]+$", "examples" = ["vpc-0a1b2c3d4e5f67890"]), transform = units::or_none)]
    pub vpc: Option<String>,
    /// The route tables of the subnets that reach S3 by an endpoint.
    #[schemars(schema_with = "route_tables", transform = units::or_single)]
    pub route_tables: Vec<String>,
    /// The subnets, one an availability zone, that have endpoints of the other services.
    #[schemars(schema_with = "subnets", transform = units::or_single)]
    pub subnets: Vec<String>,
    /// Who may reach those: the endpoints' security groups.
    #[schemars(schema_with = "security_groups", transform = units::or_single)]
    pub security_groups: Vec<String>,
}

/// Where something that a stack needs comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provision {
    /// The stack makes it.
    Make,
    /// It is there.
    Existing,
}

/// Processors of Lambda functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LambdaArchitecture {
    /// AWS's own.
    #[serde(rename = "arm64")]
    Arm64,
    /// Those of most laptops and CI machines.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl LambdaArchitecture {
    /// Returns the name that Lambda has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

fn schedules(_: &mut SchemaGenerator) -> Schema {
    let when =
        json!({ "type": "string", "format": "schedule", "pattern": EXPRESSION, "examples": ["cron(15 2 * * ? *)"] });
    json_schema!({ "type": "object", "propertyNames": { "format": "job name" }, "additionalProperties": when })
}

fn addresses(_: &mut SchemaGenerator) -> Schema {
    let address = json!({ "type": "string", "pattern": "^[^@ ]+@[^@ ]+$", "examples": ["data-team@example.com"] });
    json_schema!({ "type": "array", "items": address, "uniqueItems": true })
}

fn ids(prefix: &str) -> Schema {
    let id = json!({ "type": "string", "pattern": format!("^{prefix}-[0-9a-f]+$"), "examples": [format!("{prefix}-0a1b2c3d")] });
    json_schema!({ "type": "array", "items": id, "uniqueItems": true })
}

fn route_tables(_: &mut SchemaGenerator) -> Schema {
    ids("rtb")
}

fn subnets(_: &mut SchemaGenerator) -> Schema {
    ids("subnet")
}

fn security_groups(_: &mut SchemaGenerator) -> Schema {
    ids("sg")
}
