//! The double's own tests: what the tests of the ingest stand on must stand itself.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[path = "stackexchange/mod.rs"]
#[expect(dead_code, reason = "one double for all tests; none uses all of it")]
mod stackexchange;

#[path = "stackexchange/checks/client.rs"]
mod client;
#[path = "stackexchange/checks/items.rs"]
mod items;
