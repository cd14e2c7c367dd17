//! One query in Athena: started once, looked at until it ends, its rows paged as far as they are wanted.

use std::time::Duration;

use arrow::array::RecordBatch;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::cost::Cost;
use super::refusal;
use super::rows::{self, Row};
use super::shapes::{Execution, Looked, Page, Started, Statistics};
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

/// What a query answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The rows, as far as they were asked for.
    pub rows: RecordBatch,
    /// Whether there are more.
    pub more: bool,
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

    /// Runs a statement and returns its first `limit` rows, or all when that is 0.
    ///
    /// # Errors
    /// `Usage` when the statement is wrong; `Machine` for permissions, damaged tables and Athena's own failures;
    /// `Interrupted` when `stop` became true: the query is stopped then.
    pub async fn ask(&self, sql: &str, limit: u64, mut stop: watch::Receiver<bool>) -> Result<Answer> {
        let id = self.start(sql).await?;
        let done = tokio::select! {
            ended = self.end_of(&id) => ended?,
            // A sender that is gone will never say stop.
            () = async { if stop.wait_for(|stop| *stop).await.is_err() { std::future::pending().await } } => {
                self.call::<IgnoredAny>("StopQueryExecution", &id, json!({})).await?;
                let text = "the query was stopped; Athena counts what it had read until then";
                return Err(Error::new(Kind::Interrupted, text));
            }
        };
        let (rows, more) = self.rows(&id, limit, done.statement_type == "DML").await?;
        let Statistics { data_scanned_in_bytes, total_execution_time_in_millis, result_reuse_information } =
            done.statistics;
        let free = done.statement_type == "DDL" || result_reuse_information.reused_previous_result;
        let cost = Cost::of(data_scanned_in_bytes, total_execution_time_in_millis, free);
        Ok(Answer { rows, more, cost, id })
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
                    let category = query.status.athena_error.as_ref().and_then(|error| error.error_category);
                    return Err(refusal::failed(told(), category));
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
    async fn rows(&self, id: &str, limit: u64, named: bool) -> Result<(RecordBatch, bool)> {
        let wanted = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
        let mut columns: Option<Vec<(String, String)>> = None;
        let mut found: Vec<Row> = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // One row for the names, and one to see whether there are more.
            let most = if limit == 0 { PAGE } else { (limit + 2 - found.len() as u64).min(PAGE) };
            let mut input = json!({ "MaxResults": most });
            if let Some(token) = &next {
                input["NextToken"] = token.as_str().into();
            }
            let page: Page = self.call("GetQueryResults", id, input).await?;
            let mut cells: Vec<Row> = page.result_set.rows.into_iter().map(Row::from).collect();
            if columns.is_none() {
                let info = page.result_set.result_set_metadata.column_info;
                let names: Vec<_> = info.iter().map(|column| Some(column.name.clone())).collect();
                if named && cells.first() == Some(&names) {
                    cells.remove(0);
                }
                columns = Some(info.into_iter().map(|column| (column.name, column.kind)).collect());
            }
            found.extend(cells);
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() || found.len() > wanted {
                let more = found.len() > wanted;
                found.truncate(wanted);
                return Ok((rows::batch(&columns.unwrap_or_default(), &found)?, more));
            }
        }
    }
}
