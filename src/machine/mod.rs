//! The machine soflow runs on: its programs, its Pythons and their environment, and uv.

mod environment;
mod host;
pub mod python;
pub mod uv;

pub use host::Host;
pub use uv::Uv;
