//! One Parquet file, wherever it is: its footer, and its columns in one form whoever wrote them.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use fs_err as fs;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::canonical::{arrange, in_utc};
use super::reader::{Reader, changed};
use super::remote::Remote;
use crate::error::{Error, Kind, Result};
use crate::names::{PartitionValues, Uri};
use crate::store::{Object, open_listed};

/// Rows decoded at a time: bounds the memory of a scan.
pub(super) const BATCH_ROWS: usize = 8192;

/// A Parquet file whose footer has been read.
pub struct ParquetFile {
    uri: Uri,
    origin: FileOrigin,
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
}

/// Where the bytes of a file come from.
enum FileOrigin {
    /// A file of this machine, whatever it holds now.
    Path(PathBuf),
    /// A file of this machine, as a listing showed it.
    Listed(Object),
    /// An object in a store.
    Remote(Remote),
}

/// Rows of a file, at most 8192 at a time.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>;

impl ParquetFile {
    /// Reads the footer of a file of this machine.
    ///
    /// # Errors
    /// `Machine` when the file cannot be opened, `Audit` when it is not Parquet or cut short.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, uri) = (fs::File::open(path)?, Uri::from_path(path));
        guarded(&uri.clone(), None, move || {
            let metadata = footer(file, &uri)?;
            Self::new(uri, FileOrigin::Path(path.into()), metadata)
        })
    }

    /// Reads the footer of what a listing showed.
    ///
    /// # Errors
    /// `Audit` when it has been removed or replaced since then, is not Parquet or cut short; `Machine` from the store.
    pub(super) fn of(object: &Object, reader: &Arc<Reader>) -> Result<Self> {
        let uri = object.uri.clone();
        guarded(&object.uri, None, || {
            if uri.to_path().is_some() {
                let metadata = footer(listed(object)?, &uri)?;
                return Self::new(uri, FileOrigin::Listed(object.clone()), metadata);
            }
            let (remote, metadata) = Remote::open(object, reader)?;
            Self::new(uri, FileOrigin::Remote(remote), metadata)
        })
    }

    fn new(uri: Uri, origin: FileOrigin, metadata: ParquetMetaData) -> Result<Self> {
        let described = metadata.file_metadata().schema_descr();
        // Without the Arrow schema that some writers embed: types follow from what is stored, not from who stored it.
        let arrow = parquet_to_arrow_schema(described, None).map_err(|error| broken(&uri, None, error))?;
        let int96 = |root: usize| {
            let of_root = |leaf: &usize| described.get_column_root_idx(*leaf) == root;
            (0..described.num_columns())
                .filter(of_root)
                .any(|leaf| described.column(leaf).physical_type() == PhysicalType::INT96)
        };
        let fields = arrow.fields().iter().enumerate().map(|(root, field)| in_utc(field, int96(root)));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { uri, origin, metadata: Arc::new(metadata), schema })
    }

    /// Returns the columns as they are read, before [`super::canonical::canonical`].
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

    /// Returns where it is.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Reads `columns` in the order given, at most 8192 rows at a time, in their canonical types.
    /// A column of `values` comes from there (text), as it is not in the file.
    ///
    /// # Errors
    /// `Audit` when the file lacks a column, its content is broken, or it is not the one whose footer was read.
    pub fn batches(&self, columns: &[String], values: &PartitionValues) -> Result<Batches<'_>> {
        self.read((0..self.metadata.num_row_groups()).collect(), columns, values)
    }

    /// Reads like [`Self::batches`], but only one row group.
    pub(super) fn group(&self, group: usize, columns: &[String], values: &PartitionValues) -> Result<Batches<'_>> {
        self.read(vec![group], columns, values)
    }

    fn read(&self, groups: Vec<usize>, columns: &[String], values: &PartitionValues) -> Result<Batches<'_>> {
        let missing = |column: &&String| !values.contains_key(*column) && self.schema.index_of(column).is_err();
        if let Some(column) = columns.iter().find(missing) {
            return Err(Error::new(Kind::Audit, format!("`{}` has no column `{column}`", self.uri)));
        }
        let stored: Vec<String> = columns.iter().filter(|column| !values.contains_key(*column)).cloned().collect();
        let mut rows = self.stored(&groups, &stored).map_err(|error| self.blamed(error, &groups, &stored))?;
        let (columns, values) = (columns.to_vec(), values.clone());
        let next = move || {
            let arranged = rows.next()?.and_then(|batch| {
                guarded(&self.uri, only(&stored), || {
                    arrange(&batch, &columns, &values).map_err(|error| broken(&self.uri, only(&stored), error))
                })
            });
            Some(arranged.map_err(|error| self.blamed(error, &groups, &stored)))
        };
        Ok(Box::new(std::iter::from_fn(next)))
    }

    /// Returns the rows of some columns as they are stored; fewer than the footer says are a failure.
    fn stored(&self, groups: &[usize], stored: &[String]) -> Result<Batches<'_>> {
        let column = only(stored).map(str::to_string);
        let mut rows = guarded(&self.uri, only(stored), || self.decoder(groups, stored))?;
        let of_group = |group: &usize| self.metadata.row_group(*group).num_rows();
        let mut due = groups.iter().map(of_group).sum::<i64>();
        let next = move || {
            let batch = guarded(&self.uri, column.as_deref(), || rows.next().transpose());
            if let Ok(Some(batch)) = &batch {
                due -= batch.num_rows() as i64;
            } else if let Ok(None) = batch
                && due != 0
            {
                let fewer = format!("{due} rows of {} are missing", self.rows());
                due = 0;
                return Some(Err(broken(&self.uri, column.as_deref(), fewer)));
            }
            batch.transpose()
        };
        Ok(Box::new(std::iter::from_fn(next)))
    }

    fn decoder(&self, groups: &[usize], stored: &[String]) -> Result<Batches<'_>> {
        let column = only(stored).map(str::to_string);
        let failed = move |error| broken(&self.uri, column.as_deref(), error);
        let options = ArrowReaderOptions::new().with_schema(self.schema.clone());
        let prepared = ArrowReaderMetadata::try_new(self.metadata.clone(), options).map_err(&failed)?;
        let roots: Vec<usize> = stored.iter().filter_map(|column| self.schema.index_of(column).ok()).collect();
        let mask = ProjectionMask::roots(self.metadata.file_metadata().schema_descr(), roots);
        let file = match &self.origin {
            FileOrigin::Remote(remote) => return Ok(Box::new(remote.rows(groups.to_vec(), prepared, mask, failed)?)),
            FileOrigin::Path(path) => fs::File::open(path)?,
            FileOrigin::Listed(object) => listed(object)?,
        };
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.into_file(), prepared);
        let builder = builder.with_projection(mask).with_row_groups(groups.to_vec()).with_batch_size(BATCH_ROWS);
        let rows = builder.build().map_err(&failed)?;
        Ok(Box::new(rows.map(move |batch| batch.map_err(|error| failed(error.into())))))
    }

    /// Returns the failure of the first of several columns that cannot be read alone.
    fn blamed(&self, error: Error, groups: &[usize], stored: &[String]) -> Error {
        if stored.len() < 2 || error.kind != Kind::Audit {
            return error;
        }
        let fails = |column: &String| {
            let mut rows = self.stored(groups, std::slice::from_ref(column))?;
            rows.try_for_each(|batch| batch.map(drop))
        };
        stored.iter().find_map(|column| fails(column).err()).unwrap_or(error)
    }
}

