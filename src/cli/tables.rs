//! `soflow tables`: what readers see; `soflow rollback`: an earlier version of a table, at once and without writing any data;
//! `soflow gc`: removes what neither readers nor later runs need.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::app::App;
use super::args::TablesCommand;
use super::workspace::Workspace;
use crate::catalog::{Index, Restored, TableHistory};
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, run_of_folder};
use crate::plan::Version;
use crate::report::{Layout, TextCell, ago, bytes, count, paint, plural};
use crate::run::{self, Collection, Garbage};
use crate::yaml::did_you_mean;

/// Partitions shown before the rest is only counted.
const FEW_PARTITIONS: usize = 12;

/// Most names of garbage that are printed.
const FEW_NAMES: usize = 20;

/// Lists tables, shows one, or mends the catalog.
pub async fn tables(app: &App, command: Option<&TablesCommand>) -> Result<u8> {
    let work = app.workspace().await?;
    match command {
        None => list(&work).await,
        Some(TablesCommand::Show { table, partitions }) => show(&work, table, *partitions).await,
        Some(TablesCommand::Paths { table }) => paths(&work, table).await,
        Some(TablesCommand::Repair { dry_run }) => {
            let artifacts = &work.lake().artifacts;
            let _lock = work.guard("tables repair")?;
            let restored = run::repair(work.store.as_ref(), work.catalog.as_ref(), artifacts, !dry_run).await?;
            let document = json!({ "dry_run": dry_run, "repaired": restored });
            app.answer(&document, |_| repaired(&restored, *dry_run))
        }
    }
}

fn repaired(restored: &Restored, dry_run: bool) -> String {
    if restored.is_nothing() {
        return "Nothing to repair: the catalog names all that was published.\n".into();
    }
    let mut text = String::new();
    if restored.lost {
        let now = "readers see the latest version of each table, also after a rollback";
        text.push_str(&format!("The catalog could not be read: {now}.\n"));
    }
    text.push_str(if dry_run { "Would repair:\n" } else { "Repaired:\n" });
    for (verb, versions) in [("added", &restored.added), ("took away, since it cannot be read,", &restored.dropped)] {
        text.extend(versions.iter().map(|(table, run)| format!("  {verb} version {run} of {table}\n")));
    }
    for table in &restored.unreadable {
        text.push_str(&format!("  nothing can be read about {table}: `soflow submit` makes it again\n"));
    }
    text + "\n  soflow tables\n"
}

/// Returns a table's entry in the catalog.
///
/// # Errors
/// `Usage` when there is no such table, with the closest name.
fn entry_of<'a>(index: &'a Index, table: &str) -> Result<&'a TableHistory> {
    index.tables.get(table).ok_or_else(|| {
        let error = Error::new(Kind::Usage, format!("there is no published table `{table}`"));
        let close = did_you_mean(table, index.tables.keys().map(String::as_str));
        close.into_iter().fold(error, Error::hint).hint("`soflow tables` lists the tables")
    })
}

/// Lists the tables.
///
/// # Errors
/// Those of the catalog.
pub async fn list(work: &Workspace<'_>) -> Result<u8> {
    let index = work.catalog.index().await?;
    // Files about versions of tables may be there without the catalog that names them.
    let lost = index.tables.is_empty() && !work.app.json && !work.catalog.version_files().await?.is_empty();
    work.app.answer(&json!({ "tables": index.tables }), |layout| {
        if lost {
            return "The catalog has no tables, but there are files about versions of some.\n\n  soflow tables repair\n"
                .into();
        }
        if index.tables.is_empty() {
            return "No tables are published yet: `soflow submit daily --sample` makes some.\n".into();
        }
        let now = Timestamp::now();
        let rows = index.tables.iter().filter_map(|(name, entry)| {
            let current = entry.history.iter().find(|known| known.run == entry.current)?;
            Some([
                TextCell::from(name.as_str()).styled(layout.style.strong),
                TextCell::number(count(current.rows)),
                TextCell::number(bytes(current.bytes)),
                current.run.to_string().into(),
                ago(current.at, now).into(),
                TextCell::number(count(entry.history.len() as u64)),
            ])
        });
        layout.table(["table", "rows", "size", "run", "published", "versions"], rows)
    })
}

