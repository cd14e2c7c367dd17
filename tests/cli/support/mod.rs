//! What the tests stand on: projects, the program in them, what it said, a terminal, and a step that waits.

mod filters;
mod gate;
mod output;
mod project;
mod records;
mod sample;
mod terminal;

pub use filters::filters;
pub use gate::Gate;
pub use output::Output;
pub use project::{Project, engines};
pub use records::Record;
pub use sample::engine_is_there;
pub use terminal::Terminal;
