//! The checks of the job file, applied to what landed.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::landed::{LandedColumn, Opened};
use super::{unique, values};
use crate::error::Result;
use crate::job::{Check, Table};

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check as one writes it in a job file: `not-null: [question_id]`.
    pub check: String,
    /// Whether it holds.
    pub passed: bool,
    /// What was found, with counts and up to three examples.
    pub found: String,
}

/// What is checked.
pub struct Subject {
    /// The table of the job file, with its checks.
    pub table: Table,
    /// What [`super::read`] returned.
    pub opened: Opened,
    /// Rows of the whole table in the version readers see now; `None` when there is none.
    pub before: Option<u64>,
    /// Rows of the whole table once this run is published.
    pub after: u64,
    /// The logical date.
    pub date: Date,
}

/// Whether a check holds, and what was found.
pub(super) type Verdict = (bool, String);

/// Returns a finding for each check of the table, in their order.
///
/// Footers tell where they can; else only the columns that a check names are read, up to 16 row groups at a time: at most
/// 256 MiB as they are stored (or one row group, should its columns take more). Of each, 8192 rows are decoded at a time.
/// `unique` keeps 16 bytes for each row that landed. All checks but `drop-at-most` look at the rows of this run only, not
/// at partitions that stay as published.
///
/// # Errors
/// `Audit` when a file is broken or was replaced since its footer was read, `Machine` when it cannot be read. A check that
/// fails is a finding, not an error.
pub async fn check(subject: Subject) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for check in &subject.table.checks {
        let (passed, found) = match subject.lacking(check) {
            Some(found) => (false, found),
            None => subject.verdict(check).await?,
        };
        findings.push(Finding { check: written(check), passed, found });
    }
    Ok(findings)
}

impl Subject {
    async fn verdict(&self, check: &Check) -> Result<Verdict> {
        let rows = self.opened.landed.rows;
        match check {
            Check::RowsAtLeast(least) => Ok((rows >= *least, format!("{} landed", counted(rows, "row")))),
            Check::Columns(wanted) => Ok(self.columns_are(wanted)),
            Check::DropAtMost(share) => Ok(drop_at_most(*share, self.before, self.after)),
            Check::Fresh { column, within_seconds } => values::fresh(self, column, *within_seconds).await,
            _ if rows == 0 => Ok((true, "no rows landed".into())),
            Check::NotNull(columns) => values::not_null(self, columns).await,
            Check::Unique(columns) => unique::unique(self, columns).await,
            Check::Accepted { column, values } => values::accepted(self, column, values).await,
            Check::Range { column, min, max } => values::range(self, column, *min, *max).await,
        }
    }

    /// Returns the column as the footers describe it; `None` for a partition column.
    pub(super) fn column(&self, name: &str) -> Option<&LandedColumn> {
        self.opened.landed.schema.iter().find(|column| column.name == name)
    }

    /// Compares the columns that landed with those that are wanted; partition columns are not in files.
    fn columns_are(&self, wanted: &BTreeMap<String, String>) -> Verdict {
        let landed = &self.opened.landed.schema;
        let other = |(name, kind): (&String, &String)| match self.column(name) {
            None => Some(format!("`{name}` is not there")),
            Some(column) if column.kind != *kind => Some(format!("`{name}` is `{}`", column.kind)),
            Some(_) => None,
        };
        let more = landed.iter().filter(|column| !wanted.contains_key(&column.name));
        let more = more.map(|column| format!("`{}` is there, too, as `{}`", column.name, column.kind));
        let differences: Vec<String> = wanted.iter().filter_map(other).chain(more).collect();
        match (landed.is_empty(), differences.is_empty()) {
            (true, _) => (true, "no columns landed".into()),
            (_, true) => (true, counted(landed.len() as u64, "column")),
            _ => (false, differences.join(", ")),
        }
    }

    /// Returns what to say when the table lacks a column of the check.
    fn lacking(&self, check: &Check) -> Option<String> {
        let partition_by = &self.table.partition_by;
        let known = || self.opened.landed.schema.iter().map(|column| &column.name).chain(partition_by);
        let missing = |column: &&String| self.opened.landed.files > 0 && known().all(|known| known != *column);
        let column = columns(check).into_iter().find(missing)?;
        let near = known().map(|known| (strsim::jaro_winkler(known, column), known)).filter(|(near, _)| *near > 0.8);
        let advice = match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None => format!("it has {}", known().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")),
        };
        Some(format!("the table has no column `{column}`: {advice}"))
    }
}

fn columns(check: &Check) -> Vec<&String> {
    match check {
        Check::RowsAtLeast(_) | Check::DropAtMost(_) | Check::Columns(_) => Vec::new(),
        Check::NotNull(columns) | Check::Unique(columns) => columns.iter().collect(),
        Check::Accepted { column, .. } | Check::Range { column, .. } | Check::Fresh { column, .. } => vec![column],
    }
}

fn drop_at_most(share: f64, before: Option<u64>, after: u64) -> Verdict {
    let Some(before) = before else { return (true, "there is no version before".into()) };
    let lost = before.saturating_sub(after);
    let found = format!("{} before, {after} after", counted(before, "row"));
    if lost == 0 {
        return (true, found);
    }
    let dropped = lost as f64 / before as f64;
    (dropped <= share, format!("{found}: {:.1} % less", dropped * 100.0))
}

/// Returns `1 row`, `2 rows`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Returns the check as one writes it in a job file.
pub fn written(check: &Check) -> String {
    let limit = |name: &str, limit: &Option<f64>| limit.map(|limit| format!(", {name}: {limit}")).unwrap_or_default();
    match check {
        Check::RowsAtLeast(least) => format!("rows-at-least: {least}"),
        Check::NotNull(columns) => format!("not-null: [{}]", columns.join(", ")),
        Check::Unique(columns) => format!("unique: [{}]", columns.join(", ")),
        Check::Accepted { column, values } => {
            format!("accepted: {{ column: {column}, values: [{}] }}", values.join(", "))
        }
        Check::Range { column, min, max } => {
            format!("range: {{ column: {column}{}{} }}", limit("min", min), limit("max", max))
        }
        Check::Fresh { column, within_seconds } => {
            format!("fresh: {{ column: {column}, within: {} }}", duration(*within_seconds))
        }
        Check::Columns(columns) => {
            let column = |(name, kind): (&String, &String)| format!("{name}: {kind}");
            format!("columns: {{ {} }}", columns.iter().map(column).collect::<Vec<_>>().join(", "))
        }
        Check::DropAtMost(share) => format!("drop-at-most: {share}"),
    }
}

/// Returns seconds in the largest unit that divides them: `36h`, `2d`.
pub(super) fn duration(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let fits = units.iter().find(|(size, _)| seconds % size == 0 && seconds != 0);
    fits.map_or_else(|| "0s".into(), |(size, unit)| format!("{}{unit}", seconds / size))
}

#[cfg(test)]
mod tests;
