//! One version of a table: its files, read as columns of the types that both sides share.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;

use super::diff::{SchemaDiff, TableDiff};
use crate::audit::Reader;
use crate::audit::canonical::{arrow_failed, canonical_kind};
use crate::audit::kind::ddl;
use crate::audit::parquet_file::ParquetFile;
use crate::audit::rows::RowHasher;
use crate::error::Result;
use crate::names::PartitionValues;
use crate::store::Object;

/// A version of a table.
pub struct Side<'a> {
    /// What people call it: `sail`, `spark`.
    pub name: &'a str,
    /// The way to its files.
    pub reader: Arc<Reader>,
    /// Its Parquet files, each with the values of its partition.
    pub files: Vec<(Object, PartitionValues)>,
}

impl Side<'_> {
    /// Returns the columns in the first file and then its partition columns, all in their canonical types.
    async fn columns(&self) -> Result<Vec<FieldRef>> {
        let Some((object, values)) = self.files.first() else { return Ok(Vec::new()) };
        let file = ParquetFile::open(object, &self.reader).await?;
        let stored = file.schema().fields().iter();
        let stored = stored.map(|field| Field::new(field.name(), canonical_kind(field.data_type()), true));
        let partition = values.keys().map(|name| Field::new(name, DataType::LargeUtf8, true));
        Ok(stored.chain(partition).map(Arc::new).collect())
    }

    /// Shows `see` all rows of a file.
    async fn read(
        &self,
        (object, values): &(Object, PartitionValues),
        columns: &[FieldRef],
        mut see: impl FnMut(RecordBatch) -> Result<(), ArrowError> + Send,
    ) -> Result<()> {
        let names: Vec<String> = columns.iter().map(|column| column.name().clone()).collect();
        let schema = Arc::new(Schema::new(columns.to_vec()));
        let mut shaped = |batch: RecordBatch| {
            let arrays = batch.columns().iter().zip(columns).map(|(array, column)| cast(array, column.data_type()));
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            see(RecordBatch::try_new_with_options(schema.clone(), arrays.collect::<Result<_, _>>()?, &options)?)
        };
        let file = ParquetFile::open(object, &self.reader).await?;
        file.read(&names, values, |batch| shaped(batch).map_err(arrow_failed)).await
    }

    /// Returns one hash for each row over `columns`.
    pub(super) async fn hashes(&self, columns: &[FieldRef], hasher: &RowHasher) -> Result<Vec<u128>> {
        let mut hashes = Vec::new();
        for file in &self.files {
            let add = |batch: RecordBatch| {
                hashes.extend(hasher.hash(&batch)?);
                Ok(())
            };
            self.read(file, columns, add).await?;
        }
        Ok(hashes)
    }

    /// Returns some rows. Rows count through the files in their order; `wanted` is sorted.
    pub(super) async fn pick(&self, columns: &[FieldRef], mut wanted: &[usize]) -> Result<RecordBatch> {
        let schema = Arc::new(Schema::new(columns.to_vec()));
        if columns.is_empty() || wanted.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(wanted.len()));
            let none = RecordBatch::new_empty(schema.clone()).columns().to_vec();
            return RecordBatch::try_new_with_options(schema, none, &options).map_err(arrow_failed);
        }
        let (mut picked, mut start) = (Vec::new(), 0);
        for file in &self.files {
            if wanted.is_empty() {
                break;
            }
            let take = |batch: RecordBatch| {
                let end = start + batch.num_rows();
                let (here, later) = wanted.split_at(wanted.partition_point(|row| *row < end));
                let within = UInt64Array::from_iter_values(here.iter().map(|row| (*row - start) as u64));
                if !here.is_empty() {
                    picked.push(take_record_batch(&batch, &within)?);
                }
                (wanted, start) = (later, end);
                Ok(())
            };
            self.read(file, columns, take).await?;
        }
        concat_batches(&schema, &picked).map_err(arrow_failed)
    }
}

/// Returns the columns both sides have in comparable types, and those that differ.
pub(super) async fn shared(sides: [&Side<'_>; 2], ignore: &[String], diff: &mut TableDiff) -> Result<Vec<FieldRef>> {
    let [mut left, mut right] = [sides[0].columns().await?, sides[1].columns().await?];
    for columns in [&mut left, &mut right] {
        columns.retain(|column| !ignore.contains(column.name()));
    }
    if sides.iter().any(|side| side.files.is_empty()) {
        // Without files a side has no schema to compare.
        return Ok(if left.is_empty() { right } else { left });
    }
    let mut shared = Vec::new();
    for column in &left {
        let other = right.iter().find(|other| other.name() == column.name());
        let (a, b) = (ddl(column.data_type()), other.map(|other| ddl(other.data_type())));
        if b.as_ref() != Some(&a) {
            diff.schema.push(SchemaDiff { column: column.name().clone(), left: Some(a), right: b });
        }
        let kind = other.and_then(|other| common(column.data_type(), other.data_type()));
        shared.extend(kind.map(|kind| Arc::new(Field::new(column.name(), kind, true))));
    }
    for column in right.iter().filter(|column| left.iter().all(|other| other.name() != column.name())) {
        let kind = Some(ddl(column.data_type()));
        diff.schema.push(SchemaDiff { column: column.name().clone(), left: None, right: kind });
    }
    Ok(shared)
}

/// Returns the type in which values of two types can be compared.
fn common(left: &DataType, right: &DataType) -> Option<DataType> {
    if ddl(left) == ddl(right) {
        Some(left.clone())
    } else if left.is_integer() && right.is_integer() {
        Some(DataType::Int64)
    } else {
        (left.is_numeric() && right.is_numeric()).then_some(DataType::Float64)
    }
}
