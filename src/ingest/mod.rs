//! Puts data into raw: API pages someone has downloaded, the data dump, or a made-up sample. Never changes what it takes.
//!
//! A run folder in raw counts as soon as its manifest is there, and the manifest is written last.

pub mod api;
pub mod dump;
mod manifest;
mod page;
pub mod pages;
pub mod raw;
pub mod sample;
mod summary;
#[cfg(test)]
mod testing;

pub use manifest::Line;
pub use raw::{HeldPages, RawPage};
pub use summary::{Skipped, Summary, Written};
