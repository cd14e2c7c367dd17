//! How far the API has been read, kept in the lake: one object, which is also the right to read on.
//!
//! The API counts requests by address, so one process reads for a lake at a time. Every write is compared with the one
//! before: a process that was taken for dead finds out at its next word.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::window::{Spans, Window};
use crate::error::{Error, Kind, Result};
use crate::ingest::manifest::Line;
use crate::mask;
use crate::names::Uri;
use crate::store::document::{self, StoredDocument};
use crate::store::lease::{Claim, Leased, LeasedDocument};
use crate::store::{Owner, Store};

/// Version of the state's form.
const VERSION: u32 = 1;

/// What is known of reading the API into a lake.
///
/// What is always written has no default: a state that lost it must not be taken for one in which nothing was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The form's version.
    pub v: u32,
    /// Makes every writing unlike any other.
    pub writing: u64,
    /// Who reads now.
    pub reader: Option<Claim>,
    /// What is left of the quota.
    pub quota: Option<ApiQuota>,
    /// Until when a method must not be asked again, by its template such as `/questions/{ids}`.
    pub backoffs: BTreeMap<String, Timestamp>,
    /// What has been read, by site and endpoint.
    pub sites: BTreeMap<String, BTreeMap<String, Progress>>,
}

/// Requests that the API allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiQuota {
    /// What it is counted against: `address`, `key` or `token`.
    pub counted: String,
    /// How many are left; the API does send negative ones.
    pub remaining: i64,
    /// How many there are in all, if it was said.
    pub max: Option<i64>,
    /// When that was said, UTC.
    pub at: Timestamp,
    /// When there will be more, UTC, if none are left.
    pub until: Option<Timestamp>,
}

/// How far an endpoint has been read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The spans of time that have been read completely, seconds since 1970.
    pub read: Spans,
    /// What is being read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// What was read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// What went wrong last, if nothing has been read since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Trouble>,
}

/// A window that is being read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The logical date its pages are filed under.
    pub date: Date,
    /// The run folder: `api-20261123T001500Z`.
    pub run: String,
    /// The window.
    pub window: Window,
    /// The lists that are still to be read; the first is being read.
    pub walks: Vec<Cursor>,
    /// Pages stored so far.
    pub pages: u64,
    /// Items in them.
    pub items: u64,
    /// Requests made for them, errors and all.
    pub requests: u64,
    /// The newest change seen, seconds since 1970.
    pub newest: Option<i64>,
    /// Whether items had their answers inside them.
    pub nested: bool,
    /// Manifest lines that are not in the store yet.
    pub lines: Vec<Line>,
    /// Manifest lines that are, in so many objects.
    pub parts: u64,
}

impl Task {
    /// Returns the task of reading the lists of a window.
    pub fn new(date: Date, run: String, window: Window, walks: Vec<Cursor>) -> Self {
        let (pages, items, requests, parts) = (0, 0, 0, 0);
        Self { date, run, window, walks, pages, items, requests, newest: None, nested: false, lines: Vec::new(), parts }
    }
}

/// A window that was read to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Last {
    /// The logical date its pages are filed under.
    pub date: Date,
    /// The run folder.
    pub run: String,
    /// Pages in it.
    pub pages: u64,
    /// Items in those.
    pub items: u64,
    /// Requests made for it.
    pub requests: u64,
    /// When it was complete, UTC.
    pub at: Timestamp,
}

impl Last {
    /// Returns what is kept of a task that was done `at` a time.
    pub fn new(task: &Task, at: Timestamp) -> Self {
        let Task { date, run, pages, items, requests, .. } = task;
        Self { date: *date, run: run.clone(), pages: *pages, items: *items, requests: *requests, at }
    }
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// When, UTC.
    pub at: Timestamp,
    /// What, a fragment.
    #[serde(serialize_with = "mask::stored")]
    pub message: String,
}

impl State {
    /// Returns the progress of an endpoint.
    pub fn progress(&mut self, site: &str, endpoint: &str) -> &mut Progress {
        self.sites.entry(site.into()).or_default().entry(endpoint.into()).or_default()
    }
}

impl StoredDocument for State {
    fn parse(uri: &Uri, body: &[u8]) -> Result<Self> {
        let state: Self = serde_json::from_slice(body).map_err(|error| {
            let error = Error::new(Kind::Machine, format!("`{uri}` cannot be read")).caused_by(error);
            error.hint(
                "it says how far the API was read: restore an earlier version of it, or move it away to begin anew",
            )
        })?;
        if state.v > VERSION {
            let message = format!("`{uri}` was written by a newer soflow: its form is {}, known is {VERSION}", state.v);
            return Err(Error::new(Kind::Usage, message).hint("use that soflow"));
        }
        Ok(Self { v: VERSION, ..state })
    }

    fn stamp(&mut self) {
        self.writing += 1;
    }
}

impl Leased for State {
    fn claim(&self) -> Option<&Claim> {
        self.reader.as_ref()
    }

    fn set_claim(&mut self, claim: Option<Claim>) {
        self.reader = claim;
    }
}

