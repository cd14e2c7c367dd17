//! One Parquet file: its footer, and its columns in one form whoever wrote them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, LargeStringArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::datatypes::{Float32Type, Float64Type};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::{Error, Kind, Result};
use crate::names::PartitionValues;

/// How Hive and Spark spell a null in the name of a partition directory.
pub const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Timestamps are moments in UTC. An offset and not a name, which Arrow can only resolve with a time zone database.
const ZONE: &str = "+00:00";

/// Rows decoded at a time: bounds the memory of a scan.
const BATCH_ROWS: usize = 8192;

/// A Parquet file whose footer has been read.
pub struct ParquetFile {
    path: PathBuf,
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
}

impl ParquetFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// `Machine` when the file cannot be opened, `Audit` when it is not Parquet or cut short.
    pub fn open(path: &Path) -> Result<Self> {
        let file = fs_err::File::open(path)?.into_file();
        let broken = |error| broken(path, error);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(broken)?;
        let described = metadata.file_metadata().schema_descr();
        // Without the Arrow schema that some writers embed: types follow from what is stored, not from who stored it.
        let arrow = parquet_to_arrow_schema(described, None).map_err(broken)?;
        let int96 = |root: usize| {
            let of_root = |leaf: &usize| described.get_column_root_idx(*leaf) == root;
            (0..described.num_columns())
                .filter(of_root)
                .any(|leaf| described.column(leaf).physical_type() == PhysicalType::INT96)
        };
        let fields = arrow.fields().iter().enumerate().map(|(root, field)| in_utc(field, int96(root)));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { path: path.into(), metadata: Arc::new(metadata), schema })
    }

    /// Returns the columns as they are read, before [`canonical`].
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

    /// Reads `columns` in the order given, at most 8192 rows at a time, in their canonical types.
    /// A column of `values` comes from there (text), as it is not in the file.
    ///
    /// # Errors
    /// `Audit` when the file lacks a column or its content is broken.
    pub fn batches(
        &self,
        columns: &[String],
        values: &PartitionValues,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let missing = |column: &&String| !values.contains_key(*column) && self.schema.index_of(column).is_err();
        if let Some(column) = columns.iter().find(missing) {
            return Err(Error::new(Kind::Audit, format!("`{}` has no column `{column}`", self.path.display())));
        }
        let file = fs_err::File::open(&self.path)?.into_file();
        let options = ArrowReaderOptions::new().with_schema(self.schema.clone());
        let prepared = ArrowReaderMetadata::try_new(self.metadata.clone(), options);
        let prepared = prepared.map_err(|error| broken(&self.path, error))?;
        let stored = columns.iter().filter(|column| !values.contains_key(*column));
        let roots: Vec<usize> = stored.filter_map(|column| self.schema.index_of(column).ok()).collect();
        let mask = ProjectionMask::roots(self.metadata.file_metadata().schema_descr(), roots);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, prepared);
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
        let reader = reader.map_err(|error| broken(&self.path, error))?;
        let (path, columns, values) = (self.path.clone(), columns.to_vec(), values.clone());
        Ok(reader.map(move |batch| {
            let batch = batch.map_err(|error| broken(&path, error))?;
            arrange(&batch, &columns, &values).map_err(|error| broken(&path, error))
        }))
    }
}

fn broken(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Audit, format!("`{}` cannot be read as Parquet", path.display())).caused_by(error)
}

/// Returns the field with its moments in UTC. Spark's INT96 timestamps carry no zone, but are UTC; read as microseconds
/// because nanoseconds end in the year 2262.
fn in_utc(field: &FieldRef, int96: bool) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, None) if int96 => {
            DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into()))
        }
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some(ZONE.into())),
        DataType::List(item) => DataType::List(in_utc(item, int96)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| in_utc(field, int96)).collect()),
        DataType::Map(entries, sorted) => DataType::Map(in_utc(entries, int96), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), kind, field.is_nullable()))
}

fn arrange(batch: &RecordBatch, columns: &[String], values: &PartitionValues) -> Result<RecordBatch, Error> {
    let rows = batch.num_rows();
    let column = |name: &String| -> Result<(String, ArrayRef, bool), Error> {
        let array = match (values.get(name), batch.column_by_name(name)) {
            (Some(value), _) => constant(value, rows),
            (None, Some(array)) => canonical(array)?,
            (None, None) => return Err(Error::new(Kind::Internal, format!("column `{name}` was not read"))),
        };
        Ok((name.clone(), array, true))
    };
    let arranged = columns.iter().map(column).collect::<Result<Vec<_>>>()?;
    if arranged.is_empty() {
        return Ok(batch.clone());
    }
    RecordBatch::try_from_iter_with_nullable(arranged).map_err(arrow_failed)
}

/// Returns the value of a partition column for `rows` rows.
fn constant(value: &str, rows: usize) -> ArrayRef {
    if value == NULL_PARTITION {
        new_null_array(&DataType::LargeUtf8, rows)
    } else {
        Arc::new(LargeStringArray::from_iter_values(std::iter::repeat_n(value, rows)))
    }
}

/// Returns the column in the type that all ways of storing its values share: text with 64-bit offsets (so that many
/// files can be joined), moments in microseconds, one NaN, no negative zero.
///
/// # Errors
/// `Audit` when a value does not fit.
pub fn canonical(array: &ArrayRef) -> Result<ArrayRef> {
    let kind = canonical_kind(array.data_type());
    let array = if *array.data_type() == kind { array.clone() } else { cast(array, &kind).map_err(arrow_failed)? };
    Ok(match array.data_type() {
        DataType::Float64 => {
            let plain = |x: f64| if x.is_nan() { f64::NAN } else { x + 0.0 };
            Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(plain)) as Arc<_>
        }
        DataType::Float32 => {
            let plain = |x: f32| if x.is_nan() { f32::NAN } else { x + 0.0 };
            Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(plain)) as Arc<_>
        }
        _ => array,
    })
}

/// Returns the type that [`canonical`] turns a type into.
pub fn canonical_kind(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8 | DataType::Utf8View => DataType::LargeUtf8,
        DataType::Binary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::LargeBinary,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| ZONE.into())),
        DataType::Dictionary(_, value) => canonical_kind(value),
        DataType::List(item) | DataType::LargeList(item) => {
            DataType::List(Arc::new(Field::new("item", canonical_kind(item.data_type()), true)))
        }
        DataType::Struct(fields) => {
            let member = |field: &FieldRef| Field::new(field.name(), canonical_kind(field.data_type()), true);
            DataType::Struct(fields.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

pub(crate) fn arrow_failed(error: arrow::error::ArrowError) -> Error {
    Error::new(Kind::Audit, "a column cannot be read").caused_by(error)
}
