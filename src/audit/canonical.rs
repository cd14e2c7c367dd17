//! Columns in one form, whoever wrote them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, LargeStringArray, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, TimeUnit};
use arrow::error::ArrowError;

use crate::error::{Error, Kind};
use crate::names::{NULL_PARTITION, PartitionValues};

/// Timestamps are moments in UTC. An offset and not a name, which Arrow can only resolve with a time zone database.
const ZONE: &str = "+00:00";

/// Returns the field with its moments in UTC. Spark's INT96 timestamps carry no zone, but are UTC; read as microseconds
/// because nanoseconds end in the year 2262.
pub(super) fn in_utc(field: &FieldRef, int96: bool) -> FieldRef {
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

/// Returns a batch of exactly `columns`, in that order and in their canonical types; those of `values` from there.
///
/// # Errors
/// When a column is missing or a value does not fit.
pub(super) fn arrange(
    batch: &RecordBatch,
    columns: &[String],
    values: &PartitionValues,
) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let mut arranged = Vec::with_capacity(columns.len());
    for name in columns {
        let array = match values.get(name) {
            Some(value) => constant(value, rows),
            None => canonical(batch.column(batch.schema().index_of(name)?))?,
        };
        arranged.push((name, array, true));
    }
    if arranged.is_empty() {
        return Ok(batch.clone());
    }
    RecordBatch::try_from_iter_with_nullable(arranged)
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
fn canonical(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let array = cast(array, &canonical_kind(array.data_type()))?;
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

/// Returns the type that `canonical` turns a type into.
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

/// Returns the failure of what Arrow cannot do with a column.
pub fn arrow_failed(error: ArrowError) -> Error {
    Error::new(Kind::Audit, "a column cannot be read").caused_by(error)
}