/// Shows a table's columns.
///
/// # Errors
/// Those of the catalog; `Usage` when there is no such table.
pub async fn describe(work: &Workspace<'_>, table: &str) -> Result<u8> {
    let version = current(work, &work.catalog.index().await?, table).await?;
    work.app.answer(&json!({ "table": version }), |layout| columns(&version, layout))
}

async fn current(work: &Workspace<'_>, index: &Index, table: &str) -> Result<Version> {
    let entry = entry_of(index, table)?;
    work.catalog.current(index, table).await?.ok_or_else(|| {
        Error::new(Kind::Machine, format!("the catalog's file about `{table}` of `{}` is gone", entry.current))
            .hint(format!("go back to another version: `soflow rollback {table}`"))
    })
}

async fn show(work: &Workspace<'_>, table: &str, all: bool) -> Result<u8> {
    let index = work.catalog.index().await?;
    let entry = entry_of(&index, table)?;
    let version = current(work, &index, table).await?;
    let (rows, size) = (version.rows(), version.bytes());
    let document = json!({ "table": version, "rows": rows, "bytes": size, "history": entry.history });
    work.app.answer(&document, |layout| {
        let name = paint(layout.style.strong, &version.table);
        let parts = plural(version.partitions.len() as u64, "partition");
        let (rows, size, run) = (count(rows), bytes(size), &version.run);
        let heading = format!("{name}: {rows} rows, {size} in {parts}, published by {run}\n");
        let (columns, partitions) = (columns(&version, layout), partitions(&version, all, layout));
        format!("{heading}\n{columns}\n{partitions}\n{}", history(entry, layout))
    })
}

/// Prints the files of the version that readers see. Those of this machine are paths, for tools that take no URIs.
async fn paths(work: &Workspace<'_>, table: &str) -> Result<u8> {
    let version = current(work, &work.catalog.index().await?, table).await?;
    let (mut files, mut lines) = (Vec::new(), String::new());
    for partition in &version.partitions {
        let place = work.lake().curated.join(&partition.place(&version.partition_by));
        for object in work.store.list(&place).await? {
            let path = object.uri.to_path().map_or_else(|| object.uri.to_string(), |path| path.display().to_string());
            lines.push_str(&format!("{path}\n"));
            files.push(json!({ "uri": object.uri, "bytes": object.bytes, "partition": partition.values }));
        }
    }
    work.app.answer(&json!({ "table": version.table, "run": version.run, "files": files }), |_| lines)
}

fn columns(version: &Version, layout: &Layout) -> String {
    let columns =
        version.schema.iter().map(|column| [column.name.as_str().into(), column.kind.as_str().into(), "".into()]);
    let mark = TextCell::from("partition").styled(layout.style.dim);
    let partitions = version.partition_by.iter().map(|name| [name.as_str().into(), "string".into(), mark.clone()]);
    layout.table(["column", "type", ""], columns.chain(partitions))
}

fn partitions(version: &Version, all: bool, layout: &Layout) -> String {
    let hidden = if all { 0 } else { version.partitions.len().saturating_sub(FEW_PARTITIONS) };
    // The latest periods are what people look for.
    let rows = version.partitions.iter().skip(hidden).map(|partition| {
        let values: Vec<String> = partition.values.iter().map(|(column, value)| format!("{column}={value}")).collect();
        let run = partition.prefix.rsplit('/').next().and_then(run_of_folder);
        let (rows, size) = (TextCell::number(count(partition.rows)), TextCell::number(bytes(partition.bytes)));
        [values.join("/").into(), rows, size, run.map_or_else(String::new, |run| run.to_string()).into()]
    });
    let mut shown = layout.table(["partition", "rows", "size", "written by"], rows);
    if hidden > 0 {
        let (hidden, name) = (count(hidden as u64), &version.table);
        shown.push_str(&format!("and {hidden} before: `soflow tables show {name} --partitions`\n"));
    }
    shown
}

