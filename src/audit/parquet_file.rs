//! One Parquet file, wherever it is: its footer, and its columns in one form whoever wrote them.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::{Arc, Once};
use std::task::Poll;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures_util::stream::TryStreamExt as _;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::basic::Type as PhysicalType;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;

use super::canonical::{arrange, in_utc};
use super::reader::{FileBytes, Reader, coalesced};
use crate::error::{Error, Kind, Result};
use crate::names::{PartitionValues, Uri};
use crate::store::Object;

/// Rows decoded at a time. Others get their turn once each of the row groups that are read together has decoded so many.
const BATCH_ROWS: usize = 8192;

/// A Parquet file whose footer has been read.
pub struct ParquetFile {
    bytes: FileBytes,
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
}

impl ParquetFile {
    /// Reads the footer of what a listing showed.
    ///
    /// # Errors
    /// `Audit` when it has been removed or replaced since then, is not Parquet or cut short; `Machine` from the store.
    pub async fn open(object: &Object, reader: &Arc<Reader>) -> Result<Self> {
        let mut bytes = FileBytes::new(object, reader);
        let failed = |error| broken(&object.uri, None, error);
        let metadata = guarded_future(bytes.footer()).await.map_err(failed)?;
        let schema = guarded(|| {
            check_chunks(&metadata, object.bytes)?;
            schema(&metadata)
        });
        let schema = schema.map_err(failed)?;
        Ok(Self { bytes, metadata: Arc::new(metadata), schema })
    }

    /// Returns the columns as they are read, before they are made alike.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the footer.
    pub fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or_default()
    }

    /// Shows `see` all rows: `columns` in the order given and in their canonical types, at most 8192 rows at a time.
    /// A column of `values` comes from there (text), as it is not in the file.
    ///
    /// # Errors
    /// Those of `see`; `Audit` when the file lacks a column, its content is broken, or it is not the one whose footer was
    /// read.
    pub async fn read(
        &self,
        columns: &[String],
        values: &PartitionValues,
        mut see: impl FnMut(RecordBatch) -> Result<()> + Send,
    ) -> Result<()> {
        for group in 0..self.metadata.num_row_groups() {
            self.read_group(group, columns, values, &mut see).await?;
        }
        Ok(())
    }

    /// Reads like [`Self::read`], but only one row group. It holds no more of it than the bytes of these columns and what
    /// is between them.
    pub(super) async fn read_group(
        &self,
        group: usize,
        columns: &[String],
        values: &PartitionValues,
        see: impl FnMut(RecordBatch) -> Result<()> + Send,
    ) -> Result<()> {
        let Err(error) = self.decode(group, columns, values, see).await else { return Ok(()) };
        if error.kind == Kind::Audit && columns.len() > 1 {
            // What is told is the first column that cannot be read alone.
            for column in columns {
                self.decode(group, std::slice::from_ref(column), values, |_| Ok(())).await?;
            }
        }
        Err(error)
    }

    async fn decode(
        &self,
        group: usize,
        columns: &[String],
        values: &PartitionValues,
        mut see: impl FnMut(RecordBatch) -> Result<()> + Send,
    ) -> Result<()> {
        let uri = &self.bytes.object.uri;
        let mut roots = Vec::new();
        for column in columns.iter().filter(|column| !values.contains_key(*column)) {
            let root = self.schema.index_of(column);
            roots.push(root.map_err(|_| Error::new(Kind::Audit, format!("`{uri}` has no column `{column}`")))?);
        }
        let described = self.metadata.file_metadata().schema_descr();
        let mask = ProjectionMask::roots(described, roots);
        let about = self.metadata.row_group(group);
        let chunks = about.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let ranges: Vec<_> = chunks.map(|(_, chunk)| chunk.byte_range()).map(|(at, length)| at..at + length).collect();
        let read = coalesced(&ranges).iter().map(|piece| piece.end - piece.start).sum();
        let _room = self.bytes.reader.room(read).await?;
        let only = if let [column] = columns { Some(column.as_str()) } else { None };
        let failed = |error| broken(uri, only, error);
        let mut rows = guarded(|| {
            let options = ArrowReaderOptions::new().with_schema(self.schema.clone());
            let prepared = ArrowReaderMetadata::try_new(self.metadata.clone(), options)?;
            let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.bytes.clone(), prepared);
            builder.with_projection(mask).with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build()
        })
        .map_err(failed)?;
        let mut due = about.num_rows();
        while let Some(batch) = guarded_future(rows.try_next()).await.map_err(failed)? {
            due -= batch.num_rows() as i64;
            let arranged = guarded(|| Ok(arrange(&batch, columns, values)?)).map_err(failed)?;
            drop(batch);
            see(arranged)?;
            // Leases are renewed on the same thread.
            tokio::task::yield_now().await;
        }
        if due == 0 { Ok(()) } else { Err(failed(ParquetError::General(format!("{due} rows are missing")))) }
    }
}

/// Refuses a footer that places columns where they cannot be, as that of a file whose beginning is missing does.
fn check_chunks(footer: &ParquetMetaData, bytes: u64) -> ParquetResult<()> {
    for chunk in footer.row_groups().iter().flat_map(|group| group.columns()) {
        let (start, length) = chunk.byte_range();
        if start.checked_add(length).is_none_or(|end| end > bytes) {
            let column = chunk.column_path();
            return Err(ParquetError::General(format!("the footer places column {column} outside of the file")));
        }
    }
    Ok(())
}

/// Returns the columns of a footer. Without the Arrow schema that some writers embed: types follow from what is stored,
/// not from who stored it.
fn schema(footer: &ParquetMetaData) -> ParquetResult<SchemaRef> {
    let described = footer.file_metadata().schema_descr();
    let arrow = parquet_to_arrow_schema(described, None)?;
    let int96 = |root: usize| {
        let of_root = |leaf: &usize| described.get_column_root_idx(*leaf) == root;
        (0..described.num_columns())
            .filter(of_root)
            .any(|leaf| described.column(leaf).physical_type() == PhysicalType::INT96)
    };
    let fields = arrow.fields().iter().enumerate().map(|(root, field)| in_utc(field, int96(root)));
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// Does what reads bytes that may be damaged: where the Parquet crate panics instead of failing, that is a failure too.
pub(super) fn guarded<T>(work: impl FnOnce() -> ParquetResult<T>) -> ParquetResult<T> {
    static QUIET: Once = Once::new();
    thread_local!(static GUARDED: Cell<bool> = const { Cell::new(false) });
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            if !GUARDED.get() {
                usual(about);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.unwrap_or_else(|said| {
        let text = said.downcast_ref::<String>().map(String::as_str).or_else(|| said.downcast_ref::<&str>().copied());
        Err(ParquetError::General(text.unwrap_or("its bytes make no sense").into()))
    })
}

async fn guarded_future<T>(work: impl Future<Output = ParquetResult<T>>) -> ParquetResult<T> {
    let mut work = pin!(work);
    poll_fn(|cx| guarded(|| Ok(work.as_mut().poll(cx))).unwrap_or_else(|error| Poll::Ready(Err(error)))).await
}

/// Returns the failure of a file whose content makes no sense, of one column where that is known, or that of its store.
pub(super) fn broken(uri: &Uri, column: Option<&str>, error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(other) => ParquetError::External(other),
        },
        other => other,
    };
    let of = column.map_or(String::new(), |column| format!("column `{column}` of "));
    Error::new(Kind::Audit, format!("{of}`{uri}` cannot be read as Parquet"))
        .caused_by(error)
        .hint("its bytes are damaged: run the step that wrote it again")
}

#[cfg(test)]
mod tests;
