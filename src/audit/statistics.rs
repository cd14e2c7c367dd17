//! What a footer says about the values of its columns, as far as it can be relied on.

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use jiff::Timestamp;
use jiff::civil::Date;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::Result;

use super::kind::ddl;
use super::landed::{Bound, LandedColumn};
use super::parquet_file::ParquetFile;

/// Longer texts are no bound worth keeping in a run record.
const LONGEST_TEXT: usize = 64;

/// Returns the columns of a file with what its footer tells about them.
pub(super) fn columns(file: &ParquetFile) -> Result<Vec<LandedColumn>> {
    let schema = file.schema();
    let columns = schema.fields().iter().map(|field| {
        let (nulls, bounds) = of_column(file, field.name())?;
        let (min, max) = bounds.unzip();
        Ok(LandedColumn {
            name: field.name().clone(),
            kind: ddl(field.data_type()),
            nullable: field.is_nullable(),
            nulls,
            min,
            max,
        })
    });
    columns.collect()
}

type Bounds = Option<(Bound, Bound)>;

fn of_column(file: &ParquetFile, name: &str) -> Result<(Option<u64>, Bounds)> {
    let groups = file.metadata().row_groups();
    let described = file.metadata().file_metadata().schema_descr();
    let statistics = StatisticsConverter::try_new(name, file.schema(), described)?;
    let statistics = statistics.with_missing_null_counts_as_zero(false);
    let nulls: Vec<Option<u64>> = statistics.row_group_null_counts(groups)?.iter().collect();
    let counted = nulls.iter().copied().sum::<Option<u64>>().filter(|_| nulls.len() == groups.len());
    let exact = |values: ArrayRef, exact: BooleanArray| -> Vec<Option<Bound>> {
        bounds(&values).into_iter().zip(&exact).map(|(bound, exact)| bound.filter(|_| exact != Some(false))).collect()
    };
    let mins = exact(statistics.row_group_mins(groups)?, statistics.row_group_is_min_value_exact(groups)?);
    let maxes = exact(statistics.row_group_maxes(groups)?, statistics.row_group_is_max_value_exact(groups)?);
    let mut known: Bounds = None;
    for (at, group) in groups.iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or_default();
        if nulls.get(at) == Some(&Some(rows)) {
            continue; // No values, so nothing to bound.
        }
        match (mins.get(at).cloned().flatten(), maxes.get(at).cloned().flatten()) {
            (Some(min), Some(max)) => known = Some(widen(known, min, max)),
            _ => return Ok((counted, None)),
        }
    }
    Ok((counted, known))
}

/// Returns the bounds that cover `known` and one more pair.
pub(super) fn widen(known: Bounds, min: Bound, max: Bound) -> (Bound, Bound) {
    match known {
        None => (min, max),
        Some((low, high)) => (if min < low { min } else { low }, if max > high { max } else { high }),
    }
}

/// Returns each value as a bound; `None` where there is none or its type has none worth recording.
///
/// Floating point bounds do not say whether there are NaNs: whoever must know has to look. Writers widen a zero to -0.0.
pub(super) fn bounds(array: &ArrayRef) -> Vec<Option<Bound>> {
    let none = || vec![None; array.len()];
    let each = |to: &DataType, bound: &dyn Fn(&ArrayRef, usize) -> Option<Bound>| {
        let Ok(array) = cast(array, to) else { return none() };
        (0..array.len()).map(|at| if array.is_valid(at) { bound(&array, at) } else { None }).collect()
    };
    match array.data_type() {
        kind if kind.is_integer() => {
            each(&DataType::Int64, &|array, at| Some(Bound::Int(array.as_primitive::<Int64Type>().value(at))))
        }
        kind if kind.is_floating() => each(&DataType::Float64, &|array, at| {
            Some(array.as_primitive::<Float64Type>().value(at)).filter(|x| x.is_finite()).map(|x| Bound::Float(x + 0.0))
        }),
        DataType::Decimal128(_, 0) => each(array.data_type(), &|array, at| {
            i64::try_from(array.as_primitive::<Decimal128Type>().value(at)).ok().map(Bound::Int)
        }),
        DataType::Date32 => each(&DataType::Date32, &|array, at| {
            let date = day(array.as_primitive::<Date32Type>().value(at))?;
            (0..=9999).contains(&date.year()).then(|| Bound::Text(date.to_string()))
        }),
        DataType::Timestamp(_, zone) => {
            each(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()), &|array, at| {
                moment(array.as_primitive::<TimestampMicrosecondType>().value(at)).map(Bound::Text)
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 => each(&DataType::Utf8, &|array, at| {
            let text = array.as_string::<i32>().value(at);
            (text.len() <= LONGEST_TEXT).then(|| Bound::Text(text.into()))
        }),
        _ => none(),
    }
}

/// Returns the date so many days after 1970-01-01.
pub(super) fn day(days: i32) -> Option<Date> {
    jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Returns a moment with always six digits of fraction, so that texts sort as the moments do.
fn moment(microseconds: i64) -> Option<String> {
    let moment = Timestamp::from_microsecond(microseconds).ok()?;
    let text = format!("{moment:.6}");
    (!text.starts_with('-')).then_some(text)
}
