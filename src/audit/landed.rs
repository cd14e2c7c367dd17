//! What landed: schema, partitions, rows and bytes, from Parquet footers alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use serde::{Deserialize, Serialize};

use super::files::{DataFile, columns_file, data_files};
use super::kind::ddl;
use super::parquet_file::{ParquetFile, broken, guarded};
use super::reader::{Reader, each};
use super::statistics;
use crate::error::{Error, Kind, Result};
use crate::names::{PartitionValues, Uri};
use crate::store::Object;

/// What a step really wrote to a table. Part of run records and of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Landed {
    /// The columns in the files, in their order; partition columns are not among them. Those that the step left for a table
    /// without rows; empty when it left none.
    pub schema: Vec<LandedColumn>,
    /// The partitions, sorted by value; one without values when the table has no partitions.
    pub partitions: Vec<LandedPartition>,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
}

/// What landed, with the footers in memory: about 1 KiB for each column of each row group, and up to 64 MiB of small files.
pub struct Opened {
    /// What the footers tell.
    pub landed: Landed,
    pub(super) files: Vec<(ParquetFile, PartitionValues)>,
}

/// A column of what landed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LandedColumn {
    /// Its name.
    pub name: String,
    /// Its type as Spark DDL: `bigint`, `array<string>`.
    pub kind: String,
    /// Whether any file declares that nulls are possible.
    pub nullable: bool,
    /// Number of nulls, when every footer tells.
    pub nulls: Option<u64>,
    /// Smallest value that is neither null nor NaN, when every footer tells it exactly.
    pub min: Option<Bound>,
    /// Largest value that is neither null nor NaN, when every footer tells it exactly.
    pub max: Option<Bound>,
}

/// A smallest or largest value.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Bound {
    /// Of whole numbers.
    Int(i64),
    /// Of floating point numbers; always finite.
    Float(f64),
    /// Of texts, dates (`2026-11-22`) and moments (`2026-11-22T00:00:00.000000Z`).
    Text(String),
}

/// One partition of what landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandedPartition {
    /// Its values by column.
    pub values: PartitionValues,
    /// Its directory below the prefix as it is spelled there; empty when the table has no partitions.
    pub directory: String,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
}

/// Returns what the `objects` below `prefix` hold, reading nothing but footers, 16 at a time, by one request each (two when
/// a footer has more than 64 KiB).
///
/// No file at all gives an empty [`Landed`]: whether that is enough is for the checks to say.
///
/// # Errors
/// `Audit` when a file is broken, in the wrong place (see [`data_files`]), or not the listed one any more, when two files
/// differ in their columns, or when a partition column is also in a file. `Machine` when a file cannot be opened.
pub async fn read(
    reader: &Arc<Reader>,
    prefix: &Uri,
    partition_by: &[String],
    only: &[(String, String)],
    objects: &[Object],
) -> Result<Opened> {
    let files = data_files(prefix, partition_by, only, objects)?;
    let footers = each(files.iter(), |file| Box::pin(footer(file, reader, partition_by))).await?;
    let mut landed = Landed::default();
    let mut parts = BTreeMap::<&PartitionValues, LandedPartition>::new();
    let mut opened = Vec::with_capacity(files.len());
    for (file, (parquet, columns)) in files.iter().zip(footers) {
        let (rows, bytes) = (parquet.rows(), file.object.bytes);
        let (values, directory) = (file.values.clone(), file.directory.clone());
        let part =
            parts.entry(&file.values).or_insert(LandedPartition { values, directory, rows: 0, bytes: 0, files: 0 });
        part.rows += rows;
        part.bytes += bytes;
        part.files += 1;
        if landed.files == 0 {
            landed.schema = columns;
        } else {
            check_same(&landed.schema, &columns, [&files[0].object.uri, &file.object.uri])?;
            let rows = [landed.rows, rows];
            landed.schema.iter_mut().zip(columns).for_each(|(known, new)| merge(known, new, rows));
        }
        landed.rows += rows;
        landed.bytes += bytes;
        landed.files += 1;
        opened.push((parquet, file.values.clone()));
    }
    landed.partitions = parts.into_values().collect();
    if let Some(object) = columns_file(prefix, objects).filter(|_| files.is_empty()) {
        landed.schema = declared(object, reader, partition_by).await?;
    }
    Ok(Opened { landed, files: opened })
}

/// Returns the columns that a step left for a table without rows: of these files neither rows nor values count.
async fn declared(object: &Object, reader: &Arc<Reader>, partition_by: &[String]) -> Result<Vec<LandedColumn>> {
    let file = ParquetFile::open(object, reader).await?;
    check_names(&object.uri, &file, &[])?;
    let fields = file.schema().fields().iter().filter(|field| !partition_by.contains(field.name()));
    let column = |field: &FieldRef| {
        let (name, kind) = (field.name().clone(), ddl(field.data_type()));
        LandedColumn { name, kind, nullable: true, nulls: Some(0), min: None, max: None }
    };
    Ok(fields.map(column).collect())
}

