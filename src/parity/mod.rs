//! Two versions of a table, row by row: how soflow shows that two engines gave the same result, or where they did not.
//!
//! ```text
//! files of both sides -> partitions -> join by key hash -> compare column by column -> TableDiff -> text or JSON
//! ```
//!
//! Knows nothing of engines: it compares Parquet files, read through [`crate::audit`].

mod columns;
mod compare;
mod describe;
mod diff;
mod equal;
mod join;
mod moved;
mod pairing;
mod partitions;
mod side;

pub use compare::compare;
pub use describe::describe;
pub use diff::{ColumnDiff, Example, Keys, SchemaDiff, TableDiff};
pub use side::Side;

#[cfg(test)]
mod tests;
