//! Rows that are in one partition on the left and in another on the right.

use std::collections::BTreeMap;

use super::compare::Work;
use super::diff::{EXAMPLES, Example, TableDiff};
use super::partitions::Partition;
use super::side::texts;
use crate::error::Result;

/// A row that the other side's partition has not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lone {
    pub hash: u128,
    pub partition: u32,
    pub row: u32,
}

impl Work {
    /// Matches rows that are in another partition on the other side, and takes them out of the lone ones.
    pub(super) fn moved(
        &self,
        partitions: &[Partition<'_>],
        [left, right]: [&mut Vec<Lone>; 2],
        ignore: &[String],
        diff: &mut TableDiff,
    ) -> Result<()> {
        left.sort_unstable();
        right.sort_unstable();
        let mut moves = BTreeMap::<(u32, u32), Vec<(u32, u32)>>::new();
        let (mut stay_left, mut stay_right) = (Vec::new(), Vec::new());
        let mut others = right.iter().copied().peekable();
        for lone in left.iter().copied() {
            while let Some(other) = others.next_if(|other| other.hash < lone.hash) {
                stay_right.push(other);
            }
            match others.next_if(|other| other.hash == lone.hash && other.partition != lone.partition) {
                Some(other) => {
                    moves.entry((lone.partition, other.partition)).or_default().push((lone.row, other.row));
                }
                None => stay_left.push(lone),
            }
        }
        stay_right.extend(others);
        (*left, *right) = (stay_left, stay_right);
        for ((from, to), pairs) in moves {
            let (from, to) = (&partitions[from as usize], &partitions[to as usize]);
            self.partition_values(from, to, (&pairs, ignore), diff)?;
            self.values([&from.left, &to.right], &pairs, diff)?;
        }
        Ok(())
    }

    fn partition_values(
        &self,
        from: &Partition<'_>,
        to: &Partition<'_>,
        (pairs, ignore): (&[(u32, u32)], &[String]),
        diff: &mut TableDiff,
    ) -> Result<()> {
        let keys = texts(&from.left, &self.roles.shown, pairs.iter().take(EXAMPLES).map(|(row, _)| *row))?;
        for (name, left) in from.values.iter().filter(|(name, _)| !ignore.contains(name)) {
            let right = to.values.get(name).cloned().unwrap_or_default();
            if *left == right {
                continue;
            }
            let column = diff.column(name);
            column.rows += pairs.len() as u64;
            let room = EXAMPLES.saturating_sub(column.examples.len());
            column.examples.extend(pairs.iter().take(room).map(|(row, _)| Example {
                key: keys.get(row).cloned().unwrap_or_default(),
                left: left.clone(),
                right: right.clone(),
            }));
        }
        Ok(())
    }
}
