//! All tests of the program from outside, one executable: what they share is compiled, linked and started once, and while
//! one test waits for a process another works. `cargo test --test all emr::` runs one suite.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot be set up, or cannot look at its lake, has failed; what was left out, and why, is told"
)]

mod architecture;
mod cases;
mod catalog;
mod cli;
mod crash;
mod daily;
mod doctor;
mod emr;
mod examples;
mod ingest;
mod kill;
mod open;
mod query;
mod stack;
mod stackexchange;
mod twin;
mod unattended;
mod wire;

#[path = "stackexchange/checks/mod.rs"]
mod stackexchange_checks;
#[path = "twin/checks/mod.rs"]
mod twin_checks;
