//! `unique`: no two rows share the values of some columns.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::checks::{Context, Verdict, counted};
use super::rows::{RowHasher, row_text};
use super::scan::{EXAMPLES, scan};
use crate::error::Result;

/// Compares all rows that landed by a 128-bit hash: 16 bytes of memory a row. Two nulls count as the same value.
pub(super) fn unique(context: &Context<'_>, columns: &[String]) -> Result<Verdict> {
    let hasher = RowHasher::default();
    let rows = usize::try_from(context.subject.landed.rows).unwrap_or_default();
    let hashes = Mutex::new(Vec::<u128>::with_capacity(rows));
    let lock = || hashes.lock().unwrap_or_else(PoisonError::into_inner);
    scan(&context.files, columns, |_: &mut (), batch| {
        let hashed = hasher.hash(batch)?;
        lock().extend(hashed);
        Ok(())
    })?;
    let repeated = {
        let mut hashes = lock();
        hashes.sort_unstable();
        repeated(&hashes)
    };
    if repeated.keys == 0 {
        return Ok((true, format!("{}, all different", counted(context.subject.landed.rows, "row"))));
    }
    let examples = examples(context, columns, &hasher, &repeated.first)?;
    let keys = if repeated.keys == 1 { "1 value has".into() } else { format!("{} values have", repeated.keys) };
    Ok((false, format!("{keys} more than one row, {} in all{examples}", counted(repeated.rows, "row"))))
}

#[derive(Default)]
struct Repeated {
    /// Different values that more than one row has.
    keys: u64,
    /// Rows that have them.
    rows: u64,
    /// Hashes of some of them, with their number of rows.
    first: HashMap<u128, usize>,
}

fn repeated(sorted: &[u128]) -> Repeated {
    let mut repeated = Repeated::default();
    for same in sorted.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
        repeated.keys += 1;
        repeated.rows += same.len() as u64;
        if repeated.first.len() < EXAMPLES {
            repeated.first.insert(same[0], same.len());
        }
    }
    repeated
}

/// Reads the columns once more for what the hashes stand for.
fn examples(
    context: &Context<'_>,
    columns: &[String],
    hasher: &RowHasher,
    wanted: &HashMap<u128, usize>,
) -> Result<String> {
    let found = scan(&context.files, columns, |found: &mut HashMap<u128, String>, batch| {
        for (row, hash) in hasher.hash(batch)?.iter().enumerate() {
            if wanted.contains_key(hash) && !found.contains_key(hash) {
                found.insert(*hash, row_text(batch, row));
            }
        }
        Ok(())
    })?;
    let found: HashMap<u128, String> = found.into_iter().flatten().collect();
    let mut texts: Vec<_> = found.iter().map(|(hash, text)| format!("`{text}` ({} times)", wanted[hash])).collect();
    texts.sort_unstable();
    Ok(format!(", such as {}", texts.join(", ")))
}
