//! `unique`: no two rows share the values of some columns.

use std::sync::{Mutex, PoisonError};

use super::checks::{Subject, Verdict, counted};
use super::rows::{RowHasher, row_text};
use super::values::{EXAMPLES, scan};
use crate::error::{Error, Kind, Result};

/// Compares all rows that landed by a 128-bit hash: 16 bytes of memory a row. Two nulls count as the same value.
pub(super) async fn unique(subject: &Subject, columns: &[String]) -> Result<Verdict> {
    let (hasher, rows) = (RowHasher::default(), subject.opened.landed.rows);
    let hashes = Mutex::new(Vec::<u128>::with_capacity(usize::try_from(rows).unwrap_or_default()));
    let see = |_: &mut (), batch: &_| {
        hashes.lock().unwrap_or_else(PoisonError::into_inner).extend(hasher.hash(batch)?);
        Ok(())
    };
    scan(&subject.opened, columns, see).await?;
    // Of millions of rows this takes a while, in which others go on.
    let repeated =
        tokio::task::spawn_blocking(move || repeated(hashes.into_inner().unwrap_or_else(PoisonError::into_inner)))
            .await;
    let repeated = repeated.map_err(|error| Error::new(Kind::Internal, "sorting panicked").caused_by(error))?;
    if repeated.is_empty() {
        return Ok((true, format!("{}, all different", counted(rows, "row"))));
    }
    let keys = match repeated.len() {
        1 => "1 value has".into(),
        several => format!("{several} values have"),
    };
    let all = counted(repeated.iter().map(|(_, times)| *times as u64).sum(), "row");
    let examples = examples(subject, columns, &hasher, &repeated).await?;
    Ok((false, format!("{keys} more than one row, {all} in all, such as {}", examples.join(", "))))
}

/// Returns the hashes that are there more than once, sorted, and how often.
fn repeated(mut hashes: Vec<u128>) -> Vec<(u128, usize)> {
    hashes.sort_unstable();
    hashes.chunk_by(|a, b| a == b).filter(|same| same.len() > 1).map(|same| (same[0], same.len())).collect()
}

/// Reads the columns once more for what the first few hashes stand for, in the order of the files and rows.
async fn examples(
    subject: &Subject,
    columns: &[String],
    hasher: &RowHasher,
    repeated: &[(u128, usize)],
) -> Result<Vec<String>> {
    type Shown = Vec<(u128, String)>;
    let is_new = |shown: &Shown, hash| shown.len() < EXAMPLES && shown.iter().all(|(known, _)| *known != hash);
    let of_groups = scan(&subject.opened, columns, |shown: &mut Shown, batch| {
        for (row, hash) in hasher.hash(batch)?.into_iter().enumerate() {
            if let Ok(at) = repeated.binary_search_by_key(&hash, |(hash, _)| *hash)
                && is_new(shown, hash)
            {
                shown.push((hash, format!("`{}` ({} times)", row_text(batch, row), repeated[at].1)));
            }
        }
        Ok(())
    });
    let mut shown = Shown::new();
    for (hash, text) in of_groups.await?.into_iter().flatten() {
        if is_new(&shown, hash) {
            shown.push((hash, text));
        }
    }
    Ok(shown.into_iter().map(|(_, text)| text).collect())
}