fn history(entry: &TableHistory, layout: &Layout) -> String {
    let rows = entry.history.iter().rev().map(|known| {
        let mark = if known.run == entry.current { "current" } else { "" };
        [
            known.run.to_string().into(),
            TextCell::number(count(known.rows)),
            TextCell::number(bytes(known.bytes)),
            format!("{:.0}", known.at).into(),
            TextCell::from(mark).styled(layout.style.good),
        ]
    });
    layout.table(["version", "rows", "size", "published", ""], rows)
}

/// Points a table at an earlier version.
pub async fn rollback(app: &App, table: &str, to: Option<&str>) -> Result<u8> {
    let work = app.workspace().await?;
    let _lock = work.guard(&format!("rollback of {table}"))?;
    let index = work.catalog.index().await?;
    let entry = entry_of(&index, table)?;
    let from = &entry.current;
    let to: RunId = match (to, entry.before()) {
        (Some(run), _) => run.parse()?,
        (None, Some(before)) => before.run.clone(),
        (None, None) => {
            return Err(Error::new(Kind::Usage, format!("table `{table}` has no version before `{from}`"))
                .hint(format!("`soflow tables show {table}` lists its versions")));
        }
    };
    let wanted = BTreeMap::from([(table.to_string(), to.clone())]);
    if let Some(error) = work.catalog.telling(work.catalog.point(&index, &wanted), app.sink().as_mut()).await? {
        let message = format!("`{table}` is at version {to} in the lake, and Glue does not show it yet");
        return Err(Error::new(error.kind, message)
            .caused_by(error)
            .hint(format!("when that is mended, the same again shows it: `soflow rollback {table} --to {to}`")));
    }
    app.answer(&json!({ "table": table, "from": from, "to": to }), |_| match *from == to {
        true => format!("`{table}` is at version {to} already.\n"),
        false => format!(
            "Readers of `{table}` now see version {to} instead of {from}.\n  soflow rollback {table} --to {from}   takes this back\n"
        ),
    })
}

/// Removes garbage, or shows it.
pub async fn gc(app: &App, dry_run: bool) -> Result<u8> {
    let work = app.workspace().await?;
    let (lake, store, catalog) = (work.lake(), work.store.as_ref(), work.catalog.as_ref());
    // Also for looking: a run that is on its way has files that nothing refers to yet.
    let _lock = work.guard("gc")?;
    if !dry_run {
        // Nobody may point at files that are about to go.
        work.settle().await?;
    }
    let keep = SignedDuration::from_secs(work.project.settings.keep_seconds);
    let garbage = Collection { lake, store, catalog, now: store.now(), keep, dry_run }.collect().await?;
    app.answer(&json!({ "removed": !dry_run, "garbage": garbage }), |_| collected(&garbage, dry_run))
}

fn collected(garbage: &Garbage, dry_run: bool) -> String {
    let (versions, files) = (garbage.versions.len(), garbage.files.len() + garbage.leftovers.len());
    let mut text = "Nothing to remove.\n".to_string();
    if versions + files > 0 {
        let verb = if dry_run { "Would remove" } else { "Removed" };
        let (versions, files) = (plural(versions as u64, "version"), plural(files as u64, "file"));
        let about = garbage.versions.iter().map(|(table, run)| format!("version {run} of {table}"));
        let named = about.chain(garbage.files.iter().chain(&garbage.leftovers).map(ToString::to_string));
        text = format!("{verb} {versions} and {files}, {}:\n{}", bytes(garbage.bytes), few(named));
    }
    if !garbage.going_on.is_empty() {
        let runs = few(garbage.going_on.iter().map(ToString::to_string));
        text.push_str(&format!("\nKept all that runs which go on refer to:\n{runs}"));
    }
    if !garbage.unknown.is_empty() {
        let what = plural(garbage.unknown.len() as u64, "file");
        let named = few(garbage.unknown.iter().map(ToString::to_string));
        text.push_str(&format!("\nLeft {what} alone that no run of soflow wrote:\n{named}"));
    }
    text
}

/// Returns a line for each of the first few, and how many more there are.
fn few(names: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = names.map(|name| format!("  {name}\n")).collect();
    let rest = lines.len().saturating_sub(FEW_NAMES);
    lines.truncate(FEW_NAMES);
    if rest > 0 {
        lines.push(format!("  and {rest} more\n"));
    }
    lines.concat()
}
