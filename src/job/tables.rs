//! Reading `tables:`.

use super::checks;
use super::model::{Check, Table, Update};
use super::parse::named;
use crate::yaml::{Content, Entry, Map, Node, Place, Problems};

/// The keys of a table.
const KEYS: &[&str] = &["description", "key", "partition-by", "update", "checks"];

/// A table as far as it could be read, with the place later checks point at.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) table: Table,
}

/// Returns the tables of a job in the order written; `None` when nothing is known about them, which has been noted.
pub(super) fn read(job: &Map<'_>, problems: &mut Problems) -> Option<Vec<Draft>> {
    let Some(node) = job.get("tables") else {
        return job.lacks("tables", job.place()).map(|_| Vec::new());
    };
    let entries = node.entries("`tables`", problems);
    let draft = |entry: &Entry| Draft {
        name: entry.key.clone(),
        place: entry.place.clone(),
        table: table(&entry.key, &entry.place, &entry.value, problems),
    };
    let tables = entries.iter().map(draft).collect();
    matches!(node.content, Content::Map(_)).then_some(tables)
}

fn table(name: &str, place: &Place, node: &Node, problems: &mut Problems) -> Table {
    named(name, "table", false, place, problems);
    let what = format!("table `{name}`");
    let map = node.map(&what, KEYS, problems);
    let key = named_columns(&map, "key", problems);
    let partition_by = named_columns(&map, "partition-by", problems);
    for column in &partition_by {
        let why = if column == "run" {
            ", the column soflow keeps versions in"
        } else if column.starts_with('_') {
            ": engines pass over directories whose name begins with `_`"
        } else {
            continue;
        };
        let place = map.entry("partition-by").map_or(place, |entry| &entry.value.place);
        problems.error(place, format!("a table cannot be partitioned by `{column}`{why}"));
    }
    let choices = [("merge", Update::Merge), ("recompute", Update::Recompute)];
    let update = map.get("update").and_then(|node| node.choice("update", &choices, problems));
    if let Some(node) = map.get("update").filter(|_| update == Some(Update::Merge) && map.get("key").is_none()) {
        let problem = problems.error(&node.place, format!("{what} is updated by merging but has no `key`"));
        problem.hint("rows are merged by key: add `key: [<column>]`");
    }
    let written = map.get("checks").map_or(Vec::new(), |node| checks::read(node, problems));
    Table {
        description: map.get("description").and_then(|node| node.text("description", problems)).unwrap_or_default(),
        checks: with_key_checks(&key, written),
        key,
        partition_by,
        update: update.unwrap_or(Update::Recompute),
    }
}

/// Returns the checks with those that a key implies, which come first.
fn with_key_checks(key: &[String], written: Vec<Check>) -> Vec<Check> {
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

fn named_columns(map: &Map<'_>, key: &str, problems: &mut Problems) -> Vec<String> {
    map.get(key).map_or(Vec::new(), |node| columns(node, key, problems))
}

/// Returns the columns of a list, or of a single name; each at most once.
pub(super) fn columns(node: &Node, what: &str, problems: &mut Problems) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for item in node.items(what, problems) {
        let Some(column) = column(item, what, problems) else { continue };
        if columns.contains(&column) {
            problems.error(&item.place, format!("column `{column}` is named twice"));
        } else {
            columns.push(column);
        }
    }
    columns
}

/// Returns the name of a column.
pub(super) fn column(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    let text = node.text(what, problems)?;
    if text.is_empty() {
        problems.error(&node.place, "the name of a column is missing");
        return None;
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        problems.error(
            &node.place,
            format!("`{text}` cannot name a column: a name has letters, digits and `_`, no digit first"),
        );
        return None;
    }
    Some(text)
}
