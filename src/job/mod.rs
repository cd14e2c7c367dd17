//! The job file: steps, the tables they read and write, their checks, and the graph that follows from them.
//!
//! ```text
//! text -> tree with places -> check against the schema -> serde -> links between steps and tables -> order -> Job
//! ```
//!
//! Knows no disk and no clock: what is in a step's file is asked, the date is given.

mod chart;
mod file;
mod formats;
mod graph;
mod links;
mod model;
mod parameters;
mod parse;

pub use chart::{Chart, ChartKind, ShowAs};
pub use file::job_schema;
pub use model::{Check, Insight, Job, Needs, Output, Source, Step, StepCode, Table, Update, Value};
pub use parse::{CodeFile, Options, read};

#[cfg(test)]
mod tests;
