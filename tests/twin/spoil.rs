//! What a fault does to an answer that was made.

use http_body_util::BodyExt;
use hyper::Response;

use super::forward::Body;
use super::{Call, FaultKind, replies};
use crate::wire::{Closed, Half};

/// Does to an answer what the call's fault says.
pub async fn spoil(call: &Call, answer: Result<Response<Body>, Closed>) -> Result<Response<Body>, Closed> {
    match (&call.fault, answer) {
        (Some(FaultKind::DropAfter), Ok(answer)) => {
            // All of it has happened before the connection closes.
            drop(answer.into_body().collect().await);
            Err(Closed)
        }
        (Some(FaultKind::Truncate), Ok(answer)) => Ok(truncate(answer).await),
        (Some(kind), answer) => replies::refusal(call, kind).map_or(answer, Ok),
        (None, answer) => answer,
    }
}

async fn truncate(answer: Response<Body>) -> Response<Body> {
    let (parts, body) = answer.into_parts();
    let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let mut answer = Response::from_parts(parts, Half::Whole(half).boxed());
    answer.headers_mut().insert(hyper::header::CONTENT_LENGTH, whole.len().into());
    answer
}
