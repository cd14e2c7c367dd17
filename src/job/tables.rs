//! What holds within a table of a job, each part of which is right by itself.

use super::model::{Check, Table, Update};
use crate::yaml::{Node, Place, Problems};

/// A table, with the place later checks point at.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) table: Table,
}

/// Notes a table that cannot be merged, and checks that cannot hold.
pub(super) fn check(name: &str, node: &Node, table: &Table, problems: &mut Problems) {
    if let Some(update) = node.get("update").filter(|_| table.update == Update::Merge && node.get("key").is_none()) {
        let message = format!("table `{name}` is updated by merging but has no `key`");
        problems.error(&update.place, message).hint("rows are merged by key: add `key: [<column>]`");
    }
    let ranges = node.get("checks").map_or(&[][..], Node::items).iter().filter_map(|check| check.get("range"));
    for range in ranges {
        let bound = |key: &str| range.get(key).and_then(|node| Some((node, node.read::<f64>().ok()?)));
        match (bound("min"), bound("max")) {
            (None, None) => _ = problems.error(&range.place, "`range` has neither `min` nor `max`"),
            (Some((_, min)), Some((node, max))) if min > max => {
                problems.error(&node.place, format!("`max` is below `min`, which is {min}"));
            }
            _ => {}
        }
    }
}

/// Returns the checks with those that a key implies, which come first.
pub(super) fn with_key_checks(key: &[String], written: Vec<Check>) -> Vec<Check> {
    let mut checks = Vec::new();
    if !key.is_empty() {
        checks = vec![Check::Unique(key.to_vec()), Check::NotNull(key.to_vec())];
    }
    for check in written {
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    checks
}
