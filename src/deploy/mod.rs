//! What runs a job without a laptop: the state machine that drives a run, as data. Pure: of a job and the settings.

mod machine;

pub use machine::{HANDLERS, Handler, machine};
