//! One query in Athena: started once, looked at until it ends, its rows paged as far as they are wanted.

use std::time::Duration;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::refusal;
use super::rows::{self, Row};
use crate::aws::{ATHENA, CallError, Session};
use crate::error::{Error, Kind, Result};
use crate::names::{Digest, Uri};

/// First pause between two looks at a query, and the longest: small queries end within a second or two.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Most rows of one GetQueryResults. Source: the service model `athena-2017-05-18`.
const PAGE: u64 = 1000;

/// Athena on the tables of a Glue database.
#[derive(Clone, Debug)]
pub struct Athena {
    session: Session,
    workgroup: String,
    database: String,
    results: Uri,
}

/// The answer to StartQueryExecution, as the service model `athena-2017-05-18` spells it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Started {
    query_execution_id: String,
}

/// The answer to GetQueryExecution.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Looked {
    query_execution: Execution,
}

/// How far a query is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    #[serde(default)]
    statement_type: String,
    status: Status,
    #[serde(default)]
    statistics: Json,
}

/// Its state, and why.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    state: String,
    state_change_reason: Option<String>,
    #[serde(default)]
    athena_error: Json,
}

/// The answer to GetQueryResults.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    result_set: Json,
    next_token: Option<String>,
}

/// What a query answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The rows, as far as they were asked for.
    pub rows: RecordBatch,
    /// What it cost.
    pub cost: Cost,
    /// Its id in Athena.
    pub id: String,
}

impl Athena {
    /// Returns Athena in a workgroup; results go to `<artifacts>/athena/` when the workgroup does not say where.
    pub fn new(session: Session, workgroup: &str, database: &str, artifacts: &Uri) -> Self {
        let (workgroup, database) = (workgroup.into(), database.into());
        Self { session, workgroup, database, results: artifacts.join("athena") }
    }

    /// Runs a statement and returns at most so many of its first rows.
    ///
    /// # Errors
    /// `Usage` when the statement is wrong; `Machine` for permissions, damaged tables and Athena's own failures;
    /// `Interrupted` when `stop` became true: the query is stopped then.
    pub async fn ask(&self, sql: &str, most: Option<u64>, mut stop: watch::Receiver<bool>) -> Result<Answer> {
        let id = self.start(sql).await?;
        let done = tokio::select! {
            ended = self.end_of(&id) => ended?,
            // A sender that is gone will never say stop.
            () = async { if stop.wait_for(|stop| *stop).await.is_err() { std::future::pending().await } } => {
                self.call::<Json>("StopQueryExecution", &id, json!({})).await?;
                let text = "the query was stopped; Athena counts what it had read until then";
                return Err(Error::new(Kind::Interrupted, text));
            }
        };
        let rows = self.rows(&id, most, done.statement_type == "DML").await?;
        let number = |name: &str| done.statistics[name].as_u64().unwrap_or_default();
        let reused = done.statistics["ResultReuseInformation"]["ReusedPreviousResult"] == true;
        let free = done.statement_type == "DDL" || reused;
        let cost = Cost::of(number("DataScannedInBytes"), number("TotalExecutionTimeInMillis"), free);
        Ok(Answer { rows, cost, id })
    }

    async fn call<T: serde::de::DeserializeOwned>(&self, operation: &str, id: &str, mut input: Json) -> Result<T> {
        input["QueryExecutionId"] = id.into();
        Ok(self.session.call(&ATHENA, operation, &input).await?)
    }

    async fn start(&self, sql: &str) -> Result<String> {
        let mut input = json!({
            "QueryString": sql,
            "QueryExecutionContext": { "Database": self.database },
            "WorkGroup": self.workgroup,
        });
        let started = match self.start_with(&mut input).await {
            // Athena has no code of its own for it.
            Err(error)
                if error.code == "InvalidRequestException" && error.message.contains("No output location provided") =>
            {
                input["ResultConfiguration"] = json!({ "OutputLocation": format!("{}/", self.results) });
                self.start_with(&mut input).await
            }
            started => started,
        };
        started.map_err(|error| refusal::not_started(error, &self.workgroup))
    }

    /// A lost answer makes the session ask again; the token makes Athena see that it is the same query.
    async fn start_with(&self, input: &mut Json) -> Result<String, CallError> {
        let now = self.session.clock().now().as_nanosecond();
        let token = Digest::of([input.to_string(), now.to_string(), std::process::id().to_string()]);
        input["ClientRequestToken"] = token.as_str().into();
        let started: Started = self.session.call(&ATHENA, "StartQueryExecution", input).await?;
        Ok(started.query_execution_id)
    }

