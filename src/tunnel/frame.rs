//! A message of a session's data channel as it is on the wire: a header of 120 bytes, big endian, and a payload. Source: the
//! `ClientMessage` of aws/session-manager-plugin, and docs of the SSM agent's message service.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Bytes of the header without its first field, which says so.
const HEADER: u32 = 116;

/// Where the payload begins.
const START: usize = 120;

/// Where the fields of the header are.
const NAME: std::ops::Range<usize> = 4..36;
const SEQUENCE: std::ops::Range<usize> = 48..56;
const ID: std::ops::Range<usize> = 64..80;
const DIGEST: std::ops::Range<usize> = 80..112;
const CONTENT: std::ops::Range<usize> = 112..116;
const LENGTH: std::ops::Range<usize> = 116..120;

/// The flag of the first message in a direction.
const FIRST: u64 = 1;

/// The flags of a message that is first and last: acknowledgements.
const ALONE: u64 = 3;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// From us to the agent, numbered.
    Input,
    /// From the agent to us, numbered.
    Output,
    /// Says that a numbered message has come.
    Acknowledge,
    /// The session is over.
    Closed,
    /// Something that means nothing here.
    Other,
}

/// How the kinds are called on the wire.
const NAMES: [(FrameKind, &str); 4] = [
    (FrameKind::Input, "input_stream_data"),
    (FrameKind::Output, "output_stream_data"),
    (FrameKind::Acknowledge, "acknowledge"),
    (FrameKind::Closed, "channel_closed"),
];

impl FrameKind {
    /// Returns the name on the wire; empty of those that are not sent.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Its number in its direction, from 0; 0 of those that are not numbered.
    pub sequence: i64,
    /// Tells it from all others.
    pub id: Uuid,
    /// What the payload is: see `channel`.
    pub content: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns it as it is sent; `at`: milliseconds since 1970.
    pub fn encode(&self, at: u64) -> Vec<u8> {
        let flags = match self.kind {
            FrameKind::Acknowledge => ALONE,
            _ if self.sequence == 0 => FIRST,
            _ => 0,
        };
        let mut raw = Vec::with_capacity(START + self.payload.len());
        raw.extend(HEADER.to_be_bytes());
        raw.extend(format!("{:<32}", self.kind.name()).bytes());
        raw.extend(1_u32.to_be_bytes());
        raw.extend(at.to_be_bytes());
        raw.extend(self.sequence.to_be_bytes());
        raw.extend(flags.to_be_bytes());
        let (high, low) = self.id.as_bytes().split_at(8);
        raw.extend([low, high].concat());
        raw.extend(Sha256::digest(&self.payload));
        raw.extend(self.content.to_be_bytes());
        raw.extend(u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        raw.extend(&self.payload);
        raw
    }

    /// Returns the message that `raw` is.
    ///
    /// # Errors
    /// What is wrong with it, a fragment.
    pub fn decode(raw: &[u8]) -> Result<Self, &'static str> {
        let header = raw.get(..START).ok_or("it ends within its header")?;
        let word = |at: std::ops::Range<usize>| header[at].try_into().map(u32::from_be_bytes).unwrap_or_default();
        if word(0..4) != HEADER {
            return Err("its header is of another size");
        }
        let name = String::from_utf8_lossy(&header[NAME]);
        let name = name.trim_end_matches([' ', '\0']);
        let kind = NAMES.iter().find(|(_, known)| *known == name).map_or(FrameKind::Other, |(kind, _)| *kind);
        let payload = &raw[START..];
        if payload.len() != word(LENGTH) as usize {
            return Err("its payload is of another size than it says");
        }
        if kind != FrameKind::Other && !payload.is_empty() && Sha256::digest(payload)[..] != header[DIGEST] {
            return Err("its payload has another digest than it says");
        }
        let (low, high) = header[ID].split_at(8);
        let id = Uuid::from_slice(&[high, low].concat()).unwrap_or_default();
        let sequence = header[SEQUENCE].try_into().map(i64::from_be_bytes).unwrap_or_default();
        Ok(Self { kind, sequence, id, content: word(CONTENT), payload: payload.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as another implementation makes it, with which AWS's own plugin works.
    const MADE: &str = concat!(
        "000000746f75747075745f73747265616d5f64617461202020202020202020202020202000000001000001a1ee565e7b0000",
        "00000000000700000000000000008899aabbccddeeff00112233445566772cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c",
        "1fa7425e73043362938b9824000000010000000568656c6c6f",
    );

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn frame() -> Frame {
        let id = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        Frame { kind: FrameKind::Output, sequence: 7, id, content: 1, payload: b"hello".to_vec() }
    }

    #[test]
    fn a_message_is_what_others_make_and_read() {
        assert_eq!(frame().encode(1_795_000_000_123), bytes(MADE));
        assert_eq!(Frame::decode(&bytes(MADE)), Ok(frame()));
        let first = Frame { sequence: 0, ..frame() }.encode(0);
        assert_eq!(first[56..64], FIRST.to_be_bytes());
    }

    #[test]
    fn a_damaged_message_is_none() {
        let good = frame().encode(0);
        let with = |at: usize, byte: u8| {
            let mut raw = good.clone();
            raw[at] = byte;
            Frame::decode(&raw)
        };
        assert_eq!(Frame::decode(&good[..119]), Err("it ends within its header"));
        assert_eq!(Frame::decode(&good[..good.len() - 1]), Err("its payload is of another size than it says"));
        assert_eq!(with(3, 9), Err("its header is of another size"));
        assert_eq!(with(good.len() - 1, 0), Err("its payload has another digest than it says"));
        assert_eq!(with(4, b'x').map(|frame| frame.kind), Ok(FrameKind::Other));
    }
}
