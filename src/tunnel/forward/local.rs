//! The connections of this machine that are carried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};

use crate::tunnel::smux::{LARGEST, Piece, SmuxCommand, piece};

/// How many bytes may wait for programs of this machine to read them. The agent is not heard while there are more.
const WAITING: usize = 4 << 20;

/// How many pieces of one connection may wait to be sent.
const UNSENT: usize = 64;

/// How much goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that are open.
    pub open: usize,
    /// Connections there have been.
    pub connections: u64,
    /// Bytes that were carried, both ways.
    pub bytes: u64,
}

/// Bytes that wait to be read on this machine.
#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    fewer: Notify,
}

/// A connection; gone when both directions are.
struct LocalConnection {
    /// Takes what comes for it, until no more will.
    to_local: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// Whether it may still send.
    sends: bool,
}

/// Of which connection, and what it sends: nothing once that was all.
type Unsent = (u32, Vec<u8>);

/// All of them.
pub(super) struct LocalConnections {
    connections: BTreeMap<u32, LocalConnection>,
    next: u32,
    unsent: (mpsc::Sender<Unsent>, mpsc::Receiver<Unsent>),
    waiting: Arc<Waiting>,
    traffic: Traffic,
}

impl Default for LocalConnections {
    fn default() -> Self {
        let (unsent, waiting) = (mpsc::channel(UNSENT), Arc::default());
        // Odd numbers are those of the side that opens connections.
        Self { connections: BTreeMap::new(), next: 1, unsent, waiting, traffic: Traffic::default() }
    }
}

impl LocalConnections {
    /// Returns how much goes on.
    pub fn traffic(&self) -> Traffic {
        Traffic { open: self.connections.len(), ..self.traffic }
    }

    /// Begins to carry a connection; returns what tells the agent.
    pub fn begin(&mut self, connection: TcpStream) -> Vec<u8> {
        let id = self.next;
        self.next = self.next.wrapping_add(2);
        self.traffic.connections += 1;
        // Small answers are not held back.
        let _ = connection.set_nodelay(true);
        let (from, to) = connection.into_split();
        let (to_local, pieces) = mpsc::unbounded_channel();
        tokio::spawn(read(id, from, self.unsent.0.clone()));
        tokio::spawn(write(to, pieces, self.waiting.clone()));
        self.connections.insert(id, LocalConnection { to_local: Some(to_local), sends: true });
        piece(SmuxCommand::Open, id, b"")
    }

    /// Returns what is to be sent next, once there is something.
    pub async fn next(&mut self) -> Vec<u8> {
        // There is always a sender: ours.
        let Some((id, data)) = self.unsent.1.recv().await else { return std::future::pending().await };
        self.traffic.bytes += data.len() as u64;
        if !data.is_empty() {
            return piece(SmuxCommand::Push, id, &data);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.sends = false;
        }
        self.forget(id);
        piece(SmuxCommand::Finish, id, b"")
    }

    /// Takes what the agent sent.
    pub fn take(&mut self, Piece { command, connection: id, data }: Piece) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match command {
            SmuxCommand::Push => {
                let size = data.len();
                if connection.to_local.as_ref().is_some_and(|to| to.send(data).is_ok()) {
                    self.traffic.bytes += size as u64;
                    self.waiting.bytes.fetch_add(size, Ordering::Relaxed);
                }
            }
            SmuxCommand::Finish => {
                connection.to_local = None;
                self.forget(id);
            }
            SmuxCommand::Open | SmuxCommand::Nothing => {}
        }
    }

    fn forget(&mut self, id: u32) {
        if self.connections.get(&id).is_some_and(|known| !known.sends && known.to_local.is_none()) {
            self.connections.remove(&id);
        }
    }

    /// Returns whether there is room for what the agent sends.
    pub fn takes_more(&self) -> bool {
        self.waiting.bytes.load(Ordering::Relaxed) < WAITING
    }

    /// Returns when some of what waits has been read.
    pub fn drained(&self) -> impl Future<Output = ()> + use<> {
        let waiting = self.waiting.clone();
        async move { waiting.fewer.notified().await }
    }
}

async fn read(id: u32, mut from: OwnedReadHalf, unsent: mpsc::Sender<Unsent>) {
    let mut data = [0; LARGEST];
    loop {
        let got = from.read(&mut data).await.unwrap_or_default();
        if unsent.send((id, data[..got].to_vec())).await.is_err() || got == 0 {
            return;
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut pieces: mpsc::UnboundedReceiver<Vec<u8>>, waiting: Arc<Waiting>) {
    let mut open = true;
    while let Some(data) = pieces.recv().await {
        // What nobody reads any more is not kept.
        open = open && to.write_all(&data).await.is_ok();
        waiting.bytes.fetch_sub(data.len(), Ordering::Relaxed);
        waiting.fewer.notify_one();
    }
    let _ = to.shutdown().await;
}
