//! The laptop: each step is a process with its own engine, in an environment that soflow makes itself.

mod engine;
mod environment;
mod launcher;
mod neighbours;
mod notebook;
mod pool;
mod process;
mod query;
mod server;

pub use engine::LocalEngine;
pub use environment::{EngineEnvironment, InUse};
pub use launcher::packaged_version;
pub use notebook::{Notebooks, Question};
pub use process::LocalTarget;
pub use query::{Statement, read_ipc};
pub use server::SqlServer;
