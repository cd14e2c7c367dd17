//! YAML that remembers where everything was written, so that a mistake can be shown where it was made.
//!
//! ```text
//! Source (text of a file, a variable, a flag) -> parse -> Node tree -> check against a JSON Schema -> serde -> values
//! ```
//!
//! Reading never stops at the first mistake: each is noted as a [`Problem`], and what is wrong is left out. Knows no job
//! and no setting.

mod check;
mod parse;
mod problem;
mod source;
mod tree;
pub mod units;
mod wanted;

pub use check::{Formats, Refusal, check};
pub use parse::parse;
pub use problem::{Note, Problem, Problems, Severity, did_you_mean, ticked};
pub use source::{Place, Source};
pub use tree::{Content, Entry, Node};
pub use units::parse_duration;

#[cfg(test)]
mod tests;
