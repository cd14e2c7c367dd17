//! Puts API pages into raw: pages someone has downloaded, or a made-up sample. Never changes a page's body.
//!
//! A run folder in raw counts as soon as its manifest is there, and the manifest is written last.

mod files;
mod manifest;
mod mixture;
mod page;
pub mod pages;
pub mod raw;
pub mod sample;
mod summary;

pub use manifest::Line;
pub use raw::{Held, RawPage};
pub use summary::{Skipped, Summary, Written};
