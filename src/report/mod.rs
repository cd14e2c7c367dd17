//! Tells people and programs what happens. Knows events and errors; writes only to the `Write` it is given.
//!
//! stderr is the story: [`sink`] gives the listener that tells it. stdout is the answer: [`Summary`], [`Table`] and, for
//! programs, one JSON document. Everything from outside is escaped on its way, so that data cannot drive a terminal.

mod format;
mod frame;
mod json;
mod painter;
mod plain;
pub mod problem;
mod progress;
pub mod rows;
mod sink;
mod step_line;
mod story;
mod style;
mod summary;
mod summary_text;
mod table;
mod terminal;
#[cfg(test)]
mod testing;
mod text;

pub use format::{ago, bytes, count, plural, seconds};
pub use sink::{Clock, Mode, Tee, sink};
pub use story::{date_word, state_word};
pub use style::{ColorChoice, ColorWish, Style, is_dumb, paint};
pub use summary::{Insight, SetAside, Summary, TableLine, TableState};
pub use table::{Cell, Table};
pub use terminal::{Size, stderr_size};
pub use text::{Align, block, cut, line, pad, width, wrap};

/// Version of the JSON documents on stdout, their field `v`. Raised when a field changes its meaning or goes.
pub const OUTPUT_VERSION: u32 = 1;
