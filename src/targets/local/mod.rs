//! The laptop: each step is a process of its own with its own engine, in an environment that soflow makes itself.

mod cause;
mod environment;
mod install;
mod launcher;
mod neighbours;
mod process;
mod query;

pub use environment::{Environment, InUse};
pub use process::LocalTarget;
pub use query::{QueryColumn, QueryPart, QueryPartition, QueryRequest, QueryTable, Statement, query};