    async fn end_of(&self, id: &str) -> Result<Execution> {
        let mut pause = FIRST_PAUSE;
        loop {
            let looked: Looked = self.call("GetQueryExecution", id, json!({})).await?;
            let query = looked.query_execution;
            let told = || query.status.state_change_reason.as_deref().unwrap_or_default();
            match query.status.state.as_str() {
                "QUEUED" | "RUNNING" => tokio::time::sleep(pause).await,
                "SUCCEEDED" => return Ok(query),
                "FAILED" => {
                    return Err(refusal::failed(told(), query.status.athena_error["ErrorCategory"].as_i64()));
                }
                // Someone else did, or the workgroup's limit of bytes was reached.
                "CANCELLED" => {
                    return Err(Error::new(Kind::Machine, "the query was cancelled in Athena")
                        .detail(told())
                        .hint(format!("its limits: `aws athena get-work-group --work-group {}`", self.workgroup)));
                }
                other => {
                    return Err(Error::new(
                        Kind::Internal,
                        format!("Athena told an unknown state of a query: `{other}`"),
                    ));
                }
            }
            pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
        }
    }

    /// The first row of a SELECT's result repeats the names of its columns.
    async fn rows(&self, id: &str, most: Option<u64>, named: bool) -> Result<RecordBatch> {
        let most = most.unwrap_or(u64::MAX);
        let mut columns: Option<Vec<(String, String)>> = None;
        let mut found: Vec<Row> = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // One row for the names.
            let left = most.saturating_sub(found.len() as u64).saturating_add(1);
            let mut input = json!({ "MaxResults": left.min(PAGE) });
            if let Some(token) = &next {
                input["NextToken"] = token.as_str().into();
            }
            let page: Page = self.call("GetQueryResults", id, input).await?;
            let cell = |cell: &Json| cell["VarCharValue"].as_str().map(String::from);
            let row = |row: &Json| listed(&row["Data"]).iter().map(cell).collect();
            let mut cells: Vec<Row> = listed(&page.result_set["Rows"]).iter().map(row).collect();
            if columns.is_none() {
                let text = |column: &Json, name: &str| column[name].as_str().unwrap_or_default().to_string();
                let info = listed(&page.result_set["ResultSetMetadata"]["ColumnInfo"]).iter();
                let info: Vec<_> = info.map(|column| (text(column, "Name"), text(column, "Type"))).collect();
                if named
                    && cells.first().is_some_and(|first| first.iter().flatten().eq(info.iter().map(|(name, _)| name)))
                {
                    cells.remove(0);
                }
                columns = Some(info);
            }
            found.extend(cells);
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() || found.len() as u64 >= most {
                found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
                return rows::batch(&columns.unwrap_or_default(), &found);
            }
        }
    }
}

fn listed(list: &Json) -> &[Json] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Dollars for a TiB scanned. Source: aws.amazon.com/athena/pricing, "SQL queries", us-east-1, read 2026-11; a few regions
/// cost more.
const DOLLARS_A_TIB: f64 = 5.0;

/// Bytes are counted in whole MiB. Source: as above.
const UNIT: u64 = 1 << 20;

/// The least that is counted for a query that reads data. Source: as above.
const LEAST: u64 = 10 * UNIT;

/// What a query cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Bytes read from S3.
    pub scanned_bytes: u64,
    /// What Athena asks for them.
    pub dollars: f64,
    /// From the start to the end, waiting in Athena's queue included.
    pub seconds: f64,
}

impl Cost {
    /// Returns the cost of a query; statements about tables, and results taken from an earlier query, are `free`.
    pub fn of(scanned_bytes: u64, milliseconds: u64, free: bool) -> Self {
        let billed = if free { 0 } else { scanned_bytes.div_ceil(UNIT).saturating_mul(UNIT).max(LEAST) };
        let dollars = billed as f64 / (1_u64 << 40) as f64 * DOLLARS_A_TIB;
        Self { scanned_bytes, dollars, seconds: milliseconds as f64 / 1000.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_queries_cost_ten_mebibytes_and_large_ones_whole_mebibytes() {
        let dollars = |bytes| Cost::of(bytes, 0, false).dollars;
        assert_eq!(dollars(1 << 40), 5.0);
        assert_eq!(dollars(0), dollars(10 << 20));
        assert_eq!(dollars((20 << 20) + 1), dollars(21 << 20));
        assert_eq!(Cost::of(1 << 40, 1500, true), Cost { scanned_bytes: 1 << 40, dollars: 0.0, seconds: 1.5 });
    }
}
