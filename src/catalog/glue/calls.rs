//! The calls to Glue, each a line of its API, and tables as that spells them. Source of shapes and limits: the service model
//! `glue-2017-03-31`.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::GlueTables;
use crate::aws::{CallError, GLUE};

/// Most partitions that BatchCreatePartition and BatchUpdatePartition take.
pub const WRITE_AT_ONCE: usize = 100;

/// Most partitions that BatchDeletePartition takes.
pub const DELETE_AT_ONCE: usize = 25;

/// Most partitions that GetPartitions returns.
const READ_AT_ONCE: usize = 1000;

/// What there is none of.
pub const NOT_FOUND: &str = "EntityNotFoundException";

/// What there is one of.
pub const EXISTS: &str = "AlreadyExistsException";

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

/// A table, written or read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GlueTable {
    pub name: String,
    pub table_type: String,
    pub partition_keys: Vec<GlueColumn>,
    pub storage_descriptor: Storage,
    pub parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only read: which of Glue's own versions it is.
    #[serde(skip_serializing)]
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableAnswer {
    table: GlueTable,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartitionsPage {
    partitions: Vec<GluePartition>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchAnswer {
    #[serde(default)]
    errors: Vec<RefusedPartition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RefusedPartition {
    #[serde(default, alias = "PartitionValueList")]
    partition_values: Vec<String>,
    #[serde(default)]
    error_detail: Detail,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Detail {
    error_code: String,
    error_message: String,
}

impl GlueTables {
    async fn call<T: DeserializeOwned>(&self, operation: &str, mut input: Json) -> Result<T, CallError> {
        input["DatabaseName"] = self.database.as_str().into();
        self.session.call(&GLUE, operation, &input).await
    }

    /// Returns a table; `None` when there is none, or no database.
    pub(super) async fn table(&self, name: &str) -> Result<Option<GlueTable>, CallError> {
        match self.call::<TableAnswer>("GetTable", json!({ "Name": name })).await {
            Ok(found) => Ok(Some(found.table)),
            Err(error) if error.code == NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a table, and the database when there is none.
    pub(super) async fn create_table(&self, table: &GlueTable) -> Result<(), CallError> {
        let input = json!({ "TableInput": table });
        match self.call::<IgnoredAny>("CreateTable", input.clone()).await {
            Err(error) if error.code == NOT_FOUND => {
                self.create_database().await?;
                self.call::<IgnoredAny>("CreateTable", input).await.map(drop)
            }
            done => done.map(drop),
        }
    }

    async fn create_database(&self) -> Result<(), CallError> {
        let input = json!({ "DatabaseInput": { "Name": self.database, "LocationUri": self.curated.as_str() } });
        match self.session.call::<IgnoredAny>(&GLUE, "CreateDatabase", &input).await {
            Err(error) if error.code != EXISTS => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces a table that is still at its `version_id`. Glue keeps no copy of the one before: soflow's catalog does, and
    /// an account may have only so many.
    pub(super) async fn update_table(&self, table: &GlueTable) -> Result<(), CallError> {
        let mut input = json!({ "TableInput": table, "SkipArchive": true });
        if let Some(version) = &table.version_id {
            input["VersionId"] = version.as_str().into();
        }
        self.call::<IgnoredAny>("UpdateTable", input).await.map(drop)
    }

    /// Removes a table and its partitions; files stay.
    pub(super) async fn delete_table(&self, name: &str) -> Result<(), CallError> {
        match self.call::<IgnoredAny>("DeleteTable", json!({ "Name": name })).await {
            Err(error) if error.code != NOT_FOUND => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns all partitions of a table.
    pub(super) async fn partitions(&self, table: &str) -> Result<Vec<GluePartition>, CallError> {
        let mut input = json!({ "TableName": table, "MaxResults": READ_AT_ONCE });
        let mut found = Vec::new();
        loop {
            let page: PartitionsPage = self.call("GetPartitions", input.clone()).await?;
            found.extend(page.partitions);
            let Some(next) = page.next_token.filter(|token| !token.is_empty()) else { return Ok(found) };
            input["NextToken"] = next.into();
        }
    }

    /// Adds partitions, `WRITE_AT_ONCE` at most.
    ///
    /// # Errors
    /// The first of the partitions that could not be added; others may have been.
    pub(super) async fn create_partitions(&self, table: &str, partitions: &[GluePartition]) -> Result<(), CallError> {
        self.batch("BatchCreatePartition", table, "PartitionInputList", partitions).await
    }

    /// Replaces partitions, `WRITE_AT_ONCE` at most; fails as adding does.
    pub(super) async fn update_partitions(&self, table: &str, partitions: &[GluePartition]) -> Result<(), CallError> {
        let entry =
            |partition: &GluePartition| json!({ "PartitionValueList": partition.values, "PartitionInput": partition });
        let entries: Vec<Json> = partitions.iter().map(entry).collect();
        self.batch("BatchUpdatePartition", table, "Entries", &entries).await
    }

    /// Removes partitions, `DELETE_AT_ONCE` at most. One that is gone is no error.
    pub(super) async fn delete_partitions(&self, table: &str, values: &[Vec<String>]) -> Result<(), CallError> {
        let named: Vec<Json> = values.iter().map(|values| json!({ "Values": values })).collect();
        match self.batch("BatchDeletePartition", table, "PartitionsToDelete", &named).await {
            Err(error) if error.code != NOT_FOUND => Err(error),
            _ => Ok(()),
        }
    }

    async fn batch(&self, operation: &str, table: &str, key: &str, items: &[impl Serialize]) -> Result<(), CallError> {
        let mut input = json!({ "TableName": table });
        input[key] = json!(items);
        let answer: BatchAnswer = self.call(operation, input).await?;
        // What is gone already hides nothing worse.
        let worst = answer.errors.into_iter().max_by_key(|refused| refused.error_detail.error_code != NOT_FOUND);
        worst.map_or(Ok(()), |refused| {
            let values = refused.partition_values.join("/");
            Err(CallError {
                service: GLUE.name,
                operation: operation.into(),
                code: refused.error_detail.error_code,
                message: format!("{}: partition `{values}` of `{table}`", refused.error_detail.error_message),
                maybe_done: false,
                partition: self.session.partition(),
            })
        })
    }
}
