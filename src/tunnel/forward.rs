//! Connections to a port of this machine, carried to a port of an instance until someone ends that.

mod local;

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::channel::{Channel, Heard};
use super::link::{Gone, Link};
use super::session::{Remote, SessionStart};
use super::smux::SmuxReader;
use crate::aws::Session;
use crate::error::{Error, Kind, Result};
use local::LocalConnections;
pub use local::Traffic;

/// How long the agent may take for the handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// How often the other side is asked for a sign of life, and after how long without one the connection is taken for lost.
const PING: Duration = Duration::from_secs(30);
const SILENT: Duration = Duration::from_secs(90);

/// For how long a lost connection is made anew, and how long after each failure.
const RESUMING: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_secs(2);

/// How long the agent may take to say that the session is over.
const GOODBYE: Duration = Duration::from_secs(2);

/// How often at most it is told how much has been carried.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What is told while connections are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelEvent {
    /// So much goes on.
    Traffic(Traffic),
    /// Nothing listens on the instance's port.
    NotConnected,
    /// The connection was lost and is being made anew.
    Lost,
    /// It is there again.
    Back,
}

/// A tunnel that did not come about.
pub struct NotOpened {
    /// Why.
    pub error: Error,
    /// Whether Systems Manager gave us a session: then it may give another client one too.
    pub had_session: bool,
}

/// A session with an agent that is ready to carry connections.
pub struct Forward {
    aws: Session,
    start: SessionStart,
    link: Link,
    channel: Channel,
    /// What the agent has to say to people.
    pub banner: String,
}

impl Forward {
    /// Opens a session.
    ///
    /// # Errors
    /// `Machine`: why there is none. It has been ended then.
    pub async fn open(aws: &Session, remote: &Remote) -> Result<Self, NotOpened> {
        let refused = |error: crate::aws::CallError| NotOpened { error: error.into(), had_session: false };
        let start = remote.start(aws, 0).await.map_err(refused)?;
        let ready = async {
            let link = Link::open(aws, &start).await?;
            let opened = timeout(HANDSHAKE, shake_hands(link)).await;
            opened.map_err(|_| Error::new(Kind::Machine, "the agent on the instance does not answer"))?
        };
        match ready.await {
            Ok((link, channel, banner)) => Ok(Self { aws: aws.clone(), start, link, channel, banner }),
            Err(error) => {
                start.terminate(aws).await;
                Err(NotOpened { error, had_session: true })
            }
        }
    }

