//! The Runtime API of a sandbox. Source: Lambda developer guide, "Using the Lambda runtime API".

use std::time::UNIX_EPOCH;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use tokio::sync::mpsc::error::TryRecvError;

use super::sandbox::{Event, Sandbox};
use crate::twin::forward::Body;
use crate::twin::replies;
use crate::wire::Closed;

const ROOT: &str = "/2018-06-01/runtime/";

/// Returns whether a request is for the Runtime API, and not for AWS.
pub fn is_runtime(path: &str) -> bool {
    path.starts_with(ROOT)
}

impl Sandbox {
    /// Answers the program.
    pub async fn runtime(&self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().trim_start_matches(ROOT).to_string();
        match (&parts.method, path.rsplit('/').next().unwrap_or_default()) {
            (&Method::GET, "next") => self.next().await,
            (&Method::POST, what @ ("response" | "error")) => {
                let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
                if let Some(pending) = self.pending.lock().unwrap().take() {
                    // Whoever asked may be gone.
                    drop(pending.send(if what == "response" { Ok(body) } else { Err(body) }));
                }
                Ok(replies::bytes(202, "application/json", "{\"status\":\"OK\"}"))
            }
            _ => Ok(replies::bytes(404, "application/json", "{}")),
        }
    }

    async fn next(&self) -> Result<Response<Body>, Closed> {
        let mut inbox = self.inbox.lock().await;
        let event = match inbox.try_recv() {
            Ok(event) => event,
            Err(TryRecvError::Disconnected) => return Err(Closed),
            Err(TryRecvError::Empty) => {
                self.freeze();
                let event = inbox.recv().await.ok_or(Closed)?;
                self.thaw();
                event
            }
        };
        let Event { id, deadline, function_arn, body } = event;
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        let mut answer = replies::bytes(200, "application/json", body);
        for (name, value) in [
            ("lambda-runtime-aws-request-id", id.as_str()),
            ("lambda-runtime-deadline-ms", deadline.as_str()),
            ("lambda-runtime-invoked-function-arn", function_arn.as_str()),
        ] {
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        Ok(answer)
    }
}
