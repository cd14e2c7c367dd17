//! What the doubles of services share: answers that do not arrive, or half of them.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame};

/// The connection closes without an answer.
#[derive(Debug)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for Closed {}

/// A body that breaks off after what it holds.
pub enum Half {
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
