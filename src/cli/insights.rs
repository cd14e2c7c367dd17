//! The sentences at the end of a run: the job file's queries, run on what was just published.

use super::app::{App, Project};
use super::query;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::job::Job;
use crate::report::{Insight, rows};
use crate::run::Services;
use crate::target::local::Statement;

/// Most lines an insight may have: the summary is to be read at a glance.
const MOST_LINES: u64 = 3;

/// Returns what the job's insights say now. One that cannot be computed is a warning: the tables are published.
pub async fn tell(
    app: &App,
    project: &Project,
    job: &Job,
    services: &Services,
    sink: &mut dyn Sink,
) -> Result<Vec<Insight>> {
    if job.insights.is_empty() {
        return Ok(Vec::new());
    }
    let statement = |(at, insight): (usize, &crate::job::Insight)| Statement {
        id: format!("insight-{at}"),
        sql: insight.sql.clone(),
        limit: Some(MOST_LINES),
    };
    let statements = job.insights.iter().enumerate().map(statement).collect();
    let output = tempfile::tempdir()?;
    let answers = query::ask(app, project, services, statements, output.path()).await?;
    let mut insights = Vec::new();
    for (insight, answer) in job.insights.iter().zip(answers) {
        match answer {
            Ok(file) => {
                let (_, batches) = rows::read_ipc(&file)?;
                let mut lines = rows::first_column(&batches)?;
                lines.truncate(MOST_LINES as usize);
                insights.push(Insight { title: insight.title.clone(), lines });
            }
            Err(message) => {
                let why = message.lines().next().unwrap_or_default().to_string();
                sink.emit(Event::Warning { text: format!("insight `{}` cannot be computed: {why}", insight.title) });
            }
        }
    }
    Ok(insights)
}
