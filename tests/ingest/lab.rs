//! A lake, a double, and a clock that both live by.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde_json::Value;
use soflow::error::{Error, Result};
use soflow::event::{Event, Sink};
use soflow::ingest::api::endpoint::endpoint;
use soflow::ingest::api::state::{self, State};
use soflow::ingest::api::{ApiRequest, Client, Clock, Credentials, Secret, Span, fetch};
use soflow::ingest::{Summary, raw};
use soflow::names::Uri;
use soflow::store::{FileStore, Owner, Store};

use crate::stackexchange::{Double, Kind, Options, World};

/// The date that pages are filed under.
pub const DAY: Date = date(2026, 11, 22);

pub struct Lab {
    pub double: Arc<Double>,
    pub clock: Time,
    pub raw: Uri,
    pub artifacts: Uri,
    pub key: Option<&'static str>,
    pub in_query: bool,
    pub filters: BTreeMap<String, String>,
    pub told: Arc<Mutex<Vec<Event>>>,
    _home: tempfile::TempDir,
}

/// The double's time, which passes only while somebody waits.
pub struct Time {
    double: Arc<Double>,
    begin: i64,
    millis: Mutex<u64>,
    pub slept: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Timestamp {
        let millis = i64::try_from(*self.millis.lock().unwrap()).unwrap();
        Timestamp::from_millisecond(self.begin * 1_000 + millis).unwrap()
    }

    async fn sleep(&self, time: Duration) {
        *self.millis.lock().unwrap() += u64::try_from(time.as_millis()).unwrap();
        self.slept.lock().unwrap().push(time);
        let now = self.now().as_second();
        self.double.world().now = now;
    }

    fn spread(&self) -> f64 {
        0.0
    }
}

struct Listener(Arc<Mutex<Vec<Event>>>);

impl Sink for Listener {
    fn emit(&mut self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Lab {
    pub fn new(world: World) -> Self {
        Self::with(Options::default(), world)
    }

    pub fn with(options: Options, world: World) -> Self {
        let begin = world.now;
        let double = Arc::new(Double::with(options, world));
        let home = tempfile::tempdir().unwrap();
        let lake = Uri::from_path(home.path());
        let clock = Time { double: double.clone(), begin, millis: Mutex::default(), slept: Mutex::default() };
        Self {
            double,
            clock,
            raw: lake.join("raw"),
            artifacts: lake.join("artifacts"),
            key: None,
            in_query: false,
            filters: BTreeMap::new(),
            told: Arc::default(),
            _home: home,
        }
    }

    pub fn request(&self, endpoints: &[&str], span: Span) -> ApiRequest {
        ApiRequest {
            raw: self.raw.clone(),
            artifacts: self.artifacts.clone(),
            site: self.double.world().site.clone(),
            endpoints: endpoints.iter().map(|name| endpoint(name).unwrap()).collect(),
            span,
            date: DAY,
            filters: self.filters.clone(),
            again: false,
            me: Owner::me("me@here", "here"),
            force: false,
        }
    }

    pub fn client(&self) -> Client {
        let credentials = Credentials { key: self.key.and_then(Secret::new), token: None };
        Client::new(&self.double.url(), credentials, self.in_query).unwrap()
    }

    pub fn read(&self, endpoints: &[&str], span: Span) -> Result<Summary> {
        self.read_through(Arc::new(FileStore), &self.request(endpoints, span))
    }

    pub fn read_through(&self, store: Arc<dyn Store>, request: &ApiRequest) -> Result<Summary> {
        let mut sink = Listener(self.told.clone());
        runtime().block_on(fetch(store, request, &self.client(), &self.clock, &mut sink))
    }

    pub fn failure(&self, endpoints: &[&str], span: Span) -> Error {
        self.read(endpoints, span).expect_err("this was to fail")
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: u64) {
        runtime().block_on(self.clock.sleep(Duration::from_secs(seconds)));
    }

    /// Everything: what is asked for ended just before, so it is read to now.
    pub fn all(&self) -> Span {
        Span::Between(0, self.clock.begin - 400)
    }

    /// The items that count, one for each time they are there.
    pub fn items(&self, endpoint: &str) -> Vec<Value> {
        let site = self.double.world().site.clone();
        let listed = runtime().block_on(raw::list(&FileStore, &self.raw, &site, &[endpoint], DAY)).unwrap();
        let mut items = Vec::new();
        for page in &listed[endpoint] {
            let stored = runtime().block_on(FileStore.get(&page.uri)).unwrap().unwrap();
            let mut body = String::new();
            GzDecoder::new(stored.as_slice()).read_to_string(&mut body).unwrap();
            let page: Value = serde_json::from_str(&body).unwrap();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
        }
        items
    }

    pub fn ids(&self, kind: Kind) -> BTreeSet<i64> {
        let ids = self.items(name(kind)).into_iter();
        ids.map(|item| item[kind.identity()].as_i64().unwrap()).collect()
    }

    pub fn state(&self) -> State {
        runtime().block_on(state::look(&FileStore, &self.artifacts)).unwrap().unwrap()
    }

    /// Everything below raw, by its path there.
    pub fn files(&self) -> Vec<String> {
        let root = self.raw.to_path().unwrap();
        let mut folders = vec![root.clone()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Questions => "questions",
        Kind::Answers => "answers",
        Kind::Comments => "comments",
        Kind::Tags => "tags",
        Kind::Users => "users",
        Kind::Synonyms => "synonyms",
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
