//! What landed: schema, partitions, rows and bytes, from Parquet footers alone.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{DataFile, data_files};
use super::parquet_file::ParquetFile;
use super::{parallel, statistics};
use crate::error::{Error, Kind, Result};
use crate::names::{PartitionValues, Uri};
use crate::store::Object;

/// What a step really wrote to a table. Part of run records and of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Landed {
    /// The columns in the files, in their order; partition columns are not among them. Empty when there is no file.
    pub schema: Vec<Column>,
    /// The partitions, sorted by value; one without values when the table has no partitions.
    pub partitions: Vec<Part>,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
}

/// A column of what landed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
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
pub struct Part {
    /// Its values by column.
    pub values: PartitionValues,
    /// Its rows.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
}

/// Returns what the `objects` below `prefix` hold, reading nothing but footers, several at a time.
///
/// No file at all gives an empty [`Landed`]: whether that is enough is for the checks to say.
///
/// # Errors
/// `Audit` when a file is broken or in the wrong place (see [`data_files`]), when two files differ in their columns, or
/// when a partition column is also in a file. `Machine` when a file cannot be opened.
pub fn read(prefix: &Uri, partition_by: &[String], only: &[(String, String)], objects: &[Object]) -> Result<Landed> {
    let files = data_files(prefix, partition_by, only, objects)?;
    let footers = parallel::map(&files, |file| footer(file, partition_by))?;
    let mut landed = Landed::default();
    let mut parts = BTreeMap::<&PartitionValues, Part>::new();
    for (file, footer) in files.iter().zip(footers) {
        let empty = || Part { values: file.values.clone(), rows: 0, bytes: 0, files: 0 };
        let part = parts.entry(&file.values).or_insert_with(empty);
        part.rows += footer.rows;
        part.bytes += file.bytes;
        part.files += 1;
        if landed.files == 0 {
            landed.schema = footer.columns;
        } else {
            let names = [files.first().map_or(file, |first| first), file].map(|file| file.path.as_path());
            check_same(&landed.schema, &footer.columns, names)?;
            let rows = [landed.rows, footer.rows];
            landed.schema.iter_mut().zip(footer.columns).for_each(|(known, new)| merge(known, new, rows));
        }
        landed.rows += footer.rows;
        landed.bytes += file.bytes;
        landed.files += 1;
    }
    landed.partitions = parts.into_values().collect();
    Ok(landed)
}

struct Footer {
    columns: Vec<Column>,
    rows: u64,
}

fn footer(file: &DataFile, partition_by: &[String]) -> Result<Footer> {
    let opened = ParquetFile::open(&file.path)?;
    let columns = statistics::columns(&opened).map_err(|error| {
        Error::new(Kind::Audit, format!("the footer of `{}` is broken", file.path.display())).caused_by(error)
    })?;
    if let Some(column) = columns.iter().find(|column| partition_by.contains(&column.name)) {
        let message = format!("`{}` has the partition column `{}` inside", file.path.display(), column.name);
        return Err(Error::new(Kind::Audit, message).hint("write with `partitionBy`, which takes it out of the file"));
    }
    Ok(Footer { columns, rows: opened.rows() })
}

/// Refuses two files of one table whose columns differ in name, type or order, naming the first difference.
fn check_same(first: &[Column], second: &[Column], names: [&Path; 2]) -> Result<()> {
    let [a, b] = names.map(Path::display);
    let differ = |what: String| Err(Error::new(Kind::Audit, format!("the files of one table differ: {what}")));
    for column in first {
        match second.iter().find(|other| other.name == column.name) {
            None => return differ(format!("`{a}` has a column `{}`, `{b}` has not", column.name)),
            Some(other) if other.kind != column.kind => {
                return differ(format!(
                    "`{}` is `{}` in `{a}`, but `{}` in `{b}`",
                    column.name, column.kind, other.kind
                ));
            }
            Some(_) => {}
        }
    }
    match second.iter().find(|column| first.iter().all(|other| other.name != column.name)) {
        Some(column) => differ(format!("`{b}` has a column `{}`, `{a}` has not", column.name)),
        None => match first.iter().zip(second).find(|(column, other)| column.name != other.name) {
            Some((column, other)) => {
                differ(format!("where `{a}` has the column `{}`, `{b}` has `{}`", column.name, other.name))
            }
            None => Ok(()),
        },
    }
}

/// Adds what a further file tells about a column; `rows` are those known so far and those of the file.
fn merge(known: &mut Column, new: Column, rows: [u64; 2]) {
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
pub fn rows_so_far(objects: &[Object]) -> u64 {
    let rows = |object: &Object| Some(ParquetFile::open(&object.uri.to_path()?).ok()?.rows());
    objects.iter().filter_map(rows).sum()
}

#[cfg(test)]
mod tests;
