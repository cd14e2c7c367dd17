//! A double of the SSM agent and of what is between: takes data channels, and carries connections to a port of this machine. It
//! has the protocol from its description, not from the program's code. What it does wrong is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// How long the agent waits for an acknowledgement.
const AGAIN: Duration = Duration::from_millis(5);

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Every fifth message that comes is not heard the first time, and every seventh that goes is not sent the first time.
    pub drops: bool,
    /// The connection breaks when so many messages have come, once.
    pub breaks: Option<u32>,
    /// The account wants its sessions encrypted.
    pub encrypted: bool,
    /// What the requests for data channels are answered with instead of WebSockets.
    pub refuses: bool,
}

/// What the agent has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The signatures of requests for data channels.
    pub signatures: Vec<String>,
    pub channels: usize,
    pub dropped: usize,
    pub connections: usize,
    /// Flags that came: 2 ends the session.
    pub flags: Vec<u32>,
    /// The answers to its handshake.
    pub handshakes: Vec<Value>,
}

/// A running agent. Ends when dropped.
pub struct Agent {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    runtime: Option<Runtime>,
}

impl Agent {
    /// Starts an agent that carries connections to `port`.
    pub fn start(port: u16, faults: Faults) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let session = Arc::new(Session { port, faults, seen: seen.clone(), state: Mutex::default() });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(session.clone().serve(stream));
            }
        });
        Self { url, seen, runtime: Some(runtime) }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// One session, which outlives its connections.
struct Session {
    port: u16,
    faults: Faults,
    seen: Arc<Mutex<Seen>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Takes what goes to the client, as long as it is connected.
    socket: Option<UnboundedSender<Message>>,
    sent: i64,
    unacknowledged: BTreeMap<i64, Vec<u8>>,
    expected: i64,
    heard: u32,
    broken: bool,
    dropped: BTreeSet<i64>,
    pieces: Vec<u8>,
    connections: BTreeMap<u32, UnboundedSender<Vec<u8>>>,
}

impl Session {
    #[expect(clippy::result_large_err, reason = "the form that the library asks for")]
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let look = |request: &Request, answer: Response| {
            let header =
                |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_string();
            self.seen.lock().unwrap().signatures.push(header("authorization"));
            if self.faults.refuses {
                return Err(hyper::http::Response::builder().status(403).body(None).unwrap());
            }
            assert!(request.uri().path().starts_with("/v1/data-channel/anna-"), "{}", request.uri());
            Ok(answer)
        };
        let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else { return };
        let (mut sink, mut source) = socket.split();
        let Some(Ok(Message::Text(hello))) = source.next().await else { return };
        let hello: Value = serde_json::from_str(&hello).unwrap();
        assert!(hello["TokenValue"].as_str().unwrap().starts_with("token-of-anna-"), "{hello}");
        assert_eq!(hello["MessageSchemaVersion"], "1.0");
        let (to_client, mut messages) = unbounded_channel();
        let writer = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            drop(sink.close().await);
        });
        self.connected(to_client);
        let again = tokio::spawn(self.clone().send_again());
        while let Some(Ok(message)) = source.next().await {
            match message {
                Message::Binary(raw) if self.hear(&raw) => {}
                Message::Ping(_) => {}
                _ => break,
            }
        }
        // Without a word, as networks do it.
        again.abort();
        writer.abort();
        self.state.lock().unwrap().socket = None;
    }

    fn connected(&self, socket: UnboundedSender<Message>) {
        self.seen.lock().unwrap().channels += 1;
        let mut state = self.state.lock().unwrap();
        let is_new = state.sent == 0;
        state.socket = Some(socket);
        state.put(pack("start_publication", b"", (0, 3), 0));
        // What was on its way when the connection broke is lost.
        state.unacknowledged.values().for_each(|raw| state.put(raw.clone()));
        if is_new {
            let mut actions =
                vec![json!({ "ActionType": "SessionType", "ActionParameters": { "SessionType": "Port" } })];
            if self.faults.encrypted {
                actions.insert(0, json!({ "ActionType": "KMSEncryption", "ActionParameters": { "KMSKeyId": "k" } }));
            }
            let request = json!({ "AgentVersion": "3.3.3572.0", "RequestedClientActions": actions });
            state.send(5, request.to_string().as_bytes(), false);
        }
    }

    async fn send_again(self: Arc<Self>) {
        loop {
            tokio::time::sleep(AGAIN).await;
            let state = self.state.lock().unwrap();
            if let Some((_, raw)) = state.unacknowledged.first_key_value() {
                state.put(raw.clone());
            }
        }
    }

    /// Takes a message; returns whether the connection goes on.
    fn hear(self: &Arc<Self>, raw: &[u8]) -> bool {
        let (kind, sequence, id, content, payload) = unpack(raw);
        let mut state = self.state.lock().unwrap();
        state.heard += 1;
        if self.faults.breaks.is_some_and(|at| state.heard >= at) && !state.broken {
            state.broken = true;
            return false;
        }
        if kind == "acknowledge" {
            let told: Value = serde_json::from_slice(&payload).unwrap();
            state.unacknowledged.remove(&told["AcknowledgedMessageSequenceNumber"].as_i64().unwrap());
            return true;
        }
        // Other than the protocol has it, so that what comes ahead is heard only when it is sent again.
        if kind != "input_stream_data" || sequence != state.expected {
            return true;
        }
        if self.faults.drops && sequence % 5 == 4 && state.dropped.insert(sequence) {
            self.seen.lock().unwrap().dropped += 1;
            return true;
        }
        state.expected += 1;
        let told = json!({
            "AcknowledgedMessageType": kind, "AcknowledgedMessageId": uuid(id), "AcknowledgedMessageSequenceNumber": sequence,
            "IsSequentialMessage": true,
        });
        state.put(pack("acknowledge", told.to_string().as_bytes(), (0, 3), 0));
        match content {
            1 => self.carry(&mut state, &payload),
            6 => {
                let answer: Value = serde_json::from_slice(&payload).unwrap();
                self.seen.lock().unwrap().handshakes.push(answer);
                // As an agent would that does not mind.
                state.send(7, br#"{"HandshakeTimeToComplete": 1000000, "CustomerMessage": ""}"#, false);
            }
            10 => {
                let flag = u32::from_be_bytes(payload[..4].try_into().unwrap());
                self.seen.lock().unwrap().flags.push(flag);
                state.put(pack("channel_closed", br#"{"MessageType": "channel_closed", "Output": ""}"#, (0, 0), 0));
            }
            _ => {}
        }
        true
    }

    /// Takes pieces of connections.
    fn carry(self: &Arc<Self>, state: &mut State, data: &[u8]) {
        state.pieces.extend(data);
        while let [1, command, low, high, a, b, c, d, ..] = state.pieces[..] {
            let end = 8 + usize::from(u16::from_le_bytes([low, high]));
            if state.pieces.len() < end {
                return;
            }
            let piece: Vec<u8> = state.pieces.drain(..end).skip(8).collect();
            let connection = u32::from_le_bytes([a, b, c, d]);
            match command {
                0 => {
                    let (to_server, pieces) = unbounded_channel();
                    state.connections.insert(connection, to_server);
                    self.seen.lock().unwrap().connections += 1;
                    tokio::spawn(self.clone().connect(connection, pieces));
                }
                1 => drop(state.connections.remove(&connection)),
                2 => drop(state.connections.get(&connection).map(|to| to.send(piece))),
                _ => {}
            }
        }
    }

    async fn connect(self: Arc<Self>, connection: u32, mut pieces: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
        let drops = self.faults.drops;
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)).await else {
            let mut state = self.state.lock().unwrap();
            state.send(10, &3_u32.to_be_bytes(), drops);
            return state.send(1, &smux(1, connection, b""), drops);
        };
        let (mut from, mut to): (_, OwnedWriteHalf) = stream.into_split();
        tokio::spawn(async move {
            while let Some(piece) = pieces.recv().await {
                drop(to.write_all(&piece).await);
            }
        });
        let mut data = [0; 1016];
        loop {
            let got = from.read(&mut data).await.unwrap_or_default();
            // Not more than the client hears.
            while self.state.lock().unwrap().unacknowledged.len() > 1000 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let mut state = self.state.lock().unwrap();
            match got {
                0 => return state.send(1, &smux(1, connection, b""), drops),
                got => state.send(1, &smux(2, connection, &data[..got]), drops),
            }
        }
    }
}

