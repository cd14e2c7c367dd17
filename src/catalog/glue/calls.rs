//! The calls to Glue, each a line of its API. Source of limits: the service model `glue-2017-03-31`.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::shapes::{GluePartition, GlueTable, TableInput};
use crate::aws::{CallError, GLUE, Session};
use crate::names::Uri;

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

/// A Glue database.
#[derive(Clone, Debug)]
pub struct Glue {
    session: Session,
    /// Its name.
    pub database: String,
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

impl Glue {
    /// Returns the database that a session reaches; it is made when the first table is.
    pub fn new(session: Session, database: &str) -> Self {
        Self { session, database: database.into() }
    }

    async fn call<T: DeserializeOwned>(&self, operation: &str, mut input: Json) -> Result<T, CallError> {
        input["DatabaseName"] = self.database.as_str().into();
        self.session.call(&GLUE, operation, &input).await
    }

    /// Returns a table; `None` when there is none, or no database.
    pub async fn table(&self, name: &str) -> Result<Option<GlueTable>, CallError> {
        match self.call::<TableAnswer>("GetTable", json!({ "Name": name })).await {
            Ok(found) => Ok(Some(found.table)),
            Err(error) if error.code == NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a table, and the database at `curated` when there is none.
    pub async fn create_table(&self, table: &TableInput, curated: &Uri) -> Result<(), CallError> {
        let input = json!({ "TableInput": table });
        match self.call::<IgnoredAny>("CreateTable", input.clone()).await {
            Err(error) if error.code == NOT_FOUND => {
                self.create_database(curated).await?;
                self.call::<IgnoredAny>("CreateTable", input).await.map(drop)
            }
            done => done.map(drop),
        }
    }

    async fn create_database(&self, curated: &Uri) -> Result<(), CallError> {
        let input = json!({ "DatabaseInput": { "Name": self.database, "LocationUri": curated.as_str() } });
        match self.session.call::<IgnoredAny>(&GLUE, "CreateDatabase", &input).await {
            Err(error) if error.code != EXISTS => Err(error),
            _ => Ok(()),
        }
    }

    /// Replaces a table that is still at `version`. Glue keeps no copy of the one before: soflow's catalog does, and an
    /// account may have only so many.
    pub async fn update_table(&self, table: &TableInput, version: Option<&str>) -> Result<(), CallError> {
        let mut input = json!({ "TableInput": table, "SkipArchive": true });
        if let Some(version) = version {
            input["VersionId"] = version.into();
        }
        self.call::<IgnoredAny>("UpdateTable", input).await.map(drop)
    }

    /// Removes a table and its partitions; files stay.
    pub async fn delete_table(&self, name: &str) -> Result<(), CallError> {
        match self.call::<IgnoredAny>("DeleteTable", json!({ "Name": name })).await {
            Err(error) if error.code != NOT_FOUND => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns all partitions of a table.
    pub async fn partitions(&self, table: &str) -> Result<Vec<GluePartition>, CallError> {
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
    pub async fn create_partitions(&self, table: &str, partitions: &[GluePartition]) -> Result<(), CallError> {
        self.batch("BatchCreatePartition", table, "PartitionInputList", partitions).await
    }

    /// Replaces partitions, `WRITE_AT_ONCE` at most; fails as adding does.
    pub async fn update_partitions(&self, table: &str, partitions: &[GluePartition]) -> Result<(), CallError> {
        let entry =
            |partition: &GluePartition| json!({ "PartitionValueList": partition.values, "PartitionInput": partition });
        let entries: Vec<Json> = partitions.iter().map(entry).collect();
        self.batch("BatchUpdatePartition", table, "Entries", &entries).await
    }

    /// Removes partitions, `DELETE_AT_ONCE` at most. One that is gone is no error.
    pub async fn delete_partitions(&self, table: &str, values: &[Vec<String>]) -> Result<(), CallError> {
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
