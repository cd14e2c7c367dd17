//! Tells people and programs what happens. Knows events and errors; writes only to the `Write` it is given.
//!
//! stderr is the story: [`sink`] gives the listener that tells it. stdout is the answer: [`RunSummary`], [`TextTable`] and, for
//! programs, one JSON document. Everything from outside is escaped on its way, so that data cannot drive a terminal.

mod answer;
mod format;
mod json;
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

pub use answer::{Answer, Layout};
pub use format::{ago, bytes, count, plural, seconds};
pub use sink::{Clock, Mode, Tee, sink};
pub use story::{date_word, state_word};
pub use style::{ColorChoice, ColorInputs, Style, is_dumb, paint};
pub use summary::{InsightLines, RunSummary, SetAside, TableLine, TableState};
pub use table::{TextCell, TextTable};
pub use terminal::Screen;
pub use text::{block, cut, line, width, wrap};

/// Version of the JSON documents on stdout, their field `v`. Raised when a field changes its meaning or goes.
pub const OUTPUT_VERSION: u32 = 1;
