//! Faults: what goes wrong with a request, and what that does to its answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::Encoding;
use super::answer::{Answer, Payload};
use super::limits::exhausted;
use super::refusal::Refusal;
use super::{Asked, Match};
use crate::wire::Closed;

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Not executed: the API's error with this id, in the words it mostly comes with.
    Error(i64),
    /// Not executed: over the quota, with the seconds until there is more or without.
    Throttle(Option<i64>),
    /// Not executed: an HTML page with this status, 200 included.
    Edge(u16),
    /// Not executed: sent to another address, with status 302.
    Redirect(String),
    /// The connection closes without an answer; the request was not executed.
    DropBefore,
    /// The connection closes without an answer; the request was executed and counted.
    DropAfter,
    /// The connection breaks in the middle of the body.
    BreakOff,
    /// A gzip stream that ends half-way, in a body that says it is complete.
    TruncatedGzip,
    /// JSON that ends half-way, in a body that says it is complete.
    TruncatedPlain,
    /// A body without a byte.
    Empty,
    /// A body of this many bytes that goes on and on: nothing more comes, and no end.
    Endless(usize),
    /// Answered after this time.
    Slow(Duration),
    /// `has_more` without items.
    Hollow,
    /// Text that looks like JSON and is none.
    InvalidJson,
    /// JSON without `items`.
    WrongShape,
    /// JSON with a byte that UTF-8 does not have.
    InvalidUtf8,
    /// A field of the wrapper has this value, or is missing.
    Field(String, Option<Value>),
    /// The page carries this `backoff`, and the double holds everybody to it.
    Backoff(i64),
}

/// Which requests go wrong, how often, and how.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which.
    pub at: Match,
    /// How many of them.
    pub times: u64,
    /// How.
    pub kind: FaultKind,
}

impl Fault {
    /// Returns a fault of the first request that matches.
    pub fn new(at: Match, kind: FaultKind) -> Self {
        Self { at, times: 1, kind }
    }

    /// Lets it meet that many of the requests that match.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Lets it meet all of them.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }
}

/// Returns what goes wrong with a request, and counts it.
pub fn met(faults: &mut [Fault], asked: &Asked) -> Option<FaultKind> {
    let fault = faults.iter_mut().find(|fault| fault.times > 0 && fault.at.fits(asked))?;
    fault.times -= 1;
    Some(fault.kind.clone())
}

impl FaultKind {
    /// Returns the API's error that a request gets instead of being executed.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Error(id) => Some(Refusal::known(*id).unwrap_or_else(|| Refusal::new(*id, "unknown"))),
            Self::Throttle(seconds) => Some(exhausted(*seconds)),
            _ => None,
        }
    }

    /// Returns what a request gets that does not reach the API.
    pub fn on_the_way(&self) -> Option<Result<Answer, Closed>> {
        match self {
            Self::Edge(status) => Some(Ok(Answer::edge(*status))),
            Self::Redirect(location) => Some(Ok(Answer::redirect(location))),
            Self::DropBefore => Some(Err(Closed)),
            _ => None,
        }
    }

    /// Does to the JSON what the fault says.
    pub fn reshape(&self, wrapper: &mut Value) {
        let Some(fields) = wrapper.as_object_mut() else { return };
        match self {
            Self::Hollow => {
                fields.insert("items".into(), json!([]));
                fields.insert("has_more".into(), json!(true));
            }
            Self::WrongShape => drop(fields.shift_remove("items")),
            Self::Field(name, Some(value)) => drop(fields.insert(name.clone(), value.clone())),
            Self::Field(name, None) => drop(fields.shift_remove(name)),
            _ => {}
        }
    }

    /// Returns how the answer is encoded, for a fault that needs it in a certain way.
    pub fn encoding(&self, usual: Encoding) -> Encoding {
        match self {
            Self::TruncatedGzip => Encoding::Gzip,
            Self::TruncatedPlain | Self::InvalidJson | Self::InvalidUtf8 | Self::Endless(_) => Encoding::Plain,
            _ => usual,
        }
    }

    /// Does to the bytes what the fault says.
    pub fn damage(&self, mut answer: Answer) -> Result<Answer, Closed> {
        let Payload::Whole(mut bytes) = answer.body else { return Ok(answer) };
        let half = bytes.len() / 2;
        answer.body = match self {
            Self::DropAfter => return Err(Closed),
            Self::BreakOff => Payload::Broken(bytes),
            Self::TruncatedGzip | Self::TruncatedPlain => Payload::Whole(bytes[..half].to_vec()),
            Self::Empty => Payload::Whole(Vec::new()),
            Self::Endless(length) => Payload::Endless(*length),
            Self::InvalidJson => {
                bytes.insert(1, b',');
                Payload::Whole(bytes)
            }
            Self::InvalidUtf8 => {
                // In the first text there is, or else the first name, so that all else stays as it was.
                let text = bytes.windows(3).position(|three| three == b"\":\"").map_or(2, |at| at + 3);
                bytes.insert(text, 0xff);
                Payload::Whole(bytes)
            }
            _ => Payload::Whole(bytes),
        };
        Ok(answer)
    }
}
