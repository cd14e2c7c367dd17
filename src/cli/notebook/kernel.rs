//! The kernel of a notebook, which Jupyter has started: a Python process, and us, who know what is published.

use std::ffi::OsString;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::NotebookPlace;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::query::{View, sail};
use crate::targets::local::Question;

/// How often is looked whether Jupyter is still there. A kernel does the same.
const PARENT_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the kernel until Jupyter ends it or is gone.
///
/// # Errors
/// Those of starting Python.
pub async fn run(place: &NotebookPlace<'_>, file: &Path) -> Result<u8> {
    // What ends a cell must not end us.
    let _interrupts = signal(SignalKind::interrupt())?;
    let code = &place.work.project.settings.code;
    let mut arguments: Vec<OsString> = vec!["--engine".into(), place.engine.name().into()];
    arguments.extend(["--code".into(), code.into(), "--connection".into(), file.into()]);
    let answer = async |question| match question {
        Question::Tables => tables(place).await,
        Question::Refused { message, sql } => Err(sail::refused(&message, &sql)),
        _ => Err(Error::new(Kind::Internal, "a kernel asks what only JupyterLab may")),
    };
    let status = place.notebooks.start("kernel", &arguments, &way_to_lake(place)?)?.end(parent_gone(), answer).await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Waits for the end of the process that has started us.
async fn parent_gone() -> Result<()> {
    let parent = parent_id();
    let mut interval = tokio::time::interval(PARENT_INTERVAL);
    while parent_id() == parent {
        interval.tick().await;
    }
    Ok(())
}

/// Returns the tables as published now, each with how it is read, or why it cannot be.
async fn tables(place: &NotebookPlace<'_>) -> Result<Value> {
    let work = &place.work;
    let index = work.catalog.index().await?;
    let mut tables = Map::new();
    for name in index.tables.keys() {
        let Some(version) = work.catalog.current(&index, name).await? else { continue };
        let table = match View::of(&version, &work.lake().curated, place.engine) {
            Ok(view) => json!({ "version": version.run, "rows": version.rows(), "view": view }),
            Err(reason) => json!({ "error": reason }),
        };
        tables.insert(name.clone(), table);
    }
    Ok(json!({ "tables": tables }))
}

/// Returns the variables with which the engine reaches a lake in S3; it finds credentials as AWS's own programs do.
fn way_to_lake(place: &NotebookPlace<'_>) -> Result<Vec<(&'static str, OsString)>> {
    let TargetKind::Emr(emr) = &place.work.project.target.kind else { return Ok(Vec::new()) };
    let mut way = vec![("AWS_REGION", place.work.session()?.region().into())];
    way.extend(emr.profile.iter().map(|profile| ("AWS_PROFILE", profile.into())));
    let endpoint = place.work.app.environment.get("AWS_ENDPOINT_URL");
    way.extend(endpoint.filter(|url| url.starts_with("http://")).map(|_| ("AWS_ALLOW_HTTP", "true".into())));
    Ok(way)
}
