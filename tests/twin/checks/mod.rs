//! The twin's own tests: what the tests against AWS stand on must stand itself.

pub mod client;
mod clusters;
mod execution;
mod faults;
mod lambda;
mod limits;
mod logs;
mod schedules;
mod secrets;
mod steps;
