//! `soflow query`: SQL on the published tables, with the local engine or with Athena.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::app::App;
use super::args::QueryArgs;
use super::connections::{Connections, RunOptions};
use super::output::stdout;
use super::project::Project;
use crate::catalog::Catalog;
use crate::config::{Emr, TargetKind};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::plan::Version;
use crate::query::{Athena, Cost};
use crate::report::rows::{self, RowFormat};
use crate::report::{OUTPUT_VERSION, bytes, seconds};
use crate::run::Services;
use crate::targets::local::{self, Statement};
use crate::yaml::did_you_mean;

/// Runs one statement and prints its rows.
pub async fn query(app: &App, args: &QueryArgs) -> Result<u8> {
    let project = app.project(None)?;
    if let TargetKind::Emr(emr) = &project.target()?.kind {
        return query_athena(app, args, &project, emr).await;
    }
    let services = app.services(&project, RunOptions::default()).await?;
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
    print(app, args, &QueryRows { schema, batches, more, cost: None })
}

/// Runs one statement in Athena and prints its rows and what they cost.
async fn query_athena(app: &App, args: &QueryArgs, project: &Project, emr: &Emr) -> Result<u8> {
    let Connections { catalog, session, .. } = app.connect(project).await?;
    let session = session.ok_or_else(|| Error::new(Kind::Internal, "an EMR target without a session"))?;
    let athena = Athena::new(session, &emr.workgroup, &emr.database, &project.target()?.lake.artifacts);
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = tell.send(true);
        }
    });
    // Athena reads Glue: a publication that was cut short is shown there first.
    catalog.telling(catalog.settle(), app.sink().as_mut()).await?;
    let answer = match athena.ask(&args.sql, args.limit, stop).await {
        Ok(answer) => answer,
        Err(error) if error.kind == Kind::Usage => return Err(advised(error, catalog.as_ref()).await),
        Err(error) => return Err(error),
    };
    let (schema, batches) = (answer.rows.schema(), vec![answer.rows]);
    print(app, args, &QueryRows { schema, batches, more: answer.more, cost: Some(answer.cost) })
}

/// Rows to be printed.
struct QueryRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Whether there are more of them.
    more: bool,
    /// What they cost, where that is known.
    cost: Option<Cost>,
}

fn print(app: &App, args: &QueryArgs, found: &QueryRows) -> Result<u8> {
    let form = match (app.json, args.csv) {
        (true, _) => RowFormat::Json,
        (_, true) => RowFormat::Csv,
        _ => RowFormat::Table { width: app.width, color: app.colour },
    };
    let mut out = stdout();
    if app.json {
        write!(out, "{{\"v\": {OUTPUT_VERSION}, \"more\": {}, ", found.more)?;
        if let Some(cost) = &found.cost {
            let internal = |error| Error::new(Kind::Internal, "a cost cannot be written as JSON").caused_by(error);
            write!(out, "\"cost\": {}, ", serde_json::to_string(cost).map_err(internal)?)?;
        }
        write!(out, "\"rows\": ")?;
    }
    rows::write(&mut out, &found.schema, &found.batches, form)?;
    if app.json {
        out.write_all(b"}\n")?;
    }
    drop(out);
    let mut sink = app.sink();
    if found.more {
        let text = format!("There are more than {} rows: `--limit 0` prints all.", args.limit);
        sink.emit(Event::Note { text });
    }
    if let Some(cost) = found.cost.filter(|_| !app.json) {
        sink.emit(Event::Note { text: told(&cost) });
    }
    Ok(0)
}

fn told(cost: &Cost) -> String {
    let dollars = if cost.dollars < 0.01 { format!("{:.5}", cost.dollars) } else { format!("{:.2}", cost.dollars) };
    format!("Athena read {} in {}: about ${dollars}.", bytes(cost.scanned_bytes), seconds(cost.seconds))
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
    advised(error, services.catalog.as_ref()).await
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
    let mut tables = serde_json::Map::new();
    for name in index.tables.keys().filter(|name| words.contains(*name)) {
        if let Some(version) = services.catalog.current(&index, name).await? {
            tables.insert(name.clone(), table(project, &version)?);
        }
    }
    let code = &project.resolved.settings.code;
    local::query(&app.engine(project)?, code, (&tables.into(), &statements), output).await
}

/// Returns the words of a statement in lower case: its tables are among them.
pub fn words(sql: &str) -> impl Iterator<Item = String> + '_ {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_lowercase)
}

/// Returns a published table as the launcher takes it: its columns, those of the partitions last, and where the partitions
/// are, by the prefix of the run that wrote them.
fn table(project: &Project, version: &Version) -> Result<Json> {
    let curated = &project.target()?.lake.curated;
    let mut parts: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    for partition in &version.partitions {
        let place = curated.join(&partition.place(&version.partition_by));
        parts.entry(&partition.prefix).or_default().push(json!({ "values": partition.values, "place": place }));
    }
    let part = |(prefix, partitions)| json!({ "prefix": curated.join(prefix), "partitions": partitions });
    let columns = version.schema.iter().map(|column| json!({ "name": column.name, "type": column.kind }));
    let partition_columns = version.partition_by.iter().map(|name| json!({ "name": name, "type": "string" }));
    Ok(json!({
        "partition_by": version.partition_by,
        "schema": columns.chain(partition_columns).collect::<Json>(),
        "parts": parts.into_iter().map(part).collect::<Json>(),
    }))
}
