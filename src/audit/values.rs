//! `not-null`, `accepted`, `range`, `fresh`: what the values of single columns must be.

use std::collections::HashSet;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::{cast, is_null, max};
use arrow::datatypes::{DataType, Date32Type, Float64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use futures_util::FutureExt as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::canonical::arrow_failed;
use super::checks::{Subject, Verdict, counted, duration};
use super::landed::{Bound, Opened};
use super::parquet_file::ParquetFile;
use super::reader::each;
use super::rows::row_text;
use super::statistics::day;
use crate::error::Result;
use crate::names::PartitionValues;

/// Most examples a finding shows.
pub(super) const EXAMPLES: usize = 3;

/// Returns what `see` made of each row group, in the order of files and row groups. The batches have exactly `columns`, in that order.
///
/// # Errors
/// Those of [`super::parquet_file::ParquetFile::read`].
pub(super) async fn scan<'a, T: Default + Send>(
    opened: &'a Opened,
    columns: &[String],
    see: impl Fn(&mut T, &RecordBatch) -> Result<(), ArrowError> + Sync,
) -> Result<Vec<T>> {
    let groups = opened
        .files
        .iter()
        .flat_map(|(file, values)| (0..file.metadata().num_row_groups()).map(move |group| (file, values, group)));
    let see = &see;
    let look = |(file, values, group): (&'a ParquetFile, &'a PartitionValues, usize)| {
        async move {
            let mut seen = T::default();
            file.read_group(group, columns, values, |batch| see(&mut seen, &batch).map_err(arrow_failed)).await?;
            Ok(seen)
        }
        .boxed()
    };
    each(groups, look).await
}

/// How many rows break a rule, and the first few different values that do.
#[derive(Default)]
struct Offenders {
    count: usize,
    examples: Vec<String>,
}

impl Offenders {
    fn show(&mut self, example: String) {
        if self.examples.len() < EXAMPLES && !self.examples.contains(&example) {
            self.examples.push(example);
        }
    }

    /// Returns `, such as …`, or nothing without an example.
    fn such_as(&self) -> String {
        if self.examples.is_empty() { String::new() } else { format!(", such as `{}`", self.examples.join("`, `")) }
    }
}

/// Returns the rows for whose value of `column` `breaks` is true, with those of `shown` as examples.
async fn offenders(
    subject: &Subject,
    column: &str,
    shown: &[String],
    breaks: impl Fn(&ArrayRef) -> Result<BooleanArray, ArrowError> + Sync,
) -> Result<Offenders> {
    let columns = [&[column.to_string()], shown].concat();
    let of_groups = scan(&subject.opened, &columns, |found: &mut Offenders, batch| {
        let breaking = breaks(batch.column(0))?;
        found.count += breaking.true_count();
        let examples = batch.project(&(1..columns.len()).collect::<Vec<_>>())?;
        for row in breaking.values().set_indices().filter(|_| !shown.is_empty()) {
            if found.examples.len() == EXAMPLES {
                break;
            }
            found.show(row_text(&examples, row));
        }
        Ok(())
    });
    Ok(of_groups.await?.into_iter().fold(Offenders::default(), |mut all, one| {
        all.count += one.count;
        one.examples.into_iter().for_each(|example| all.show(example));
        all
    }))
}

/// Null counts of the footers, if all have them; rows are read for examples only: the table's key, where it has one.
pub(super) async fn not_null(subject: &Subject, columns: &[String]) -> Result<Verdict> {
    let rows = counted(subject.opened.landed.rows, "row");
    let mut found = Vec::new();
    for column in columns {
        if subject.column(column).and_then(|column| column.nulls) == Some(0) {
            continue;
        }
        let known = |key: &&String| {
            *key != column && (subject.column(key).is_some() || subject.table.partition_by.contains(key))
        };
        let key: Vec<String> = subject.table.key.iter().filter(known).cloned().collect();
        let mut nulls = offenders(subject, column, &key, |values| is_null(values)).await?;
        if let Some(first) = nulls.examples.first_mut() {
            *first = format!("{} {first}", key.join(", "));
        }
        if nulls.count > 0 {
            found.push(format!("`{column}` is null in {} of {rows}{}", nulls.count, nulls.such_as()));
        }
    }
    Ok(if found.is_empty() { (true, format!("no nulls in {rows}")) } else { (false, found.join("; ")) })
}

