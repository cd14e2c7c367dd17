//! Asking AWS: a few calls at a time, and what it means when one fails.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::finding::Finding;
use crate::aws::{CallError, OperationError, Retry, SdkError, Service, Session, Xml, advice, permission};

/// Most calls at once: IAM and EC2 answer more slowly to clients that ask everything at the same time.
const AT_ONCE: usize = 4;

/// What a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked<T> {
    /// An answer.
    Is(T),
    /// There is no such thing, in AWS's words.
    Absent(String),
    /// No answer, and why.
    Unknown(String),
}

impl<T> Asked<T> {
    /// Returns the answer, or what to tell instead of one.
    pub fn or_tell(
        self,
        check: &'static str,
        subject: &str,
        absent: impl FnOnce(String) -> Finding,
    ) -> Result<T, Finding> {
        match self {
            Self::Is(answer) => Ok(answer),
            Self::Absent(words) => Err(absent(words)),
            Self::Unknown(why) => Err(Finding::unknown(check, format!("{subject} could not be checked: {why}"))),
        }
    }
}

/// The way to AWS with its limit.
pub(super) struct Asker<'a> {
    pub session: &'a Session,
    gate: Semaphore,
}

impl<'a> Asker<'a> {
    pub fn new(session: &'a Session) -> Self {
        Self { session, gate: Semaphore::new(AT_ONCE) }
    }

    /// Returns what comes of `call`, once it is its turn.
    pub async fn turn<T>(&self, call: impl Future<Output = T>) -> T {
        // The gate is never closed; if it were, asking at once would do no harm.
        let _permit = self.gate.acquire().await;
        call.await
    }

    /// Asks a service that speaks JSON; `absent` are the codes with which it says that there is no such thing.
    pub async fn json<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        input: Json,
        absent: &[&str],
    ) -> Asked<T> {
        asked(self.turn(self.session.call(service, operation, &input)).await, absent)
    }

    /// Asks with an SDK's client; `absent` are the codes with which the service says that there is no such thing.
    pub async fn sdk<T, E: OperationError, F: Future<Output = Result<T, SdkError<E>>>>(
        &self,
        service: &'static str,
        operation: &str,
        call: impl Fn() -> F,
        absent: &[&str],
    ) -> Asked<T> {
        asked(self.turn(self.session.send(service, operation, Retry::Safe, call)).await, absent)
    }

    /// Asks a service that speaks forms.
    pub async fn form(
        &self,
        service: &Service,
        operation: &str,
        fields: &[(&str, &str)],
        absent: &[&str],
    ) -> Asked<Xml> {
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        asked(self.turn(self.session.query(service, operation, &fields)).await, absent)
    }
}

fn asked<T>(result: Result<T, CallError>, absent: &[&str]) -> Asked<T> {
    match result {
        Ok(answer) => Asked::Is(answer),
        Err(error) if absent.contains(&error.code.as_str()) => Asked::Absent(error.message),
        Err(error) => Asked::Unknown(why(&error)),
    }
}

/// Returns why a call has no answer: the permission that is missing, else what it means and AWS's words.
pub(super) fn why(error: &CallError) -> String {
    if error.is_denied() {
        return format!("`{}` is not allowed", permission(error.service, &error.operation));
    }
    let said = error.to_string();
    match advice(error, None).what {
        what if what.ends_with(&error.message) => said,
        what => format!("{what} ({said})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_permission() {
        let refused = |service, operation: &str, code: &str| {
            let (operation, code) = (operation.to_string(), code.to_string());
            why(&CallError {
                service,
                operation,
                code,
                message: "said AWS".into(),
                maybe_done: false,
                partition: "aws",
            })
        };
        assert_eq!(
            refused("EMR", "DescribeReleaseLabel", "AccessDeniedException"),
            "`elasticmapreduce:DescribeReleaseLabel` is not allowed"
        );
        assert_eq!(
            refused("S3", "GetBucketEncryption", "AccessDenied"),
            "`s3:GetEncryptionConfiguration` is not allowed"
        );
        assert_eq!(refused("EC2", "DescribeSubnets", "UnauthorizedOperation"), "`ec2:DescribeSubnets` is not allowed");
        assert_eq!(refused("CloudWatch Logs", "GetLogEvents", "AccessDenied"), "`logs:GetLogEvents` is not allowed");
        assert_eq!(refused("IAM", "GetRole", "ServiceFailure"), "IAM GetRole: ServiceFailure: said AWS");
        assert_eq!(
            refused("IAM", "GetRole", "ExpiredToken"),
            "the AWS credentials have expired (IAM GetRole: ExpiredToken: said AWS)"
        );
    }
}
