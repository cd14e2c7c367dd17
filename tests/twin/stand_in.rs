//! In place of the engine: a small file for each table that a task names, and nothing else. A run of the real engine takes
//! seconds; what is tested with this is what happens around it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use fs_err as fs;
use futures_util::future::BoxFuture;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::exec::Printed;
use super::forward::path_of;
use super::server::Shared;
use super::submission::Submission;

/// What a step does before it writes.
pub type Before = for<'a> fn(&'a Work<'a>) -> BoxFuture<'a, ()>;

/// A step at work.
pub struct Work<'a> {
    shared: &'a Shared,
    printed: &'a Printed,
    /// Where its task is.
    pub task: &'a str,
}

impl Work<'_> {
    /// Returns the name of the step.
    pub fn step(&self) -> &str {
        let (_, file) = self.task.rsplit_once('/').unwrap();
        file.trim_end_matches(".json")
    }

    /// Prints a line to `stdout` or `stderr`.
    pub async fn print(&self, name: &str, line: String) {
        self.printed.line(name, line).await;
    }

    /// Returns an object, if it is there.
    pub async fn get(&self, uri: &str) -> Option<Vec<u8>> {
        let (status, body) = self.shared.nodes.s3("GET", &path_of(uri), Vec::new()).await;
        (status == 200).then_some(body)
    }

    /// Writes a file, which must be new.
    async fn write(&self, uri: &str) -> Result<(), String> {
        if self.get(uri).await.is_some() {
            return Err(format!("AnalysisException: [PATH_ALREADY_EXISTS] {uri} already exists"));
        }
        let (status, _) = self.shared.nodes.s3("PUT", &path_of(uri), parquet()).await;
        if status == 200 { Ok(()) } else { Err(format!("HTTP {status}: {uri} cannot be written")) }
    }
}

/// Does what a task says. A script may name partitions of its tables: `# partitions: a b`.
///
/// # Errors
/// What the driver would print.
pub async fn run(
    shared: &Shared,
    before: Option<Before>,
    script: &Path,
    submission: &Submission,
    printed: &Printed,
) -> Result<(), String> {
    let [option, task, ..] = &submission.arguments[..] else { return Err("a script has no arguments".into()) };
    assert_eq!(option, "--task");
    let work = Work { shared, printed, task };
    if let Some(before) = before {
        before(&work).await;
    }
    let missing = |uri: &str| format!("HTTP 404: {uri} is not there");
    let task: Value = serde_json::from_slice(&work.get(task).await.ok_or_else(|| missing(task))?).unwrap();
    for input in task["inputs"].as_object().unwrap().values() {
        if let Some(upstream) = input["upstream"].as_str() {
            let file = format!("{upstream}/part-0.parquet");
            work.get(&file).await.ok_or_else(|| missing(&file))?;
        }
    }
    let script = fs::read_to_string(script).map_err(|error| error.to_string())?;
    let parts: Vec<String> = match script.split_once("partitions:").and_then(|(_, named)| named.lines().next()) {
        Some(named) => named.split_whitespace().map(|value| format!("part={value}/")).collect(),
        None => vec![String::new()],
    };
    for output in task["outputs"].as_object().unwrap().values() {
        let prefix = output["prefix"].as_str().unwrap();
        for part in &parts {
            work.write(&format!("{prefix}/{part}part-0.parquet")).await?;
        }
    }
    Ok(())
}

/// Returns a Parquet file of three rows.
fn parquet() -> Vec<u8> {
    let ids = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("id", ids as _)]).unwrap();
    let mut body = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut body, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    body
}
