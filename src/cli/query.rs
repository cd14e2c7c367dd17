//! `soflow query`: SQL on the published tables, with the local engine or with Athena; and the sentences at the end of a run,
//! which are queries of the job file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value as Json, json};
use tokio::sync::watch;

use clap::Args;

use super::app::App;
use super::workspace::Workspace;
use crate::catalog::Catalog;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::job::{Insight, Job};
use crate::plan::Version;
use crate::query::{Athena, Cost};
use crate::report::rows::{self, RowFormat};
use crate::report::{InsightLines, OUTPUT_VERSION, bytes, seconds};
use crate::targets::local::Statement;
use crate::yaml::did_you_mean;

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// A Spark SQL query on the published tables
    pub sql: String,
    /// At most so many rows; 0: all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: u64,
    /// Print CSV instead of an aligned table
    #[arg(long, conflicts_with = "output")]
    pub csv: bool,
}

/// Most lines an insight may have: the summary is to be read at a glance.
const MOST_LINES: u64 = 3;

/// Rows to be printed.
struct QueryRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Whether there are more of them.
    more: bool,
    /// What they cost, where that is known.
    cost: Option<Cost>,
}

/// Runs one statement and prints its rows.
pub async fn query(app: &App, args: &QueryArgs) -> Result<u8> {
    let work = app.workspace().await?;
    let found = match &work.project.target.kind {
        TargetKind::Local(_) => query_engine(&work, args).await?,
        TargetKind::Emr(_) => query_athena(&work, args).await?,
    };
    let form = match args.csv {
        _ if app.json => RowFormat::Json,
        true => RowFormat::Csv,
        false => RowFormat::Table(app.layout),
    };
    app.write_out(|out| {
        if app.json {
            let cost = found.cost.map_or(String::new(), |cost| format!("\"cost\": {}, ", json!(cost)));
            write!(out, "{{\"v\": {OUTPUT_VERSION}, \"more\": {}, {cost}\"rows\": ", found.more)?;
        }
        rows::write(out, &found.schema, &found.batches, form)?;
        out.write_all(if app.json { b"}\n" } else { b"" })
    })?;
    if found.more {
        app.tell(Event::Note { text: format!("There are more than {} rows: `--limit 0` prints all.", args.limit) });
    }
    if let Some(cost) = found.cost.filter(|_| !app.json) {
        let (read, took) = (bytes(cost.scanned_bytes), seconds(cost.seconds));
        let digits = if cost.dollars < 0.01 { 5 } else { 2 };
        app.tell(Event::Note { text: format!("Athena read {read} in {took}: about ${:.digits$}.", cost.dollars) });
    }
    Ok(0)
}

async fn query_engine(work: &Workspace<'_>, args: &QueryArgs) -> Result<QueryRows> {
    let statement = Statement { id: "q".into(), sql: args.sql.clone(), limit: (args.limit > 0).then_some(args.limit) };
    work.local_engine()?.prepare(work.app.sink().as_mut())?;
    let output = tempfile::tempdir()?;
    let file = match ask(work, vec![statement], output.path()).await?.pop() {
        Some(Ok(file)) => file,
        Some(Err(message)) => {
            let error = Error::new(Kind::Usage, "the query cannot be run").detail(message.trim().to_string());
            return Err(advised(error, work.catalog.as_ref()).await);
        }
        None => return Err(Error::new(Kind::Internal, "a statement got no answer")),
    };
    let (schema, mut batches) = rows::read_ipc(&file)?;
    // The engine answers with one row more than the limit when there are more.
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let limit = usize::try_from(args.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut left = limit;
    for batch in &mut batches {
        let take = left.min(batch.num_rows());
        *batch = batch.slice(0, take);
        left -= take;
    }
    Ok(QueryRows { schema, batches, more: total > limit, cost: None })
}

async fn query_athena(work: &Workspace<'_>, args: &QueryArgs) -> Result<QueryRows> {
    let (emr, catalog) = (work.project.emr()?, work.catalog.as_ref());
    let athena = Athena::new(work.session()?.clone(), &emr.workgroup, &emr.database, &work.lake().artifacts);
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = tell.send(true);
        }
    });
    // Athena reads Glue: a publication that was cut short is shown there first.
    work.settle().await?;
    match athena.ask(&args.sql, args.limit, stop).await {
        Ok(answer) => {
            let (schema, batches) = (answer.rows.schema(), vec![answer.rows]);
            Ok(QueryRows { schema, batches, more: answer.more, cost: Some(answer.cost) })
        }
        Err(error) if error.kind == Kind::Usage => Err(advised(error, catalog).await),
        Err(error) => Err(error),
    }
}

