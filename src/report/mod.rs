//! Tells people and programs what happens. Knows events and errors; writes only to the `Write` it is given.
//!
//! stderr is the story: [`live`], [`plain`] and [`ndjson`] give listeners that tell it. stdout is the answer: text that [`Layout`] lays out and,
//! for programs, one JSON document. Everything from outside is escaped on its way, so that data cannot drive a terminal.

mod format;
mod plain;
pub mod problem;
pub mod rows;
mod sink;
mod story;
mod style;
mod summary;
mod table;
mod terminal;
#[cfg(test)]
mod testing;
mod text;

pub use format::{ago, bytes, count, plural, seconds};
pub use sink::{Clock, live, ndjson, plain};
pub use story::{date_word, state_word};
pub use style::{Style, paint};
pub use summary::{InsightLines, RunSummary, SetAside, TableLine, TableState};
pub use table::{Layout, TextCell};
pub use terminal::Screen;
pub use text::{block, cut, line, wrap};

/// Version of the JSON documents on stdout, their field `v`. Raised when a field changes its meaning or goes.
pub const OUTPUT_VERSION: u32 = 1;
