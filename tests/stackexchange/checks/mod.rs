//! The double's own tests: what the tests of the ingest stand on must stand itself.

mod client;
mod faults;
mod items;
mod limits;
mod methods;
mod worlds;
