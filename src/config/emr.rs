//! Settings of an EMR target and of cluster shapes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::show;
use crate::names::Uri;

/// Settings of a target of kind `emr`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Emr {
    /// The AWS region; `None`: as the AWS environment and profile say.
    pub region: Option<String>,
    /// The profile in the AWS config files; `None`: as the AWS environment says.
    pub profile: Option<String>,
    /// The Glue database of the tables.
    pub database: String,
    /// The Athena workgroup that `soflow query` runs in.
    pub workgroup: String,
    /// The name of the cluster shape that jobs run on.
    pub cluster: String,
    /// That shape.
    pub shape: Shape,
    /// The role that steps run with instead of the cluster's; needs a security configuration that allows it.
    pub execution_role: Option<String>,
    /// The hash-pinned requirements that steps import besides Spark; `None`: nothing is shipped.
    pub dependencies: Option<PathBuf>,
    /// How long a submit waits in the queue of a busy cluster, in seconds.
    pub queue_seconds: u64,
    /// The shortest time between two looks at a cluster, taken while something is about to change.
    #[serde(rename = "poll_fastest_seconds", serialize_with = "show::seconds")]
    pub poll_fastest: Duration,
    /// The longest time between two looks at a cluster, taken while nothing changes; not shorter than the fastest.
    #[serde(rename = "poll_slowest_seconds", serialize_with = "show::seconds")]
    pub poll_slowest: Duration,
    /// How long to look for what a request whose answer was lost may have made, before it is sent again.
    #[serde(rename = "lost_answer_wait_seconds", serialize_with = "show::seconds")]
    pub lost_answer_wait: Duration,
    /// How many times the default EMR API quotas of AWS the account has, above 0.
    pub api_quota: f64,
}

/// A named cluster shape: everything soflow needs to make one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shape {
    /// The release label, such as `emr-7.14.0`.
    pub release: String,
    /// Application names as EMR spells them.
    pub applications: Vec<String>,
    /// The role EMR itself acts with.
    pub service_role: String,
    /// The instance profile of the nodes.
    pub instance_profile: String,
    /// The subnets EMR may choose from; empty: the default VPC.
    pub subnets: Vec<String>,
    /// An EC2 key pair for SSH; `None`: no SSH.
    pub key_name: Option<String>,
    /// The name of an EMR security configuration.
    pub security_configuration: Option<String>,
    /// The primary node.
    pub primary: Fleet,
    /// The core nodes, which hold HDFS.
    pub core: Fleet,
    /// The task nodes, at least one unit; `None`: there are none.
    pub task: Option<Fleet>,
    /// Managed scaling; `None`: the fleets keep their size.
    pub scaling: Option<Scaling>,
    /// How many steps the cluster runs at once, 1 to 256.
    pub step_concurrency: u32,
    /// The Python of steps, such as `3.11`.
    pub python: String,
    /// The disks of every node.
    pub disk: Disk,
    /// Bootstrap actions, in order.
    pub bootstrap: Vec<Bootstrap>,
    /// Configuration classifications, added to those that soflow makes (Glue for Spark, Hive and Trino; Python).
    pub configurations: Vec<Classification>,
    /// Tags of the cluster and its instances.
    pub tags: BTreeMap<String, String>,
    /// The cluster ends after so many idle seconds, 60 to 604,800.
    pub idle_seconds: u64,
    /// `cluster reap` ends a cluster older than so many seconds.
    pub max_age_seconds: u64,
    /// The most a cluster of this shape may cost an hour at full size, in dollars: `cluster up` refuses more.
    pub max_dollars_per_hour: f64,
    /// Whether step and driver logs go to CloudWatch as they are printed (releases from 7.11.0).
    pub cloudwatch_logs: bool,
    /// The KMS key logs are encrypted with.
    pub log_key: Option<String>,
}

/// The nodes of one role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fleet {
    /// The instance types EMR may choose from, each with how many units it counts.
    pub types: Vec<InstanceType>,
    /// Units of on-demand capacity.
    pub on_demand: u32,
    /// Units of spot capacity.
    pub spot: u32,
    /// How long EMR looks for spot capacity before it falls back, in minutes, 5 to 1440.
    pub spot_timeout_minutes: u32,
    /// What happens then.
    pub spot_fallback: SpotFallback,
}

/// An instance type of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceType {
    /// Such as `m5.xlarge`.
    pub name: String,
    /// How many units of the fleet's capacity one instance counts.
    pub weight: u32,
}

/// What happens when spot capacity is not found in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpotFallback {
    /// On-demand capacity is taken instead.
    OnDemand,
    /// The cluster is ended.
    Terminate,
}

/// Managed scaling between two sizes, in the units of the fleets; the primary node is not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scaling {
    /// The smallest size.
    pub min: u32,
    /// The largest size.
    pub max: u32,
    /// The largest on-demand part of it.
    pub max_on_demand: Option<u32>,
    /// The largest core part of it.
    pub max_core: Option<u32>,
}

/// The disks of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Gigabytes of each.
    pub gigabytes: u32,
    /// How many.
    pub count: u32,
    /// Input and output operations a second of a gp3 disk.
    pub iops: u32,
    /// Megabytes a second of a gp3 disk, 125 to 1000.
    pub throughput: u32,
}

/// A bootstrap action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    /// What the console calls it.
    pub name: String,
    /// The script: a file of the project, uploaded by content, or an object that is there.
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
    #[serde(serialize_with = "show::properties")]
    pub properties: BTreeMap<String, String>,
    /// Classifications within it.
    pub configurations: Vec<Classification>,
}
