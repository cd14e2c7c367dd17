//! The way to AWS: who calls, from where to where, how often, and what a refusal means.
//!
//! ```text
//! profile, partition, credentials -> session -> json, query (protocols) -> call (signed, paced) -> retry
//!   -> errors -> advice (what it means, what to do)
//! ```
//!
//! S3 goes through its SDK crate; every other service through [`Session::call`] or, where forms are spoken,
//! [`Session::query`]: see docs/decisions/010.

mod advice;
mod call;
mod clock;
mod credentials;
mod errors;
mod json;
mod pace;
mod partition;
mod permission;
mod profile;
mod query;
mod retry;
mod service;
mod session;
mod signer;

pub use advice::{Advice, Meaning, advice};
pub use clock::ServerClock;
pub use errors::{BAD_ANSWER, CUT, CallError, s3_error, s3_failed};
pub use pace::Pace;
pub use partition::Partition;
pub use permission::{permission, resource};
pub use query::{EC2, FormService, IAM, STS, Xml};
pub use retry::{Retry, RetryPolicy};
pub use service::{ATHENA, EMR, GLUE, LOGS, SECRETS_MANAGER, SERVICE_QUOTAS, Service};
pub use session::{Options, Session, timeouts};
pub use signer::Signer;