/// The state of a lake that this process may change.
pub type Book = LeasedDocument<State>;

/// Returns what is known of reading the API into the lake with these artifacts, or `None` when it never was.
///
/// # Errors
/// Those of the store; `Machine` when the object is damaged.
pub async fn look(store: &dyn Store, artifacts: &Uri) -> Result<Option<State>> {
    Ok(document::read(store, &uri(artifacts)).await?.map(|(state, _)| state))
}

impl Book {
    /// Takes the right to read the API for a lake.
    ///
    /// # Errors
    /// `Held` when someone else has it, unless `force`; those of the store.
    pub async fn take(store: Arc<dyn Store>, artifacts: &Uri, me: &Owner, force: bool) -> Result<Self> {
        let begin = || Ok(State { v: VERSION, ..State::default() });
        let taken = Self::acquire(store, uri(artifacts), me, force, begin).await?;
        taken.map_err(|state| held(state.reader.as_ref()))
    }

    /// Writes the state down, which also says that this process is alive.
    ///
    /// # Errors
    /// `Held` when someone else reads by now; those of the store.
    pub async fn save(&mut self) -> Result<()> {
        self.write().await?.map_err(|there| held(there.as_ref().and_then(|state| state.reader.as_ref())))
    }

    /// Gives the right back.
    ///
    /// # Errors
    /// As [`Book::save`].
    pub async fn close(mut self) -> Result<()> {
        self.state.reader = None;
        self.save().await
    }
}

/// Gives back what a call of this process that was cut off has taken.
///
/// # Errors
/// Those of the store.
pub async fn release(store: Arc<dyn Store>, artifacts: &Uri, me: &Owner) -> Result<()> {
    match look(store.as_ref(), artifacts).await? {
        Some(State { reader: Some(reader), .. }) if reader.owner == *me => {
            Book::take(store, artifacts, me, false).await?.close().await
        }
        _ => Ok(()),
    }
}

fn uri(artifacts: &Uri) -> Uri {
    artifacts.join("ingest/api.json")
}

fn held(reader: Option<&Claim>) -> Error {
    let Some(Claim { owner, since, until, .. }) = reader else {
        return Error::new(Kind::Held, "how far the API was read was changed by someone else")
            .hint("run the same command again: it goes on from what is written there");
    };
    Error::new(Kind::Held, format!("{owner} reads the API into this lake since {since:.0}"))
        .detail(format!("it is theirs until {until:.0} at least, and for as long as they go on"))
        .hint("wait until they are done: `soflow ingest status` tells")
        .hint("or take it from them: add `--force-lease`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    fn other(me: &Owner) -> Owner {
        Owner { who: "anna@elsewhere".into(), host: "elsewhere".into(), ..me.clone() }
    }

    #[tokio::test]
    async fn one_reads_at_a_time_and_the_other_is_told_who() {
        let home = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(home.path());
        let store: Arc<dyn Store> = Arc::new(FileStore);
        let me = Owner::me("me@here", "here");
        let take = async |owner: &Owner, force| Book::take(store.clone(), &artifacts, owner, force).await;
        let mut theirs = take(&other(&me), false).await.unwrap();
        let error = take(&me, false).await.err().unwrap();
        assert_eq!(error.kind, Kind::Held);
        assert!(error.message.starts_with("anna@elsewhere"), "{}", error.message);
        let mut ours = take(&me, true).await.unwrap();
        assert_eq!(theirs.save().await.unwrap_err().kind, Kind::Held);
        ours.state.progress("s", "questions").read.add(1, 2);
        ours.save().await.unwrap();
        ours.close().await.unwrap();
        let state = look(store.as_ref(), &artifacts).await.unwrap().unwrap();
        assert_eq!(state.reader, None);
        assert!(state.sites["s"]["questions"].read.cover(1, 2));
    }

    #[tokio::test]
    async fn a_state_without_what_was_read_is_damaged_and_not_a_new_one() {
        let home = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(home.path());
        let spoilt = [
            r#"{}"#,
            r#"{"v":1,"writing":3,"reader":null,"quota":null,"backoffs":{}}"#,
            r#"{"v":1,"writing":3,"reader":null,"quota":null,"backoffs":{},"sites":{"s":{"questions":{}}}}"#,
        ];
        for text in spoilt {
            FileStore.put(&uri(&artifacts), text.as_bytes()).await.unwrap();
            let error = look(&FileStore, &artifacts).await.unwrap_err();
            assert!(error.message.ends_with("cannot be read"), "{text}: {error}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_died_on_this_machine_is_followed_at_once() {
        let home = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(home.path());
        let store: Arc<dyn Store> = Arc::new(FileStore);
        let me = Owner::me("me@here", "here");
        let gone = Owner { started: Some(1), process: u32::MAX, ..me.clone() };
        let _cut_off = Book::take(store.clone(), &artifacts, &gone, false).await.unwrap();
        Book::take(store.clone(), &artifacts, &me, false).await.unwrap();
        release(store.clone(), &artifacts, &me).await.unwrap();
        assert_eq!(look(store.as_ref(), &artifacts).await.unwrap().unwrap().reader, None);
    }
}
