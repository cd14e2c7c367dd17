//! soflow takes a job file and makes its tables appear in the lake.
//!
//! ```text
//! config + job -> plan -> ingest? -> run: target (steps) -> audit -> catalog (publish) -> report
//! ```

pub mod encoding;
pub mod error;
pub mod event;
pub mod mask;
pub mod names;
pub mod net;
pub mod yaml;

pub mod config;
pub mod cost;
pub mod deploy;
pub mod job;
pub mod plan;

pub mod aws;
pub mod doctor;

pub mod audit;
pub mod catalog;
pub mod diagnose;
pub mod ingest;
pub mod machine;
pub mod package;
pub mod parity;
pub mod query;
pub mod spark_connect;
pub mod store;
pub mod targets;
pub mod tunnel;

pub mod cli;
pub mod page;
pub mod report;
pub mod run;
