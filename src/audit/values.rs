//! `not-null`, `accepted`, `range`, `fresh`: what the values of single columns must be.

use std::collections::HashSet;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::{cast, max};
use arrow::datatypes::{DataType, Date32Type, Float64Type, TimestampMicrosecondType};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::canonical::arrow_failed;
use super::checks::{Subject, Verdict, counted, duration};
use super::landed::Bound;
use super::rows::{row_text, text};
use super::scan::{Offenders, scan};
use super::statistics::day;
use crate::error::Result;

/// Null counts of the footers, if all have them; rows are read for examples only.
pub(super) fn not_null(subject: &Subject, columns: &[String]) -> Result<Verdict> {
    let rows = subject.opened.landed.rows;
    let mut found = Vec::new();
    for column in columns {
        if subject.column(column).and_then(|column| column.nulls) == Some(0) {
            continue;
        }
        let nulls = nulls(subject, column)?;
        if nulls.count > 0 {
            found.push(format!("`{column}` is null in {} of {}{}", nulls.count, counted(rows, "row"), nulls.such_as()));
        }
    }
    let verdict = if found.is_empty() { format!("no nulls in {}", counted(rows, "row")) } else { found.join("; ") };
    Ok((found.is_empty(), verdict))
}

/// Rows without a value; the table's key, where it has one, serves as the example.
fn nulls(subject: &Subject, column: &String) -> Result<Offenders> {
    let mut columns = vec![column.clone()];
    let known =
        |key: &&String| *key != column && (subject.column(key).is_some() || subject.table.partition_by.contains(key));
    let key: Vec<&String> = subject.table.key.iter().filter(known).collect();
    columns.extend(key.iter().map(ToString::to_string));
    let of_files = scan(&subject.opened, &columns, |nulls: &mut Offenders, batch| {
        let keys: Vec<usize> = (1..columns.len()).collect();
        let keys = batch.project(&keys).map_err(arrow_failed)?;
        for row in (0..batch.num_rows()).filter(|row| batch.column(0).is_null(*row)) {
            nulls.add(|| row_text(&keys, row));
        }
        Ok(())
    })?;
    let mut nulls = Offenders::sum(of_files);
    nulls.examples.retain(|example| !example.is_empty());
    if let Some(first) = nulls.examples.first_mut() {
        *first = format!("{} {first}", key.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", "));
    }
    Ok(nulls)
}

/// Compares values as text: `1`, `true`, `2026-11-22`. Nulls are ignored.
pub(super) fn accepted(subject: &Subject, column: &String, accepted: &[String]) -> Result<Verdict> {
    let accepted: HashSet<&str> = accepted.iter().map(String::as_str).collect();
    let of_files = scan(&subject.opened, std::slice::from_ref(column), |others: &mut Offenders, batch| {
        let texts = cast(batch.column(0), &DataType::LargeUtf8).map_err(arrow_failed)?;
        let texts = texts.as_string::<i64>();
        for row in (0..texts.len()).filter(|row| texts.is_valid(*row) && !accepted.contains(texts.value(*row))) {
            others.add(|| text(texts, row));
        }
        Ok(())
    })?;
    let others = Offenders::sum(of_files);
    if others.count == 0 {
        return Ok((true, format!("nothing else in {}", counted(subject.opened.landed.rows, "row"))));
    }
    Ok((false, format!("{} with another value{}", counted(others.count, "row"), others.such_as())))
}

/// Footers suffice when whole numbers are within the limits; they say nothing about NaN, which never is.
pub(super) fn range(subject: &Subject, column: &String, low: Option<f64>, high: Option<f64>) -> Result<Verdict> {
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
    let of_files = scan(&subject.opened, std::slice::from_ref(column), |outside: &mut Offenders, batch| {
        let written = batch.column(0);
        // Text in a partition's name that is no number becomes null here, and is outside.
        let numbers = cast(written, &DataType::Float64).map_err(arrow_failed)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let fits = |row: usize| written.is_null(row) || (numbers.is_valid(row) && inside(numbers.value(row)));
        for row in (0..numbers.len()).filter(|row| !fits(*row)) {
            outside.add(|| text(written, row));
        }
        Ok(())
    })?;
    let outside = Offenders::sum(of_files);
    if outside.count == 0 {
        return Ok((true, format!("all values of {} within", counted(subject.opened.landed.rows, "row"))));
    }
    Ok((false, format!("{} outside{}", counted(outside.count, "row"), outside.such_as())))
}

/// A date stands for its whole day. Without any value nothing is fresh.
pub(super) fn fresh(subject: &Subject, column: &String, within_seconds: i64) -> Result<Verdict> {
    let kind = subject.column(column).map_or("", |column| column.kind.as_str());
    if !["", "date", "timestamp", "timestamp_ntz"].contains(&kind) {
        return Ok((false, format!("`{column}` is `{kind}`, but freshness needs a date or a timestamp")));
    }
    let newest = match subject.column(column).and_then(|column| column.max.as_ref()) {
        Some(Bound::Text(max)) => parse(max),
        _ => scan(&subject.opened, std::slice::from_ref(column), |newest: &mut Option<Timestamp>, batch| {
            *newest = (*newest).max(newest_of(batch.column(0)));
            Ok(())
        })?
        .into_iter()
        .max()
        .flatten(),
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
