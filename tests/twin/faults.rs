//! Faults: which calls meet one, and of what kind.

use std::time::Duration;

use super::witness::{Call, Moment};

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Refused for the rate of calls: 400 `ThrottlingException`, in S3 503 `SlowDown`.
    Throttle,
    /// 500, after the call was executed or without.
    Internal {
        /// The call was executed.
        done: bool,
    },
    /// The connection closes without an answer; the call was not executed.
    DropBefore,
    /// The connection closes without an answer; the call was executed.
    DropAfter,
    /// Refused by policy, in AWS's words.
    AccessDenied,
    /// The session's token is too old.
    ExpiredToken,
    /// The connection closes without an answer; the call, one to EMR, is executed so much later by EMR's clock.
    Late(Duration),
    /// The connection closes without an answer; the call, one to EMR, is executed right before the next of its operation,
    /// or right after it.
    Overtaken(Moment),
    /// Executed, and answered with this status and JSON.
    AnswerAfter(u16, String),
    /// Executed and answered after this time.
    Delay(Duration),
    /// The answer's body ends half-way.
    Truncate,
    /// Not executed; answered with this status and JSON.
    Answer(u16, String),
}

/// Which calls go wrong, and how.
#[derive(Clone, Debug)]
pub struct Fault {
    service: String,
    operation: String,
    part: String,
    caller: Option<String>,
    first: usize,
    times: usize,
    kind: FaultKind,
    seen: usize,
}

impl Fault {
    /// Returns a fault of the next call of `operation`, once; `*` stands for any service or operation.
    pub fn new(service: &str, operation: &str, kind: FaultKind) -> Self {
        let (service, operation) = (service.to_string(), operation.to_string());
        Self { service, operation, part: String::new(), caller: None, first: 1, times: 1, kind, seen: 0 }
    }

    /// Lets it begin with the `nth` matching call from now, from 1.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.first = nth;
        self
    }

    /// Lets it meet that many matching calls in a row.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Lets it meet every matching call.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Matches only calls whose detail, `bucket/key` or a cluster's id, contains `part`.
    #[must_use]
    pub fn on(mut self, part: &str) -> Self {
        self.part = part.to_string();
        self
    }

    /// Matches only calls that the function of this handler makes.
    #[must_use]
    pub fn by(mut self, handler: &str) -> Self {
        self.caller = Some(handler.to_string());
        self
    }

    fn matches(&self, call: &Call) -> bool {
        let fits = |wanted: &str, is: &str| wanted == "*" || wanted == is;
        let caller = self.caller.as_ref().is_none_or(|caller| *caller == call.caller);
        caller
            && fits(&self.service, &call.service)
            && fits(&self.operation, &call.operation)
            && call.detail.contains(&self.part)
    }
}

/// Returns what goes wrong with a call, and counts it.
pub fn met(faults: &mut [Fault], call: &Call) -> Option<FaultKind> {
    let mut met = None;
    for fault in faults.iter_mut().filter(|fault| fault.matches(call)) {
        fault.seen += 1;
        let since = fault.seen.checked_sub(fault.first);
        if met.is_none() && since.is_some_and(|since| since < fault.times) {
            met = Some(fault.kind.clone());
        }
    }
    met
}
