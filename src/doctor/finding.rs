//! What a check has found, how to mend it, and how AWS is asked.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::aws::{CallError, OperationError, Retry, SdkError, Service, Session, Xml, advice, permission};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be; advice may follow.
    Ok,
    /// A run would fail, or data would be open to others.
    Problem,
    /// It could not be checked; the text says what was missing for that.
    Unknown,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `service role`.
    pub check: &'static str,
    /// How it went.
    pub state: State,
    /// What was found: a fragment, literals in backticks.
    pub what: String,
    /// How to mend it: commands to type, or policy statements to add.
    pub mend: Vec<String>,
}

/// What a check came to; `Err`: why AWS does not tell.
pub(super) type Checked = Result<Finding, String>;

/// What AWS has; `None`: there is no such thing. `Err`: why it does not tell.
pub(super) type Asked<T> = Result<Option<T>, String>;

impl Finding {
    pub(super) fn ok(what: impl Into<String>) -> Self {
        Self { check: "", state: State::Ok, what: what.into(), mend: Vec::new() }
    }

    pub(super) fn problem(what: impl Into<String>) -> Self {
        Self { state: State::Problem, ..Self::ok(what) }
    }

    pub(super) fn unknown(what: impl Into<String>) -> Self {
        Self { state: State::Unknown, ..Self::ok(what) }
    }

    #[must_use]
    pub(super) fn mend(mut self, advice: impl Into<String>) -> Self {
        self.mend.push(advice.into());
        self
    }

    #[must_use]
    pub(super) fn of(self, check: &'static str) -> Self {
        Self { check, ..self }
    }
}

/// Returns the line of a check of `subject`.
pub(super) fn line(check: &'static str, subject: &str, checked: Checked) -> Finding {
    checked.unwrap_or_else(|why| Finding::unknown(format!("{subject} could not be checked: {why}"))).of(check)
}

/// Everything the doctor has found, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The region, when one is named.
    pub region: Option<String>,
    /// One for each thing that was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns how many findings are of a state.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }
}

/// Returns names in backticks with commas between them.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The way to AWS. `absent` are the codes with which a service says that there is no such thing.
pub(super) struct Asker<'a> {
    pub session: &'a Session,
}

impl Asker<'_> {
    /// Asks a service that speaks JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        input: Json,
        absent: &str,
    ) -> Asked<T> {
        answered(self.session.call(service, operation, &input).await, &[absent])
    }

    /// Asks EMR with the SDK's client.
    pub async fn emr<T, E: OperationError, F: Future<Output = Result<T, SdkError<E>>>>(
        &self,
        operation: &str,
        call: impl Fn() -> F,
    ) -> Asked<T> {
        let absent = ["InvalidRequestException", "ValidationException"];
        answered(self.session.send("EMR", operation, Retry::Safe, call).await, &absent)
    }

    /// Asks S3 with the SDK's client.
    pub async fn s3<T, E: OperationError>(
        &self,
        operation: &str,
        call: impl Future<Output = Result<T, SdkError<E>>>,
        absent: &str,
    ) -> Asked<T> {
        let answer = call.await.map_err(|error| self.session.failed("S3", operation, &error));
        answered(answer, &[absent])
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
        answered(self.session.query(service, operation, &fields).await, absent)
    }
}

fn answered<T>(answer: Result<T, CallError>, absent: &[&str]) -> Asked<T> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if absent.contains(&error.code.as_str()) => Ok(None),
        Err(error) => Err(why(&error)),
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
        assert_eq!(refused("IAM", "GetRole", "ServiceFailure"), "IAM GetRole: ServiceFailure: said AWS");
        assert_eq!(
            refused("IAM", "GetRole", "ExpiredToken"),
            "the AWS credentials have expired (IAM GetRole: ExpiredToken: said AWS)"
        );
    }
}
