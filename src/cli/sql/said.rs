//! What a job's tables say: the sentences at the end of a run, and the charts of its report. Both are queries of the job file,
//! asked in one go.

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;

use super::engine::{SqlEngine, words};
use crate::cli::workspace::Workspace;
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::job::{Chart, Insight, Job};
use crate::page::{ChartRows, Figure};
use crate::report::InsightLines;

/// Most lines an insight may have: the summary is to be read at a glance.
const MOST_LINES: u64 = 3;

/// Most rows of a chart: what a page can show, and a browser can draw.
const MOST_ROWS: u64 = 1000;

/// What the tables say.
#[derive(Default)]
pub struct TablesSay {
    /// The insights that could be computed.
    pub insights: Vec<InsightLines>,
    /// The charts, also those that could not be.
    pub figures: Vec<Figure>,
}

/// Returns what the tables say now: the job's insights, and these of its charts. What cannot be computed is a warning: the
/// tables are published.
pub async fn said(work: &Workspace<'_>, job: &Job, charts: &[Chart], sink: &mut dyn Sink) -> TablesSay {
    asked(work, job, charts, sink).await.unwrap_or_else(|error| {
        let why = error.causes().first().map_or_else(String::new, |cause| format!(": {cause}"));
        sink.emit(Event::Warning { text: format!("what the tables say cannot be computed: {error}{why}") });
        TablesSay::default()
    })
}

async fn asked(work: &Workspace<'_>, job: &Job, charts: &[Chart], sink: &mut dyn Sink) -> Result<TablesSay> {
    if work.session.is_some() && charts.is_empty() && !job.insights.is_empty() {
        let text = "What the tables say costs a query each here: `soflow report` asks, `soflow query` asks one.".into();
        sink.emit(Event::Note { text });
    }
    // Athena's SQL is not Spark's: a chart is written in what both understand, an insight in Spark's.
    let insights = if work.session.is_none() { job.insights.as_slice() } else { &[] };
    if insights.is_empty() && charts.is_empty() {
        return Ok(TablesSay::default());
    }
    let published = work.catalog.index().await?.tables;
    // A run of some steps only may leave tables that a query asks for unpublished: that is no mistake.
    let is_there = |sql: &str| words(sql).all(|word| !job.tables.contains_key(&word) || published.contains_key(&word));
    let insights: Vec<&Insight> = insights.iter().filter(|insight| is_there(&insight.sql)).collect();
    let charts: Vec<&Chart> = charts.iter().filter(|chart| is_there(&chart.sql)).collect();
    if insights.is_empty() && charts.is_empty() {
        return Ok(TablesSay::default());
    }
    sink.emit(Event::Note { text: "Asking the tables what they say.".into() });
    let statements = insights.iter().map(|insight| (insight.sql.as_str(), MOST_LINES));
    // One row more tells whether there are more.
    let statements = statements.chain(charts.iter().map(|chart| (chart.sql.as_str(), MOST_ROWS + 1)));
    let mut answers = SqlEngine::of(work)?.answers(&statements.collect::<Vec<_>>()).await?.into_iter();
    let mut said = TablesSay::default();
    for (insight, answer) in insights.into_iter().zip(answers.by_ref()) {
        match answer {
            Ok(batches) => {
                let lines = batches.iter().flat_map(first_column).take(MOST_LINES as usize).collect();
                said.insights.push(InsightLines { title: insight.title.clone(), lines });
            }
            Err(error) => sink.emit(refused("insight", &insight.title, error).1),
        }
    }
    for (chart, answer) in charts.into_iter().zip(answers) {
        said.figures.push(match answer {
            Ok(batches) => Figure::new(chart, &ChartRows::read(&batches, MOST_ROWS as usize)),
            Err(error) => {
                let (why, warning) = refused("chart", &chart.title, error);
                sink.emit(warning);
                Figure::missing(chart, why)
            }
        });
    }
    Ok(said)
}

/// Returns why a query was refused, in one line, and the warning about it.
fn refused(what: &str, title: &str, error: Error) -> (String, Event) {
    let told = error.detail.unwrap_or(error.message);
    let why = told.lines().next().unwrap_or_default().to_string();
    let text = format!("{what} `{title}` cannot be computed: {why}");
    (why, Event::Warning { text })
}

fn first_column(batch: &RecordBatch) -> Vec<String> {
    let Some(column) = batch.columns().first() else { return Vec::new() };
    let text = |row| array_value_to_string(column, row).unwrap_or_default();
    (0..batch.num_rows()).filter(|row| column.is_valid(*row)).map(text).collect()
}
