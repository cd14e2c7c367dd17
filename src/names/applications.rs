//! The applications a cluster can have.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Applications as EMR spells them. Source: the component tables of the EMR release guide, releases 5.30 to 7.14 and
/// spark-8.1.
pub const APPLICATIONS: [&str; 28] = [
    "AmazonCloudWatchAgent",
    "Delta",
    "Flink",
    "Ganglia",
    "HBase",
    "HCatalog",
    "Hadoop",
    "Hive",
    "Hudi",
    "Hue",
    "Iceberg",
    "JupyterEnterpriseGateway",
    "JupyterHub",
    "Livy",
    "MXNet",
    "Mahout",
    "Oozie",
    "Phoenix",
    "Pig",
    "Presto",
    "PrestoSQL",
    "Spark",
    "Sqoop",
    "TensorFlow",
    "Tez",
    "Trino",
    "Zeppelin",
    "ZooKeeper",
];

/// Returns the schema of a list of applications.
pub fn applications(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string", "format": "application", "enum": APPLICATIONS },
        "uniqueItems": true,
    })
}
