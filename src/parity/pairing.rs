//! Rows that share a key: which of the left goes with which of the right.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::row::{RowConverter, SortField};

use super::join::{Crowd, Joined};
use super::side::{File, Wanted, failed, pick};
use crate::error::Result;

/// Replaces the crowds of `joined` by pairs and by rows that one side has too many of.
///
/// Within a key, rows equal in all of `columns` go together; what remains does in the order of its values, so that
/// numbers that differ by a rounding error meet. Keeps the rows of all crowds in memory.
pub(super) fn pair(joined: &mut Joined, left: &[&File], right: &[&File], columns: &[Wanted]) -> Result<()> {
    let crowds = std::mem::take(&mut joined.crowds);
    if crowds.is_empty() {
        return Ok(());
    }
    let left = encoded(left, columns, crowds.iter().flat_map(|crowd| crowd.left.iter().copied()))?;
    let right = encoded(right, columns, crowds.iter().flat_map(|crowd| crowd.right.iter().copied()))?;
    for mut crowd in crowds {
        crowd.left.sort_by_key(|row| &left[row]);
        crowd.right.sort_by_key(|row| &right[row]);
        pair_crowd(joined, &crowd, |l, r| left[&l].cmp(&right[&r]));
    }
    Ok(())
}

fn pair_crowd(joined: &mut Joined, crowd: &Crowd, order: impl Fn(u32, u32) -> Ordering) {
    let (mut rest_left, mut rest_right) = (Vec::new(), Vec::new());
    let (mut l, mut r) = (crowd.left.as_slice(), crowd.right.as_slice());
    while let ([left, ..], [right, ..]) = (l, r) {
        match order(*left, *right) {
            Ordering::Equal => {
                joined.pairs.push((*left, *right));
                (l, r) = (&l[1..], &r[1..]);
            }
            Ordering::Less => {
                rest_left.push(*left);
                l = &l[1..];
            }
            Ordering::Greater => {
                rest_right.push(*right);
                r = &r[1..];
            }
        }
    }
    rest_left.extend(l);
    rest_right.extend(r);
    let both = rest_left.len().min(rest_right.len());
    joined.only_left.extend(&rest_left[both..]);
    joined.only_right.extend(&rest_right[both..]);
    joined.pairs.extend(rest_left.into_iter().zip(rest_right));
}

/// Returns bytes that sort as the values of the rows do.
fn encoded(files: &[&File], columns: &[Wanted], rows: impl Iterator<Item = u32>) -> Result<HashMap<u32, Vec<u8>>> {
    if columns.is_empty() {
        return Ok(rows.map(|row| (row, Vec::new())).collect());
    }
    let fields = columns.iter().map(|column| SortField::new(column.kind.clone())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    pick(files, columns, rows, |batch, rows| {
        let all = converter.convert_columns(batch.columns()).map_err(failed)?;
        Ok(rows.iter().map(|row| all.row(*row).data().to_vec()).collect())
    })
}
