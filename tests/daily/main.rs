//! The shipped job, end to end: the real binary, the real engine, made-up and real pages, and machines in trouble.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot look at its lake has failed, and tells what it tried"
)]

#[path = "../stackexchange/mod.rs"]
#[expect(dead_code, reason = "one double for all tests; none uses all of it")]
mod stackexchange;

mod bad;
mod changes;
mod lab;
mod machine;
mod origins;
mod parity;
mod whole;
