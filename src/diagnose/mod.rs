//! Why it failed: logs, cluster states and API errors read, classified, and ended in a thing to do.
//!
//! Pure functions of text. Nothing here panics or fails on what it reads: the worst answer is [`Class::Unknown`] with the
//! last lines.

mod blocks;
mod cluster;
mod denied;
mod explain;
mod finding;
mod log;
mod rules;
mod story;

#[cfg(test)]
mod tests;

pub use cluster::{ClusterEnd, ErrorDetail, LostInstance, cluster};
pub use denied::refused;
pub use explain::{Explainer, Text, explain};
pub use finding::{Class, Finding, LogExcerpt, LogLine, Place};
pub use log::Lines;
pub use rules::request;
