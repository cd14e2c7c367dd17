//! The ledger of a backfill: what became of each of its dates. One object, replaced at every change, so that the same
//! command can go on where an earlier one stopped. Whether a date has anything to do is not the ledger's to say: plans do, and
//! what a date was made from, whatever other dates have added since.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::event::DateState;
use crate::mask;
use crate::names::{Digest, RunId, Uri};
use crate::plan::{Facts, Plan, StepPlan};
use crate::store::document::{self, StoredDocument};
use crate::store::lease::{HeldLease, Lease, LeaseMode, Turn};
use crate::store::{Owner, Store, Tag};

/// Version of the ledger's form, its field `ledger_version`.
pub const LEDGER_VERSION: u32 = 1;

/// What a backfill is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateRange {
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
    /// What it is of.
    #[serde(flatten)]
    pub range: DateRange,
    /// Counts the writes, so that no two are alike.
    pub writes: u64,
    /// Its dates.
    pub dates: BTreeMap<Date, DateEntry>,
}

/// What became of a date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DateEntry {
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
    pub done: Option<DateWork>,
}

/// A ledger that this process writes, which holds the lease of the backfill.
pub struct LedgerLease {
    lease: HeldLease,
    store: Arc<dyn Store>,
    uri: Uri,
    tag: Tag,
    /// What it says.
    pub ledger: Ledger,
}

impl LedgerLease {
    /// Takes the ledger of a backfill, or begins one. `force`: although someone else is at it.
    ///
    /// # Errors
    /// `Held` when someone else is at it, saying who and since when.
    pub async fn take(
        store: Arc<dyn Store>,
        artifacts: &Uri,
        range: &DateRange,
        me: &Owner,
        force: bool,
    ) -> Result<Self> {
        let place = range.place(&artifacts.join("leases"));
        let lease = Lease::new(store.clone(), place, 1, &format!("backfill of {range}"), me);
        if let Turn::Waiting { holders, .. } = lease.take(LeaseMode::forced(force)).await? {
            let who = holders.iter().map(|held| format!("{}, since {:.0}", held.owner, held.since));
            let who = who.collect::<Vec<_>>().join(", ");
            return Err(Error::new(Kind::Held, format!("a backfill of {range} is going on: {who}"))
                .detail("it is theirs until they have been silent for 90 seconds")
                .hint("wait until it has ended; `soflow runs` shows how far it is")
                .hint("put them out: the same command with `--force-lease`"));
        }
        let lease = lease.hold();
        let uri = range.place(artifacts);
        match begin(store.as_ref(), &uri, range).await {
            Ok((ledger, tag)) => Ok(Self { lease, store, uri, tag, ledger }),
            Err(error) => {
                // It runs out by itself when even that fails.
                let _ = lease.release().await;
                Err(error)
            }
        }
    }

    /// Returns what is written of a date.
    pub fn entry(&self, date: Date) -> DateEntry {
        self.ledger.dates.get(&date).cloned().unwrap_or_default()
    }

    /// Writes what became of some dates.
    ///
    /// # Errors
    /// `Held` when someone else has taken the backfill.
    pub async fn write(&mut self, entries: impl IntoIterator<Item = (Date, DateEntry)>) -> Result<()> {
        self.ledger.dates.extend(entries);
        let written = document::replace(self.store.as_ref(), &self.uri, &mut self.ledger, Some(&self.tag)).await?;
        self.tag = written.ok_or_else(|| taken(&self.uri))?;
        Ok(())
    }

    /// Writes that nobody is at it any more.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn close(&mut self) -> Result<()> {
        self.lease.release().await
    }
}

impl DateRange {
    fn ledger(&self) -> Ledger {
        Ledger { ledger_version: LEDGER_VERSION, range: self.clone(), writes: 0, dates: BTreeMap::new() }
    }

    fn place(&self, below: &Uri) -> Uri {
        below.join(&format!("backfill/{}/{}..{}.json", self.job, self.from, self.to))
    }
}

