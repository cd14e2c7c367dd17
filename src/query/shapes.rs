//! Answers of Athena as its API spells them. Source: the service model `athena-2017-05-18`.

use serde::Deserialize;

use super::rows::Row;

/// The answer to StartQueryExecution.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Started {
    pub query_execution_id: String,
}

/// The answer to GetQueryExecution.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Looked {
    pub query_execution: Execution,
}

/// How far a query is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Execution {
    #[serde(default)]
    pub statement_type: String,
    pub status: Status,
    #[serde(default)]
    pub statistics: Statistics,
}

/// Its state, and why.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Status {
    pub state: String,
    pub state_change_reason: Option<String>,
    pub athena_error: Option<AthenaError>,
}

/// Whose fault a failure is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AthenaError {
    pub error_category: Option<i64>,
}

/// What it read, and how long it took.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Statistics {
    pub data_scanned_in_bytes: u64,
    pub total_execution_time_in_millis: u64,
    pub result_reuse_information: Reuse,
}

/// Whether an earlier query had the same result.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reuse {
    pub reused_previous_result: bool,
}

/// The answer to GetQueryResults.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Page {
    pub result_set: ResultSet,
    pub next_token: Option<String>,
}

/// Some of its rows.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResultSet {
    pub rows: Vec<Cells>,
    pub result_set_metadata: Metadata,
}

/// Its columns.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metadata {
    pub column_info: Vec<ColumnInfo>,
}

/// A column.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ColumnInfo {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: String,
}

/// A row.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cells {
    pub data: Vec<Cell>,
}

/// A value; nothing for null.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cell {
    pub var_char_value: Option<String>,
}

impl From<Cells> for Row {
    fn from(cells: Cells) -> Self {
        cells.data.into_iter().map(|cell| cell.var_char_value).collect()
    }
}
