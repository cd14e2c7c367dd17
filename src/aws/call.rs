//! One request on its way: signed, sent once, or again when that is safe. What is in it is the business of the protocols.

use std::time::Duration;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;

use super::errors::{CallError, NO_ANSWER, NO_CREDENTIALS, NOT_SENT, page};
use super::{Service, Session};
use crate::error::{Error, Kind, Result};

/// When a failed call is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After throttles, lost connections and failures of the service: for calls that may be done twice.
    Safe,
    /// After throttles and connections that were never made only: for calls that must not be done twice.
    NotDone,
}

/// How often a call is sent before its failure is believed.
const ATTEMPTS: u32 = 6;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// First pause after a lost connection or a failure of the service.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

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
        CallError { service, operation, code: code.into(), message, maybe_done: false }
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
    /// The last failure, after six attempts; at once when trying again is of no use.
    pub(super) async fn deliver<T>(
        &self,
        request: &Request<'_>,
        retry: Retry,
        read: impl Fn(&Request<'_>, &Answer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            if let Some(service) = request.paced {
                self.pace().wait(service, request.operation).await;
            }
            let result = self.send(request).await.and_then(|answer| read(request, &answer));
            if let Some(service) = request.paced {
                self.pace().learn(service, request.operation, result.as_ref().is_err_and(CallError::is_throttle));
            }
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let again = error.is_passing() && (retry == Retry::Safe || !error.maybe_done);
            if !again || attempt == ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(self.pause(&error, attempt)).await;
        }
    }

    /// Returns how long to wait after a failed attempt: doubling, with jitter so that clients do not march in step.
    fn pause(&self, error: &CallError, attempt: u32) -> Duration {
        let first = if error.is_throttle() { self.pace().refill() } else { FIRST_PAUSE };
        let longest = first.saturating_mul(1 << attempt.min(8)).min(LONGEST_PAUSE);
        longest.mul_f64(0.5 + 0.5 * jitter())
    }

    async fn send(&self, request: &Request<'_>) -> Result<Answer, CallError> {
        let signed = self.signed(request).await.map_err(|error| {
            let causes = error.causes().join(": ");
            request.failure(NO_CREDENTIALS, if causes.is_empty() { error.message } else { causes })
        })?;
        let lost = |error: reqwest::Error| {
            let sent = !error.is_connect() && !error.is_builder();
            let failure = request.failure(if sent { NO_ANSWER } else { NOT_SENT }, chain(&error.without_url()));
            CallError { maybe_done: sent, ..failure }
        };
        let answer = self.http.execute(signed).await.map_err(lost)?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        if let Some(date) = header("date") {
            self.clock().learn(date);
        }
        let status = answer.status();
        let named = header("x-amzn-errortype").map(short_code);
        let body = answer.bytes().await.map_err(|error| CallError {
            maybe_done: true,
            ..request.failure(NO_ANSWER, chain(&error.without_url()))
        })?;
        Ok(Answer { status, named, body })
    }

    async fn signed(&self, request: &Request<'_>) -> Result<reqwest::Request> {
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
        let mut post = http::Request::post(&address);
        for (name, value) in &request.headers {
            post = post.header(*name, value);
        }
        let mut post = post.body(request.body.clone()).map_err(|error| internal(error.into()))?;
        instructions.apply_to_request_http1x(&mut post);
        reqwest::Request::try_from(post).map_err(|error| internal(error.into()))
    }
}

/// Returns the code without its namespace and address: `com.amazon.coral#ThrottlingException:http://…`.
pub(super) fn short_code(text: &str) -> String {
    let text = text.rsplit('#').next().unwrap_or(text);
    text.split(':').next().unwrap_or(text).to_string()
}

/// Returns an error and its causes in one line: `reqwest` hides what went wrong in them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Returns a number from 0 to 1. Of hash seeds, which the standard library draws at random: good enough to spread calls.
fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let drawn = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}
