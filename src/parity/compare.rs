//! The comparison: columns, then partition by partition, then the rows that are in another partition on the other side.

use super::columns::{Roles, shared};
use super::diff::{EXAMPLES, Example, Keys, TableDiff};
use super::equal::equal;
use super::join::join;
use super::moved::Lone;
use super::pairing::pair;
use super::partitions::{Partition, partition_columns, partitions};
use super::side::{File, Side, column, hashes, texts};
use crate::audit::rows::{RowHasher, text};
use crate::error::Result;

/// Returns the differences between two versions of a table, whose rows are matched by `key`.
///
/// Without a key, tables are compared as multisets of rows: rows are matched by all columns without floating point
/// numbers, and among those that agree in these, in the order of the numbers. Columns in `ignore` are left out.
/// How a value is stored is no difference (INT96 or INT64, microseconds or nanoseconds, dictionaries), numbers may
/// differ by `tolerance`, and a row in another partition differs in its partition columns.
///
/// Memory: about 40 bytes for each row of the largest partition, one column of it from both sides at a time, and 24
/// bytes for each row that only one side has; the row numbers of matched rows add 8 bytes a row of a partition. Rows
/// that share a key are kept whole while their partition is compared.
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
    let partition_by = partition_columns(left, right);
    let work = Work { roles: Roles::new(&shared, key, &partition_by)?, hasher: RowHasher::default(), tolerance };
    let partitions = partitions(left, right, &partition_by);
    let (mut lone_left, mut lone_right) = (Vec::new(), Vec::new());
    for (at, partition) in partitions.iter().enumerate() {
        let lone = work.partition(partition, &mut diff)?;
        lone_left.extend(lone.left.into_iter().map(|(hash, row)| Lone { hash, partition: at as u32, row }));
        lone_right.extend(lone.right.into_iter().map(|(hash, row)| Lone { hash, partition: at as u32, row }));
    }
    if !key.is_empty() {
        work.moved(&partitions, [&mut lone_left, &mut lone_right], ignore, &mut diff)?;
    }
    diff.only_left = work.keys(&lone_left, |partition| &partitions[partition].left)?;
    diff.only_right = work.keys(&lone_right, |partition| &partitions[partition].right)?;
    let position = |name: &String| shared.iter().position(|column| column.name == *name);
    diff.columns.sort_by_key(|column| position(&column.column));
    Ok(diff)
}

#[derive(Default)]
struct LoneRows {
    left: Vec<(u128, u32)>,
    right: Vec<(u128, u32)>,
}

/// What all partitions are compared by.
pub(super) struct Work {
    pub(super) roles: Roles,
    hasher: RowHasher,
    tolerance: f64,
}

impl Work {
    /// Compares one partition and returns the rows that only one side has there.
    fn partition(&self, partition: &Partition<'_>, diff: &mut TableDiff) -> Result<LoneRows> {
        let (left, right) = (&partition.left, &partition.right);
        let hash_left = hashes(left, &self.roles.key, &self.hasher)?;
        let hash_right = hashes(right, &self.roles.key, &self.hasher)?;
        diff.rows_left += hash_left.len() as u64;
        diff.rows_right += hash_right.len() as u64;
        let mut joined = join(&hash_left, &hash_right);
        if self.roles.keyed {
            self.repeated(left, &joined.repeated_left, &mut diff.repeated_left)?;
            self.repeated(right, &joined.repeated_right, &mut diff.repeated_right)?;
        }
        pair(&mut joined, left, right, &self.roles.values)?;
        // By row and not by hash, which is another one in each process: examples are the same every time.
        joined.pairs.sort_unstable();
        let lone = |rows: Vec<u32>, hashes: &[u128]| {
            rows.into_iter().map(|row| (hashes[row as usize], row)).collect::<Vec<_>>()
        };
        let lone = LoneRows { left: lone(joined.only_left, &hash_left), right: lone(joined.only_right, &hash_right) };
        drop((hash_left, hash_right));
        self.values([left, right], &joined.pairs, diff)?;
        Ok(lone)
    }

    fn repeated(&self, files: &[&File], rows: &[u32], keys: &mut Keys) -> Result<()> {
        keys.count += rows.len() as u64;
        let room = EXAMPLES.saturating_sub(keys.examples.len());
        let texts = texts(files, &self.roles.shown, rows.iter().copied().take(room))?;
        keys.examples.extend(rows.iter().filter_map(|row| texts.get(row).cloned()));
        Ok(())
    }

    /// Compares all columns of matched rows, one column in memory at a time.
    pub(super) fn values(
        &self,
        [left, right]: [&[&File]; 2],
        pairs: &[(u32, u32)],
        diff: &mut TableDiff,
    ) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        for wanted in &self.roles.values {
            let (a, b) = (column(left, wanted)?, column(right, wanted)?);
            let equal = equal(&a, &b, self.tolerance)?;
            let differs = |(l, r): &&(u32, u32)| !equal(*l as usize, *r as usize);
            let mut differing = pairs.iter().filter(differs).copied();
            let known = diff.columns.iter().find(|known| known.column == wanted.name);
            let room = EXAMPLES - known.map_or(0, |known| known.examples.len());
            let first: Vec<(u32, u32)> = differing.by_ref().take(room).collect();
            let count = (first.len() + differing.count()) as u64;
            if count == 0 {
                continue;
            }
            let keys = texts(left, &self.roles.shown, first.iter().map(|(l, _)| *l))?;
            let example = |(l, r): &(u32, u32)| Example {
                key: keys.get(l).cloned().unwrap_or_default(),
                left: text(&a, *l as usize),
                right: text(&b, *r as usize),
            };
            let found = diff.column(&wanted.name);
            found.rows += count;
            found.examples.extend(first.iter().map(example));
        }
        Ok(())
    }

    /// Returns lone rows as keys, the first partitions and rows as examples.
    fn keys<'a>(&self, lone: &[Lone], files: impl Fn(usize) -> &'a Vec<&'a File>) -> Result<Keys> {
        let mut places: Vec<(u32, u32)> = lone.iter().map(|lone| (lone.partition, lone.row)).collect();
        places.sort_unstable();
        let mut keys = Keys { count: places.len() as u64, examples: Vec::new() };
        for (partition, row) in places.into_iter().take(EXAMPLES) {
            keys.examples.extend(texts(files(partition as usize), &self.roles.shown, [row])?.into_values());
        }
        Ok(keys)
    }
}
