//! `soflow tables`: what readers see.

use jiff::Timestamp;
use serde_json::json;

use super::app::{App, Project};
use super::args::{TablesArgs, TablesCommand};
use super::ground::Ground;
use crate::catalog::{Catalog, Index, TableHistory};
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::plan::Version;
use crate::report::{Align, Cell, Style, Table, ago, bytes, count, paint, plural};
use crate::run::{self, LakeLock};
use crate::yaml::did_you_mean;

/// Partitions shown before the rest is only counted.
const FEW_PARTITIONS: usize = 12;

/// Lists tables or shows one.
pub async fn tables(app: &App, args: &TablesArgs) -> Result<u8> {
    let project = app.project(None)?;
    if let Some(TablesCommand::Repair { dry_run }) = &args.command {
        return repair(app, &project, *dry_run).await;
    }
    let Ground { catalog, .. } = app.ground(&project).await?;
    let index = catalog.index().await?;
    match &args.command {
        Some(TablesCommand::Show { table, partitions }) => {
            let entry = entry_of(&index, table)?;
            let version = version_of(catalog.as_ref(), &index, table, entry).await?;
            if app.json {
                app.print_json(&json!({ "table": version, "rows": version.rows(), "bytes": version.bytes(), "history": entry.history }))?;
            } else {
                app.print(&show(&version, entry, *partitions, &app.out_style, app.width))?;
            }
        }
        None if app.json => app.print_json(&json!({ "tables": index.tables }))?,
        _ if index.tables.is_empty() && !catalog.version_files().await?.is_empty() => {
            app.print(
                "The catalog has no tables, but there are files about versions of some.\n\n  soflow tables repair\n",
            )?;
        }
        _ if index.tables.is_empty() => {
            app.print("No tables are published yet: `soflow submit daily --sample` makes some.\n")?;
        }
        _ => app.print(&list(&index, &app.out_style, app.width))?,
    }
    Ok(0)
}

/// Makes the catalog whole, or shows what it lacks.
async fn repair(app: &App, project: &Project, dry_run: bool) -> Result<u8> {
    let artifacts = &project.target()?.lake.artifacts;
    let _lock = LakeLock::guard(artifacts, "tables repair", Timestamp::now())?;
    let Ground { store, catalog, .. } = app.ground(project).await?;
    let restored = run::repair(store.as_ref(), catalog.as_ref(), artifacts, !dry_run).await?;
    if app.json {
        return app.print_json(&json!({ "dry_run": dry_run, "repaired": restored })).map(|()| 0);
    }
    if restored.is_nothing() {
        return app.print("Nothing to repair: the catalog names all that was published.\n").map(|()| 0);
    }
    let version = |verb: &str, (table, run): &(String, RunId)| format!("  {verb} version {run} of {table}\n");
    let mut text = String::new();
    if restored.lost {
        text.push_str(
            "The catalog could not be read: readers see the latest version of each table, also after a rollback.\n",
        );
    }
    text.push_str(if dry_run { "Would repair:\n" } else { "Repaired:\n" });
    text.extend(restored.added.iter().map(|added| version("added", added)));
    text.extend(restored.dropped.iter().map(|dropped| version("took away, since it cannot be read,", dropped)));
    text.extend(
        restored
            .unreadable
            .iter()
            .map(|table| format!("  nothing can be read about {table}: `soflow submit` makes it again\n")),
    );
    text.push_str("\n  soflow tables\n");
    app.print(&text).map(|()| 0)
}

/// Returns a table's entry in the catalog.
///
/// # Errors
/// `Usage` when there is no such table, with the closest name.
pub fn entry_of<'a>(index: &'a Index, table: &str) -> Result<&'a TableHistory> {
    index.tables.get(table).ok_or_else(|| {
        let mut error = Error::new(Kind::Usage, format!("there is no published table `{table}`"));
        if let Some(close) = did_you_mean(table, index.tables.keys().map(String::as_str)) {
            error = error.hint(close);
        }
        error.hint("`soflow tables` lists the tables")
    })
}

async fn version_of(catalog: &dyn Catalog, index: &Index, table: &str, entry: &TableHistory) -> Result<Version> {
    catalog.current(index, table).await?.ok_or_else(|| {
        Error::new(Kind::Machine, format!("the catalog's file about `{table}` of `{}` is gone", entry.current))
            .hint(format!("go back to another version: `soflow rollback {table}`"))
    })
}

fn list(index: &Index, style: &Style, width: Option<usize>) -> String {
    let mut table = Table::new([
        ("table", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("run", Align::Left),
        ("published", Align::Left),
        ("versions", Align::Right),
    ]);
    let now = Timestamp::now();
    for (name, entry) in &index.tables {
        let Some(current) = entry.history.iter().find(|known| known.run == entry.current) else { continue };
        table.row([
            Cell::from(name.clone()).styled(style.strong),
            Cell::from(count(current.rows)),
            Cell::from(bytes(current.bytes)),
            Cell::from(current.run.to_string()),
            Cell::from(ago(current.at, now)),
            Cell::from(count(entry.history.len() as u64)),
        ]);
    }
    table.render(style, width)
}

fn show(version: &Version, entry: &TableHistory, all: bool, style: &Style, width: Option<usize>) -> String {
    let mut shown = format!(
        "{}: {} rows, {} in {}, published by {}\n\n",
        paint(style.strong, &version.table),
        count(version.rows()),
        bytes(version.bytes()),
        plural(version.partitions.len() as u64, "partition"),
        version.run,
    );
    let mut columns = Table::new([("column", Align::Left), ("type", Align::Left), ("", Align::Left)]);
    for column in &version.schema {
        columns.row([Cell::from(column.name.clone()), Cell::from(column.kind.clone()), Cell::from("")]);
    }
    for name in &version.partition_by {
        columns.row([Cell::from(name.clone()), Cell::from("string"), Cell::from("partition").styled(style.dim)]);
    }
    shown.push_str(&columns.render(style, width));
    shown.push('\n');
    shown.push_str(&partitions(version, all, style, width));
    shown.push('\n');
    let mut history = Table::new([
        ("version", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("published", Align::Left),
        ("", Align::Left),
    ]);
    for known in entry.history.iter().rev() {
        let mark = if known.run == entry.current { "current" } else { "" };
        history.row([
            Cell::from(known.run.to_string()),
            Cell::from(count(known.rows)),
            Cell::from(bytes(known.bytes)),
            Cell::from(format!("{:.0}", known.at)),
            Cell::from(mark).styled(style.good),
        ]);
    }
    shown + &history.render(style, width)
}

fn partitions(version: &Version, all: bool, style: &Style, width: Option<usize>) -> String {
    let mut table = Table::new([
        ("partition", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("written by", Align::Left),
    ]);
    let hidden = if all { 0 } else { version.partitions.len().saturating_sub(FEW_PARTITIONS) };
    // The latest periods are what people look for.
    for partition in version.partitions.iter().skip(hidden) {
        let values: Vec<String> = partition.values.iter().map(|(column, value)| format!("{column}={value}")).collect();
        let run = partition.prefix.rsplit_once("run=").map_or("", |(_, run)| run);
        table.row([
            Cell::from(values.join("/")),
            Cell::from(count(partition.rows)),
            Cell::from(bytes(partition.bytes)),
            Cell::from(run),
        ]);
    }
    let mut shown = table.render(style, width);
    if hidden > 0 {
        shown.push_str(&format!(
            "and {} before: `soflow tables show {} --partitions`\n",
            count(hidden as u64),
            version.table
        ));
    }
    shown
}
