//! The comparison: what both sides have alike goes, what is left is paired by key and compared cell by cell.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};

use super::columns::{ColumnRoles, shared};
use super::diff::{ColumnDiff, EXAMPLES, Example, KeyExamples, TableDiff};
use super::equal::equal;
use super::side::{ComparedColumn, Side, failed, hashes, pick};
use crate::audit::rows::{RowHasher, row_text, text};
use crate::error::Result;

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
pub fn compare(
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
    let shared = shared([left, right], ignore, &mut diff)?;
    let roles = ColumnRoles::new(&shared, key)?;
    let hasher = RowHasher::default();
    let (left_rows, right_rows) = (hashes(left, &shared, &hasher)?, hashes(right, &shared, &hasher)?);
    (diff.rows_left, diff.rows_right) = (left_rows.len() as u64, right_rows.len() as u64);
    if roles.keyed {
        diff.repeated_left = repeated(left, &roles, &hasher)?;
        diff.repeated_right = repeated(right, &roles, &hasher)?;
    }
    let rest = Rest {
        left: pick(left, &shared, &except(&left_rows, &right_rows))?,
        right: pick(right, &shared, &except(&right_rows, &left_rows))?,
    };
    drop((left_rows, right_rows));
    let paired = rest.pair(&roles)?;
    diff.only_left = keys(&rest.left, &roles, &paired.only_left)?;
    diff.only_right = keys(&rest.right, &roles, &paired.only_right)?;
    for column in &roles.values {
        diff.columns.extend(rest.differing(column, &roles, &paired.pairs, tolerance)?);
    }
    Ok(diff)
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
fn repeated(side: &Side<'_>, roles: &ColumnRoles, hasher: &RowHasher) -> Result<KeyExamples> {
    let hashes = hashes(side, &roles.key, hasher)?;
    let mut seen = HashMap::<u128, (usize, usize)>::with_capacity(hashes.len());
    for (at, hash) in hashes.into_iter().enumerate() {
        seen.entry(hash).or_insert((at, 0)).1 += 1;
    }
    let mut first: Vec<usize> = seen.into_values().filter(|(_, rows)| *rows > 1).map(|(first, _)| first).collect();
    first.sort_unstable();
    let shown = pick(side, &roles.shown, &first[..first.len().min(EXAMPLES)])?;
    let examples = (0..shown.num_rows()).map(|row| row_text(&shown, row)).collect();
    Ok(KeyExamples { count: first.len() as u64, examples })
}

/// Returns rows as keys, the first few as examples.
fn keys(rest: &RecordBatch, roles: &ColumnRoles, rows: &[usize]) -> Result<KeyExamples> {
    let shown = columns_of(rest, &roles.shown)?;
    let examples = rows.iter().take(EXAMPLES).map(|row| row_text(&shown, *row)).collect();
    Ok(KeyExamples { count: rows.len() as u64, examples })
}

fn columns_of(batch: &RecordBatch, columns: &[ComparedColumn]) -> Result<RecordBatch> {
    let at = columns.iter().map(|column| batch.schema().index_of(&column.name)).collect::<Result<Vec<_>, _>>();
    at.and_then(|at| batch.project(&at)).map_err(failed)
}

/// The rows that the other side does not have exactly alike.
struct Rest {
    left: RecordBatch,
    right: RecordBatch,
}

/// How they belong together, by row number.
#[derive(Default)]
struct Paired {
    pairs: Vec<(usize, usize)>,
    only_left: Vec<usize>,
    only_right: Vec<usize>,
}

impl Rest {
    /// Pairs the rows of each key in the order of their values.
    fn pair(&self, roles: &ColumnRoles) -> Result<Paired> {
        let [left_keys, right_keys] = self.encoded(&roles.key)?;
        let [left_values, right_values] = self.encoded(&roles.values)?;
        let order = |keys: &[Vec<u8>], values: &[Vec<u8>]| {
            let mut rows: Vec<usize> = (0..keys.len()).collect();
            rows.sort_by_key(|row| (&keys[*row], &values[*row]));
            rows
        };
        let (left, right) = (order(&left_keys, &left_values), order(&right_keys, &right_values));
        let mut paired = Paired::default();
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        while let (Some(l), Some(r)) = (left.peek().copied(), right.peek().copied()) {
            let order = left_keys[l].cmp(&right_keys[r]);
            match (order.is_le().then(|| left.next()).flatten(), order.is_ge().then(|| right.next()).flatten()) {
                (Some(l), Some(r)) => paired.pairs.push((l, r)),
                (l, r) => {
                    paired.only_left.extend(l);
                    paired.only_right.extend(r);
                }
            }
        }
        paired.only_left.extend(left);
        paired.only_right.extend(right);
        // In the order of the files: examples are the first rows.
        paired.pairs.sort_unstable();
        paired.only_left.sort_unstable();
        paired.only_right.sort_unstable();
        Ok(paired)
    }

    /// Returns bytes of both sides that sort as the values of the rows do.
    fn encoded(&self, columns: &[ComparedColumn]) -> Result<[Vec<Vec<u8>>; 2]> {
        if columns.is_empty() {
            return Ok([&self.left, &self.right].map(|side| vec![Vec::new(); side.num_rows()]));
        }
        let fields = columns.iter().map(|column| SortField::new(column.kind.clone())).collect();
        let converter = RowConverter::new(fields).map_err(failed)?;
        let encode = |side: &RecordBatch| -> Result<Vec<Vec<u8>>> {
            let rows = converter.convert_columns(columns_of(side, columns)?.columns()).map_err(failed)?;
            Ok(rows.iter().map(|row| row.data().to_vec()).collect())
        };
        Ok([encode(&self.left)?, encode(&self.right)?])
    }

    /// Returns in how many pairs a column differs, `None` when in none.
    fn differing(
        &self,
        column: &ComparedColumn,
        roles: &ColumnRoles,
        pairs: &[(usize, usize)],
        tolerance: f64,
    ) -> Result<Option<ColumnDiff>> {
        let of = |side: &RecordBatch| columns_of(side, std::slice::from_ref(column)).map(|one| one.column(0).clone());
        let (left, right) = (of(&self.left)?, of(&self.right)?);
        let equal = equal(&left, &right, tolerance)?;
        let differing: Vec<_> = pairs.iter().filter(|(l, r)| !equal(*l, *r)).collect();
        if differing.is_empty() {
            return Ok(None);
        }
        let shown = columns_of(&self.left, &roles.shown)?;
        let example = |(l, r): &&(usize, usize)| Example {
            key: row_text(&shown, *l),
            left: text(&left, *l),
            right: text(&right, *r),
        };
        let examples = differing.iter().take(EXAMPLES).map(example).collect();
        Ok(Some(ColumnDiff { column: column.name.clone(), rows: differing.len() as u64, examples }))
    }
}
