//! YAML that remembers where everything was written, so that a mistake can be shown where it was made.
//!
//! ```text
//! Source (text of a file, a variable, a flag) -> parse -> Node tree -> typed reading -> values + Problems
//! ```
//!
//! Reading never stops at the first mistake: each helper notes a [`Problem`] and returns `None`. Knows no job and no
//! setting.

mod build;
mod map;
mod problem;
mod read;
mod render;
mod source;
mod tree;
mod units;

pub use build::parse;
pub use map::Map;
pub use problem::{Note, Problem, Problems, Severity};
pub use read::did_you_mean;
pub use source::{Place, Source};
pub use tree::{Content, Entry, Node};
pub(crate) use tree::{core_bool, core_float, core_int};
pub use units::{parse_duration, parse_pause, parse_share, parse_size};

#[cfg(test)]
mod tests;
