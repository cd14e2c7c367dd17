//! `soflow query`: SQL on the published tables with the local engine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::app::{App, Project};
use super::args::QueryArgs;
use crate::error::{Error, Kind, Result};
use crate::names::PartitionValues;
use crate::plan::Version;
use crate::report::OUTPUT_VERSION;
use crate::report::rows::{self, Form};
use crate::run::Services;
use crate::target::local::{self, QueryColumn, QueryPart, QueryRequest, QueryTable, Statement};
use crate::yaml::did_you_mean;

/// Runs one statement and prints its rows.
pub async fn query(app: &App, args: &QueryArgs) -> Result<u8> {
    let project = app.project(None)?;
    let services = app.services(&project)?;
    let statement = Statement { id: "q".into(), sql: args.sql.clone(), limit: (args.limit > 0).then_some(args.limit) };
    let mut sink = app.sink();
    services.target.prepare(sink.as_mut()).await?;
    drop(sink);
    let output = tempfile::tempdir()?;
    let mut answers = ask(app, &project, &services, vec![statement], output.path()).await?;
    let file = match answers.pop() {
        Some(Ok(file)) => file,
        Some(Err(message)) => return Err(refused(&message, &services).await),
        None => return Err(Error::new(Kind::Internal, "a statement got no answer")),
    };
    let (schema, batches) = rows::read_ipc(&file)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let (batches, more) = if args.limit == 0 { (batches, false) } else { first(batches, limit) };
    let form = match (app.json, args.csv) {
        (true, _) => Form::Json,
        (_, true) => Form::Csv,
        _ => Form::Table { width: app.width, color: app.colour },
    };
    let mut out = std::io::stdout().lock();
    if app.json {
        write!(out, "{{\"v\": {OUTPUT_VERSION}, \"more\": {more}, \"rows\": ")?;
    }
    rows::write(&mut out, &schema, &batches, form)?;
    if app.json {
        out.write_all(b"}\n")?;
    }
    drop(out);
    if more {
        let mut sink = app.sink();
        let text = format!("There are more than {} rows: `--limit 0` prints all.", args.limit);
        sink.emit(crate::event::Event::Note { text });
    }
    Ok(0)
}

/// Cuts batches to so many rows; returns whether there were more.
fn first(batches: Vec<RecordBatch>, limit: usize) -> (Vec<RecordBatch>, bool) {
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut left = limit;
    let mut kept = Vec::new();
    for batch in batches {
        let take = left.min(batch.num_rows());
        kept.push(batch.slice(0, take));
        left -= take;
    }
    (kept, total > limit)
}

async fn refused(message: &str, services: &Services) -> Error {
    let error = Error::new(Kind::Usage, "the query cannot be run").detail(message.trim().to_string());
    let about = message.to_lowercase();
    // Spark says column, Sail says attribute.
    if about.contains("column") || about.contains("attribute") {
        return error.hint("`soflow tables show TABLE` shows a table's columns");
    }
    match services.catalog.index().await {
        Ok(index) if about.contains("table") => {
            let tables: Vec<&str> = index.tables.keys().map(String::as_str).collect();
            let words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let close =
                words.filter(|word| !tables.contains(word)).find_map(|word| did_you_mean(word, tables.iter().copied()));
            let error = close.into_iter().fold(error, Error::hint);
            error.hint(format!("the tables are: {}", tables.join(", ")))
        }
        _ => error,
    }
}

/// Runs statements on the published tables they name.
pub async fn ask(
    app: &App,
    project: &Project,
    services: &Services,
    statements: Vec<Statement>,
    output: &Path,
) -> Result<Vec<Result<PathBuf, String>>> {
    let index = services.catalog.index().await?;
    if index.tables.is_empty() {
        return Err(
            Error::new(Kind::Usage, "nothing is published yet").hint("run a job first: `soflow submit daily --sample`")
        );
    }
    let words: BTreeSet<String> = statements.iter().flat_map(|statement| words(&statement.sql)).collect();
    let mut tables = BTreeMap::new();
    for (name, entry) in index.tables.iter().filter(|(name, _)| words.contains(*name)) {
        if let Some(version) = services.catalog.version(name, &entry.current).await? {
            tables.insert(name.clone(), table(project, &version)?);
        }
    }
    let request = QueryRequest { tables, statements };
    local::query(&app.engine(project)?, &project.resolved.settings.code, &request, output).await
}

/// Returns the words of a statement in lower case: its tables are among them.
pub fn words(sql: &str) -> impl Iterator<Item = String> + '_ {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_lowercase)
}

fn table(project: &Project, version: &Version) -> Result<QueryTable> {
    let curated = &project.target()?.lake.curated;
    let mut parts: BTreeMap<&str, Vec<PartitionValues>> = BTreeMap::new();
    for partition in &version.partitions {
        parts.entry(&partition.prefix).or_default().push(partition.values.clone());
    }
    let part =
        |(prefix, partitions): (&str, Vec<_>)| QueryPart { prefix: curated.join(prefix).to_string(), partitions };
    let partition_columns =
        version.partition_by.iter().map(|name| QueryColumn { name: name.clone(), kind: "string".into() });
    Ok(QueryTable {
        partition_by: version.partition_by.clone(),
        schema: version.schema.iter().map(QueryColumn::from).chain(partition_columns).collect(),
        parts: parts.into_iter().map(part).collect(),
    })
}
