//! The job file: steps, the tables they read and write, their checks, and the graph that follows from them.
//!
//! ```text
//! text -> steps, tables, parameters, insights (each with its places) -> links between them -> order -> Job
//! ```
//!
//! Knows no disk and no clock: whether a script exists is asked, the date is given.

mod checks;
mod graph;
mod insights;
mod links;
mod model;
mod needs;
mod outputs;
mod parameters;
mod parse;
mod spark;
mod steps;
mod tables;

pub use graph::Graph;
pub use model::{Check, Insight, Job, Needs, Output, Source, Step, Table, Update, Value};
pub use parse::{Options, Script, parse, read};

#[cfg(test)]
mod tests;
