//! The catalog on AWS: publishers racing, crashes between any two calls, and what Glue shows. S3 and Glue are moto's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot look at its lake has failed"
)]

#[path = "../twin/mod.rs"]
#[expect(dead_code, reason = "one twin for all tests; none uses all of it")]
mod twin;

mod athena;
mod crash;
mod form;
mod lab;
mod late;
mod race;
mod repair;
