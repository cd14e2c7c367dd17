//! The AWS JSON protocols 1.0 and 1.1: EMR, Glue, Athena, CloudWatch Logs, Secrets Manager, Service Quotas.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::call::{Answer, Request, short_code};
use super::errors::{BAD_ANSWER, CallError};
use super::{Retry, Service, Session};
use crate::error::Result;

impl Session {
    /// Calls an operation that may be done twice, and returns its answer.
    ///
    /// # Errors
    /// The last failure, after six attempts; at once when trying again is of no use.
    pub async fn call<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<T, CallError> {
        self.call_with(service, operation, input, Retry::Safe).await
    }

    /// Calls an operation and tries again as far as `retry` allows.
    ///
    /// # Errors
    /// As [`Session::call`]; with [`Retry::NotDone`] a failure may have `maybe_done` set.
    pub async fn call_with<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        input: &impl Serialize,
        retry: Retry,
    ) -> Result<T, CallError> {
        let mut request = Request {
            service: service.name,
            operation,
            paced: Some(service),
            endpoint: self.endpoint(service.id, service.host),
            scope: (service.signing, self.region()),
            headers: vec![
                ("content-type", format!("application/x-amz-json-{}", service.json)),
                ("x-amz-target", format!("{}.{operation}", service.target)),
            ],
            body: Vec::new(),
        };
        request.body =
            serde_json::to_vec(input).map_err(|error| request.failure("Serialization", error.to_string()))?;
        let answer = self.deliver(&request, retry, read).await?;
        // A success that lacks what it must have was done all the same.
        let lacks = |error: serde_json::Error| request.failure(BAD_ANSWER, error.to_string());
        serde_json::from_value(answer).map_err(|error| CallError { maybe_done: true, ..lacks(error) })
    }
}

fn read(request: &Request<'_>, answer: &Answer) -> Result<Json, CallError> {
    let parsed = if answer.body.is_empty() { Ok(Json::Null) } else { serde_json::from_slice::<Json>(&answer.body) };
    if answer.status.is_success() {
        return match parsed {
            Ok(Json::Null) => Ok(Json::Object(serde_json::Map::new())),
            Ok(answer) => Ok(answer),
            Err(error) => Err(CallError {
                maybe_done: true,
                ..request.failure(BAD_ANSWER, format!("the answer is not JSON: {error}"))
            }),
        };
    }
    let told = parsed.unwrap_or_default();
    let text = |key: &str| told.get(key).and_then(Json::as_str);
    let code = text("__type").map(short_code).or_else(|| answer.named.clone());
    let code = code.unwrap_or_else(|| format!("HTTP {}", answer.status.as_u16()));
    let message = text("message").or(text("Message")).map_or_else(|| answer.unread(), String::from);
    Err(CallError { maybe_done: answer.status.is_server_error(), ..request.failure(&code, message) })
}
