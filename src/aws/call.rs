//! One request on its way: signed, sent once, or again when that is safe. What is in it is the business of the protocols.

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;

use super::errors::{CallError, NO_CREDENTIALS, page, unanswered};
use super::{Partition, Retry, Service, Session};
use crate::error::{Error, Kind, Result};

/// What AWS knows us by.
const AGENT: &str = concat!("soflow/", env!("CARGO_PKG_VERSION"));

/// A request, as far as all protocols have it: a `POST` to `/`.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// What people call the service.
    pub service: &'static str,
    /// The operation.
    pub operation: &'a str,
    /// The service whose quotas the call counts against, when soflow keeps to them.
    pub paced: Option<&'a Service>,
    /// Where it goes, without a path.
    pub endpoint: String,
    /// The service and the region it is signed for.
    pub scope: (&'static str, &'a str),
    /// Its headers, signed.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request<'_> {
    /// Returns a failure of this call that cannot have done anything.
    pub fn failure(&self, code: &str, message: String) -> CallError {
        let (service, operation) = (self.service, self.operation.to_string());
        let partition = Partition::of_region(self.scope.1).id;
        CallError { service, operation, code: code.into(), message, maybe_done: false, partition }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub status: http::StatusCode,
    /// The error's code, when a header tells it.
    pub named: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Returns what a failure says that has no message of the service's kind.
    pub fn unread(&self) -> String {
        page(&self.body).unwrap_or_else(|| self.status.canonical_reason().unwrap_or_default().into())
    }
}

impl Session {
    /// Sends a request, again as far as `retry` allows, and returns what `read` makes of the answer.
    ///
    /// # Errors
    /// The last failure; at once when trying again is of no use.
    pub(super) async fn deliver<T>(
        &self,
        request: &Request<'_>,
        retry: Retry,
        read: impl Fn(&Request<'_>, &Answer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.patiently(retry, || async {
            if let Some(service) = request.paced {
                self.pace().wait(service, request.operation).await;
            }
            let result = self.send(request).await.and_then(|answer| read(request, &answer));
            if let Some(service) = request.paced {
                self.pace().learn(service, request.operation, result.as_ref().is_err_and(CallError::is_throttle));
            }
            result
        })
        .await
    }

    async fn send(&self, request: &Request<'_>) -> Result<Answer, CallError> {
        let signed = self.signed(request).await.map_err(|error| {
            let causes = error.causes().join(": ");
            request.failure(NO_CREDENTIALS, if causes.is_empty() { error.message } else { causes })
        })?;
        let lost = |error: &(dyn std::error::Error + 'static)| unanswered(request.failure("", String::new()), error);
        let answer = self.http.call(signed).await.map_err(|error| lost(&error))?;
        let header = |name: &str| answer.headers().get(name);
        if let Some(date) = header("date") {
            self.clock().learn(date);
        }
        let status = answer.status().as_u16();
        let named = header("x-amzn-errortype").map(short_code);
        let body = tokio::time::timeout(self.policy.answer, ByteStream::new(answer.into_body()).collect()).await;
        let body = body.map_err(|over| lost(&over))?.map_err(|error| lost(&error))?.into_bytes();
        Ok(Answer { status: http::StatusCode::from_u16(status).unwrap_or_default(), named, body })
    }

    async fn signed(&self, request: &Request<'_>) -> Result<HttpRequest> {
        let internal = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Kind::Internal, "a request cannot be signed").caused_by(error)
        };
        let identity = self.credentials().await?.into();
        let address = format!("{}/", request.endpoint.trim_end_matches('/'));
        let (service, region) = request.scope;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(std::time::SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| internal(error.into()))?
            .into();
        let named = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new("POST", address.as_str(), named, SignableBody::Bytes(&request.body))
            .map_err(|error| internal(error.into()))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| internal(error.into()))?.into_parts();
        let mut post = http::Request::post(&address).header("user-agent", AGENT);
        for (name, value) in &request.headers {
            post = post.header(*name, value);
        }
        let mut post = post.body(SdkBody::from(request.body.as_slice())).map_err(|error| internal(error.into()))?;
        instructions.apply_to_request_http1x(&mut post);
        HttpRequest::try_from(post).map_err(|error| internal(error.into()))
    }
}

/// Returns the code without its namespace and address: `com.amazon.coral#ThrottlingException:http://…`.
pub(super) fn short_code(text: &str) -> String {
    let text = text.rsplit('#').next().unwrap_or(text);
    text.split(':').next().unwrap_or(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::Credentials;
    use serde_json::{Value as Json, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::{EMR, RetryPolicy};
    use super::*;

    /// Returns what a call that must not be done twice comes to when its answer begins in that way, and what is not told.
    async fn called(beginning: &str, silent: bool) -> CallError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let policy = RetryPolicy { answer: Duration::from_millis(200), ..RetryPolicy::hasty() };
        let keys = Credentials::new("id", "secret", None, None, "test");
        let session = Session::for_tests(&format!("http://{}", listener.local_addr().unwrap()), keys, policy);
        let serve = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            assert_ne!(connection.read(&mut [0; 65_536]).await.unwrap(), 0);
            connection.write_all(beginning.as_bytes()).await.unwrap();
            if silent {
                std::future::pending::<()>().await;
            }
        };
        let input = json!({ "Name": "x" });
        let call = session.call_with::<Json>(&EMR, "RunJobFlow", &input, Retry::NotDone);
        tokio::select! {
            answer = call => answer.unwrap_err(),
            never = async { serve.await; std::future::pending().await } => never,
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_on_its_way_may_have_been_done() {
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"JobFlow";
        for (beginning, silent) in [("", false), ("HTTP/1.1 200 O", false), (cut, false), ("", true), (cut, true)] {
            let error = called(beginning, silent).await;
            assert_eq!((error.code.as_str(), error.maybe_done), ("NoAnswer", true), "{beginning} {silent}: {error}");
        }
    }
}
