//! One writer a lake: the lock that a local run holds, and the claim of a run's number, once for an execution.

use std::io::{Read as _, Seek as _, Write as _};
use std::time::Duration;

use fs_err as fs;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::drive::{ActiveRun, Part, Reach, Services};
use super::gather::Gathered;
use super::intent::Intent;
use super::lease::RunLease;
use super::record::{RECORD_VERSION, RunRecord, StepRecord, load_run, logs_of, record_uri, runs_prefix};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::{RunId, RunKey, Uri};
use crate::plan::{Plan, StepPlan};
use crate::store::document::{self, Contention};
use crate::store::lease::Claim;
use crate::store::{Store, Tag, make_folder};

/// Who holds a lake.
#[derive(Serialize, Deserialize)]
struct LockHolder {
    /// What it does: a run id, or `rollback`, `gc`, `ingest`.
    what: String,
    /// Its process on this machine.
    process: u32,
    /// Since when, UTC.
    since: Timestamp,
}

/// The right to write to a lake on this machine. The kernel takes it back when the process ends, however it ends.
pub struct LakeLock {
    file: fs::File,
}

impl LakeLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// `Held` when another process has it, saying which and since when.
    pub fn take(artifacts: &Uri, now: Timestamp) -> Result<Self> {
        let mut file = open(artifacts)?;
        if !lock_soon(&file) {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let who = match serde_json::from_str::<LockHolder>(&text) {
                Ok(holder) => format!("{} (process {}, since {:.0})", holder.what, holder.process, holder.since),
                Err(_) => "another soflow".to_string(),
            };
            return Err(Error::new(Kind::Held, format!("the lake is being written by {who}"))
                .hint("`soflow runs` shows how far it is; run the same command again when it has ended"));
        }
        let mut lock = Self { file };
        lock.tell("starting", now)?;
        Ok(lock)
    }

    /// Takes the lock for `what`, on a lake that has one; other lakes are guarded by comparing and setting.
    ///
    /// # Errors
    /// As [`LakeLock::take`].
    pub fn guard(artifacts: &Uri, what: &str, now: Timestamp) -> Result<Option<Self>> {
        if artifacts.to_path().is_none() {
            return Ok(None);
        }
        let mut lock = Self::take(artifacts, now)?;
        lock.tell(what, now)?;
        Ok(Some(lock))
    }

    /// Says what the lock is held for.
    pub fn tell(&mut self, what: &str, now: Timestamp) -> Result<()> {
        let holder = LockHolder { what: what.into(), process: std::process::id(), since: now };
        let body =
            serde_json::to_vec(&holder).map_err(|e| Error::new(Kind::Internal, "cannot write JSON").caused_by(e))?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&body)?;
        Ok(())
    }

    /// Returns whether some process is writing to the lake right now.
    pub fn is_held(artifacts: &Uri) -> Result<bool> {
        // Whoever may read the lake may ask.
        match fs::File::open(path(artifacts)?) {
            Ok(file) => Ok(matches!(file.file().try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whoever only asks whether the lake is held holds it for microseconds; that must not refuse a run.
fn lock_soon(file: &fs::File) -> bool {
    let again = |attempt: u32| {
        std::thread::sleep(Duration::from_millis(attempt.into()));
        file.file().try_lock().is_ok()
    };
    file.file().try_lock().is_ok() || (1..=5).any(again)
}

fn path(artifacts: &Uri) -> Result<std::path::PathBuf> {
    let folder =
        artifacts.to_path().ok_or_else(|| Error::new(Kind::Usage, format!("`{artifacts}` is not on this machine")))?;
    Ok(folder.join("lock"))
}

fn open(artifacts: &Uri) -> Result<fs::File> {
    let path = path(artifacts)?;
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    Ok(fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?)
}

/// A run that is ours to begin; within an error, one that goes on.
type Claimed<'a> = Result<ActiveRun<'a>, Box<RunRecord>>;

impl<'a> ActiveRun<'a> {
    /// Claims the next number; within an error, the run that another process has claimed at the same moment.
    pub(super) async fn claim(
        gathered: &'a Gathered<'a>,
        plan: &'a Plan,
        asked: Vec<String>,
        services: &'a Services,
        latest: u32,
    ) -> Result<Claimed<'a>> {
        let facts = &gathered.facts;
        let mut record = wanted(gathered, plan, asked, services, facts.key().run(latest));
        let (store, artifacts) = (services.store.as_ref(), &facts.lake.artifacts);
        let alone = services.owner.is_some();
        let Some(tag) = claim(store, facts.lake, plan, &mut record, alone).await? else {
            return load_run(store, artifacts, &record.run).await.map(|raced| Err(Box::new(raced)));
        };
        let lease = RunLease::new(services.store.clone(), artifacts, &record, tag);
        Ok(Ok(Self { results: plan.reused(), ..Self::resumed(gathered, plan, services, record, lease) }))
    }

    /// Takes the run that an earlier call for the same execution has claimed and could not begin in its time: it is begun
    /// anew, from what there is now, under its number. Within an error, a run of someone else, or one that is driven.
    pub(super) async fn claimed_before(
        gathered: &'a Gathered<'a>,
        plan: &'a Plan,
        asked: Vec<String>,
        services: &'a Services,
        there: RunRecord,
    ) -> Result<Claimed<'a>> {
        let ours = match (&services.part, &there.execution) {
            (Some(Part { until: Reach::Claimed, execution: Some(ours) }), Some(its)) => ours == its,
            _ => false,
        };
        let has_begun = there.placed.as_ref().is_some_and(|placed| placed.made)
            || there.steps.iter().any(|step| step.step_id.is_some());
        let Some(me) = services.owner.as_ref().filter(|_| ours && !has_begun) else { return Ok(Err(Box::new(there))) };
        let (lake, run) = (gathered.facts.lake, &there.run);
        let (there, lease) = RunLease::take(services.store.clone(), &lake.artifacts, run, me, false).await?;
        let Some(lease) = lease else { return Ok(Err(Box::new(there))) };
        let record = RunRecord {
            started_at: there.started_at,
            driver: there.driver,
            steps: planned(plan, lake, &there.run),
            ..wanted(gathered, plan, asked, services, there.run)
        };
        let run = Self { results: plan.reused(), ..Self::resumed(gathered, plan, services, record, lease) };
        run.save().await?;
        Ok(Ok(run))
    }
}

/// Returns the record of a run that is wanted, without its steps.
fn wanted(gathered: &Gathered<'_>, plan: &Plan, asked: Vec<String>, services: &Services, run: RunId) -> RunRecord {
    let driver = services.owner.as_ref().map(|owner| Claim::new("", owner, services.store.now()));
    RunRecord {
        record_version: RECORD_VERSION,
        run,
        target: services.target_name.clone(),
        engine: gathered.facts.engine.clone(),
        started_at: Timestamp::now(),
        ended_at: None,
        state: RunState::Running,
        asked,
        steps: Vec::new(),
        error: None,
        behind: false,
        publishing: false,
        intent: driver.is_some().then(|| Intent::of(gathered, plan)),
        driver,
        execution: services.part.as_ref().and_then(|part| part.execution.clone()),
        placed: services.target.intended(),
        left: Vec::new(),
        cost: None,
        shipped: gathered.shipped.clone(),
        fused: services.target.fuses(gathered.facts.job.fuse),
    }
}

fn planned(plan: &Plan, lake: &Lake, run: &RunId) -> Vec<StepRecord> {
    let step = |step: &StepPlan| StepRecord::planned(step, logs_of(&lake.logs, run, &step.step.name));
    plan.steps.iter().map(step).collect()
}

/// Claims the number after that of the record, the latest run's, by writing the record; returns its tag. Of several
/// claimants each gets its own number, unless `alone`: then `None` is returned to all but one.
///
/// # Errors
/// `Held` when the store says again and again that someone else is at it, and nobody is.
pub async fn claim(
    store: &dyn Store,
    lake: &Lake,
    plan: &Plan,
    record: &mut RunRecord,
    alone: bool,
) -> Result<Option<Tag>> {
    loop {
        record.run.number += 1;
        record.steps = planned(plan, lake, &record.run);
        let uri = record_uri(&lake.artifacts, &record.run);
        let mut contention = Contention::on(&uri);
        loop {
            let claimed = document::replace(store, &uri, record, None).await?;
            if claimed.is_some() {
                return Ok(claimed);
            }
            if store.size(&uri).await?.is_some() {
                break;
            }
            contention.lost().await?;
        }
        if alone {
            return Ok(None);
        }
    }
}

/// Returns the number of the latest run of a job and date; 0 when there is none.
pub async fn latest_number(store: &dyn Store, artifacts: &Uri, key: &RunKey) -> Result<u32> {
    let runs = store.folders(&runs_prefix(artifacts, key)).await?;
    Ok(runs.iter().filter_map(|name| name.parse().ok()).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    #[test]
    fn a_second_writer_is_told_who_holds_the_lake() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Uri::from_path(folder.path());
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        assert!(!LakeLock::is_held(&artifacts).unwrap());
        let mut lock = LakeLock::take(&artifacts, now).unwrap();
        lock.tell("daily.2026-11-22.3", now).unwrap();
        let error = LakeLock::take(&artifacts, now).err().unwrap();
        assert_eq!(error.kind, Kind::Held);
        let me = std::process::id();
        let said =
            format!("the lake is being written by daily.2026-11-22.3 (process {me}, since 2026-11-22T03:00:00Z)");
        assert_eq!(error.message, said);
        assert!(LakeLock::is_held(&artifacts).unwrap());
        drop(lock);
        assert!(!LakeLock::is_held(&artifacts).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_that_is_refused_for_ever_is_told_as_that() {
        let folder = tempfile::tempdir().unwrap();
        let at = Uri::from_path(folder.path());
        let lake = Lake { raw: at.clone(), curated: at.clone(), artifacts: at.clone(), logs: at };
        // Nothing can be written there, and there is no such object.
        fs::create_dir_all(folder.path().join("runs/daily/2026-11-22/1/run.json")).unwrap();
        let mut record = RunRecord::example("daily.2026-11-22.1");
        for alone in [true, false] {
            record.run.number = 0;
            let error = claim(&FileStore, &lake, &Plan { steps: Vec::new() }, &mut record, alone).await.unwrap_err();
            assert_eq!(error.kind, Kind::Held);
            assert!(error.message.contains("runs/daily/2026-11-22/1/run.json` cannot be written"), "{error}");
        }
    }
}