/// Compares values as text: `1`, `true`, `2026-11-22`. Nulls are ignored.
pub(super) async fn accepted(subject: &Subject, column: &String, accepted: &[String]) -> Result<Verdict> {
    let accepted: HashSet<&str> = accepted.iter().map(String::as_str).collect();
    let others = offenders(subject, column, std::slice::from_ref(column), |values| {
        let texts = cast(values, &DataType::LargeUtf8)?;
        let texts = texts.as_string::<i64>().iter();
        Ok(texts.map(|text| Some(text.is_some_and(|text| !accepted.contains(text)))).collect())
    });
    let others = others.await?;
    if others.count == 0 {
        return Ok((true, format!("nothing else in {}", counted(subject.opened.landed.rows, "row"))));
    }
    Ok((false, format!("{} with another value{}", counted(others.count as u64, "row"), others.such_as())))
}

/// Footers suffice when whole numbers are within the limits; they say nothing about NaN, which never is.
pub(super) async fn range(subject: &Subject, column: &String, low: Option<f64>, high: Option<f64>) -> Result<Verdict> {
    let inside = |x: f64| !x.is_nan() && low.is_none_or(|low| x >= low) && high.is_none_or(|high| x <= high);
    let numeric = |kind: &str| {
        ["tinyint", "smallint", "int", "bigint", "float", "double"].contains(&kind) || kind.starts_with("decimal")
    };
    if let Some(known) = subject.column(column) {
        if !numeric(&known.kind) {
            return Ok((false, format!("`{column}` is `{}`, but a range needs numbers", known.kind)));
        }
        if let (Some(Bound::Int(min)), Some(Bound::Int(max))) = (&known.min, &known.max)
            && inside(*min as f64)
            && inside(*max as f64)
        {
            return Ok((true, format!("from {min} to {max}")));
        }
    }
    let outside = offenders(subject, column, std::slice::from_ref(column), |values| {
        // Text in a partition's name that is no number becomes null here, and is outside.
        let numbers = cast(values, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>().iter().enumerate();
        Ok(numbers.map(|(row, x)| Some(values.is_valid(row) && !x.is_some_and(inside))).collect())
    });
    let outside = outside.await?;
    if outside.count == 0 {
        return Ok((true, format!("all values of {} within", counted(subject.opened.landed.rows, "row"))));
    }
    Ok((false, format!("{} outside{}", counted(outside.count as u64, "row"), outside.such_as())))
}

/// A date stands for its whole day. Without any value nothing is fresh.
pub(super) async fn fresh(subject: &Subject, column: &String, within_seconds: i64) -> Result<Verdict> {
    let kind = subject.column(column).map_or("", |column| column.kind.as_str());
    if !["", "date", "timestamp", "timestamp_ntz"].contains(&kind) {
        return Ok((false, format!("`{column}` is `{kind}`, but freshness needs a date or a timestamp")));
    }
    let newest = match subject.column(column).and_then(|column| column.max.as_ref()) {
        Some(Bound::Text(max)) => parse(max),
        _ => {
            let of_groups =
                scan(&subject.opened, std::slice::from_ref(column), |newest: &mut Option<Timestamp>, batch| {
                    *newest = (*newest).max(newest_of(batch.column(0)));
                    Ok(())
                });
            of_groups.await?.into_iter().max().flatten()
        }
    };
    let date = subject.date;
    let (Some(newest), Some(end)) = (newest, end_of(date)) else {
        return Ok((false, format!("no date or timestamp in `{column}`")));
    };
    let age = end.duration_since(newest).as_secs();
    let found = match age {
        i64::MIN..0 => format!("the newest is {newest}, after the end of {date}"),
        0 => format!("the newest is of the end of {date}"),
        _ => format!("the newest is {newest}, {} before the end of {date}", duration(age)),
    };
    Ok((end.duration_since(newest) <= SignedDuration::from_secs(within_seconds), found))
}

fn newest_of(array: &ArrayRef) -> Option<Timestamp> {
    match array.data_type() {
        DataType::Timestamp(..) => {
            max(array.as_primitive::<TimestampMicrosecondType>()).and_then(|at| Timestamp::from_microsecond(at).ok())
        }
        DataType::Date32 => max(array.as_primitive::<Date32Type>()).and_then(day).and_then(end_of),
        // A partition column: one value for all rows.
        DataType::LargeUtf8 if !array.is_empty() && array.is_valid(0) => parse(array.as_string::<i64>().value(0)),
        _ => None,
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| text.parse::<Date>().ok().and_then(end_of))
}

fn end_of(date: Date) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(date.tomorrow().ok()?.at(0, 0, 0, 0)).ok()
}
