//! A call that failed: what AWS or the network said, and whether it may have been done. What that means to a person is
//! the business of `advice`, which every error passes.

use std::error::Error as _;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::Session;
use super::advice::{Meaning, explained, meaning};
use crate::error::{Error, Kind};
use crate::names::Uri;
use crate::net::{self, Lost};

/// A call to AWS that did not return an answer of its own kind.
#[derive(Clone, Debug)]
pub struct CallError {
    /// What people call the service.
    pub service: &'static str,
    /// The operation, such as `RunJobFlow`.
    pub operation: String,
    /// AWS's error code, such as `ThrottlingException`; of our own making when no answer came.
    pub code: String,
    /// AWS's words, or those of the network.
    pub message: String,
    /// Whether AWS may have done what was asked although it did not say so.
    pub maybe_done: bool,
    /// The second part of the ARNs where it was asked.
    pub partition: &'static str,
}

/// The code given to a success that lacks what it must have, or cannot be read.
pub const BAD_ANSWER: &str = "BadAnswer";

/// The code given when no connection could be made.
pub(super) const NOT_SENT: &str = "ConnectionFailed";

/// The code given when the other side's certificate is not trusted.
pub(super) const UNTRUSTED: &str = "CertificateNotTrusted";

/// The code given when an object's content stopped before its end.
pub const CUT: &str = "CutShort";

/// The code given when a connection was lost, or no answer came in time.
pub(super) const NO_ANSWER: &str = "NoAnswer";

/// The code given when there is nobody to call as.
pub(super) const NO_CREDENTIALS: &str = "NoCredentials";

/// The code given when the answer to HEAD, which has no words, is HTTP 400.
pub(super) const BAD_REQUEST: &str = "BadRequest";

impl CallError {
    /// Returns the failed call that an error tells of, if it does.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// Returns whether AWS refused because calls come too fast; nothing was done then.
    pub fn is_throttle(&self) -> bool {
        meaning(self) == Meaning::Throttled
    }

    /// Returns whether the same call may succeed a little later.
    pub fn is_passing(&self) -> bool {
        self.is_throttle() || self.maybe_done || self.code == NOT_SENT
    }

    /// Returns whether other keys may help.
    pub fn blames_credentials(&self) -> bool {
        [Meaning::Expired, Meaning::Credentials].contains(&meaning(self)) && self.code != NO_CREDENTIALS
    }

    /// Returns whether the caller may not do this.
    pub fn is_denied(&self) -> bool {
        meaning(self) == Meaning::Denied
    }

    /// Returns whether EMR knows no such cluster or step, or none any more.
    pub fn is_unknown_cluster(&self) -> bool {
        meaning(self) == Meaning::NoCluster
    }

    /// Returns whether the cluster takes nothing more, since it is ending or has ended.
    pub fn is_ending_cluster(&self) -> bool {
        meaning(self) == Meaning::ClusterEnding
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.service, self.operation, self.code, self.message)
    }
}

impl std::error::Error for CallError {}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        explained(error, None)
    }
}

/// What an SDK's client says of an operation that failed.
pub trait OperationError: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static {}

impl<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static> OperationError for E {}

