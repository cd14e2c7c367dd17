//! A session's data channel: both sides number what they send, acknowledge what has come, and send again what was not
//! acknowledged. Knows no network: what comes is given to it, what goes is taken from it. Source: `streaming.go` of
//! aws/session-manager-plugin.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::frame::{Frame, FrameKind};

/// The version of AWS's plugin whose protocol this is: agents speak smux with it, without messages that keep a session awake.
pub const VERSION: &str = "1.2.764.0";

/// What payloads are. Source: `PayloadType` in `clientmessage.go`.
const DATA: u32 = 1;
const HANDSHAKE: u32 = 5;
const HANDSHAKE_ANSWER: u32 = 6;
const HANDSHAKE_DONE: u32 = 7;
const FLAG: u32 = 10;

/// What flags say. Source: `PayloadTypeFlag` in `clientmessage.go`.
const TERMINATE: u32 = 2;
const NOT_CONNECTED: u32 = 3;

/// What became of something that the agent asked for in the handshake. Source: `ActionStatus` in `message/model`.
const DONE: u32 = 1;
const UNSUPPORTED: u32 = 3;

/// Most messages that wait to be acknowledged: a quarter of a megabyte.
const WINDOW: usize = 256;

/// Most messages that are kept until those before them have come. Source: the plugin's `IncomingMessageBufferCapacity`.
const AHEAD: usize = 10_000;

/// How soon a message is sent again, at least and at most. Source: the plugin's `DefaultTransmissionTimeout` and
/// `MaxTransmissionTimeout`.
const SOONEST: Duration = Duration::from_millis(200);
const LATEST: Duration = Duration::from_secs(1);

/// How long a message is sent again and again before the agent is taken for gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the agent has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is ready for connections; what it has to say to people is empty most times.
    Ready(String),
    /// It wants all to be encrypted with a key of KMS, and has been told that this is not done here.
    Encrypted,
    /// Data of connections.
    Data(Vec<u8>),
    /// Nothing listens where a connection was to go.
    NotConnected,
    /// The session is over; why, if it says so.
    Closed(String),
}

/// A message that was sent and not acknowledged.
struct Sent {
    raw: Vec<u8>,
    first: Instant,
    again: Instant,
    tries: u32,
}

/// One end of a data channel.
pub struct Channel {
    next: i64,
    expected: i64,
    unacknowledged: BTreeMap<i64, Sent>,
    ahead: BTreeMap<i64, Frame>,
    /// How long an acknowledgement takes, smoothed.
    round_trip: Duration,
    outgoing: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Acknowledged {
    acknowledged_message_sequence_number: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HandshakeRequest {
    requested_client_actions: Vec<RequestedAction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RequestedAction {
    action_type: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct AgentMessage {
    customer_message: String,
    output: String,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            next: 0,
            expected: 0,
            unacknowledged: BTreeMap::new(),
            ahead: BTreeMap::new(),
            round_trip: Duration::ZERO,
            outgoing: Vec::new(),
        }
    }
}

impl Channel {
    /// Returns whether more data may be sent before some of what was sent is acknowledged.
    pub fn has_room(&self) -> bool {
        self.unacknowledged.len() < WINDOW
    }

    /// Returns what is to be sent now, in order.
    pub fn outgoing(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outgoing)
    }

    /// Sends data of connections.
    pub fn send(&mut self, data: Vec<u8>) {
        self.number(DATA, data);
    }

    /// Tells the agent that the session is over.
    pub fn terminate(&mut self) {
        self.number(FLAG, TERMINATE.to_be_bytes().into());
    }

    /// Sends everything again that was not acknowledged: the connection is another one.
    pub fn send_all_again(&mut self) {
        let now = Instant::now();
        for sent in self.unacknowledged.values_mut() {
            (sent.first, sent.again) = (now, now + SOONEST);
            self.outgoing.push(sent.raw.clone());
        }
    }

    /// Returns when [`Self::send_again`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.unacknowledged.first_key_value().map(|(_, sent)| sent.again)
    }

    /// Sends the oldest message again that was not acknowledged, when that is due. Returns whether the agent may still be there.
    pub fn send_again(&mut self) -> bool {
        let (now, wait) = (Instant::now(), self.wait());
        let Some((_, oldest)) = self.unacknowledged.first_key_value() else { return true };
        if oldest.again > now {
            return true;
        }
        if now - oldest.first > PATIENCE {
            return false;
        }
        if let Some(mut oldest) = self.unacknowledged.first_entry() {
            let oldest = oldest.get_mut();
            oldest.tries += 1;
            oldest.again = now + (wait * oldest.tries).min(LATEST);
            self.outgoing.push(oldest.raw.clone());
        }
        true
    }

