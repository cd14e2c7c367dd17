//! What differs between two versions of a table.

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
    pub only_left: Keys,
    /// Rows whose key is only on the right.
    pub only_right: Keys,
    /// Keys that more than one row on the left has. No difference when the right has them too.
    pub repeated_left: Keys,
    /// Keys that more than one row on the right has.
    pub repeated_right: Keys,
    /// Columns that one side lacks or that have another type.
    pub schema: Vec<SchemaDiff>,
    /// Columns with different values in rows of the same key.
    pub columns: Vec<ColumnDiff>,
}

/// Some keys, by number and example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
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

    /// Returns the differences of a column, to add to.
    pub(super) fn column(&mut self, name: &str) -> &mut ColumnDiff {
        let at = self.columns.iter().position(|column| column.column == name).unwrap_or_else(|| {
            self.columns.push(ColumnDiff { column: name.into(), ..ColumnDiff::default() });
            self.columns.len() - 1
        });
        &mut self.columns[at]
    }
}