impl Session {
    /// Returns a call that failed, as far as its answer tells.
    pub fn failure(
        &self,
        (service, operation): (&'static str, &str),
        code: impl Into<String>,
        message: impl Into<String>,
        maybe_done: bool,
    ) -> CallError {
        let (operation, partition) = (operation.into(), self.partition());
        CallError { service, operation, code: code.into(), message: message.into(), maybe_done, partition }
    }

    /// Returns the failure of an operation whose answer, a success, lacks `what` it must have: it was done.
    pub fn lacks(&self, service: &'static str, operation: &str, what: &str) -> CallError {
        self.failure((service, operation), BAD_ANSWER, format!("the answer lacks {what}"), true)
    }

    /// Returns a failed operation of an SDK's client in the form of all calls. `service` is what people call it.
    pub fn failed<E: OperationError>(&self, service: &'static str, operation: &str, error: &SdkError<E>) -> CallError {
        let call = (service, operation);
        if has_no_credentials(error) {
            return self.failure(call, NO_CREDENTIALS, causes(error), false);
        }
        if let SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) = error {
            return self.unanswered(call, error.source().unwrap_or(error));
        }
        let Some(answer) = error.raw_response() else { return self.failure(call, "Failed", causes(error), false) };
        let status = answer.status().as_u16();
        let page = page(answer.body().bytes().unwrap_or_default());
        // A success whose answer cannot be read was done.
        let maybe_done = !(300..500).contains(&status);
        let (code, maybe_done) = match error.code() {
            // That is how S3 says "too fast", whatever word it has for it.
            _ if service == "S3" && status == 503 => ("SlowDown".into(), false),
            Some(code) => (code.into(), maybe_done),
            None => (code_of(service, status), maybe_done),
        };
        let message = match (error.message(), page) {
            (Some(message), _) => message.into(),
            (None, Some(page)) => page,
            _ if status < 300 => causes(error),
            _ => format!("HTTP {status} and not a word"),
        };
        self.failure(call, code, message, maybe_done)
    }

    /// Returns what a call came to that has no answer, from the error of whoever sent it.
    pub(super) fn unanswered(
        &self,
        call: (&'static str, &str),
        error: &(dyn std::error::Error + 'static),
    ) -> CallError {
        let (code, maybe_done) = match net::lost(error) {
            Lost::NotSent => (NOT_SENT, false),
            Lost::Untrusted => (UNTRUSTED, false),
            Lost::MaybeDone => (NO_ANSWER, true),
        };
        self.failure(call, code, net::chain(error), maybe_done)
    }
}

/// Returns what a failed S3 operation on `uri` means.
pub fn s3_failed(uri: &Uri, failure: CallError) -> Error {
    if failure.code != CUT {
        return explained(failure, Some(uri));
    }
    Error::new(Kind::Machine, format!("`{uri}` could not be read to its end"))
        .caused_by(failure)
        .hint("run the same command again: what was done is found, not repeated")
}

/// Returns the code that stands for a status. S3's answer to HEAD is nothing but a status.
fn code_of(service: &str, status: u16) -> String {
    match (service, status) {
        (_, 200..=299) => BAD_ANSWER,
        ("S3", 301 | 307) => "PermanentRedirect",
        ("S3", 400) => BAD_REQUEST,
        ("S3", 403) => "AccessDenied",
        ("S3", 500..=599) => "InternalError",
        _ => return format!("HTTP {status}"),
    }
    .into()
}

/// Returns what an answer is that is none of AWS's, when it is a page for people: proxies and load balancers answer like
/// that.
pub(super) fn page(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let lower = text.to_ascii_lowercase();
    if !["<!doctype html", "<html"].iter().any(|start| lower.trim_start().starts_with(start)) {
        return None;
    }
    let title = lower.find("<title>").map(|at| at + "<title>".len());
    let title = title.and_then(|from| text.get(from..from + lower[from..].find('<')?)).unwrap_or_default();
    Some(match title.split_whitespace().collect::<Vec<_>>().join(" ") {
        title if title.is_empty() => "an HTML page came instead of an answer".into(),
        title => format!("an HTML page came instead of an answer: {title}"),
    })
}

fn has_no_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    net::causes(error).any(|cause| cause.is::<CredentialsError>())
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    error.source().map(net::chain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_people_is_told_by_its_title() {
        let page = |text: &str| page(text.as_bytes());
        let title = "an HTML page came instead of an answer: 502 Bad Gateway";
        assert_eq!(page("\n<html><head><TITLE>502\n Bad Gateway</TITLE>…").unwrap(), title);
        assert_eq!(page("<!DOCTYPE html><body>x").unwrap(), "an HTML page came instead of an answer");
        assert_eq!(page("<!doctype html><title>cut").unwrap(), "an HTML page came instead of an answer");
        assert_eq!(page(r#"{"__type": "x"}"#).or(page("<?xml version='1.0'?><Error/>")).or(page("")), None);
    }
}
