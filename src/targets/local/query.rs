//! SQL on published tables with the local engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fs_err as fs;
use serde::Serialize;

use super::environment::Environment;
use super::{cause, process};
use crate::error::{Error, Kind, Result};
use crate::names::PartitionValues;
use crate::plan::Column;

/// What to run and on which tables; the launcher's request file.
#[derive(Clone, Debug, Serialize)]
pub struct QueryRequest {
    /// The tables the statements may name.
    pub tables: BTreeMap<String, QueryTable>,
    /// The statements, run one after the other.
    pub statements: Vec<Statement>,
}

/// A published table as the engine needs it.
#[derive(Clone, Debug, Serialize)]
pub struct QueryTable {
    /// Its partition columns.
    pub partition_by: Vec<String>,
    /// All columns, the partition columns last.
    pub schema: Vec<QueryColumn>,
    /// Where its live partitions are.
    pub parts: Vec<QueryPart>,
}

/// A column and its type.
#[derive(Clone, Debug, Serialize)]
pub struct QueryColumn {
    /// Its name.
    pub name: String,
    /// Its type in Spark's DDL.
    #[serde(rename = "type")]
    pub kind: String,
}

impl From<&Column> for QueryColumn {
    fn from(column: &Column) -> Self {
        Self { name: column.name.clone(), kind: column.kind.clone() }
    }
}

/// The live partitions under one run's prefix.
#[derive(Clone, Debug, Serialize)]
pub struct QueryPart {
    /// The prefix.
    pub prefix: String,
    /// The partitions.
    pub partitions: Vec<QueryPartition>,
}

/// A live partition.
#[derive(Clone, Debug, Serialize)]
pub struct QueryPartition {
    /// Its values by column.
    pub values: PartitionValues,
    /// Where its files are; empty in a table without partitions.
    pub place: String,
}

/// One statement.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Names its result file.
    pub id: String,
    /// Spark SQL, a query.
    pub sql: String,
    /// How many rows at most; one more is returned when there are more.
    pub limit: Option<u64>,
}

/// Runs the statements; returns for each its Arrow IPC file in `output`, or the engine's message.
///
/// # Errors
/// `Machine` when the engine cannot run at all.
pub async fn query(
    environment: &Environment,
    code: &Path,
    request: &QueryRequest,
    output: &Path,
) -> Result<Vec<Result<PathBuf, String>>> {
    let mut body = serde_json::to_value(request).map_err(internal)?;
    body["output"] = output.to_string_lossy().into();
    let file = output.join("request.json");
    fs::write(&file, serde_json::to_vec(&body).map_err(internal)?)?;
    let mut command = process::command(environment, code, "query");
    // What it prints may be more than memory holds.
    let printed = output.join("stderr.log");
    command.arg("--request").arg(&file).stdout(Stdio::null()).stderr(fs::File::create(&printed)?.into_file());
    let mut child = command.spawn()?;
    // Kept open until the child has ended: closing it is how soflow's own end is noticed.
    let stdin = child.stdin.take();
    child.wait().await?;
    drop(stdin);
    let result = |statement: &Statement| {
        let rows = output.join(format!("{}.arrow", statement.id));
        if rows.is_file() { Some(Ok(rows)) } else { error_of(output, &statement.id).map(Err) }
    };
    let results: Option<Vec<_>> = request.statements.iter().map(result).collect();
    if let Some(results) = results {
        return Ok(results);
    }
    let cause = cause::probable(fs::File::open(&printed)?, "stderr", "it printed nothing");
    Err(Error::new(Kind::Machine, "the local engine did not answer the query")
        .detail(cause.excerpt)
        .hint("make the engine environment again: `soflow engine install --force`"))
}

fn error_of(output: &Path, id: &str) -> Option<String> {
    let body = fs::read(output.join(format!("{id}.error.json"))).ok()?;
    let error: serde_json::Value = serde_json::from_slice(&body).ok()?;
    error.get("error")?.as_str().map(str::to_string)
}

fn internal(error: serde_json::Error) -> Error {
    Error::new(Kind::Internal, "the query request cannot be written as JSON").caused_by(error)
}