    /// Takes a message of the agent; returns what it says, in order.
    ///
    /// # Errors
    /// What is wrong with it, a fragment.
    pub fn receive(&mut self, raw: &[u8]) -> Result<Vec<Heard>, &'static str> {
        let frame = Frame::decode(raw)?;
        match frame.kind {
            FrameKind::Acknowledge => {
                let told: Acknowledged = read(&frame)?;
                self.acknowledged(told.acknowledged_message_sequence_number);
            }
            FrameKind::Closed => {
                return Ok(vec![Heard::Closed(read::<AgentMessage>(&frame).unwrap_or_default().output)]);
            }
            // Old ones have been acknowledged: that cannot get lost on a connection that stands.
            FrameKind::Output if frame.sequence >= self.expected => {
                if frame.sequence > self.expected && self.ahead.len() >= AHEAD {
                    return Ok(Vec::new());
                }
                self.acknowledge(&frame);
                self.ahead.insert(frame.sequence, frame);
                return self.in_order();
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    fn in_order(&mut self) -> Result<Vec<Heard>, &'static str> {
        let mut heard = Vec::new();
        while let Some(frame) = self.ahead.remove(&self.expected) {
            self.expected += 1;
            match frame.content {
                DATA => heard.push(Heard::Data(frame.payload)),
                HANDSHAKE if !self.shake_hands(&frame)? => heard.push(Heard::Encrypted),
                HANDSHAKE_DONE => heard.push(Heard::Ready(read::<AgentMessage>(&frame)?.customer_message)),
                FLAG if frame.payload == NOT_CONNECTED.to_be_bytes() => heard.push(Heard::NotConnected),
                _ => {}
            }
        }
        Ok(heard)
    }

    /// Answers the agent's handshake. Returns whether all that it asks for is done.
    fn shake_hands(&mut self, frame: &Frame) -> Result<bool, &'static str> {
        let asked: HandshakeRequest = read(frame)?;
        let known = |action: &RequestedAction| action.action_type == "SessionType";
        let answer = |action: &RequestedAction| -> Json {
            let (status, error) = if known(action) { (DONE, "") } else { (UNSUPPORTED, "not supported by soflow") };
            json!({ "ActionType": action.action_type, "ActionStatus": status, "ActionResult": null, "Error": error })
        };
        let actions: Vec<Json> = asked.requested_client_actions.iter().map(answer).collect();
        let answer = json!({ "ClientVersion": VERSION, "ProcessedClientActions": actions, "Errors": [] });
        self.number(HANDSHAKE_ANSWER, answer.to_string().into_bytes());
        Ok(asked.requested_client_actions.iter().all(known))
    }

    fn number(&mut self, content: u32, payload: Vec<u8>) {
        let frame = Frame { kind: FrameKind::Input, sequence: self.next, id: Uuid::new_v4(), content, payload };
        let (raw, now) = (frame.encode(since_1970()), Instant::now());
        self.outgoing.push(raw.clone());
        self.unacknowledged.insert(self.next, Sent { raw, first: now, again: now + self.wait(), tries: 1 });
        self.next += 1;
    }

    fn acknowledge(&mut self, frame: &Frame) {
        let told = json!({
            "AcknowledgedMessageType": frame.kind.name(),
            "AcknowledgedMessageId": frame.id.to_string(),
            "AcknowledgedMessageSequenceNumber": frame.sequence,
            "IsSequentialMessage": true,
        });
        let payload = told.to_string().into_bytes();
        let answer = Frame { kind: FrameKind::Acknowledge, sequence: 0, id: Uuid::new_v4(), content: 0, payload };
        self.outgoing.push(answer.encode(since_1970()));
    }

    fn acknowledged(&mut self, sequence: i64) {
        // Of one that was sent twice nobody knows which of them is meant.
        if let Some(sent) = self.unacknowledged.remove(&sequence)
            && sent.tries == 1
        {
            self.round_trip = (self.round_trip * 7 + sent.first.elapsed()) / 8;
        }
    }

    /// Returns how long an acknowledgement is waited for.
    fn wait(&self) -> Duration {
        (self.round_trip * 2).clamp(SOONEST, LATEST)
    }
}

fn read<T: for<'de> Deserialize<'de>>(frame: &Frame) -> Result<T, &'static str> {
    serde_json::from_slice(&frame.payload).map_err(|_| "its payload is not the JSON that it should be")
}

/// Returns milliseconds since 1970.
fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
