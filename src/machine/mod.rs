//! The machine soflow runs on: its programs, its Pythons and their environment, and pip.

mod environment;
mod host;
pub mod pip;
pub mod python;

pub use host::Host;
