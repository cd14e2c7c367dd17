//! The doctor against moto and an EMR that answers as AWS does: all well, three problems, no permissions.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

#[path = "twin/mod.rs"]
#[expect(dead_code, reason = "one twin for all tests; none uses all of it")]
mod twin;

#[path = "doctor/checks.rs"]
mod checks;
#[path = "doctor/ward.rs"]
mod ward;
