//! What the twin saw: every call, in the order it arrived.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A call as the twin saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its place among the calls, from 1.
    pub number: usize,
    /// When it arrived, since the twin started.
    pub at: Duration,
    /// `emr`, `s3`, `glue`, `athena`, `logs`, `iam`, `ec2`, `sts`, …
    pub service: String,
    /// The API's name of the operation.
    pub operation: String,
    /// `bucket/key`, of a listing `bucket/prefix`, the cluster's id, the function's name, or nothing.
    pub detail: String,
    /// Whose keys it was signed with: the handler of a function, `states` for state machines, `nodes` for what runs on a
    /// cluster; nothing for a person.
    pub caller: String,
    /// The HTTP status of the answer; 0 when the connection was closed without one, or none was sent yet.
    pub status: u16,
    /// The fault it met.
    pub fault: Option<super::FaultKind>,
    /// The request's JSON.
    pub body: Option<Value>,
}

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The call has arrived and nothing was done.
    Before,
    /// The call was executed and its answer not sent.
    After,
}

/// What the twin does after a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Goes on.
    Go,
    /// Closes the connection.
    Drop,
    /// Ends the sandbox of the function that called.
    Kill,
    /// As if the function that called had run out of its time.
    TimeOut,
}

/// Decides about a call.
pub type Hook = std::sync::Arc<dyn Fn(&Call, Moment) -> Act + Send + Sync>;

/// The list of calls.
#[derive(Debug)]
pub struct Witness {
    started: Instant,
    calls: Mutex<(usize, Vec<Call>)>,
}

impl Witness {
    pub fn new() -> Self {
        Self { started: Instant::now(), calls: Mutex::default() }
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().1.clone()
    }

    pub fn reset(&self) {
        let mut calls = self.calls.lock().unwrap();
        calls.0 += 1;
        calls.1.clear();
    }

    /// Notes a call that has arrived; returns it with its number, and the age of the list it is in.
    pub fn arrived(&self, mut call: Call) -> (usize, Call) {
        let mut calls = self.calls.lock().unwrap();
        call.number = calls.1.len() + 1;
        call.at = self.started.elapsed();
        calls.1.push(call.clone());
        (calls.0, call)
    }

    /// Notes how a call went, unless the list was reset since.
    pub fn ended(&self, age: usize, ended: &Call) {
        let mut calls = self.calls.lock().unwrap();
        if calls.0 == age {
            calls.1[ended.number - 1] = ended.clone();
        }
    }
}
