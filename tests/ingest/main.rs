//! Reading the API into raw, against a double of it that changes, fails and keeps count while it is read.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[path = "../crash/process.rs"]
mod process;
#[path = "../stackexchange/mod.rs"]
#[expect(dead_code, reason = "one double for all tests; none uses all of it")]
mod stackexchange;

mod binary;
mod faults;
mod kills;
mod lab;
mod pace;
mod windows;
