//! The sentences at the end of a run, which are queries of the job file.

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;

use super::engine::{SqlEngine, words};
use crate::cli::workspace::Workspace;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::job::{Insight, Job};
use crate::report::InsightLines;

/// Most lines an insight may have: the summary is to be read at a glance.
const MOST_LINES: u64 = 3;

/// Returns what the job's insights say now. What cannot be computed is a warning: the tables are published.
pub async fn insights(work: &Workspace<'_>, job: &Job, sink: &mut dyn Sink) -> Vec<InsightLines> {
    asked_insights(work, job, sink).await.unwrap_or_else(|error| {
        let why = error.causes().first().map_or_else(String::new, |cause| format!(": {cause}"));
        sink.emit(Event::Warning { text: format!("the insights cannot be computed: {error}{why}") });
        Vec::new()
    })
}

async fn asked_insights(work: &Workspace<'_>, job: &Job, sink: &mut dyn Sink) -> Result<Vec<InsightLines>> {
    if job.insights.is_empty() {
        return Ok(Vec::new());
    }
    if work.session.is_some() {
        let text = "What the tables say costs a query each here: `soflow query` asks one.".to_string();
        sink.emit(Event::Note { text });
        return Ok(Vec::new());
    }
    let published = work.catalog.index().await?.tables;
    // A run of some steps only may leave tables that an insight asks for unpublished: that is no mistake.
    let is_there = |word: String| !job.tables.contains_key(&word) || published.contains_key(&word);
    let asked: Vec<&Insight> = job.insights.iter().filter(|insight| words(&insight.sql).all(is_there)).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    sink.emit(Event::Note { text: "Asking the tables what they say.".into() });
    let statements: Vec<&str> = asked.iter().map(|insight| insight.sql.as_str()).collect();
    let answers = SqlEngine::of(work)?.answers(&statements, MOST_LINES).await?;
    let mut insights = Vec::new();
    for (insight, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(batches) => {
                let lines = batches.iter().flat_map(first_column).take(MOST_LINES as usize).collect();
                insights.push(InsightLines { title: insight.title.clone(), lines });
            }
            Err(error) => {
                let told = error.detail.unwrap_or(error.message);
                let why = told.lines().next().unwrap_or_default();
                sink.emit(Event::Warning { text: format!("insight `{}` cannot be computed: {why}", insight.title) });
            }
        }
    }
    Ok(insights)
}

fn first_column(batch: &RecordBatch) -> Vec<String> {
    let Some(column) = batch.columns().first() else { return Vec::new() };
    let text = |row| array_value_to_string(column, row).unwrap_or_default();
    (0..batch.num_rows()).filter(|row| column.is_valid(*row)).map(text).collect()
}
