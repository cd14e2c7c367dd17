//! Tells people and programs what happens. Knows events and errors; writes only to the `Write` it is given.
//!
//! stderr is the story. stdout is the answer: [`Summary`], [`Table`] and, for
//! programs, one JSON document. Everything from outside is escaped on its way, so that data cannot drive a terminal.

mod format;
pub mod problem;
mod style;
mod summary;
mod summary_text;
mod table;
mod text;

pub use format::{ago, bytes, count, plural, seconds};
pub use style::{ColorChoice, ColorWish, Style, paint};
pub use summary::{Insight, SetAside, Summary, TableLine, TableState};
pub use table::{Cell, Table};
pub use text::{Align, width};

/// Version of the JSON documents on stdout, their field `v`. Raised when a field changes its meaning or goes.
pub const OUTPUT_VERSION: u32 = 1;
