//! YAML that remembers where everything was written, so that a mistake can be shown where it was made.
//!
//! ```text
//! Source (text of a file, a variable, a flag) -> parse -> Node tree -> check against a JSON Schema -> serde -> values
//! ```
//!
//! Reading never stops at the first mistake: each is noted as a [`Problem`], and what is wrong is left out. Knows no job
//! and no setting.

mod build;
mod problem;
mod render;
mod scalar;
mod schema;
mod source;
mod tree;
pub mod units;

pub use build::parse;
pub use problem::{Note, Problem, Problems, Severity, did_you_mean, ticked};
pub use schema::{Formats, Refusal, check};
pub use source::{Place, Source};
pub use tree::{Content, Entry, Node, core_bool, core_float, core_int};
pub use units::{parse_duration, parse_pause, parse_share, parse_size};

#[cfg(test)]
mod tests;