impl std::fmt::Display for DateRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` from {} to {}", self.job, self.from, self.to)
    }
}

/// Returns what is written of a backfill; one that never began has no dates.
///
/// # Errors
/// Those of the store; `Machine` for a ledger that cannot be read.
pub async fn read_ledger(store: &dyn Store, artifacts: &Uri, range: &DateRange) -> Result<Ledger> {
    let found = document::read(store, &range.place(artifacts)).await?;
    Ok(found.map_or_else(|| range.ledger(), |(ledger, _)| ledger))
}

/// Reads the ledger and writes it again, so that whoever was put out finds it changed at the next write.
async fn begin(store: &dyn Store, uri: &Uri, range: &DateRange) -> Result<(Ledger, Tag)> {
    let (ledger, tag) = document::read(store, uri).await?.unzip();
    let mut ledger = ledger.unwrap_or_else(|| range.ledger());
    let written = document::replace(store, uri, &mut ledger, tag.as_ref()).await?;
    Ok((ledger, written.ok_or_else(|| taken(uri))?))
}

fn taken(ledger: &Uri) -> Error {
    Error::new(Kind::Held, "someone else has taken this backfill").detail(format!("its ledger is {ledger}"))
}

impl StoredDocument for Ledger {
    fn parse(uri: &Uri, body: &[u8]) -> Result<Self> {
        let ledger: Self = serde_json::from_slice(body).map_err(|error| {
            Error::new(Kind::Machine, format!("the ledger `{uri}` cannot be read"))
                .caused_by(error)
                .hint("remove it: the plans of its dates say what is left to do")
        })?;
        if ledger.ledger_version > LEDGER_VERSION {
            return Err(Error::new(Kind::Usage, format!("the ledger `{uri}` was written by a newer soflow"))
                .hint("use that version"));
        }
        Ok(ledger)
    }

    fn stamp(&mut self) {
        self.writes += 1;
    }
}

/// What a date was made from, without what other dates had put into the tables it read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateWork {
    /// Of the code, parameters and engine of its steps, and of the raw pages.
    pub digest: Digest,
    /// The fingerprints of the steps that read raw pages.
    pub applied: BTreeMap<String, Digest>,
}

impl DateWork {
    /// Returns what a run of `plan` is made from.
    pub fn of(plan: &Plan) -> Self {
        let parts = plan.steps.iter().flat_map(|step| {
            let made = &step.made;
            let raw = raw_inputs(step).flat_map(|(name, digest)| [name.clone(), digest.as_str().to_string()]);
            let code = [&made.code, &made.parameters].map(|digest| digest.as_str().to_string());
            [step.step.name.clone(), made.engine.clone()].into_iter().chain(code).chain(raw).collect::<Vec<_>>()
        });
        let reads_raw = |step: &&StepPlan| raw_inputs(step).next().is_some();
        let applied = plan.steps.iter().filter(reads_raw);
        Self {
            digest: Digest::of(parts),
            applied: applied.map(|step| (step.step.name.clone(), step.made.fingerprint.clone())).collect(),
        }
    }

    /// Returns whether all of it is still in the published tables, and would be made from the same today.
    ///
    /// A later date adds to tables that steps of this one read, and a plan of this one alone would run those steps again.
    /// In a backfill that would go on for ever: each date makes the plans of all earlier ones stale.
    pub fn holds(&self, facts: &Facts<'_>, plan: &Plan) -> bool {
        let is_in = |step: &StepPlan, fingerprint: &Digest| {
            step.outputs
                .iter()
                .all(|output| facts.current(&output.table).is_some_and(|version| version.applied.contains(fingerprint)))
        };
        let applied = |step: &StepPlan| match self.applied.get(&step.step.name) {
            Some(fingerprint) => is_in(step, fingerprint),
            None => raw_inputs(step).next().is_none(),
        };
        self.digest == Self::of(plan).digest && plan.steps.iter().all(applied)
    }
}

fn raw_inputs(step: &StepPlan) -> impl Iterator<Item = (&String, &Digest)> {
    step.made.inputs.iter().filter(|(name, _)| name.starts_with("raw."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    #[tokio::test]
    async fn one_process_at_a_time_is_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(folder.path());
        let date = jiff::civil::date(2026, 11, 1);
        let range = DateRange { job: "daily".into(), from: date, to: date };
        let take =
            async |me: &Owner, force| LedgerLease::take(Arc::new(FileStore), &artifacts, &range, me, force).await;
        let me = Owner::me("anna@laptop", "laptop");
        let mut first = take(&me, false).await.unwrap();
        let other = Owner { who: "ben@server".into(), ..Owner::default() };
        let error = take(&other, false).await.err().unwrap();
        assert_eq!(error.kind, Kind::Held);
        assert!(error.message.contains("anna@laptop (process"), "{error}");
        let mut second = take(&other, true).await.unwrap();
        let entry = DateEntry { state: DateState::Done, attempts: 2, ..DateEntry::default() };
        assert_eq!(first.write([(date, entry.clone())]).await.err().unwrap().kind, Kind::Held);
        second.write([(date, entry.clone())]).await.unwrap();
        second.close().await.unwrap();
        assert_eq!(take(&me, false).await.unwrap().entry(date), entry);
    }

    #[tokio::test]
    async fn one_on_another_machine_that_was_silent_for_too_long_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(folder.path());
        let date = jiff::civil::date(2026, 11, 1);
        let range = DateRange { job: "daily".into(), from: date, to: date };
        let take = async |me: &Owner| LedgerLease::take(Arc::new(FileStore), &artifacts, &range, me, false).await;
        let elsewhere = Owner { who: "ben@server".into(), ..Owner::default() };
        drop(take(&elsewhere).await.unwrap());
        let me = Owner::me("anna@laptop", "laptop");
        assert_eq!(take(&me).await.err().unwrap().kind, Kind::Held);
        // A minute and a half later.
        let place = folder.path().join("leases/backfill/daily/2026-11-01..2026-11-01.json");
        let mut book: serde_json::Value = serde_json::from_slice(&fs_err::read(&place).unwrap()).unwrap();
        book["holders"][0]["until"] = "2026-11-01T00:00:00Z".into();
        fs_err::write(&place, book.to_string()).unwrap();
        take(&me).await.unwrap();
    }
}
