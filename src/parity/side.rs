//! One version of a table: its files, read as columns of the types that both sides share.

use std::collections::HashMap;
use std::path::PathBuf;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::audit::canonical::canonical_kind;
use crate::audit::parallel;
use crate::audit::parquet_file::ParquetFile;
use crate::audit::rows::{RowHasher, row_text};
use crate::error::{Error, Kind, Result};
use crate::names::PartitionValues;

/// A version of a table.
pub struct Side<'a> {
    /// What people call it: `sail`, `spark`.
    pub name: &'a str,
    /// Its Parquet files, each with the values of its partition.
    pub files: Vec<(PathBuf, PartitionValues)>,
}

/// A file and its partition.
pub(super) type File = (PathBuf, PartitionValues);

/// A column to read, in the type it is compared in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub name: String,
    pub kind: DataType,
}

impl Side<'_> {
    /// Returns the columns in the first file and then its partition columns, all in their canonical types.
    pub(super) fn columns(&self) -> Result<Vec<Wanted>> {
        let Some((path, values)) = self.files.first() else { return Ok(Vec::new()) };
        let file = ParquetFile::open(path)?;
        let wanted = |field: &std::sync::Arc<Field>| Wanted {
            name: field.name().clone(),
            kind: canonical_kind(field.data_type()),
        };
        let partition = values.keys().map(|name| Wanted { name: name.clone(), kind: DataType::LargeUtf8 });
        Ok(file.schema().fields().iter().map(wanted).chain(partition).collect())
    }
}

/// Calls `see` with every batch of a file.
fn read(file: &File, columns: &[Wanted], mut see: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    for batch in ParquetFile::open(&file.0)?.batches(&names, &file.1)? {
        let batch = batch?;
        let arrays = batch.columns().iter().zip(columns).map(|(array, column)| cast(array, &column.kind));
        let shaped = arrays.collect::<Result<Vec<_>, _>>().and_then(|arrays| shaped(columns, arrays, batch.num_rows()));
        see(shaped.map_err(failed)?)?;
    }
    Ok(())
}

fn shaped(columns: &[Wanted], arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = columns.iter().map(|column| Field::new(&column.name, column.kind.clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Schema::new(fields).into(), arrays, &options)
}

pub(super) fn failed(error: ArrowError) -> Error {
    Error::new(Kind::Internal, "two versions of a table cannot be compared").caused_by(error)
}

/// Returns one hash for each row of the files over `columns`.
pub(super) fn hashes(files: &[&File], columns: &[Wanted], hasher: &RowHasher) -> Result<Vec<u128>> {
    let of_files = parallel::map(files, |file| {
        let mut hashes = Vec::new();
        read(file, columns, |batch| {
            hashes.extend(hasher.hash(&batch)?);
            Ok(())
        })?;
        Ok(hashes)
    })?;
    let hashes = of_files.concat();
    if u32::try_from(hashes.len()).is_err() {
        return Err(Error::new(Kind::Usage, "a partition of more than 4 billion rows cannot be compared"));
    }
    Ok(hashes)
}

/// Returns a column of the files in one piece.
pub(super) fn column(files: &[&File], column: &Wanted) -> Result<ArrayRef> {
    let of_files = parallel::map(files, |file| {
        let mut pieces = Vec::new();
        read(file, std::slice::from_ref(column), |batch| {
            pieces.push(batch.column(0).clone());
            Ok(())
        })?;
        Ok(pieces)
    })?;
    let pieces: Vec<ArrayRef> = of_files.into_iter().flatten().collect();
    match pieces.as_slice() {
        [] => Ok(new_empty_array(&column.kind)),
        [one] => Ok(one.clone()),
        many => concat(&many.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(failed),
    }
}

/// Returns what `make` makes of the wanted rows, by row number. Rows count through the files in their order.
pub(super) fn pick<T: Send>(
    files: &[&File],
    columns: &[Wanted],
    rows: impl IntoIterator<Item = u32>,
    mut make: impl FnMut(&RecordBatch, &[usize]) -> Result<Vec<T>>,
) -> Result<HashMap<u32, T>> {
    let mut rows: Vec<u32> = rows.into_iter().collect();
    rows.sort_unstable();
    rows.dedup();
    let mut made = HashMap::with_capacity(rows.len());
    let (mut wanted, mut start) = (rows.as_slice(), 0_usize);
    for file in files {
        if wanted.is_empty() {
            break;
        }
        read(file, columns, |batch| {
            let end = start + batch.num_rows();
            let (here, later) = wanted.split_at(wanted.iter().take_while(|row| (**row as usize) < end).count());
            let within: Vec<usize> = here.iter().map(|row| *row as usize - start).collect();
            if !within.is_empty() {
                made.extend(here.iter().copied().zip(make(&batch, &within)?));
            }
            (wanted, start) = (later, end);
            Ok(())
        })?;
    }
    Ok(made)
}

/// Returns the wanted rows as text.
pub(super) fn texts(
    files: &[&File],
    columns: &[Wanted],
    rows: impl IntoIterator<Item = u32>,
) -> Result<HashMap<u32, String>> {
    pick(files, columns, rows, |batch, rows| Ok(rows.iter().map(|row| row_text(batch, *row)).collect()))
}
