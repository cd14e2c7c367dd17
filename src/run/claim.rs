//! One writer a lake: the lock that a local run holds, and the claim of a run's number.

use std::io::{Read as _, Seek as _, Write as _};
use std::time::Duration;

use fs_err as fs;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{RunRecord, StepRecord, logs_of, record_uri, runs_prefix};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::names::{RunKey, Uri};
use crate::plan::{Plan, StepPlan};
use crate::store::document::{self, Contention};
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
        let run = &record.run;
        let step = |step: &StepPlan| StepRecord::planned(step, logs_of(&lake.logs, run, &step.step.name));
        record.steps = plan.steps.iter().map(step).collect();
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
