//! The examples and the functions' program: run, or checked by tools of others.

mod airflow;
mod day;
mod functions;
mod workflow;

use std::path::PathBuf;

/// Returns the path of an example for those who run soflow unattended.
fn unattended(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/unattended").join(name)
}
