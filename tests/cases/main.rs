//! What went wrong on people's machines and with people's data, one file a kind. Each test makes its own inputs.

#![expect(clippy::unwrap_used, reason = "a test that cannot look at its lake has failed, and tells what it tried")]

#[path = "../daily/lab.rs"]
mod lab;

mod insights;
mod project;
mod sharing;
mod smallest;
mod way_out;
