//! What a fault does to an answer that was made.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Bytes, Frame};

use super::forward::Body;
use super::{Call, FaultKind, replies};

/// The connection closes without an answer.
#[derive(Debug)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Closed {}

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

/// A body that breaks off after what it holds.
enum Half {
    Whole(Bytes),
    Sent,
    Flushed,
}

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match std::mem::replace(&mut *self, Self::Flushed) {
            Self::Whole(bytes) => {
                *self = Self::Sent;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            // An error at once would keep what came before it from being sent.
            Self::Sent => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Flushed => Poll::Ready(Some(Err(Closed.into()))),
        }
    }
}
