//! The lease on a run's record, which is the right to drive the run: every write is compared with the one before, so a
//! process that was taken for dead and comes back finds out at its first write.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::record::{RunRecord, no_such_run, record_uri};
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::{RunId, Uri};
use crate::store::document;
use crate::store::lease::{Claim, Heartbeat, Leased, LeasedDocument};
use crate::store::{Owner, Store, Tag};

impl Leased for RunRecord {
    fn claim(&self) -> Option<&Claim> {
        self.driver.as_ref()
    }

    fn set_claim(&mut self, claim: Option<Claim>) {
        self.driver = claim;
    }

    fn is_closed(&self) -> bool {
        self.state != RunState::Running
    }
}

/// The record of a run that this process drives.
pub struct RunLease {
    record: Arc<Mutex<LeasedDocument<RunRecord>>>,
    /// Where others may take the run over.
    _heartbeat: Option<Heartbeat>,
}

impl RunLease {
    /// Returns the lease on a record that was claimed with `tag`.
    pub fn new(store: Arc<dyn Store>, artifacts: &Uri, record: &RunRecord, tag: Tag) -> Self {
        Self::on(LeasedDocument::new(store, record_uri(artifacts, &record.run), record.clone(), tag))
    }

    fn on(document: LeasedDocument<RunRecord>) -> Self {
        let others = document.state.driver.is_some();
        let record = Arc::new(Mutex::new(document));
        let renewed = record.clone();
        let heartbeat = others.then(|| {
            Heartbeat::start(move || {
                let record = renewed.clone();
                async move { record.lock().await.write().await.map(|written| written.is_ok()) }
            })
        });
        Self { record, _heartbeat: heartbeat }
    }

    /// Takes a run that nobody drives any more, or that someone drives who is put out by `force`. Returns its record, and
    /// no lease when someone else drives it or it is over.
    ///
    /// # Errors
    /// Those of the store; `Usage` when there is no such run.
    pub async fn take(
        store: Arc<dyn Store>,
        artifacts: &Uri,
        run: &RunId,
        me: &Owner,
        force: bool,
    ) -> Result<(RunRecord, Option<Self>)> {
        let uri = record_uri(artifacts, run);
        Ok(match LeasedDocument::<RunRecord>::acquire(store, uri, me, force, || Err(no_such_run(run))).await? {
            Ok(ours) => (ours.state.clone(), Some(Self::on(ours))),
            Err(record) => (record, None),
        })
    }

    /// Writes the record.
    ///
    /// # Errors
    /// `Detached` when someone else drives the run by now, `Interrupted` when someone else has cancelled it.
    pub async fn save(&self, record: &RunRecord) -> Result<()> {
        let mut kept = self.record.lock().await;
        kept.state = record.clone();
        match kept.write().await? {
            Ok(()) => Ok(()),
            // What is published is so, whoever has said it first.
            Err(Some(there)) if there.state == RunState::Succeeded && record.state == there.state => Ok(()),
            Err(there) => Err(put_out(&record.run, there.as_ref())),
        }
    }
}

fn put_out(run: &RunId, by: Option<&RunRecord>) -> Error {
    // One that is being cancelled says why before it has ended.
    let cancelled = |by: &RunRecord| match by.state {
        RunState::Running => by.error.is_some(),
        state => state == RunState::Cancelled,
    };
    if by.is_some_and(cancelled) {
        return Error::new(Kind::Interrupted, format!("someone else has cancelled run `{run}`"))
            .hint(format!("finished steps are kept: `soflow retry {run}` does the rest"));
    }
    Error::new(Kind::Detached, format!("someone else drives run `{run}` by now"))
        .hint(format!("`soflow attach {run}` follows it"))
}

/// Writes how a run has really ended, whatever its record says.
///
/// # Errors
/// Those of the store.
pub(super) async fn correct(store: &dyn Store, artifacts: &Uri, record: &RunRecord) -> Result<()> {
    let write = |found: &mut Option<RunRecord>| match found.replace(record.clone()) {
        Some(_) => Ok(((), true)),
        None => Err(no_such_run(&record.run)),
    };
    document::change(store, &record_uri(artifacts, &record.run), write).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::record::load_run;
    use super::*;
    use crate::store::FileStore;

    fn owner(who: &str, process: u32) -> Owner {
        Owner { who: who.into(), host: format!("host-of-{who}"), process, ..Owner::default() }
    }

    async fn claimed(folder: &std::path::Path) -> (Arc<dyn Store>, Uri, RunRecord, RunLease) {
        let (store, artifacts): (Arc<dyn Store>, Uri) = (Arc::new(FileStore), Uri::from_path(folder));
        let driver = Some(Claim::new("", &owner("anna", 1), store.now()));
        let record = RunRecord { driver, ..RunRecord::example("daily.2026-11-22.1") };
        let uri = record_uri(&artifacts, &record.run);
        let tag = store.put_if_absent(&uri, &document::json(&record).unwrap()).await.unwrap().unwrap();
        let lease = RunLease::new(store.clone(), &artifacts, &record, tag);
        (store, artifacts, record, lease)
    }

    #[tokio::test]
    async fn a_write_whose_answer_was_lost_is_known_as_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (store, artifacts, mut record, lease) = claimed(folder.path()).await;
        record.error = Some("written, and no answer came".into());
        store.put(&record_uri(&artifacts, &record.run), &document::json(&record).unwrap()).await.unwrap();
        record.state = RunState::Failed;
        lease.save(&record).await.unwrap();
        let there = load_run(store.as_ref(), &artifacts, &record.run).await.unwrap();
        assert_eq!(there.state, RunState::Failed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_stays_with_its_driver_whatever_that_one_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, artifacts, mut record, lease) = claimed(folder.path()).await;
        record.driver.as_mut().unwrap().until = Timestamp::UNIX_EPOCH;
        store.put(&record_uri(&artifacts, &record.run), &document::json(&record).unwrap()).await.unwrap();
        // A cluster that takes ten minutes to start.
        tokio::time::sleep(Duration::from_secs(600)).await;
        let bert = owner("bert", 2);
        let taken = RunLease::take(store.clone(), &artifacts, &record.run, &bert, false).await.unwrap();
        assert!(taken.1.is_none(), "the heartbeat has renewed it");
        drop(lease);
        store.put(&record_uri(&artifacts, &record.run), &document::json(&record).unwrap()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let taken = RunLease::take(store, &artifacts, &record.run, &bert, false).await.unwrap();
        assert!(taken.1.is_some(), "nobody renews it any more");
    }

    #[tokio::test]
    async fn whoever_was_put_out_is_told_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, artifacts, mut record, lease) = claimed(folder.path()).await;
        let bert = owner("bert", 2);
        let polite = RunLease::take(store.clone(), &artifacts, &record.run, &bert, false).await.unwrap();
        assert!(polite.1.is_none(), "anna drives it");
        let taken = RunLease::take(store.clone(), &artifacts, &record.run, &bert, true).await.unwrap();
        let (mut his, Some(his_lease)) = taken else { panic!("he insisted") };
        assert_eq!(lease.save(&record).await.unwrap_err().kind, Kind::Detached);
        // She writes nothing more, also not when he has ended it.
        his.error = Some("cancelled by bert".into());
        his_lease.save(&his).await.unwrap();
        record.state = RunState::Succeeded;
        assert_eq!(lease.save(&record).await.unwrap_err().kind, Kind::Interrupted);
        let there = load_run(store.as_ref(), &artifacts, &record.run).await.unwrap();
        assert_eq!(there.state, RunState::Running);
        assert_eq!(there.driver.unwrap().owner, bert);
    }
}
