//! The shipped job, end to end: the real binary, the real engine, made-up and real pages, and machines in trouble.

mod bad;
mod changes;
pub mod lab;
mod machine;
mod origins;
mod parity;
mod report;
mod whole;
