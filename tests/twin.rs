//! The twin's own tests: what the tests against AWS stand on must stand itself.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[path = "twin/mod.rs"]
#[expect(dead_code, reason = "one twin for all tests; none uses all of it")]
mod twin;

#[path = "twin/checks/client.rs"]
mod client;
#[path = "twin/checks/clusters.rs"]
mod clusters;
#[path = "twin/checks/execution.rs"]
mod execution;
#[path = "twin/checks/faults.rs"]
mod faults;
#[path = "twin/checks/limits.rs"]
mod limits;
#[path = "twin/checks/logs.rs"]
mod logs;
#[path = "twin/checks/secrets.rs"]
mod secrets;
#[path = "twin/checks/steps.rs"]
mod steps;
