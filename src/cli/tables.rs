//! `soflow tables`: what readers see.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::app::App;
use super::args::{TablesArgs, TablesCommand};
use super::connections::Connections;
use super::project::Project;
use crate::catalog::{Catalog, Index, Published, Restored, TableHistory};
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::plan::Version;
use crate::report::{Answer, Layout, TextCell, TextTable, ago, bytes, count, paint, plural};
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
    let Connections { catalog, .. } = app.connect(&project).await?;
    let index = catalog.index().await?;
    if let Some(TablesCommand::Show { table, partitions }) = &args.command {
        let entry = entry_of(&index, table)?;
        let version = version_of(catalog.as_ref(), &index, table, entry).await?;
        let (rows, bytes, history) = (version.rows(), version.bytes(), &entry.history);
        let all_partitions = *partitions;
        return app.answer(&TableDetails {
            table: &version,
            rows,
            bytes,
            history,
            current: &entry.current,
            all_partitions,
        });
    }
    let lost = index.tables.is_empty() && !app.json && !catalog.version_files().await?.is_empty();
    app.answer(&TableList { tables: &index.tables, lost })
}

/// Makes the catalog whole, or shows what it lacks.
async fn repair(app: &App, project: &Project, dry_run: bool) -> Result<u8> {
    let artifacts = &project.target()?.lake.artifacts;
    let _lock = LakeLock::guard(artifacts, "tables repair", Timestamp::now())?;
    let Connections { store, catalog, .. } = app.connect(project).await?;
    let restored = run::repair(store.as_ref(), catalog.as_ref(), artifacts, !dry_run).await?;
    app.answer(&Repair { dry_run, repaired: restored })
}

/// What a catalog lacked.
#[derive(Serialize)]
struct Repair {
    dry_run: bool,
    repaired: Restored,
}

impl Answer for Repair {
    fn text(&self, _: &Layout) -> String {
        let Self { dry_run, repaired } = self;
        if repaired.is_nothing() {
            return "Nothing to repair: the catalog names all that was published.\n".into();
        }
        let version = |verb: &str, (table, run): &(String, RunId)| format!("  {verb} version {run} of {table}\n");
        let mut text = String::new();
        if repaired.lost {
            text.push_str(
                "The catalog could not be read: readers see the latest version of each table, also after a rollback.\n",
            );
        }
        text.push_str(if *dry_run { "Would repair:\n" } else { "Repaired:\n" });
        text.extend(repaired.added.iter().map(|added| version("added", added)));
        text.extend(repaired.dropped.iter().map(|dropped| version("took away, since it cannot be read,", dropped)));
        let unreadable = repaired.unreadable.iter();
        text.extend(
            unreadable.map(|table| format!("  nothing can be read about {table}: `soflow submit` makes it again\n")),
        );
        text + "\n  soflow tables\n"
    }
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

async fn version_of(catalog: &Catalog, index: &Index, table: &str, entry: &TableHistory) -> Result<Version> {
    catalog.current(index, table).await?.ok_or_else(|| {
        Error::new(Kind::Machine, format!("the catalog's file about `{table}` of `{}` is gone", entry.current))
            .hint(format!("go back to another version: `soflow rollback {table}`"))
    })
}

/// All published tables.
#[derive(Serialize)]
struct TableList<'a> {
    tables: &'a BTreeMap<String, TableHistory>,
    /// Whether there are files about tables that the catalog does not have.
    #[serde(skip)]
    lost: bool,
}

impl Answer for TableList<'_> {
    fn text(&self, layout: &Layout) -> String {
        if self.lost {
            return "The catalog has no tables, but there are files about versions of some.\n\n  soflow tables repair\n".into();
        }
        if self.tables.is_empty() {
            return "No tables are published yet: `soflow submit daily --sample` makes some.\n".into();
        }
        let mut table = TextTable::new(["table", "rows", "size", "run", "published", "versions"])
            .numbers(["rows", "size", "versions"]);
        let now = Timestamp::now();
        for (name, entry) in self.tables {
            let Some(current) = entry.history.iter().find(|known| known.run == entry.current) else { continue };
            table.row([
                TextCell::from(name.as_str()).styled(layout.style.strong),
                count(current.rows).into(),
                bytes(current.bytes).into(),
                current.run.to_string().into(),
                ago(current.at, now).into(),
                count(entry.history.len() as u64).into(),
            ]);
        }
        layout.table(&table)
    }
}

/// One published table.
#[derive(Serialize)]
struct TableDetails<'a> {
    table: &'a Version,
    rows: u64,
    bytes: u64,
    history: &'a [Published],
    /// The run whose version readers see.
    #[serde(skip)]
    current: &'a RunId,
    #[serde(skip)]
    all_partitions: bool,
}

impl Answer for TableDetails<'_> {
    fn text(&self, layout: &Layout) -> String {
        let Self { table: version, rows, bytes: size, .. } = self;
        let name = paint(layout.style.strong, &version.table);
        let partitions = plural(version.partitions.len() as u64, "partition");
        let (rows, size, run) = (count(*rows), bytes(*size), &version.run);
        let heading = format!("{name}: {rows} rows, {size} in {partitions}, published by {run}\n");
        let (columns, partitions, history) = (self.columns(layout), self.partitions(layout), self.history(layout));
        format!("{heading}\n{columns}\n{partitions}\n{history}")
    }
}

impl TableDetails<'_> {
    fn columns(&self, layout: &Layout) -> String {
        let mut columns = TextTable::new(["column", "type", ""]);
        for column in &self.table.schema {
            columns.row([column.name.as_str().into(), column.kind.as_str().into()]);
        }
        for name in &self.table.partition_by {
            columns.row([name.as_str().into(), "string".into(), TextCell::from("partition").styled(layout.style.dim)]);
        }
        layout.table(&columns)
    }

    fn partitions(&self, layout: &Layout) -> String {
        let mut table = TextTable::new(["partition", "rows", "size", "written by"]).numbers(["rows", "size"]);
        let Version { table: name, partitions, .. } = self.table;
        let hidden = if self.all_partitions { 0 } else { partitions.len().saturating_sub(FEW_PARTITIONS) };
        // The latest periods are what people look for.
        for partition in partitions.iter().skip(hidden) {
            let values: Vec<String> =
                partition.values.iter().map(|(column, value)| format!("{column}={value}")).collect();
            let run = partition.prefix.rsplit_once("run=").map_or("", |(_, run)| run);
            table.row([
                values.join("/").into(),
                count(partition.rows).into(),
                bytes(partition.bytes).into(),
                run.into(),
            ]);
        }
        let mut shown = layout.table(&table);
        if hidden > 0 {
            let hidden = count(hidden as u64);
            shown.push_str(&format!("and {hidden} before: `soflow tables show {name} --partitions`\n"));
        }
        shown
    }

    fn history(&self, layout: &Layout) -> String {
        let mut history = TextTable::new(["version", "rows", "size", "published", ""]).numbers(["rows", "size"]);
        for known in self.history.iter().rev() {
            let mark = if known.run == *self.current { "current" } else { "" };
            history.row([
                known.run.to_string().into(),
                count(known.rows).into(),
                bytes(known.bytes).into(),
                format!("{:.0}", known.at).into(),
                TextCell::from(mark).styled(layout.style.good),
            ]);
        }
        layout.table(&history)
    }
}
