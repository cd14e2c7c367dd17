//! The ledger of a backfill: what became of each of its dates. One object, replaced at every change, so that the same
//! command can go on where an earlier one stopped. Whether a date has anything to do is not the ledger's to say: plans do.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::work::Work;
use crate::error::{Error, Kind, Result};
use crate::event::DateState;
use crate::mask;
use crate::names::{RunId, Uri};
use crate::store::{Owner, Store, Tag};

/// Version of the ledger's form, its field `ledger_version`.
pub const LEDGER_VERSION: u32 = 1;

/// What a backfill is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// The job.
    pub job: String,
    /// The first logical date.
    pub from: Date,
    /// The last one.
    pub to: Date,
}

/// All that is known of a backfill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The form, `LEDGER_VERSION` of the writer.
    pub ledger_version: u32,
    /// The job.
    pub job: String,
    /// The first logical date.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// The process that is at it.
    pub driver: Option<Holding>,
    /// Counts the writes, so that no two are alike.
    pub writes: u64,
    /// Its dates.
    pub dates: BTreeMap<Date, Entry>,
}

/// Who is at a backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Who.
    pub owner: Owner,
    /// Since when, UTC.
    pub since: Timestamp,
}

/// What became of a date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is.
    pub state: DateState,
    /// Its latest run.
    pub run: Option<RunId>,
    /// How often it was run.
    pub attempts: u32,
    /// When it was begun last, UTC.
    pub started_at: Option<Timestamp>,
    /// When that ended, UTC.
    pub ended_at: Option<Timestamp>,
    /// Steps that were run.
    pub steps: u64,
    /// Rows that those wrote.
    pub rows: u64,
    /// Why it failed, one line.
    #[serde(serialize_with = "mask::stored_if_any")]
    pub error: Option<String>,
    /// The exit code that `submit` would have ended with.
    pub exit_code: Option<u8>,
    /// What a date that is published was made from.
    pub done: Option<Work>,
}

/// A ledger that this process writes.
pub struct Book {
    store: Arc<dyn Store>,
    uri: Uri,
    tag: Tag,
    /// What it says.
    pub ledger: Ledger,
}

impl Book {
    /// Takes the ledger of a backfill, or begins one. `force`: although someone else is at it.
    ///
    /// # Errors
    /// `Held` when someone else is at it, saying who and since when.
    pub async fn take(
        store: Arc<dyn Store>,
        artifacts: &Uri,
        range: &Range,
        me: &Holding,
        force: bool,
    ) -> Result<Self> {
        let uri = ledger_uri(artifacts, range);
        let found = read_tagged(store.as_ref(), &uri).await?;
        let (mut ledger, tag) = match found {
            Some((ledger, tag)) => (ledger, Some(tag)),
            None => (range.ledger(), None),
        };
        if let Some(held) = ledger.driver.as_ref().filter(|held| !force && !held.owner.is_gone(&me.owner)) {
            return Err(Self::held(range, held));
        }
        ledger.driver = Some(me.clone());
        ledger.writes += 1;
        let body = to_json(&ledger)?;
        let taken = match tag {
            Some(tag) => store.put_if_match(&uri, &body, &tag).await?,
            None => store.put_if_absent(&uri, &body).await?,
        };
        match taken {
            Some(tag) => Ok(Self { store, uri, tag, ledger }),
            None => Err(Error::new(Kind::Held, format!("someone else has just begun a backfill of {range}"))
                .hint("the same command again says who")),
        }
    }

    fn held(range: &Range, held: &Holding) -> Error {
        let Holding { owner, since } = held;
        Error::new(Kind::Held, format!("a backfill of {range} is going on: {owner}, since {since:.0}"))
            .hint("wait until it has ended; `soflow runs` shows how far it is")
            .hint("if that process is surely gone: the same command with `--force-lease`")
    }

    /// Returns what is written of a date.
    pub fn entry(&self, date: Date) -> Entry {
        self.ledger.dates.get(&date).cloned().unwrap_or_default()
    }