impl State {
    fn put(&self, raw: Vec<u8>) {
        if let Some(socket) = &self.socket {
            drop(socket.send(Message::binary(raw)));
        }
    }

    /// Sends a numbered message, or `drops` some and sends them only later.
    fn send(&mut self, content: u32, payload: &[u8], drops: bool) {
        let raw = pack("output_stream_data", payload, (self.sent, 0), content);
        self.unacknowledged.insert(self.sent, raw.clone());
        if !(drops && self.sent % 7 == 6) {
            self.put(raw);
        }
        self.sent += 1;
    }
}

fn smux(command: u8, connection: u32, data: &[u8]) -> Vec<u8> {
    let mut piece = vec![1, command];
    piece.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    piece.extend(connection.to_le_bytes());
    piece.extend(data);
    piece
}

fn pack(kind: &str, payload: &[u8], (sequence, flags): (i64, u64), content: u32) -> Vec<u8> {
    let mut raw = 116_u32.to_be_bytes().to_vec();
    raw.extend(format!("{kind:<32}").as_bytes());
    raw.extend(1_u32.to_be_bytes());
    raw.extend(0_u64.to_be_bytes());
    raw.extend(sequence.to_be_bytes());
    raw.extend(flags.to_be_bytes());
    // Any number tells them apart.
    raw.extend(Sha256::digest(format!("{kind} {sequence}"))[..16].iter());
    raw.extend(Sha256::digest(payload));
    raw.extend(content.to_be_bytes());
    raw.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    raw.extend(payload);
    raw
}

fn unpack(raw: &[u8]) -> (String, i64, [u8; 16], u32, Vec<u8>) {
    let kind = String::from_utf8(raw[4..36].to_vec()).unwrap().trim_end().to_string();
    let payload = raw[120..].to_vec();
    assert_eq!(raw[80..112], Sha256::digest(&payload)[..], "the digest of {kind}");
    assert_eq!(raw[116..120], u32::try_from(payload.len()).unwrap().to_be_bytes(), "the length of {kind}");
    let id = raw[64..80].try_into().unwrap();
    let content = u32::from_be_bytes(raw[112..116].try_into().unwrap());
    (kind, i64::from_be_bytes(raw[48..56].try_into().unwrap()), id, content, payload)
}

/// Returns an id as text: its second half comes first on the wire.
fn uuid(id: [u8; 16]) -> String {
    let hex: String = id[8..].iter().chain(&id[..8]).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
