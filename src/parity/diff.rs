//! What differs between two versions of a table, and how a person reads it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Most examples kept of each kind of difference.
pub(super) const EXAMPLES: usize = 5;

/// The differences between two versions of a table. Counts are complete, examples are the first few.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDiff {
    /// The name of the left side.
    pub left: String,
    /// The name of the right side.
    pub right: String,
    /// The columns by which rows were matched; empty when whole rows were.
    pub key: Vec<String>,
    /// Rows on the left.
    pub rows_left: u64,
    /// Rows on the right.
    pub rows_right: u64,
    /// Rows whose key is only on the left.
    pub only_left: KeyExamples,
    /// Rows whose key is only on the right.
    pub only_right: KeyExamples,
    /// Keys that more than one row on the left has. No difference when the right has them too.
    pub repeated_left: KeyExamples,
    /// Keys that more than one row on the right has.
    pub repeated_right: KeyExamples,
    /// Columns that one side lacks or that have another type.
    pub schema: Vec<SchemaDiff>,
    /// Columns with different values in rows of the same key.
    pub columns: Vec<ColumnDiff>,
}

/// Some keys, by number and example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyExamples {
    /// How many.
    pub count: u64,
    /// The first few, as text.
    pub examples: Vec<String>,
}

/// A column that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaDiff {
    /// Its name.
    pub column: String,
    /// Its type on the left as Spark DDL, `None` when it is not there.
    pub left: Option<String>,
    /// Its type on the right.
    pub right: Option<String>,
}

/// A column with different values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDiff {
    /// Its name.
    pub column: String,
    /// Rows in which it differs.
    pub rows: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// One cell that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The key of the row.
    pub key: String,
    /// The value on the left.
    pub left: String,
    /// The value on the right.
    pub right: String,
}

impl TableDiff {
    /// Returns whether both sides have the same columns and rows.
    pub fn is_equal(&self) -> bool {
        self.only_left.count == 0 && self.only_right.count == 0 && self.schema.is_empty() && self.columns.is_empty()
    }
}

/// Returns the differences of a table as lines of text, the last with its line end.
pub fn describe(table: &str, diff: &TableDiff) -> String {
    let (left, right) = (diff.left.as_str(), diff.right.as_str());
    if diff.is_equal() {
        let rows = if diff.rows_left == 1 { "row" } else { "rows" };
        return format!("{table}: equal, {} {rows}\n", diff.rows_left) + &repeated(diff);
    }
    let mut text =
        format!("{table}: different, {left} has {}, {right} has {}\n", rows(diff.rows_left), rows(diff.rows_right));
    for column in &diff.schema {
        let name = &column.column;
        text += &match (&column.left, &column.right) {
            (Some(kind), None) => format!("  column `{name}` ({kind}) is only in {left}\n"),
            (None, Some(kind)) => format!("  column `{name}` ({kind}) is only in {right}\n"),
            (a, b) => {
                let kind = |kind: &Option<String>| kind.clone().unwrap_or_default();
                format!("  column `{name}` is `{}` in {left}, but `{}` in {right}\n", kind(a), kind(b))
            }
        };
    }
    let key = diff.key.join(", ");
    for (side, keys) in [(left, &diff.only_left), (right, &diff.only_right)] {
        if keys.count > 0 {
            text += &listed(&format!("{} only in {side}", rows(keys.count)), &key, keys);
        }
    }
    text += &repeated(diff);
    for column in &diff.columns {
        text += &format!("  column `{}` differs in {}\n", column.column, rows(column.rows));
        let label = if key.is_empty() { "row" } else { &key };
        for example in &column.examples {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {label} {}", example.key);
            let wide = left.chars().count().max(right.chars().count());
            let _ = writeln!(text, "      {left:<wide$}  {}", example.left);
            let _ = writeln!(text, "      {right:<wide$}  {}", example.right);
        }
    }
    text
}

fn repeated(diff: &TableDiff) -> String {
    let sides = [(&diff.left, &diff.repeated_left), (&diff.right, &diff.repeated_right)];
    let repeated = sides.into_iter().filter(|(_, keys)| keys.count > 0);
    let line = |(side, keys): (&String, &KeyExamples)| {
        let what = if keys.count == 1 { "key has" } else { "keys have" };
        listed(&format!("{} {what} more than one row in {side}", keys.count), &diff.key.join(", "), keys)
    };
    repeated.map(line).collect()
}

fn listed(what: &str, key: &str, keys: &KeyExamples) -> String {
    let mut text = format!("  {what}\n");
    let label = if key.is_empty() { "row" } else { key };
    for example in &keys.examples {
        text += &format!("    {label} {example}\n");
    }
    if keys.count > keys.examples.len() as u64 && !keys.examples.is_empty() {
        text += &format!("    and {} more\n", keys.count - keys.examples.len() as u64);
    }
    text
}

fn rows(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}
