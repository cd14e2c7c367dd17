//! What a failed call means: whether it may have been done, whether to try again, and what a person can do.

use std::error::Error as _;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::partition::Partition;
use crate::error::{Error, Kind};
use crate::names::Uri;
use crate::net::{self, Lost};

/// A call to AWS that did not return an answer of its own kind.
#[derive(Debug)]
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

/// Codes with which AWS says "too fast". Source: the SDKs' list of throttling codes.
const THROTTLES: [&str; 9] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
];

/// Codes with which AWS says that keys are not, or no longer, good. Sources: the error codes that all services have in common,
/// and S3's.
const ABOUT_KEYS: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
];

/// The code given when no connection could be made.
pub(super) const NOT_SENT: &str = "ConnectionFailed";

/// The code given when the other side's certificate is not trusted.
const UNTRUSTED: &str = "CertificateNotTrusted";

/// The code given when an object's content stopped before its end.
pub const CUT: &str = "CutShort";

/// The code given when a connection was lost, or no answer came in time.
pub(super) const NO_ANSWER: &str = "NoAnswer";

impl CallError {
    /// Returns whether AWS refused because calls come too fast; nothing was done then.
    pub fn is_throttle(&self) -> bool {
        THROTTLES.contains(&self.code.as_str())
    }

    /// Returns whether the same call may succeed a little later.
    pub fn is_passing(&self) -> bool {
        self.is_throttle() || self.maybe_done || self.code == NOT_SENT
    }

    /// Returns whether other keys may help.
    pub fn blames_credentials(&self) -> bool {
        // All that S3 says to HEAD with a token that has expired.
        ABOUT_KEYS.contains(&self.code.as_str()) || (self.service == "S3" && self.code == "BadRequest")
    }

    /// Returns whether the caller may not do this.
    pub fn is_denied(&self) -> bool {
        ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"].contains(&self.code.as_str())
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
        let what = match error.code.as_str() {
            _ if error.is_throttle() => format!("{} is throttling this account: {}", error.service, error.operation),
            _ if error.is_denied() => format!("AWS does not allow `{}`", error.operation),
            "NoCredentials" => "no AWS credentials were found".to_string(),
            NOT_SENT => format!("{} cannot be reached", error.service),
            UNTRUSTED => format!("the certificate that {} shows is not trusted", error.service),
            NO_ANSWER => format!("{} did not answer `{}`", error.service, error.operation),
            _ => format!("{} refused `{}`: {}", error.service, error.operation, error.message),
        };
        let advice = advice(&error);
        let failure = Self::new(Kind::Machine, what).caused_by(error);
        advice.into_iter().fold(failure, |failure, hint| failure.hint(hint))
    }
}

/// Returns what a call came to that has no answer, from the error of whoever sent it.
pub(super) fn unanswered(call: CallError, error: &(dyn std::error::Error + 'static)) -> CallError {
    let (code, maybe_done) = match net::lost(error) {
        Lost::NotSent => (NOT_SENT, false),
        Lost::Untrusted => (UNTRUSTED, false),
        Lost::MaybeDone => (NO_ANSWER, true),
    };
    CallError { code: code.into(), message: net::chain(error), maybe_done, ..call }
}

/// Returns a failed S3 operation in the form of all other calls.
pub fn s3_error<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    operation: &str,
    partition: Partition,
    error: &SdkError<E>,
) -> CallError {
    let call = |code: &str, message: String, maybe_done| {
        let (operation, code) = (operation.into(), code.into());
        CallError { service: "S3", operation, code, message, maybe_done, partition: partition.id }
    };
    match error {
        // What the SDK does before it sends: it asks for credentials.
        SdkError::DispatchFailure(failure) if failure.is_user() => call("NoCredentials", causes(error), false),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
            unanswered(call("", String::new(), false), error.source().unwrap_or(error))
        }
        _ => {
            let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
            let (code, maybe_done) = told_by_s3(error.code(), status);
            call(code, error.message().map_or_else(|| causes(error), String::from), maybe_done)
        }
    }
}

/// Returns what a failed S3 operation on `uri` means.
pub fn s3_failed(uri: &Uri, failure: CallError) -> Error {
    let bucket = uri.bucket_and_key().map_or("", |(bucket, _)| bucket).to_string();
    let hint = match failure.code.as_str() {
        CUT => {
            return Error::new(Kind::Machine, format!("`{uri}` could not be read to its end"))
                .caused_by(failure)
                .hint("run the same command again: what was done is found, not repeated");
        }
        "NoSuchBucket" => Some(format!("make it: `aws s3 mb s3://{bucket}`, or correct `lake:` in config/soflow.yaml")),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            Some(format!("bucket `{bucket}` is in another region: `aws s3api get-bucket-location --bucket {bucket}`"))
        }
        _ => None,
    };
    let failure = Error::from(failure).detail(format!("on {uri}"));
    hint.into_iter().fold(failure, |failure, hint| failure.hint(hint))
}

/// Returns S3's code, which the answer to HEAD leaves out, and whether what was asked may have been done.
fn told_by_s3(code: Option<&str>, status: u16) -> (&str, bool) {
    // Whatever word it has for it: 503 is how S3 says "too fast".
    if status == 503 {
        return ("SlowDown", false);
    }
    let code = code.unwrap_or(match status {
        // It was done, and the answer cannot be read.
        200..=299 => "BadAnswer",
        400 => "BadRequest",
        403 => "AccessDenied",
        500..=599 => "InternalError",
        _ => "Failed",
    });
    (code, ["InternalError", "BadAnswer"].contains(&code))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        text = if text.is_empty() { cause.to_string() } else { format!("{text}: {cause}") };
        next = cause.source();
    }
    text
}

fn advice(error: &CallError) -> Vec<String> {
    let again = || "run the same command again: what was done is found, not repeated".to_string();
    match error.code.as_str() {
        _ if error.is_denied() => {
            vec!["`aws sts get-caller-identity` shows who is asking; `soflow doctor` lists what is missing".into()]
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            vec!["sign in again: `aws sso login`, then run the same command".into()]
        }
        // All that S3 says to HEAD with a token that has expired.
        "BadRequest" => vec!["the credentials may have expired: `aws sts get-caller-identity`".into()],
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidSignatureException" => {
            vec!["the credentials are not valid here: `aws sts get-caller-identity`".into()]
        }
        _ if error.is_throttle() => {
            vec![again(), "ask for a higher quota, or lower what else calls EMR in this account".into()]
        }
        "NoCredentials" => vec![
            "sign in: `aws sso login`, `aws login` or `aws configure`; in CI give the job a role".into(),
            "`soflow doctor` says which one the profile takes".into(),
        ],
        UNTRUSTED => vec![net::NAME_AUTHORITY.into()],
        NOT_SENT | NO_ANSWER => vec![again(), "`soflow doctor` checks the way to AWS".into()],
        _ if error.maybe_done => vec![again()],
        _ => Vec::new(),
    }
}
