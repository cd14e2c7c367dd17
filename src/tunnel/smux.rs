//! Several connections in one: smux, version 1. A header of 8 bytes, little endian, says what comes and of which connection.
//! Source: the README and `frame.go` of xtaci/smux, which the SSM agent uses.

/// Bytes of the header.
const HEADER: usize = 8;

/// The version of the protocol.
const VERSION: u8 = 1;

/// Most bytes of a connection in one piece: with its header it fills one message of a session.
pub const LARGEST: usize = 1024 - HEADER;

/// What a piece says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmuxCommand {
    /// A connection begins.
    Open = 0,
    /// No more will come of a connection in this direction.
    Finish = 1,
    /// Bytes of a connection.
    Push = 2,
    /// Nothing: keeps the session busy.
    Nothing = 3,
}

/// Returns a piece as it is sent. `data` is at most [`LARGEST`] long.
pub fn piece(command: SmuxCommand, connection: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let head = [&[VERSION, command as u8][..], &length.to_le_bytes(), &connection.to_le_bytes()].concat();
    [&head, data].concat()
}

/// A piece that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it says.
    pub command: SmuxCommand,
    /// Of which connection.
    pub connection: u32,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Cuts what comes into pieces: messages begin and end anywhere in them.
#[derive(Debug, Default)]
pub struct SmuxReader {
    left: Vec<u8>,
}

impl SmuxReader {
    /// Takes what comes next; returns the pieces that it completes.
    ///
    /// # Errors
    /// What is wrong with it, a fragment: nothing after it can be read.
    pub fn next(&mut self, data: &[u8]) -> Result<Vec<Piece>, &'static str> {
        self.left.extend(data);
        let (mut pieces, mut at) = (Vec::new(), 0);
        while let [version, command, low, high, connection @ ..] = &self.left[at..] {
            if *version != VERSION {
                return Err("the agent speaks another version of smux");
            }
            let end = at + HEADER + usize::from(u16::from_le_bytes([*low, *high]));
            if self.left.len() < end {
                break;
            }
            let command = match command {
                0 => SmuxCommand::Open,
                1 => SmuxCommand::Finish,
                2 => SmuxCommand::Push,
                3 => SmuxCommand::Nothing,
                _ => return Err("the agent sent a command that smux has not"),
            };
            let connection = connection.first_chunk().map(|id| u32::from_le_bytes(*id)).unwrap_or_default();
            pieces.push(Piece { command, connection, data: self.left[at + HEADER..end].to_vec() });
            at = end;
        }
        self.left.drain(..at);
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_what_others_make_and_come_out_of_messages_cut_anywhere() {
        let sent = [piece(SmuxCommand::Push, 3, b"abc"), piece(SmuxCommand::Finish, 3, b"")].concat();
        // As another implementation makes them.
        assert_eq!(sent, b"\x01\x02\x03\x00\x03\x00\x00\x00abc\x01\x01\x00\x00\x03\x00\x00\x00");
        let made = |command, data: &[u8]| Piece { command, connection: 3, data: data.to_vec() };
        let expected = [made(SmuxCommand::Push, b"abc"), made(SmuxCommand::Finish, b"")];
        for size in 1..=sent.len() {
            let mut pieces = SmuxReader::default();
            let came: Vec<Piece> = sent.chunks(size).flat_map(|cut| pieces.next(cut).unwrap()).collect();
            assert_eq!(came, expected, "in messages of {size}");
        }
        assert!(SmuxReader::default().next(b"\x02\x00\x00\x00\x01\x00\x00\x00").is_err());
        assert!(SmuxReader::default().next(b"\x01\x09\x00\x00\x01\x00\x00\x00").is_err());
    }
}
