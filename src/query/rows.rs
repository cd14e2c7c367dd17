//! Athena's rows, all text, as Arrow columns of their types.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::{Error, Kind, Result};

/// A row: a text or null for each column.
pub type Row = Vec<Option<String>>;

/// Returns the rows as one batch. Types that are not listed here stay text, as does a column with a value that is not of
/// its type: nothing is lost.
pub fn batch(columns: &[(String, String)], rows: &[Row]) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (at, (name, kind)) in columns.iter().enumerate() {
        let cells: Vec<Option<&str>> = rows.iter().map(|row| row.get(at).and_then(Option::as_deref)).collect();
        let array = typed(kind, &cells).unwrap_or_else(|| Arc::new(StringArray::from(cells)));
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| Error::new(Kind::Internal, "rows of Athena do not fit their columns").caused_by(error))
}

fn typed(kind: &str, cells: &[Option<&str>]) -> Option<ArrayRef> {
    Some(match kind {
        "boolean" => Arc::new(parsed::<bool>(cells)?.into_iter().collect::<BooleanArray>()),
        "tinyint" | "smallint" | "integer" | "int" | "bigint" => Arc::new(Int64Array::from(parsed::<i64>(cells)?)),
        "float" | "real" | "double" => Arc::new(Float64Array::from(parsed::<f64>(cells)?)),
        // Like the local engine's: the tables' times are UTC.
        "timestamp" => {
            let moments = each(cells, moment)?;
            Arc::new(
                TimestampMicrosecondArray::from(moments)
                    .with_data_type(DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()))),
            )
        }
        _ => return None,
    })
}

fn parsed<T: std::str::FromStr>(cells: &[Option<&str>]) -> Option<Vec<Option<T>>> {
    each(cells, |text| text.parse().ok())
}

/// Returns the values, or `None` when one cannot be read; a null is one.
fn each<T>(cells: &[Option<&str>], read: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    cells.iter().map(|cell| cell.map_or(Some(None), |text| read(text).map(Some))).collect()
}

fn moment(text: &str) -> Option<i64> {
    let civil: DateTime = text.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray as _;
    use arrow::util::display::array_value_to_string;

    #[test]
    fn text_becomes_what_its_column_says() {
        let columns = [
            ("ok", "boolean"),
            ("n", "bigint"),
            ("x", "double"),
            ("at", "timestamp"),
            ("tags", "array"),
            ("odd", "integer"),
        ]
        .map(|(name, kind)| (name.to_string(), kind.to_string()));
        let row = |cells: [Option<&str>; 6]| cells.map(|cell| cell.map(String::from)).to_vec();
        let rows = [
            row([Some("true"), Some("-7"), Some("1.5E10"), Some("2026-11-22 03:00:00.123"), Some("[a, b]"), Some("1")]),
            row([Some("false"), None, Some("NaN"), None, None, Some("not a number")]),
            row([None, Some("9223372036854775807"), Some("-Infinity"), None, Some(""), None]),
        ];
        let batch = batch(&columns, &rows).unwrap();
        let kinds: Vec<String> = batch.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
        assert_eq!(kinds, ["Boolean", "Int64", "Float64", "Timestamp(µs, \"UTC\")", "Utf8", "Utf8"]);
        let moments: &TimestampMicrosecondArray = batch.column(3).as_primitive();
        assert_eq!(moments.iter().collect::<Vec<_>>(), [Some(1_795_316_400_123_000), None, None]);
        let text = |row: usize| {
            let others = batch.columns().iter().enumerate().filter(|(at, _)| *at != 3);
            others.map(|(_, column)| array_value_to_string(column, row).unwrap()).collect::<Vec<_>>().join(" | ")
        };
        let rows = (0..3).map(text).collect::<Vec<_>>();
        assert_eq!(
            rows,
            [
                "true | -7 | 15000000000.0 | [a, b] | 1",
                "false |  | NaN |  | not a number",
                " | 9223372036854775807 | -inf |  | "
            ]
        );
    }

    #[test]
    fn no_columns_are_no_rows() {
        assert_eq!(batch(&[], &[vec![]]).unwrap().num_columns(), 0);
    }
}
