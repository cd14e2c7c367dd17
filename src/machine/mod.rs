//! The machine soflow runs on: its programs, its Pythons, and pip.

mod host;
pub mod pip;
pub mod python;

pub use host::Host;
