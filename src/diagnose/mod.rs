//! Why it failed: logs, cluster states and API errors read, classified, and ended in a thing to do.
//!
//! Everything but `logs` is a pure function of text. Nothing here panics or fails on what it reads: the worst answer is
//! [`Class::Unknown`] with the last lines.

mod api;
mod blocks;
mod clean;
mod cluster;
mod denied;
mod evidence;
mod explain;
mod finding;
mod lines;
pub mod logs;
mod pattern;
mod rules;
mod story;

#[cfg(test)]
mod tests;

pub use api::api;
pub use cluster::{ClusterEnd, ErrorDetail, LostInstance, cluster};
pub use explain::{Explainer, Text, explain};
pub use finding::{Class, Excerpt, Finding, Line, Place};