    /// Carries connections to `listener` until `stop`, and ends the session.
    ///
    /// # Errors
    /// `Machine` when the session ends before.
    pub async fn run(
        mut self,
        listener: TcpListener,
        tell: &mut dyn FnMut(TunnelEvent),
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        tokio::pin!(stop);
        let (mut local, mut pieces) = (LocalConnections::default(), SmuxReader::default());
        let (mut ping, mut alive) = (interval(PING), Instant::now());
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut told_at) = (Traffic::default(), Instant::now());
        loop {
            self.flush();
            let traffic = local.traffic();
            if traffic.open != told.open || (traffic != told && told_at.elapsed() > TELL_EVERY) {
                (told, told_at) = (traffic, Instant::now());
                tell(TunnelEvent::Traffic(told));
            }
            let (due, room) = (self.channel.due(), self.channel.has_room());
            let lost = tokio::select! {
                () = &mut stop => {
                    tell(TunnelEvent::Traffic(traffic));
                    self.end().await;
                    return Ok(());
                }
                message = self.link.next(), if local.takes_more() => {
                    alive = Instant::now();
                    match message {
                        Ok(Some(raw)) => {
                            self.hear(&raw, &mut local, &mut pieces, tell)?;
                            false
                        }
                        Ok(None) => false,
                        Err(Gone) => true,
                    }
                }
                () = local.drained(), if !local.takes_more() => false,
                Ok((connection, _)) = listener.accept() => {
                    self.channel.send(local.begin(connection));
                    false
                }
                data = local.next(), if room => {
                    self.channel.send(data);
                    false
                }
                () = sleep_until(due.unwrap_or(alive)), if due.is_some() => !self.channel.send_again(),
                _ = ping.tick() => {
                    self.link.ping();
                    local.takes_more() && alive.elapsed() > SILENT
                }
            };
            if lost {
                tell(TunnelEvent::Lost);
                tokio::select! {
                    () = &mut stop => {
                        self.start.terminate(&self.aws).await;
                        return Ok(());
                    }
                    resumed = self.resume() => resumed?,
                }
                alive = Instant::now();
                tell(TunnelEvent::Back);
            }
        }
    }

    /// Takes a message of the agent.
    fn hear(
        &mut self,
        raw: &[u8],
        local: &mut LocalConnections,
        pieces: &mut SmuxReader,
        tell: &mut dyn FnMut(TunnelEvent),
    ) -> Result<()> {
        for heard in self.channel.receive(raw).map_err(damaged)? {
            match heard {
                Heard::Data(data) => pieces.next(&data).map_err(damaged)?.into_iter().for_each(|one| local.take(one)),
                Heard::NotConnected => tell(TunnelEvent::NotConnected),
                Heard::Closed(why) => return Err(closed(&why)),
                Heard::Ready(_) | Heard::Encrypted => {}
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.channel.outgoing().into_iter().for_each(|raw| self.link.send(raw));
    }

    /// Makes a lost connection anew; nothing that was carried is lost by that.
    async fn resume(&mut self) -> Result<()> {
        let until = Instant::now() + RESUMING;
        loop {
            let again = async {
                self.start.resume(&self.aws).await?;
                Link::open(&self.aws, &self.start).await
            };
            match again.await {
                Ok(link) => {
                    self.link = link;
                    self.channel.send_all_again();
                    return Ok(());
                }
                Err(error) if Instant::now() < until => {
                    // Gone for good, or not allowed: that does not change.
                    if crate::aws::CallError::of(&error).is_some_and(|call| !call.is_passing()) {
                        return Err(error);
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the session on both sides.
    async fn end(mut self) {
        self.channel.terminate();
        self.flush();
        let goodbye = async {
            while let Ok(raw) = self.link.next().await {
                let heard = raw.and_then(|raw| self.channel.receive(&raw).ok()).unwrap_or_default();
                if heard.iter().any(|heard| matches!(heard, Heard::Closed(_))) {
                    return;
                }
            }
        };
        // The API ends it in any case.
        let _ = timeout(GOODBYE, goodbye).await;
        self.start.terminate(&self.aws).await;
        self.link.close().await;
    }
}

/// Answers the agent until it is ready.
async fn shake_hands(mut link: Link) -> Result<(Link, Channel, String)> {
    let mut channel = Channel::default();
    let mut encrypted = false;
    loop {
        let Ok(raw) = link.next().await else { return Err(closed("the connection was closed")) };
        let Some(raw) = raw else { continue };
        let heard = channel.receive(&raw).map_err(damaged)?;
        channel.outgoing().into_iter().for_each(|raw| link.send(raw));
        for heard in heard {
            match heard {
                Heard::Encrypted => encrypted = true,
                Heard::Ready(banner) if !encrypted => return Ok((link, channel, banner)),
                Heard::Closed(why) if !encrypted => return Err(closed(&why)),
                _ => {}
            }
        }
        if encrypted {
            // The refusal, before the connection goes.
            link.close().await;
            return Err(Error::new(
                Kind::Machine,
                "the account's sessions are encrypted with a KMS key, which soflow does not do",
            ));
        }
    }
}

fn damaged(why: &'static str) -> Error {
    Error::new(Kind::Machine, format!("a message of the agent cannot be read: {why}"))
}

fn closed(why: &str) -> Error {
    let error = Error::new(Kind::Machine, "the session was ended by the other side");
    let why = why.trim();
    if why.is_empty() { error } else { error.caused_by(why.to_string()) }
}