async fn footer(
    file: &DataFile,
    reader: &Arc<Reader>,
    partition_by: &[String],
) -> Result<(ParquetFile, Vec<LandedColumn>)> {
    let uri = &file.object.uri;
    let opened = ParquetFile::open(&file.object, reader).await?;
    let columns = guarded(|| statistics::columns(&opened)).map_err(|error| broken(uri, None, error))?;
    if let Some(column) = columns.iter().find(|column| partition_by.contains(&column.name)) {
        let message = format!("`{uri}` has the partition column `{}` inside", column.name);
        return Err(Error::new(Kind::Audit, message).hint("write with `partitionBy`, which takes it out of the file"));
    }
    check_names(uri, &opened, partition_by)?;
    Ok((opened, columns))
}

/// Refuses names that are one name to a catalog: Hive, Glue and Athena keep them in lower case, and so do engines when they
/// look for a column.
fn check_names(uri: &Uri, file: &ParquetFile, partition_by: &[String]) -> Result<()> {
    let fields = file.schema().fields();
    let columns = fields.iter().map(|field| field.name()).chain(partition_by);
    let members = fields.iter().find_map(|field| alike_members(field.data_type()));
    let Some((one, other)) = alike(columns).or(members) else { return Ok(()) };
    let message =
        format!("`{one}` and `{other}` in `{uri}` are one name to a catalog, which keeps names in lower case");
    Err(Error::new(Kind::Audit, message).hint("rename one of the two in the step"))
}

fn alike<'a>(names: impl Iterator<Item = &'a String>) -> Option<(String, String)> {
    let mut known = BTreeMap::new();
    names.into_iter().find_map(|name| Some((known.insert(name.to_lowercase(), name)?.clone(), name.clone())))
}

fn alike_members(kind: &DataType) -> Option<(String, String)> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => alike_members(item.data_type()),
        DataType::Struct(fields) => alike(fields.iter().map(|field| field.name()))
            .or_else(|| fields.iter().find_map(|field| alike_members(field.data_type()))),
        _ => None,
    }
}

/// Refuses two files of one table whose columns differ in name, type or order, naming the first difference.
fn check_same(first: &[LandedColumn], second: &[LandedColumn], [a, b]: [&Uri; 2]) -> Result<()> {
    let differs = |column: &LandedColumn| match find(second, &column.name) {
        None => Some(format!("`{a}` has a column `{}`, `{b}` has not", column.name)),
        Some(other) => (other.kind != column.kind)
            .then(|| format!("`{}` is `{}` in `{a}`, but `{}` in `{b}`", column.name, column.kind, other.kind)),
    };
    let added = |column: &LandedColumn| {
        find(first, &column.name).is_none().then(|| format!("`{b}` has a column `{}`, `{a}` has not", column.name))
    };
    let moved = |(column, other): (&LandedColumn, &LandedColumn)| {
        (column.name != other.name)
            .then(|| format!("where `{a}` has the column `{}`, `{b}` has `{}`", column.name, other.name))
    };
    let what = first.iter().find_map(differs).or_else(|| second.iter().find_map(added));
    match what.or_else(|| first.iter().zip(second).find_map(moved)) {
        Some(what) => Err(Error::new(Kind::Audit, format!("the files of one table differ: {what}"))),
        None => Ok(()),
    }
}

fn find<'a>(columns: &'a [LandedColumn], name: &str) -> Option<&'a LandedColumn> {
    columns.iter().find(|column| column.name == name)
}

/// Adds what a further file tells about a column; `rows` are those known so far and those of the file.
fn merge(known: &mut LandedColumn, new: LandedColumn, rows: [u64; 2]) {
    let valueless = [known.nulls == Some(rows[0]), new.nulls == Some(rows[1])];
    known.nullable |= new.nullable;
    known.nulls = known.nulls.zip(new.nulls).map(|(known, new)| known + new);
    let bounds = match (known.min.take().zip(known.max.take()), new.min.zip(new.max)) {
        (bounds, _) if valueless[1] => bounds,
        (_, bounds) if valueless[0] => bounds,
        (bounds @ Some(_), Some((min, max))) => Some(statistics::widen(bounds, min, max)),
        _ => None,
    };
    (known.min, known.max) = bounds.unzip();
}

/// Returns the rows in those `objects` that are whole Parquet files: a running step has others half-written.
pub async fn rows_so_far(reader: &Arc<Reader>, objects: &[Object]) -> u64 {
    let mut rows = 0;
    for object in objects {
        rows += ParquetFile::open(object, reader).await.map_or(0, |file| file.rows());
    }
    rows
}

#[cfg(test)]
mod tests;
