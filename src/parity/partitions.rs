//! Files of both sides by partition.

use std::collections::{BTreeMap, BTreeSet};

use super::side::{File, Side};
use crate::names::PartitionValues;

/// The partition columns, when both sides have the same; otherwise none, and the table is compared in one piece.
pub(super) fn partition_columns(left: &Side<'_>, right: &Side<'_>) -> BTreeSet<String> {
    let mut all = left.files.iter().chain(&right.files).map(|(_, values)| values.keys().cloned().collect());
    let first: BTreeSet<String> = all.next().unwrap_or_default();
    if all.all(|other: BTreeSet<String>| other == first) { first } else { BTreeSet::new() }
}

/// The files of one partition on both sides.
pub(super) struct Partition<'a> {
    pub values: PartitionValues,
    pub left: Vec<&'a File>,
    pub right: Vec<&'a File>,
}

pub(super) fn partitions<'a>(
    left: &'a Side<'_>,
    right: &'a Side<'_>,
    partition_by: &BTreeSet<String>,
) -> Vec<Partition<'a>> {
    let mut found = BTreeMap::<PartitionValues, Partition<'a>>::new();
    let files = left.files.iter().map(|file| (file, true)).chain(right.files.iter().map(|file| (file, false)));
    for (file, on_left) in files {
        let values = if partition_by.is_empty() { PartitionValues::new() } else { file.1.clone() };
        let new = || Partition { values: values.clone(), left: Vec::new(), right: Vec::new() };
        let partition = found.entry(values.clone()).or_insert_with(new);
        if on_left { &mut partition.left } else { &mut partition.right }.push(file);
    }
    found.into_values().collect()
}
