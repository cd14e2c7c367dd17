//! `unique`: no two rows share the values of some columns.

use std::sync::{Mutex, PoisonError};

use super::checks::{Subject, Verdict, counted};
use super::rows::{RowHasher, row_text};
use super::scan::{EXAMPLES, scan};
use crate::error::Result;

/// Compares all rows that landed by a 128-bit hash: 16 bytes of memory a row. Two nulls count as the same value.
pub(super) fn unique(subject: &Subject, columns: &[String]) -> Result<Verdict> {
    let hasher = RowHasher::default();
    let rows = usize::try_from(subject.opened.landed.rows).unwrap_or_default();
    let hashes = Mutex::new(Vec::<u128>::with_capacity(rows));
    let lock = || hashes.lock().unwrap_or_else(PoisonError::into_inner);
    scan(&subject.opened, columns, |_: &mut (), batch| {
        let hashed = hasher.hash(batch)?;
        lock().extend(hashed);
        Ok(())
    })?;
    let repeated = {
        let mut hashes = lock();
        hashes.sort_unstable();
        repeated(&hashes)
    };
    if repeated.keys.is_empty() {
        return Ok((true, format!("{}, all different", counted(subject.opened.landed.rows, "row"))));
    }
    let examples = examples(subject, columns, &hasher, &repeated)?;
    let keys = match repeated.keys.len() {
        1 => "1 value has".into(),
        several => format!("{several} values have"),
    };
    Ok((false, format!("{keys} more than one row, {} in all{examples}", counted(repeated.rows, "row"))))
}

#[derive(Default)]
struct Repeated {
    /// Rows that share their values with another.
    rows: u64,
    /// The hashes of these values, sorted, and how many rows have them.
    keys: Vec<(u128, usize)>,
}

impl Repeated {
    fn times(&self, hash: u128) -> Option<usize> {
        let at = self.keys.binary_search_by_key(&hash, |(hash, _)| *hash).ok()?;
        Some(self.keys[at].1)
    }
}

fn repeated(sorted: &[u128]) -> Repeated {
    let mut repeated = Repeated::default();
    for same in sorted.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
        repeated.rows += same.len() as u64;
        repeated.keys.push((same[0], same.len()));
    }
    repeated
}

/// Reads the columns once more for what the first few hashes stand for, in the order of the files and rows.
fn examples(subject: &Subject, columns: &[String], hasher: &RowHasher, repeated: &Repeated) -> Result<String> {
    let of_files = scan(&subject.opened, columns, |found: &mut Vec<(u128, String)>, batch| {
        if found.len() == EXAMPLES {
            return Ok(());
        }
        for (row, hash) in hasher.hash(batch)?.into_iter().enumerate() {
            if found.len() < EXAMPLES
                && let Some(times) = repeated.times(hash).filter(|_| found.iter().all(|(known, _)| *known != hash))
            {
                found.push((hash, format!("`{}` ({times} times)", row_text(batch, row))));
            }
        }
        Ok(())
    })?;
    let mut shown = Vec::new();
    for (hash, text) in of_files.into_iter().flatten() {
        if shown.len() < EXAMPLES && shown.iter().all(|(known, _)| *known != hash) {
            shown.push((hash, text));
        }
    }
    Ok(format!(", such as {}", shown.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")))
}
