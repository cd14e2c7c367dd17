//! The Stack Exchange API 2.3 on this machine: a server for tests of what asks it and for tries by hand.
//!
//! It answers from a [`World`] of items that a test may change at any moment, also while somebody pages through it. All
//! requests are noted, and each can be made to fail in the ways the API, the edge in front of it and networks fail.
//!
//! ```text
//! let double = Double::new(World::made(7, 500));
//! double.fault(Fault::new(Match::Number(3), FaultKind::TruncatedGzip));
//! double.before(|world, number| world.touch(Kind::Questions, 1_000 + number as i64, world.now));
//! fetch(&double.url());
//! assert_eq!(double.requests().len(), 6);
//! ```
//!
//! Time is [`World::now`], in whole seconds, and stands still until a test moves it, unless [`Options::real_time`] lets
//! it pass: quota, backoff, the limit per second and the cache go by it.

mod answer;
mod control;
mod faults;
mod handle;
mod limits;
mod log;
mod made;
mod matching;
mod methods;
mod pages;
mod parameters;
mod refusal;
mod select;
mod server;
mod shape;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use faults::{Fault, FaultKind};
pub use log::Asked;
pub use matching::Match;
pub use shape::Features;
pub use world::{Kind, World};

/// How a double behaves; `Options::default()` is what most tests want.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The application key it knows.
    pub key: Option<String>,
    /// The access token it knows. It has a quota of its own.
    pub token: Option<String>,
    /// Requests a day with a key or a token.
    pub quota: i64,
    /// Requests a day without.
    pub anonymous_quota: i64,
    /// How far below zero `quota_remaining` gets before requests are refused; the API was seen to answer `-1`.
    pub overdraft: i64,
    /// Takes `key` and `access_token` from the query too, as before June 2026. Else they mean nothing there.
    pub query_auth: bool,
    /// Each n-th page carries a `backoff`.
    pub backoff_every: Option<u64>,
    /// Of how many seconds.
    pub backoff_seconds: i64,
    /// How JSON is sent.
    pub encoding: Encoding,
    /// Bans whoever sends more than 30 requests within a second, of real time only with `real_time`.
    pub rate_limit: bool,
    /// For how many seconds.
    pub ban_seconds: i64,
    /// The HTTP status of what the edge says to them: nobody has written it down, 403 or 429 or another.
    pub ban_status: u16,
    /// Answers a request that was answered within the last minute with the same items.
    pub cache: bool,
    /// The world's clock goes on by itself.
    pub real_time: bool,
    /// Writes one line a request to standard error.
    pub verbose: bool,
    /// Filters somebody has made with the API, by their ids.
    pub filters: BTreeMap<String, Features>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            key: None,
            token: None,
            quota: 10_000,
            anonymous_quota: 300,
            overdraft: 0,
            query_auth: false,
            backoff_every: None,
            backoff_seconds: 10,
            encoding: Encoding::Gzip,
            rate_limit: false,
            ban_seconds: 30,
            ban_status: 429,
            cache: false,
            real_time: false,
            verbose: false,
            filters: BTreeMap::new(),
        }
    }
}

/// How JSON is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// What the API does nearly always, asked for or not.
    Gzip,
    /// A zlib stream.
    Deflate,
    /// Gzip without a `Content-Encoding` that says so: "if it is missing, assume gzip".
    Unnamed,
    /// As it is.
    Plain,
}

/// A running double. Ends when dropped.
pub struct Double {
    runtime: Option<tokio::runtime::Runtime>,
    shared: Arc<server::Shared>,
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
