//! What went wrong on people's machines and with people's data, one file a kind. Each test makes its own inputs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot look at its lake has failed, and tells what it tried"
)]

#[path = "../daily/lab.rs"]
mod lab;

mod insights;
mod paths;
mod project;
mod read_only;
mod sharing;
mod smallest;
mod surroundings;
mod text;
mod values;
mod way_out;
