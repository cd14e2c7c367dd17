//! The comparison: what both sides have alike goes, what is left is paired by key and compared cell by cell.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

use super::diff::{ColumnDiff, EXAMPLES, Example, KeyExamples, TableDiff};
use super::equal::equal;
use super::read::{Side, shared};
use crate::audit::canonical::arrow_failed;
use crate::audit::kind::has_float;
use crate::audit::rows::{RowHasher, row_text, text};
use crate::error::{Error, Kind, Result};

/// Returns the differences between two versions of a table, whose rows are matched by `key`.
///
/// Without a key, tables are compared as multisets of rows: rows are matched by all columns without floating point
/// numbers, and among those that agree in these, in the order of the numbers. Columns in `ignore` are left out.
/// How a value is stored is no difference (INT96 or INT64, microseconds or nanoseconds, dictionaries), numbers may
/// differ by `tolerance`, and a row in another partition differs in its partition columns.
///
/// Rows that share a key go together where all their values are equal; the rest does in the order of their values, so
/// that numbers which differ by a rounding error meet.
///
/// Memory: about 64 bytes a row, and the rows that are not on both sides exactly alike.
///
/// # Errors
/// `Usage` when a key column is not on both sides in comparable types, `Audit` when a file is broken.
pub async fn compare(
    left: &Side<'_>,
    right: &Side<'_>,
    key: &[String],
    ignore: &[String],
    tolerance: f64,
) -> Result<TableDiff> {
    let mut diff =
        TableDiff { left: left.name.into(), right: right.name.into(), key: key.to_vec(), ..TableDiff::default() };
    if left.files.is_empty() && right.files.is_empty() {
        return Ok(diff);
    }
    let shared = shared([left, right], ignore, &mut diff).await?;
    let roles = ColumnRoles::new(&shared, key)?;
    let hasher = RowHasher::default();
    let (left_rows, right_rows) = (left.hashes(&shared, &hasher).await?, right.hashes(&shared, &hasher).await?);
    (diff.rows_left, diff.rows_right) = (left_rows.len() as u64, right_rows.len() as u64);
    if !key.is_empty() {
        diff.repeated_left = repeated(left, &roles, &hasher).await?;
        diff.repeated_right = repeated(right, &roles, &hasher).await?;
    }
    let rest = [
        left.pick(&shared, &except(&left_rows, &right_rows)).await?,
        right.pick(&shared, &except(&right_rows, &left_rows)).await?,
    ];
    drop((left_rows, right_rows));
    differences(&rest, &roles, tolerance, &mut diff).map_err(arrow_failed)?;
    Ok(diff)
}

/// What each column is for.
struct ColumnRoles {
    /// Rows are matched by these.
    key: Vec<FieldRef>,
    /// And compared in these.
    values: Vec<FieldRef>,
    /// Rows are shown as these.
    shown: Vec<FieldRef>,
}

impl ColumnRoles {
    fn new(shared: &[FieldRef], key: &[String]) -> Result<Self> {
        let find = |name: &String| {
            shared.iter().find(|column| column.name() == name).cloned().ok_or_else(|| {
                Error::new(Kind::Usage, format!("the key column `{name}` is not on both sides in comparable types"))
            })
        };
        let named = key.iter().map(find).collect::<Result<Vec<_>>>()?;
        let is_key = |column: &FieldRef| {
            if key.is_empty() { !has_float(column.data_type()) } else { named.contains(column) }
        };
        let (matched, values) = shared.iter().cloned().partition(is_key);
        Ok(Self { key: matched, values, shown: if key.is_empty() { shared.to_vec() } else { named } })
    }
}

/// Returns the rows, in their order, that are not among `others`; each of those stands for one row.
fn except(rows: &[u128], others: &[u128]) -> Vec<usize> {
    let mut left = HashMap::<u128, usize>::with_capacity(others.len());
    others.iter().for_each(|other| *left.entry(*other).or_default() += 1);
    let mut is_new = |row: &u128| match left.get_mut(row) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    rows.iter().enumerate().filter(|(_, row)| is_new(row)).map(|(at, _)| at).collect()
}

/// Returns the keys that more than one row has.
async fn repeated(side: &Side<'_>, roles: &ColumnRoles, hasher: &RowHasher) -> Result<KeyExamples> {
    let hashes = side.hashes(&roles.key, hasher).await?;
    let mut seen = HashMap::<u128, (usize, usize)>::with_capacity(hashes.len());
    for (at, hash) in hashes.into_iter().enumerate() {
        seen.entry(hash).or_insert((at, 0)).1 += 1;
    }
    let mut first: Vec<usize> = seen.into_values().filter(|(_, rows)| *rows > 1).map(|(first, _)| first).collect();
    first.sort_unstable();
    let shown = side.pick(&roles.shown, &first[..first.len().min(EXAMPLES)]).await?;
    let examples = (0..shown.num_rows()).map(|row| row_text(&shown, row)).collect();
    Ok(KeyExamples { count: first.len() as u64, examples })
}

