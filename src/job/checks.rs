//! Reading a table's `checks:`, a list of mappings with one key each.

use super::model::Check;
use super::tables::{column, columns};
use crate::yaml::{Content, Entry, Node, Problems, did_you_mean};

/// The checks there are.
const KINDS: [&str; 7] = ["rows-at-least", "not-null", "unique", "accepted", "range", "fresh", "drop-at-most"];

/// Returns the checks in the order written.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Vec<Check> {
    let Content::List(items) = &node.content else {
        let problem = problems.error(&node.place, format!("`checks` must be a list, found {}", node.describe()));
        problem.hint("write one check an item: `checks: [{ rows-at-least: 1 }]`");
        return Vec::new();
    };
    items.iter().filter_map(|item| single(item, problems).and_then(|entry| check(entry, problems))).collect()
}

/// Returns the one entry of an item.
fn single<'a>(item: &'a Node, problems: &mut Problems) -> Option<&'a Entry> {
    match item.entries("a check", problems) {
        [entry] => Some(entry),
        [] => {
            // What is not a mapping has been noted by `entries`.
            if matches!(&item.content, Content::Map(_)) || item.is_null() {
                problems.error(&item.place, "a check is missing here");
            }
            None
        }
        [_, second, ..] => {
            let problem = problems.error(&second.place, format!("`{}` is a second check in one item", second.key));
            problem.hint("give each check its own item, with a dash or braces of its own");
            None
        }
    }
}

fn check(entry: &Entry, problems: &mut Problems) -> Option<Check> {
    let (key, node) = (entry.key.as_str(), &entry.value);
    match key {
        "rows-at-least" => {
            let rows = node.integer(key, 0..=i64::MAX, problems)?;
            u64::try_from(rows).ok().map(Check::RowsAtLeast)
        }
        "not-null" => some_columns(node, key, problems).map(Check::NotNull),
        "unique" => some_columns(node, key, problems).map(Check::Unique),
        "accepted" => accepted(node, problems),
        "range" => range(node, problems),
        "fresh" => fresh(node, problems),
        "drop-at-most" => node.share(key, problems).map(Check::DropAtMost),
        _ => {
            let near = did_you_mean(key, KINDS);
            let all = || format!("checks are {}", KINDS.map(|kind| format!("`{kind}`")).join(", "));
            problems.error(&entry.place, format!("unknown check `{key}`")).hint(near.unwrap_or_else(all));
            None
        }
    }
}

fn some_columns(node: &Node, what: &str, problems: &mut Problems) -> Option<Vec<String>> {
    if matches!(&node.content, Content::List(items) if items.is_empty()) {
        problems.error(&node.place, format!("`{what}` names no column"));
        return None;
    }
    let columns = columns(node, what, problems);
    (!columns.is_empty()).then_some(columns)
}

fn accepted(node: &Node, problems: &mut Problems) -> Option<Check> {
    let map = node.map("`accepted`", &["column", "values"], problems);
    let column = map.required("column", problems).and_then(|node| column(node, "column", problems));
    let node = map.required("values", problems)?;
    let items = node.items("values", problems);
    if matches!(&node.content, Content::List(items) if items.is_empty()) {
        problems.error(&node.place, "no value would be accepted");
    }
    let values: Vec<String> = items.into_iter().filter_map(|item| item.scalar("values", problems)).collect();
    Some(Check::Accepted { column: column?, values })
}

fn range(node: &Node, problems: &mut Problems) -> Option<Check> {
    let map = node.map("`range`", &["column", "min", "max"], problems);
    let column = map.required("column", problems).and_then(|node| column(node, "column", problems));
    let min = map.get("min").and_then(|node| node.number("min", problems));
    let max = map.get("max").and_then(|node| node.number("max", problems));
    if map.get("min").is_none() && map.get("max").is_none() {
        problems.error(&node.place, "`range` has neither `min` nor `max`");
    }
    if let (Some(low), Some(high), Some(node)) = (min, max, map.get("max"))
        && low > high
    {
        problems.error(&node.place, format!("`max` is below `min`, which is {low}"));
    }
    Some(Check::Range { column: column?, min, max })
}

fn fresh(node: &Node, problems: &mut Problems) -> Option<Check> {
    let map = node.map("`fresh`", &["column", "within"], problems);
    let column = map.required("column", problems).and_then(|node| column(node, "column", problems));
    let within = map.required("within", problems).and_then(|node| node.duration("within", problems));
    Some(Check::Fresh { column: column?, within_seconds: within? })
}
