//! A ministack server: another interpreter of state machines, with Lambda and EventBridge of its own. What its functions call
//! is a twin.

use std::process::Child;
use std::sync::OnceLock;

use serde_json::Value;

use super::forward::Forward;
use super::{Twin, python};

const LOCK: &str = include_str!("ministack.lock");
const SERVER: &str = include_str!("ministack_server.py");

/// A running ministack. Ends when this process ends: the server watches its standard input.
#[derive(Debug)]
struct Ministack {
    client: Forward,
    _process: Child,
}

fn shared() -> &'static Ministack {
    static SHARED: OnceLock<Ministack> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (port, process) = python::serve("ministack", LOCK, SERVER);
        Ministack { client: Forward::new(port), _process: process }
    })
}

impl Twin {
    /// Returns the answer of a JSON service in ministack, such as `("states", "AWSStepFunctions.ListStateMachines")`.
    pub fn ask_ministack(&self, service: &'static str, target: &'static str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let (status, body) = self.wait(|_| shared().client.json(service, target, body));
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Makes a function in ministack, by Lambda's `CreateFunction`.
    pub fn function_in_ministack(&self, request: &Value) {
        let body = request.to_string().into_bytes();
        let (status, body) = self.wait(|_| shared().client.rest("lambda", "POST", "/2015-03-31/functions", body));
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
    }
}
