//! Two versions of a table, row by row: how soflow shows that two engines gave the same result, or where they did not.
//!
//! ```text
//! files of both sides -> rows the other side has not -> pairs of the same key -> compare cell by cell -> TableDiff
//! ```
//!
//! Knows nothing of engines: it compares Parquet files, read through [`crate::audit`].

mod compare;
mod diff;
mod equal;
mod read;

pub use compare::compare;
pub use diff::{ColumnDiff, Example, KeyExamples, SchemaDiff, TableDiff, describe};
pub use read::Side;

#[cfg(test)]
mod tests;
