//! The published tables as views of DuckDB: a file of SQL beside the index, written anew with each publication.

use crate::catalog::ddl::ColumnType;
use crate::names::{NULL_PARTITION, Uri};
use crate::plan::Version;

/// Its name in the catalog's folder.
pub const FILE: &str = "tables.sql";

/// Returns the statements that make the views of these versions.
pub fn views(curated: &Uri, versions: &[Version]) -> String {
    let mut text =
        String::from("-- The tables as they are published, for DuckDB: `.read tables.sql`. soflow writes this file.\n");
    for version in versions {
        let table = identifier(&version.table);
        if let Some(rows) = rows(curated, version) {
            text.push_str(&format!("CREATE OR REPLACE VIEW {table} AS {rows};\n"));
        }
    }
    text
}

/// Returns the query of a table's rows; `None` when nobody knows its columns.
fn rows(curated: &Uri, version: &Version) -> Option<String> {
    let kinds = version.schema.iter().map(|column| ColumnType::parse(&column.kind)).collect::<Option<Vec<_>>>()?;
    let live = || version.partitions.iter().filter(|partition| partition.files > 0);
    if kinds.is_empty() {
        return None;
    }
    let names = version.schema.iter().map(|column| identifier(&column.name));
    if live().next().is_none() {
        let typed = names.zip(&kinds).map(|(name, kind)| format!("NULL::{} AS {name}", kind.duckdb()));
        let keys = version.partition_by.iter().map(|key| format!("NULL::VARCHAR AS {}", identifier(key)));
        return Some(format!("SELECT {} WHERE false", typed.chain(keys).collect::<Vec<_>>().join(", ")));
    }
    let keys = version.partition_by.iter().map(|key| {
        let (key, null) = (identifier(key), literal(NULL_PARTITION));
        format!("nullif(CAST({key} AS VARCHAR), {null}) AS {key}")
    });
    let columns = names.chain(keys).collect::<Vec<_>>().join(", ");
    let folder = |place: String| {
        let uri = curated.join(&place);
        let path = uri.as_str().strip_prefix("file://").unwrap_or(uri.as_str());
        literal(&format!("{}/*.parquet", escaped(path)))
    };
    let folders: Vec<String> = live().map(|partition| folder(partition.place(&version.partition_by))).collect();
    let hive = if version.partition_by.is_empty() {
        "hive_partitioning = false".to_string()
    } else {
        let types = version.partition_by.iter().map(|key| format!("{}: VARCHAR", literal(key)));
        format!("hive_partitioning = true, hive_types = {{{}}}", types.collect::<Vec<_>>().join(", "))
    };
    Some(format!("SELECT {columns} FROM read_parquet([{}], {hive}, union_by_name = true)", folders.join(", ")))
}

/// Returns a path as a pattern that means nothing but itself.
fn escaped(path: &str) -> String {
    path.chars().map(|c| if "*?[".contains(c) { format!("[{c}]") } else { c.to_string() }).collect()
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
