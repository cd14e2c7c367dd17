//! The laptop: each step is a process of its own with its own engine, in an environment that soflow makes itself.

mod environment;
mod launcher;
mod neighbours;
mod process;
mod query;

pub use environment::{EngineEnvironment, InUse};
pub use process::LocalTarget;
pub use query::{Statement, query};
