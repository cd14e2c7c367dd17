//! One version of a table: its files, read as columns of the types that both sides share.

use std::path::PathBuf;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array, new_empty_array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::audit::canonical::canonical_kind;
use crate::audit::parquet_file::ParquetFile;
use crate::audit::rows::RowHasher;
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
pub(super) struct ComparedColumn {
    pub name: String,
    pub kind: DataType,
}

impl Side<'_> {
    /// Returns the columns in the first file and then its partition columns, all in their canonical types.
    pub(super) fn columns(&self) -> Result<Vec<ComparedColumn>> {
        let Some((path, values)) = self.files.first() else { return Ok(Vec::new()) };
        let file = ParquetFile::open(path)?;
        let wanted = |field: &std::sync::Arc<Field>| ComparedColumn {
            name: field.name().clone(),
            kind: canonical_kind(field.data_type()),
        };
        let partition = values.keys().map(|name| ComparedColumn { name: name.clone(), kind: DataType::LargeUtf8 });
        Ok(file.schema().fields().iter().map(wanted).chain(partition).collect())
    }
}

/// Calls `see` with every batch of a file.
fn read(file: &File, columns: &[ComparedColumn], mut see: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    for batch in ParquetFile::open(&file.0)?.batches(&names, &file.1)? {
        let batch = batch?;
        let arrays = batch.columns().iter().zip(columns).map(|(array, column)| cast(array, &column.kind));
        let shaped = arrays.collect::<Result<Vec<_>, _>>().and_then(|arrays| shaped(columns, arrays, batch.num_rows()));
        see(shaped.map_err(failed)?)?;
    }
    Ok(())
}

fn shaped(columns: &[ComparedColumn], arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = columns.iter().map(|column| Field::new(&column.name, column.kind.clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Schema::new(fields).into(), arrays, &options)
}

pub(super) fn failed(error: ArrowError) -> Error {
    Error::new(Kind::Internal, "two versions of a table cannot be compared").caused_by(error)
}

/// Returns one hash for each row of a side over `columns`.
pub(super) fn hashes(side: &Side<'_>, columns: &[ComparedColumn], hasher: &RowHasher) -> Result<Vec<u128>> {
    let mut hashes = Vec::new();
    for file in &side.files {
        read(file, columns, |batch| {
            hashes.extend(hasher.hash(&batch)?);
            Ok(())
        })?;
    }
    Ok(hashes)
}

/// Returns some rows of a side. Rows count through the files in their order; `wanted` is sorted.
pub(super) fn pick(side: &Side<'_>, columns: &[ComparedColumn], mut wanted: &[usize]) -> Result<RecordBatch> {
    if columns.is_empty() {
        return shaped(columns, Vec::new(), wanted.len()).map_err(failed);
    }
    let (mut picked, mut start) = (vec![shaped(columns, empty(columns), 0).map_err(failed)?], 0);
    for file in &side.files {
        if wanted.is_empty() {
            break;
        }
        read(file, columns, |batch| {
            let end = start + batch.num_rows();
            let (here, later) = wanted.split_at(wanted.partition_point(|row| *row < end));
            let within = UInt64Array::from_iter_values(here.iter().map(|row| (*row - start) as u64));
            if !here.is_empty() {
                picked.push(take_record_batch(&batch, &within).map_err(failed)?);
            }
            (wanted, start) = (later, end);
            Ok(())
        })?;
    }
    concat_batches(&picked[0].schema(), &picked).map_err(failed)
}

fn empty(columns: &[ComparedColumn]) -> Vec<ArrayRef> {
    columns.iter().map(|column| new_empty_array(&column.kind)).collect()
}
