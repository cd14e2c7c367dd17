//! The way to AWS: who calls, from where to where, how often, and what a refusal means.
//!
//! ```text
//! session (credentials, region, endpoints) -> json, query (protocols) -> call (signed, paced, tried again when safe)
//!   -> errors -> advice (what it means, what to do)
//! ```
//!
//! S3 goes through its SDK crate; every other service through [`Session::call`] or, where forms are spoken,
//! [`Session::query`]: see docs/decisions/010.

mod advice;
mod call;
mod clock;
mod errors;
mod json;
mod pace;
mod permission;
mod query;
mod service;
mod session;
mod signer;

pub use advice::{Advice, Meaning, advice};
pub use call::Retry;
pub use clock::ServerClock;
pub use errors::{CallError, s3_cut, s3_error, s3_failed, s3_refused};
pub use pace::Pace;
pub use permission::{permission, resource};
pub use query::{EC2, FormService, IAM, STS, Xml};
pub use service::{ATHENA, EMR, GLUE, LOGS, SECRETS_MANAGER, SERVICE_QUOTAS, Service};
pub use session::{Options, Session};
pub use signer::Signer;
