//! Tables and partitions as Glue's API spells them. Source: the service model `glue-2017-03-31`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GlueColumn {
    /// In lower case, as Hive keeps names.
    pub name: String,
    /// A Hive type.
    #[serde(default, rename = "Type")]
    pub kind: String,
    /// What people have written about it in Glue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Where files are and how they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Storage {
    pub columns: Vec<GlueColumn>,
    pub location: String,
    pub input_format: String,
    pub output_format: String,
    pub serde_info: Serde,
}

/// What reads the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Serde {
    pub serialization_library: String,
    pub parameters: BTreeMap<String, String>,
}

/// A table as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TableInput {
    pub name: String,
    pub table_type: &'static str,
    pub partition_keys: Vec<GlueColumn>,
    pub storage_descriptor: Storage,
    pub parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A table as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GlueTable {
    pub table_type: String,
    pub partition_keys: Vec<GlueColumn>,
    pub storage_descriptor: Storage,
    pub parameters: BTreeMap<String, String>,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub version_id: Option<String>,
}

/// A partition, written or read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GluePartition {
    /// In the order of the table's keys.
    pub values: Vec<String>,
    pub storage_descriptor: Storage,
    pub parameters: BTreeMap<String, String>,
}