/// Returns the column of a read of one.
fn only(columns: &[String]) -> Option<&str> {
    match columns {
        [column] => Some(column),
        _ => None,
    }
}

/// Does what reads bytes that may be damaged: where the Parquet crate panics instead of failing, that is a failure too.
pub(super) fn guarded<T>(uri: &Uri, column: Option<&str>, work: impl FnOnce() -> Result<T>) -> Result<T> {
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
        Err(broken(uri, column, ParquetError::General(text.unwrap_or("its bytes make no sense").into())))
    })
}

fn footer(file: fs::File, uri: &Uri) -> Result<ParquetMetaData> {
    ParquetMetaDataReader::new().parse_and_finish(&file.into_file()).map_err(|error| broken(uri, None, error))
}

fn listed(object: &Object) -> Result<fs::File> {
    open_listed(object)?.ok_or_else(|| changed(&object.uri))
}

/// Returns the failure of a file whose content makes no sense, of one column where that is known.
pub(super) fn broken(
    uri: &Uri,
    column: Option<&str>,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let of = column.map(|column| format!("column `{column}` of ")).unwrap_or_default();
    Error::new(Kind::Audit, format!("{of}`{uri}` cannot be read as Parquet"))
        .caused_by(error)
        .hint("its bytes are damaged: run the step that wrote it again")
}

#[cfg(test)]
mod tests;
