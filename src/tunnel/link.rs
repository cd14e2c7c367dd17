//! The connection of a session: a WebSocket to Systems Manager, over the way out that every client here takes.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use uuid::Uuid;

use super::channel::VERSION;
use super::session::SessionStart;
use crate::aws::Session;
use crate::error::{Error, Kind, Result};
use crate::net;

/// How long the other side may take to answer the request for a WebSocket.
const ANSWER: Duration = Duration::from_secs(15);

/// What requests for a data channel are signed for. Source: the Service Authorization Reference,
/// `ssmmessages:OpenDataChannel`.
const SIGNED_FOR: &str = "ssmmessages";

/// A connection. Closed when dropped.
pub(super) struct Link {
    incoming: SplitStream<WebSocketStream<Upgraded>>,
    outgoing: mpsc::UnboundedSender<Message>,
    writer: JoinHandle<()>,
}

impl Link {
    /// Connects to the data channel of a session.
    ///
    /// # Errors
    /// `Machine` when it cannot be reached or does not take us.
    pub async fn open(aws: &Session, start: &SessionStart) -> Result<Self> {
        let failed = |why: String| {
            Error::new(Kind::Machine, "the session's data channel cannot be opened")
                .caused_by(why)
                .hint("the way there is that of `wss://ssmmessages.REGION.amazonaws.com`: does a proxy let it through?")
        };
        let address = address(&start.stream_url).ok_or_else(|| failed("its address is not of a WebSocket".into()))?;
        let key = generate_key();
        let client = aws.way().client().http1_only().build().map_err(|error| failed(net::chain(&error)))?;
        let mut request = client.get(&address).header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        request = request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, &key);
        for (name, value) in aws.sign_get(SIGNED_FOR, &address).await? {
            request = request.header(name, value);
        }
        let answer = tokio::time::timeout(ANSWER, request.send()).await.map_err(|_| failed("no answer".into()))?;
        let answer = answer.map_err(|error| failed(net::chain(&error.without_url())))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(failed(format!("the answer is HTTP {}", answer.status())));
        }
        let accepted = answer.headers().get(SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes().to_vec());
        if accepted.as_deref() != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(failed("what answers is no WebSocket".into()));
        }
        let upgraded = answer.upgrade().await.map_err(|error| failed(net::chain(&error.without_url())))?;
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        let link = Self::of(socket);
        let hello = json!({
            "MessageSchemaVersion": "1.0",
            "RequestId": Uuid::new_v4().to_string(),
            "TokenValue": start.token_value,
            "ClientId": Uuid::new_v4().to_string(),
            "ClientVersion": VERSION,
        });
        link.put(Message::text(hello.to_string()));
        Ok(link)
    }

    /// Writes on a task of its own: whoever reads goes on while the other side takes nothing.
    fn of(socket: WebSocketStream<Upgraded>) -> Self {
        let (mut sink, incoming) = socket.split();
        let (outgoing, mut messages) = mpsc::unbounded_channel();
        let writer = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                let fed = sink.feed(message).await;
                // The reader finds out that the connection is gone.
                if fed.is_err() || (messages.is_empty() && sink.flush().await.is_err()) {
                    return;
                }
            }
            let _ = sink.close().await;
        });
        Self { incoming, outgoing, writer }
    }

    fn put(&self, message: Message) {
        let _ = self.outgoing.send(message);
    }

    /// Sends a message of the data channel.
    pub fn send(&self, raw: Vec<u8>) {
        self.put(Message::binary(raw));
    }

    /// Asks the other side for a sign of life, which also keeps what is between from forgetting the connection.
    pub fn ping(&self) {
        self.put(Message::Ping(Vec::new().into()));
    }

    /// Returns the next message of the data channel, or nothing for a sign of life; an error when the connection is gone.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Gone> {
        match self.incoming.next().await {
            Some(Ok(Message::Binary(raw))) => Ok(Some(raw.into())),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone),
            Some(Ok(_)) => Ok(None),
        }
    }

    /// Closes the connection, once what was sent is on its way.
    pub async fn close(self) {
        let Self { outgoing, writer, .. } = self;
        drop(outgoing);
        let _ = tokio::time::timeout(Duration::from_secs(1), writer).await;
    }
}

/// The connection is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// Returns the address that a WebSocket is asked for at. One without TLS is none, but for that of a stand-in on this machine.
fn address(url: &str) -> Option<String> {
    if let Some(rest) = url.strip_prefix("wss://") {
        return Some(format!("https://{rest}"));
    }
    let rest = url.strip_prefix("ws://")?;
    let host = url.parse::<http::Uri>().ok()?.host()?.trim_matches(['[', ']']).to_string();
    host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback()).then(|| format!("http://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_do_not_leave_this_machine_in_the_clear() {
        let at = |url: &str| address(url);
        assert_eq!(at("wss://a.example/v1?x=y"), Some("https://a.example/v1?x=y".into()));
        for local in ["127.0.0.1:5", "[::1]:5"] {
            assert_eq!(at(&format!("ws://{local}/v1")), Some(format!("http://{local}/v1")));
        }
        for wrong in ["ws://a.example/v1", "ws://10.0.0.1/v1", "ws://127.0.0.1.example/", "http://127.0.0.1/", ""] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
