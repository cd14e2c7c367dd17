//! `soflow tables`: what readers see.

use jiff::Timestamp;
use serde_json::json;

use super::app::App;
use super::args::{TablesArgs, TablesCommand};
use super::ground::Ground;
use crate::catalog::{Catalog, Entry, Index};
use crate::error::{Error, Kind, Result};
use crate::plan::Version;
use crate::report::{Align, Cell, Style, Table, ago, bytes, count, paint, plural};
use crate::yaml::did_you_mean;

/// Partitions shown before the rest is only counted.
const FEW_PARTITIONS: usize = 12;

/// Lists tables or shows one.
pub async fn tables(app: &App, args: &TablesArgs) -> Result<u8> {
    let project = app.project(None)?;
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
        None if index.tables.is_empty() => {
            app.print("No tables are published yet: `soflow submit daily --sample` makes some.\n")?;
        }
        None => app.print(&list(&index, &app.out_style, app.width))?,
    }
    Ok(0)
}

/// Returns a table's entry in the catalog.
///
/// # Errors
/// `Usage` when there is no such table, with the closest name.
pub fn entry_of<'a>(index: &'a Index, table: &str) -> Result<&'a Entry> {
    index.tables.get(table).ok_or_else(|| {
        let mut error = Error::new(Kind::Usage, format!("there is no published table `{table}`"));
        if let Some(close) = did_you_mean(table, index.tables.keys().map(String::as_str)) {
            error = error.hint(close);
        }
        error.hint("`soflow tables` lists the tables")
    })
}

async fn version_of(catalog: &dyn Catalog, index: &Index, table: &str, entry: &Entry) -> Result<Version> {
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

fn show(version: &Version, entry: &Entry, all: bool, style: &Style, width: Option<usize>) -> String {
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
