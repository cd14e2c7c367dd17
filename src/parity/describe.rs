//! Differences as a person reads them.

use std::fmt::Write as _;

use super::diff::{Keys, TableDiff};

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
    let line = |(side, keys): (&String, &Keys)| {
        let what = if keys.count == 1 { "key has" } else { "keys have" };
        listed(&format!("{} {what} more than one row in {side}", keys.count), &diff.key.join(", "), keys)
    };
    repeated.map(line).collect()
}

fn listed(what: &str, key: &str, keys: &Keys) -> String {
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
