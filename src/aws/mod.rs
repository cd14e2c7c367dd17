//! The way to AWS: who calls, from where to where, how often, and what a refusal means.
//!
//! ```text
//! profile, credentials -> session -> SDK clients or call (signed, to a service) -> retry, pace (every attempt)
//!   -> errors -> advice (what it means, what to do)
//! ```
//!
//! S3, EMR and STS go through their SDK crates; every other service through [`Session::call`] or, where forms are spoken,
//! [`Session::query`]: see docs/decisions/010.

mod advice;
mod call;
mod clock;
mod credentials;
mod errors;
mod pace;
mod profile;
mod retry;
mod service;
mod session;

pub use advice::{Advice, Meaning, advice};
pub use aws_sdk_s3::error::SdkError;
pub use call::Xml;
pub use clock::ServerClock;
pub use credentials::{Caller, Signer};
pub use errors::{CUT, CallError, OperationError, s3_failed};
pub use pace::Pace;
pub use retry::{Retry, RetryPolicy, jitter};
pub use service::{
    ATHENA, CLOUDFORMATION, EC2, GLUE, IAM, LOGS, SECRETS_MANAGER, SERVICE_QUOTAS, SNS, SSM, Service, permission,
    resource,
};
pub use session::{Session, SessionOptions, timeouts};
