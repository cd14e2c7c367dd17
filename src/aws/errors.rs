//! What a failed call means: whether it may have been done, whether to try again, and what a person can do.

use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::{Error, Kind};
use crate::names::Uri;

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

/// The code given when no connection could be made.
pub(super) const NOT_SENT: &str = "ConnectionFailed";

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
            NO_ANSWER => format!("{} did not answer `{}`", error.service, error.operation),
            _ => format!("{} refused `{}`: {}", error.service, error.operation, error.message),
        };
        let advice = advice(&error);
        let failure = Self::new(Kind::Machine, what).caused_by(error);
        advice.into_iter().fold(failure, |failure, hint| failure.hint(hint))
    }
}

/// Returns a failed S3 operation in the form of all other calls.
pub fn s3_error<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    operation: &str,
    error: &SdkError<E>,
) -> CallError {
    let (code, maybe_done) = match error {
        SdkError::DispatchFailure(failure) if failure.is_user() => ("NoCredentials", false),
        // The SDK does not tell a connection that was never made from one that closed before the answer.
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => (NO_ANSWER, true),
        _ => told_by_s3(error.code(), error.raw_response().map_or(0, |answer| answer.status().as_u16())),
    };
    let message = error.message().map_or_else(|| causes(error), String::from);
    CallError { service: "S3", operation: operation.into(), code: code.into(), message, maybe_done }
}

/// Returns what a failed S3 operation on `uri` means.
pub fn s3_failed<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    operation: &str,
    uri: &Uri,
    error: &SdkError<E>,
) -> Error {
    let failure = s3_error(operation, error);
    let bucket = uri.bucket_and_key().map_or("", |(bucket, _)| bucket).to_string();
    let hint = match failure.code.as_str() {
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
    let code = code.unwrap_or(match status {
        400 => "BadRequest",
        403 => "AccessDenied",
        503 => "SlowDown",
        500..=599 => "InternalError",
        _ => "Failed",
    });
    (code, code == "InternalError")
}

/// Returns the failure of an object whose content stopped before its end.
pub fn s3_cut(uri: &Uri, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Machine, format!("`{uri}` could not be read to its end"))
        .caused_by(error)
        .hint("run the same command again: what was done is found, not repeated")
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
        "NoCredentials" => vec!["sign in: `aws sso login`, or `aws configure`; in CI give the job a role".into()],
        NOT_SENT | NO_ANSWER => vec![again(), "`soflow doctor` checks the way to AWS".into()],
        _ if error.maybe_done => vec![again()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_sdk_s3::config::{BehaviorVersion, Region, retry::RetryConfig};
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_closes_before_the_answer_may_have_done_what_was_asked() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .force_path_style(true);
        let client = aws_sdk_s3::Client::from_conf(config.build());
        let (served, asked) = tokio::join!(
            async {
                let (mut connection, _) = listener.accept().await.unwrap();
                connection.read(&mut [0; 65536]).await.unwrap()
            },
            client.put_object().bucket("lake").key("a").body(b"x".to_vec().into()).send()
        );
        assert!(served > 0);
        let error = s3_error("PutObject", &asked.unwrap_err());
        assert!(error.maybe_done && error.code == NO_ANSWER, "{error}");
    }
}