/// Adds what differs between the rows that the other side does not have exactly alike.
fn differences(
    rest: &[RecordBatch; 2],
    roles: &ColumnRoles,
    tolerance: f64,
    diff: &mut TableDiff,
) -> Result<(), ArrowError> {
    let (pairs, only_left, only_right) = paired(rest, roles)?;
    let shown = [columns_of(&rest[0], &roles.shown)?, columns_of(&rest[1], &roles.shown)?];
    let keys = |side: usize, rows: Vec<usize>| {
        let examples = rows.iter().take(EXAMPLES).map(|row| row_text(&shown[side], *row)).collect();
        KeyExamples { count: rows.len() as u64, examples }
    };
    (diff.only_left, diff.only_right) = (keys(0, only_left), keys(1, only_right));
    for column in &roles.values {
        let at = rest[0].schema().index_of(column.name())?;
        let (left, right) = (rest[0].column(at), rest[1].column(at));
        let equal = equal(left, right, tolerance)?;
        let differing: Vec<_> = pairs.iter().filter(|(l, r)| !equal(*l, *r)).collect();
        let example = |(l, r): &&(usize, usize)| Example {
            key: row_text(&shown[0], *l),
            left: text(left, *l),
            right: text(right, *r),
        };
        if !differing.is_empty() {
            let examples = differing.iter().take(EXAMPLES).map(example).collect();
            diff.columns.push(ColumnDiff { column: column.name().clone(), rows: differing.len() as u64, examples });
        }
    }
    Ok(())
}

fn columns_of(batch: &RecordBatch, columns: &[FieldRef]) -> Result<RecordBatch, ArrowError> {
    let at = columns.iter().map(|column| batch.schema().index_of(column.name())).collect::<Result<Vec<_>, _>>()?;
    batch.project(&at)
}

/// Row numbers: of both sides, of the left one alone, of the right one alone.
type Paired = (Vec<(usize, usize)>, Vec<usize>, Vec<usize>);

/// Pairs the rows of each key in the order of their values. All three lists are in the order of the files: examples are
/// the first rows.
fn paired(rest: &[RecordBatch; 2], roles: &ColumnRoles) -> Result<Paired, ArrowError> {
    let [left_keys, right_keys] = encoded(rest, &roles.key)?;
    let [left_values, right_values] = encoded(rest, &roles.values)?;
    let order = |keys: &Rows, values: &Rows| {
        let mut rows: Vec<usize> = (0..keys.num_rows()).collect();
        rows.sort_by(|a, b| (keys.row(*a), values.row(*a)).cmp(&(keys.row(*b), values.row(*b))));
        rows.into_iter().peekable()
    };
    let (mut left, mut right) = (order(&left_keys, &left_values), order(&right_keys, &right_values));
    let (mut pairs, mut only_left, mut only_right) = Paired::default();
    while let (Some(l), Some(r)) = (left.peek().copied(), right.peek().copied()) {
        match left_keys.row(l).cmp(&right_keys.row(r)) {
            std::cmp::Ordering::Less => only_left.extend(left.next()),
            std::cmp::Ordering::Greater => only_right.extend(right.next()),
            std::cmp::Ordering::Equal => pairs.extend(left.next().zip(right.next())),
        }
    }
    only_left.extend(left);
    only_right.extend(right);
    pairs.sort_unstable();
    only_left.sort_unstable();
    only_right.sort_unstable();
    Ok((pairs, only_left, only_right))
}

/// Returns both sides as rows that sort as their values do.
fn encoded(rest: &[RecordBatch; 2], columns: &[FieldRef]) -> Result<[Rows; 2], ArrowError> {
    let kinds = columns.iter().map(|column| column.data_type().clone());
    // The last column is the same in all rows: there may be no other.
    let converter = RowConverter::new(kinds.chain([DataType::Boolean]).map(SortField::new).collect())?;
    let encode = |side: &RecordBatch| {
        let mut arrays = columns_of(side, columns)?.columns().to_vec();
        arrays.push(Arc::new(BooleanArray::from(vec![true; side.num_rows()])));
        converter.convert_columns(&arrays)
    };
    Ok([encode(&rest[0])?, encode(&rest[1])?])
}
