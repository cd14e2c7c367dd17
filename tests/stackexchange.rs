//! The double's own tests: what the tests of the ingest stand on must stand itself.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[path = "stackexchange/mod.rs"]
mod stackexchange;

#[path = "stackexchange/checks/client.rs"]
mod client;
#[path = "stackexchange/checks/faults.rs"]
mod faults;
#[path = "stackexchange/checks/items.rs"]
mod items;
#[path = "stackexchange/checks/limits.rs"]
mod limits;
#[path = "stackexchange/checks/methods.rs"]
mod methods;
#[path = "stackexchange/checks/worlds.rs"]
mod worlds;
