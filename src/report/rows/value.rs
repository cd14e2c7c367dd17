//! Arrow values as JSON values.

use arrow::array::{Array, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Number, Value};

/// Returns something of a row of the column it was made for.
pub(super) type Read<'a, T = Value> = Box<dyn Fn(usize) -> T + 'a>;

/// Returns what reads a column.
pub(super) fn reader(array: &dyn Array) -> Read<'_> {
    let (nulls, read) = (array.logical_nulls(), unless_null(array));
    let is_null = move |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    Box::new(move |row| if is_null(row) { Value::Null } else { read(row) })
}

fn unless_null(array: &dyn Array) -> Read<'_> {
    match array.data_type() {
        DataType::Null => Box::new(|_| Value::Null),
        DataType::Boolean => Box::new(|row| array.as_boolean().value(row).into()),
        kind if kind.is_integer() || kind.is_floating() => {
            let text = displayed(array);
            Box::new(move |row| number(text(row)))
        }
        DataType::Timestamp(unit, zone) => {
            let (unit, zoned) = (*unit, zone.is_some());
            let Ok(ticks) = cast(array, &DataType::Int64) else { return text(array) };
            Box::new(move |row| moment(ticks.as_primitive::<Int64Type>().value(row), unit, zoned))
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (offsets, item) = (list.offsets(), reader(list.values()));
            Box::new(move |row| (offsets[row] as usize..offsets[row + 1] as usize).map(&item).collect())
        }
        DataType::Struct(_) => {
            let array = array.as_struct();
            let readers = array.columns().iter().map(|column| reader(column));
            let members: Vec<(&str, Read<'_>)> = array.column_names().into_iter().zip(readers).collect();
            Box::new(move |row| members.iter().map(|(name, read)| (name.to_string(), read(row))).collect())
        }
        DataType::Map(..) => {
            let array = array.as_map();
            let (offsets, keys, values) = (array.offsets(), displayed(array.keys()), reader(array.values()));
            Box::new(move |row| {
                let entries = offsets[row] as usize..offsets[row + 1] as usize;
                entries.map(|at| (keys(at), values(at))).collect::<Map<_, _>>().into()
            })
        }
        _ => text(array),
    }
}

/// Everything else as Arrow shows it: texts, dates, decimals, durations, intervals; binary in hexadecimal.
fn text(array: &dyn Array) -> Read<'_> {
    let text = displayed(array);
    Box::new(move |row| text(row).into())
}

fn displayed(array: &dyn Array) -> Read<'_, String> {
    match ArrayFormatter::try_new(array, &FormatOptions::new().with_display_error(true)) {
        Ok(formatter) => Box::new(move |row| formatter.value(row).to_string()),
        Err(error) => Box::new(move |_| format!("<{error}>")),
    }
}

/// By way of text a short fraction stays as it is: 0.1 does not become 0.10000000149.
fn number(text: String) -> Value {
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    let number = whole.ok().or_else(|| Number::from_f64(text.parse().ok()?));
    number.map_or_else(|| text.replace("inf", "Infinity").into(), Value::Number)
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
