//! What really landed: lists, Parquet footers, and the checks of the job file, before anyone can read a row.
//!
//! ```text
//! objects -> files (partitions) -> landed (footers: schema, rows, statistics) -> checks (columns, only where needed)
//! ```
//!
//! Reads objects of a store by ranges, never whole, and lets others go on while it waits for them and after each few
//! thousand rows of what it decodes. Knows nothing of Spark, of runs or of the catalog; writes nothing.

pub mod canonical;
pub mod checks;
pub mod files;
pub mod kind;
pub mod landed;
pub mod parquet_file;
mod reader;
pub mod rows;
mod statistics;
#[cfg(test)]
pub(crate) mod testing;
mod unique;
mod values;

pub use checks::{Finding, Subject, check, written};
pub use files::is_in;
pub use landed::{Bound, Landed, LandedColumn, LandedPartition, Opened, read, rows_so_far};
pub use reader::Reader;