    /// Writes what became of some dates.
    ///
    /// # Errors
    /// `Held` when someone else has taken the backfill.
    pub async fn write(&mut self, entries: impl IntoIterator<Item = (Date, Entry)>) -> Result<()> {
        self.ledger.dates.extend(entries);
        self.save().await
    }

    /// Writes that nobody is at it any more.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn close(&mut self) -> Result<()> {
        self.ledger.driver = None;
        self.save().await
    }

    async fn save(&mut self) -> Result<()> {
        self.ledger.writes += 1;
        let body = to_json(&self.ledger)?;
        let Some(tag) = self.store.put_if_match(&self.uri, &body, &self.tag).await? else {
            return Err(Error::new(Kind::Held, "someone else has taken this backfill")
                .detail(format!("its ledger is {}", self.uri)));
        };
        self.tag = tag;
        Ok(())
    }
}

impl Range {
    fn ledger(&self) -> Ledger {
        let Self { job, from, to } = self.clone();
        Ledger { ledger_version: LEDGER_VERSION, job, from, to, driver: None, writes: 0, dates: BTreeMap::new() }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` from {} to {}", self.job, self.from, self.to)
    }
}

/// Returns what is written of a backfill; one that never began has no dates.
///
/// # Errors
/// Those of the store; `Machine` for a ledger that cannot be read.
pub async fn read_ledger(store: &dyn Store, artifacts: &Uri, range: &Range) -> Result<Ledger> {
    let found = read_tagged(store, &ledger_uri(artifacts, range)).await?;
    Ok(found.map_or_else(|| range.ledger(), |(ledger, _)| ledger))
}

fn ledger_uri(artifacts: &Uri, range: &Range) -> Uri {
    artifacts.join(&format!("backfill/{}/{}..{}.json", range.job, range.from, range.to))
}

async fn read_tagged(store: &dyn Store, uri: &Uri) -> Result<Option<(Ledger, Tag)>> {
    let Some((body, tag)) = store.get_tagged(uri).await? else { return Ok(None) };
    let ledger: Ledger = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Kind::Machine, format!("the ledger `{uri}` cannot be read"))
            .caused_by(error)
            .hint("remove it: the plans of its dates say what is left to do")
    })?;
    if ledger.ledger_version > LEDGER_VERSION {
        return Err(Error::new(Kind::Usage, format!("the ledger `{uri}` was written by a newer soflow"))
            .hint("use that version"));
    }
    Ok(Some((ledger, tag)))
}

fn to_json(ledger: &Ledger) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(ledger)
        .map_err(|error| Error::new(Kind::Internal, "a ledger cannot be written as JSON").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    fn holding(owner: Owner) -> Holding {
        Holding { owner, since: Timestamp::UNIX_EPOCH }
    }

    #[tokio::test]
    async fn one_process_at_a_time_is_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(folder.path());
        let date = jiff::civil::date(2026, 11, 1);
        let range = Range { job: "daily".into(), from: date, to: date };
        let take = async |me: &Holding, force| Book::take(Arc::new(FileStore), &artifacts, &range, me, force).await;
        let me = holding(Owner::me("anna@laptop", "laptop"));
        let mut first = take(&me, false).await.unwrap();
        let other = holding(Owner::me("ben@server", "server"));
        let error = take(&other, false).await.err().unwrap();
        assert_eq!(error.kind, Kind::Held);
        assert!(error.message.contains("anna@laptop (process"), "{error}");
        let mut taken = take(&other, true).await.unwrap();
        let entry = Entry { state: DateState::Done, attempts: 2, ..Entry::default() };
        assert_eq!(first.write([(date, entry.clone())]).await.err().unwrap().kind, Kind::Held);
        taken.write([(date, entry.clone())]).await.unwrap();
        taken.close().await.unwrap();
        assert_eq!(take(&me, false).await.unwrap().entry(date), entry);
    }
}
