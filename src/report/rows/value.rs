//! Arrow values as JSON values.

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Returns the value in a row of the column it was made for.
pub(super) type Read = Box<dyn Fn(usize) -> Value>;

/// Returns what reads a column. The column is converted once, not once a value.
pub(super) fn reader(array: &ArrayRef) -> Read {
    let read = unless_null(array);
    match array.logical_nulls() {
        Some(nulls) => Box::new(move |row| if nulls.is_null(row) { Value::Null } else { read(row) }),
        None => read,
    }
}

fn unless_null(array: &ArrayRef) -> Read {
    match array.data_type() {
        DataType::Null => Box::new(|_| Value::Null),
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            Box::new(move |row| array.value(row).into())
        }
        DataType::UInt64 => {
            let array = array.as_primitive::<UInt64Type>().clone();
            Box::new(move |row| array.value(row).into())
        }
        kind if kind.is_integer() => integers(array, Value::from),
        DataType::Float32 => {
            let array = array.as_primitive::<Float32Type>().clone();
            // By way of text: 0.1 stays 0.1 and does not become 0.10000000149.
            Box::new(move |row| number(array.value(row).to_string().parse().unwrap_or(f64::NAN)))
        }
        DataType::Float16 | DataType::Float64 => converted(array, &DataType::Float64, |array| {
            let array = array.as_primitive::<Float64Type>().clone();
            Box::new(move |row| number(array.value(row)))
        }),
        DataType::Timestamp(unit, zone) => {
            let (unit, zoned) = (*unit, zone.is_some());
            integers(array, move |ticks| moment(ticks, unit, zoned))
        }
        DataType::Binary | DataType::BinaryView | DataType::FixedSizeBinary(_) | DataType::LargeBinary => {
            converted(array, &DataType::LargeBinary, |array| {
                let array = array.as_binary::<i64>().clone();
                Box::new(move |row| {
                    array.value(row).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
                })
            })
        }
        DataType::Dictionary(_, value) => converted(array, value, reader),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => list(array),
        DataType::Struct(_) => structure(array),
        DataType::Map(..) => map(array),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date32 => {
            converted(array, &DataType::LargeUtf8, |array| {
                let array = array.as_string::<i64>().clone();
                Box::new(move |row| array.value(row).into())
            })
        }
        _ => displayed(array),
    }
}

fn converted(array: &ArrayRef, kind: &DataType, read: impl Fn(&ArrayRef) -> Read) -> Read {
    cast(array, kind).map_or_else(|_| displayed(array), |array| read(&array))
}

fn integers(array: &ArrayRef, value: impl Fn(i64) -> Value + 'static) -> Read {
    match cast(array, &DataType::Int64) {
        Ok(array) => {
            let array = array.as_primitive::<Int64Type>().clone();
            Box::new(move |row| value(array.value(row)))
        }
        Err(_) => displayed(array),
    }
}

/// Everything else as Arrow shows it: decimals, times, durations, intervals.
fn displayed(array: &ArrayRef) -> Read {
    let array = array.clone();
    let options = FormatOptions::new().with_display_error(true);
    Box::new(move |row| match ArrayFormatter::try_new(&array, &options) {
        Ok(formatter) => formatter.value(row).to_string().into(),
        Err(error) => format!("<{error}>").into(),
    })
}

fn number(x: f64) -> Value {
    serde_json::Number::from_f64(x).map_or_else(
        || {
            Value::from(if x.is_nan() {
                "NaN"
            } else if x > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        },
        Value::Number,
    )
}

/// A moment in UTC, or without a zone the date and time alone.
fn moment(ticks: i64, unit: TimeUnit, zoned: bool) -> Value {
    let nanoseconds = i128::from(ticks)
        * match unit {
            TimeUnit::Second => 1_000_000_000,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1,
        };
    match Timestamp::from_nanosecond(nanoseconds) {
        Ok(moment) if zoned => moment.to_string().into(),
        Ok(moment) => TimeZone::UTC.to_datetime(moment).to_string().into(),
        // Outside the years -9999 to 9999.
        Err(_) => ticks.into(),
    }
}

fn list(array: &ArrayRef) -> Read {
    let (DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)) = array.data_type()
    else {
        return displayed(array);
    };
    converted(array, &DataType::LargeList(item.clone()), |array| {
        let array = array.as_list::<i64>();
        let (offsets, items) = (array.offsets().clone(), reader(array.values()));
        Box::new(move |row| (offsets[row] as usize..offsets[row + 1] as usize).map(&items).collect())
    })
}

fn structure(array: &ArrayRef) -> Read {
    let array = array.as_struct();
    let names = array.column_names().into_iter().map(String::from);
    let members: Vec<(String, Read)> = names.zip(array.columns().iter().map(reader)).collect();
    Box::new(move |row| members.iter().map(|(name, read)| (name.clone(), read(row))).collect::<Map<_, _>>().into())
}

fn map(array: &ArrayRef) -> Read {
    let array = array.as_map();
    let (offsets, keys, values) = (array.offsets().clone(), reader(array.keys()), reader(array.values()));
    Box::new(move |row| {
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        let entry = |at| (super::plain(&keys(at)).unwrap_or_default(), values(at));
        entries.map(entry).collect::<Map<_, _>>().into()
    })
}