/// Adds what the engine's words, the error's detail, suggest.
async fn advised(error: Error, catalog: &Catalog) -> Error {
    let message = error.detail.clone().unwrap_or_default();
    let about = message.to_lowercase();
    // Spark and Athena say column, Sail says attribute.
    if about.contains("column") || about.contains("attribute") {
        return error.hint("`soflow tables show TABLE` shows a table's columns");
    }
    match catalog.index().await {
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
async fn ask(work: &Workspace<'_>, statements: Vec<Statement>, output: &Path) -> Result<Vec<Result<PathBuf, String>>> {
    let index = work.catalog.index().await?;
    if index.tables.is_empty() {
        return Err(
            Error::new(Kind::Usage, "nothing is published yet").hint("run a job first: `soflow submit daily --sample`")
        );
    }
    let words: BTreeSet<String> = statements.iter().flat_map(|statement| words(&statement.sql)).collect();
    let mut tables = Map::new();
    for name in index.tables.keys().filter(|name| words.contains(*name)) {
        if let Some(version) = work.catalog.current(&index, name).await? {
            tables.insert(name.clone(), table(work, &version));
        }
    }
    work.local_engine()?.query(&tables.into(), &statements, output).await
}

/// Returns the words of a statement in lower case: its tables are among them.
fn words(sql: &str) -> impl Iterator<Item = String> + '_ {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_lowercase)
}

/// Returns a published table as the launcher takes it: its columns, those of the partitions last, and where the partitions
/// are, by the prefix of the run that wrote them.
fn table(work: &Workspace<'_>, version: &Version) -> Json {
    let curated = &work.lake().curated;
    let mut parts: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for partition in &version.partitions {
        let place = curated.join(&partition.place(&version.partition_by));
        parts.entry(&partition.prefix).or_default().push(json!({ "values": partition.values, "place": place }));
    }
    let part = |(prefix, partitions)| json!({ "prefix": curated.join(prefix), "partitions": partitions });
    let columns = version.schema.iter().map(|column| json!({ "name": column.name, "type": column.kind }));
    let partition_columns = version.partition_by.iter().map(|name| json!({ "name": name, "type": "string" }));
    json!({
        "partition_by": version.partition_by,
        "schema": columns.chain(partition_columns).collect::<Json>(),
        "parts": parts.into_iter().map(part).collect::<Json>(),
    })
}

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
    let statement = |(at, insight): (usize, &&Insight)| Statement {
        id: format!("insight-{at}"),
        sql: insight.sql.clone(),
        limit: Some(MOST_LINES),
    };
    sink.emit(Event::Note { text: "Asking the tables what they say.".into() });
    let output = tempfile::tempdir()?;
    let answers = ask(work, asked.iter().enumerate().map(statement).collect(), output.path()).await?;
    let mut insights = Vec::new();
    for (insight, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(file) => {
                let (_, batches) = rows::read_ipc(&file)?;
                let lines = batches.iter().flat_map(first_column).take(MOST_LINES as usize).collect();
                insights.push(InsightLines { title: insight.title.clone(), lines });
            }
            Err(message) => {
                let why = message.lines().next().unwrap_or_default();
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
