//! The sentences at the end of a run: the job file's queries, run on what was just published.

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;

use super::app::App;
use super::project::Project;
use super::query;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::job::Job;
use crate::report::{InsightLines, rows};
use crate::run::Services;
use crate::targets::local::Statement;

/// Most lines an insight may have: the summary is to be read at a glance.
const MOST_LINES: u64 = 3;

/// Returns what the job's insights say now. What cannot be computed is a warning: the tables are published.
pub async fn tell(
    app: &App,
    project: &Project,
    job: &Job,
    services: &Services,
    sink: &mut dyn Sink,
) -> Vec<InsightLines> {
    answers(app, project, job, services, sink).await.unwrap_or_else(|error| {
        let why = error.causes().first().map_or_else(String::new, |cause| format!(": {cause}"));
        sink.emit(Event::Warning { text: format!("the insights cannot be computed: {error}{why}") });
        Vec::new()
    })
}

async fn answers(
    app: &App,
    project: &Project,
    job: &Job,
    services: &Services,
    sink: &mut dyn Sink,
) -> Result<Vec<InsightLines>> {
    if job.insights.is_empty() {
        return Ok(Vec::new());
    }
    if project.local().is_err() {
        let text = "What the tables say costs a query each here: `soflow query` asks one.".to_string();
        sink.emit(Event::Note { text });
        return Ok(Vec::new());
    }
    let published = services.catalog.index().await?.tables;
    // A run of some steps only may leave tables that an insight asks for unpublished: that is no mistake.
    let is_there = |word: &String| !job.tables.contains_key(word) || published.contains_key(word);
    let asked: Vec<_> =
        job.insights.iter().filter(|insight| query::words(&insight.sql).all(|word| is_there(&word))).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let statement = |(at, insight): (usize, &&crate::job::Insight)| Statement {
        id: format!("insight-{at}"),
        sql: insight.sql.clone(),
        limit: Some(MOST_LINES),
    };
    let statements = asked.iter().enumerate().map(statement).collect();
    sink.emit(Event::Note { text: "Asking the tables what they say.".into() });
    let output = tempfile::tempdir()?;
    let answers = query::ask(app, project, services, statements, output.path()).await?;
    let mut insights = Vec::new();
    for (insight, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(file) => {
                let (_, batches) = rows::read_ipc(&file)?;
                let texts = batches.iter().flat_map(first_column);
                let lines = texts.take(MOST_LINES as usize).collect();
                insights.push(InsightLines { title: insight.title.clone(), lines });
            }
            Err(message) => {
                let why = message.lines().next().unwrap_or_default().to_string();
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
