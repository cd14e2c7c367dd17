//! `soflow ingest dump`: the Stack Exchange data dump into raw, row for row, in memory that does not grow with it.
//!
//! A thread reads and unpacks, several compress, and parts are stored in order. A table's run folder is named after the
//! content of its file and counts when its manifest is there, so the same command goes on after an interruption, file by
//! file, and has nothing to do the second time.

mod archive;
mod damage;
mod file_away;
mod find;
mod intake;
mod parts;
mod read;
mod rows;
mod source;
mod table;

pub use intake::{Request, ingest};
pub use parts::PART_BYTES;
pub use table::DumpTable;

/// How the run folders of dumps begin.
const RUN: &str = "dump-";

#[cfg(test)]
mod tests;
