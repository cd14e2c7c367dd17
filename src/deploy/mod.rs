//! What runs a job without a laptop: the state machine that drives a run and the stack around it, as data. Pure: of a job and
//! the settings.

mod machine;
mod template;

pub use machine::{HANDLERS, Handler, machine};
pub use template::{Stack, template};
