//! The double of the Stack Exchange API as a program: an API on this machine to try the ingest on. One line a request
//! on standard error.
//!
//! ```text
//! cargo run --example stackexchange -- [--port 5700] [--pages FOLDER | --items 1000] [--key K] [--arrive 3] …
//! ```
//!
//! It answers the words `ids` and `forget` on standard input with one line on standard output: the ids there are now,
//! and the requests since the last time, by method.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the double is for tests and tries")]

#[path = "../tests/stackexchange/mod.rs"]
#[expect(dead_code, reason = "one double for all tests; nobody uses all of it")]
mod stackexchange;
#[path = "../tests/wire/mod.rs"]
mod wire;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use jiff::Timestamp;
use serde_json::json;
use stackexchange::{Double, Encoding, Features, Kind, Options, World};

/// Questions, answers, comments, tags and users of a site, as the Stack Exchange API 2.3 shows them.
#[derive(Parser)]
struct Arguments {
    /// Port on 127.0.0.1
    #[arg(long, default_value_t = 5700)]
    port: u16,
    /// Folder of genuine pages: questions/, answers/ and comments/ of *.json.gz
    #[arg(long)]
    pages: Option<PathBuf>,
    /// Made-up questions, and as many answers and comments
    #[arg(long, default_value_t = 1000)]
    items: usize,
    /// What they are made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When the site was opened, such as 2026-11-01T00:00:00Z: it is now there
    #[arg(long, conflicts_with = "pages")]
    opened: Option<Timestamp>,
    /// The application key it knows
    #[arg(long)]
    key: Option<String>,
    /// Take key and access_token from the query too
    #[arg(long)]
    query_auth: bool,
    /// Requests a day with a key
    #[arg(long, default_value_t = 10_000)]
    quota: i64,
    /// Requests a day without
    #[arg(long, default_value_t = 300)]
    anonymous_quota: i64,
    /// Each n-th page asks for a backoff
    #[arg(long)]
    backoff_every: Option<u64>,
    /// Of how many seconds
    #[arg(long, default_value_t = 5)]
    backoff_seconds: i64,
    /// Ban whoever sends more than 30 requests within a second
    #[arg(long)]
    rate_limit: bool,
    /// Send JSON as it is
    #[arg(long)]
    plain: bool,
    /// Filter that nests answers and comments and adds bodies
    #[arg(long)]
    threads_filter: Vec<String>,
    /// Items of each kind that arrive before each request
    #[arg(long, default_value_t = 0)]
    arrive: usize,
    /// Items of each kind that change before each request
    #[arg(long, default_value_t = 0)]
    change: usize,
    /// Items of each kind that vanish before each request
    #[arg(long, default_value_t = 0)]
    vanish: usize,
}

const KINDS: [Kind; 3] = [Kind::Questions, Kind::Answers, Kind::Comments];

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let world = match (&arguments.pages, arguments.opened) {
        (Some(folder), _) => World::from_pages(folder),
        (None, None) => World::made(arguments.seed, arguments.items),
        (None, Some(opened)) => {
            let mut world = World::opened(opened.as_second(), arguments.seed, arguments.items);
            world.now = Timestamp::now().as_second();
            world
        }
    };
    let threads = Features { bodies: true, answers: true, comments: true, total: false };
    let double = Double::with(
        Options {
            port: arguments.port,
            key: arguments.key.clone(),
            quota: arguments.quota,
            anonymous_quota: arguments.anonymous_quota,
            query_auth: arguments.query_auth,
            backoff_every: arguments.backoff_every,
            backoff_seconds: arguments.backoff_seconds,
            encoding: if arguments.plain { Encoding::Plain } else { Encoding::Gzip },
            rate_limit: arguments.rate_limit,
            real_time: true,
            verbose: true,
            filters: arguments.threads_filter.iter().map(|id| (id.clone(), threads)).collect(),
            ..Options::default()
        },
        world,
    );
    let (arrive, change, vanish) = (arguments.arrive, arguments.change, arguments.vanish);
    double.before(move |world, number| {
        for kind in KINDS {
            live(world, kind, number as usize, (arrive, change, vanish));
        }
    });
    let mut out = std::io::stdout();
    writeln!(out, "{}", double.url())?;
    out.flush()?;
    for line in std::io::stdin().lines() {
        match line?.trim() {
            "ids" => writeln!(out, "{}", ids(&double.world()))?,
            "forget" => {
                writeln!(out, "{}", requests(&double))?;
                double.forget();
            }
            _ => {}
        }
        out.flush()?;
    }
    loop {
        std::thread::park();
    }
}

/// Lets items of a kind arrive, change and vanish. Those that change and vanish are spread over all there are.
fn live(world: &mut World, kind: Kind, number: usize, (arrive, change, vanish): (usize, usize, usize)) {
    let now = world.now;
    world.crowd(kind, now, arrive);
    let ids: Vec<i64> = world.ids(kind).into_iter().collect();
    // A step that shares no factor with most counts: it comes to all items before it comes to one again.
    let somewhere = |nth: usize| ids[(number * (change + vanish) + nth) * 7919 % ids.len()];
    for nth in 0..change.min(ids.len()) {
        world.touch(kind, somewhere(nth), now);
    }
    for nth in change..(change + vanish).min(ids.len()) {
        world.remove(kind, somewhere(nth));
    }
}

fn ids(world: &World) -> serde_json::Value {
    json!({ "questions": world.ids(KINDS[0]), "answers": world.ids(KINDS[1]), "comments": world.ids(KINDS[2]) })
}

fn requests(double: &Double) -> serde_json::Value {
    let mut by_method: BTreeMap<String, usize> = BTreeMap::new();
    for asked in double.requests() {
        *by_method.entry(asked.method).or_default() += 1;
    }
    json!(by_method)
}
