//! The program as people meet it: each test runs the real binary in a project of its own and snapshots all they see,
//! stdout, stderr and the exit code. One file a verb.

/// Compares what the program said with the snapshot of that name, or of the test's.
macro_rules! shot {
    ($seen:expr) => {
        insta::with_settings!({ filters => crate::cli::support::filters(), omit_expression => true }, {
            insta::assert_snapshot!($seen.to_string())
        })
    };
    ($name:expr, $seen:expr) => {
        insta::with_settings!({ filters => crate::cli::support::filters(), omit_expression => true }, {
            insta::assert_snapshot!($name, $seen.to_string())
        })
    };
}

pub mod support;

mod backfill;
mod completions;
mod config;
mod engine;
mod failures;
mod gc;
mod guides;
mod help;
mod ingest;
mod init;
mod interrupt;
pub mod languages;
mod logs;
mod new;
pub mod notebook;
mod output;
mod plan;
mod query;
pub mod readers;
mod report;
mod retry;
mod rollback;
mod runs;
mod sql;
mod submit;
mod tables;
mod terminal;
mod usage;
mod validate;
mod watch;
