//! Keeps a run's record, and with it the right to drive the run: every write is compared with the one before, so a process
//! that was taken for dead and comes back finds out at its first word.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::record::{Driver, RunRecord, load_tagged, read_tagged, record_uri, to_json};
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::{RunId, Uri};
use crate::store::{Contention, Owner, Store, Tag};

/// How long a driver is believed without a word from it.
const LASTS: SignedDuration = SignedDuration::from_secs(90);

/// How often it says a word.
const BEAT: Duration = Duration::from_secs(30);

/// The record of a run that this process drives.
pub struct Keeper {
    kept: Arc<Mutex<Kept>>,
    heart: Option<JoinHandle<()>>,
}

struct Kept {
    store: Arc<dyn Store>,
    uri: Uri,
    record: RunRecord,
    tag: Tag,
    /// Who we are, when others may take the run over.
    me: Option<Owner>,
}

/// What came of wanting to drive a run.
pub enum Taken {
    /// We do.
    Ours(Box<RunRecord>, Keeper),
    /// Someone else does.
    Theirs(Box<RunRecord>),
    /// Nobody can: it has ended.
    Over(Box<RunRecord>),
}

impl Keeper {
    /// Keeps a record that was claimed with `tag`.
    pub fn new(store: Arc<dyn Store>, artifacts: &Uri, record: &RunRecord, tag: Tag) -> Self {
        let uri = record_uri(artifacts, &record.run);
        let me = record.driver.as_ref().map(|driver| driver.owner.clone());
        let beats = me.is_some();
        let kept = Arc::new(Mutex::new(Kept { store, uri, record: record.clone(), tag, me }));
        let heart = beats.then(|| tokio::spawn(beat(kept.clone())));
        Self { kept, heart }
    }

    /// Takes a run that nobody drives any more, or that someone drives who is put out by `force`.
    ///
    /// # Errors
    /// Those of the store; `Usage` when there is no such run.
    pub async fn take(store: Arc<dyn Store>, artifacts: &Uri, run: &RunId, me: &Owner, force: bool) -> Result<Taken> {
        let uri = record_uri(artifacts, run);
        let mut contention = Contention::on(&uri);
        loop {
            let (mut record, tag) = load_tagged(store.as_ref(), artifacts, run).await?;
            if record.state != RunState::Running {
                return Ok(Taken::Over(Box::new(record)));
            }
            let driven =
                record.driver.as_ref().is_some_and(|driver| driver.is_there(store.now(), me) && driver.owner != *me);
            if driven && !force {
                return Ok(Taken::Theirs(Box::new(record)));
            }
            record.driver = Some(driver(store.as_ref(), me));
            if let Some(tag) = store.put_if_match(&uri, &to_json(&record)?, &tag).await? {
                let keeper = Self::new(store, artifacts, &record, tag);
                return Ok(Taken::Ours(Box::new(record), keeper));
            }
            contention.lost().await?;
        }
    }

    /// Writes the record.
    ///
    /// # Errors
    /// `Detached` when someone else drives the run by now, `Interrupted` when someone else has cancelled it.
    pub async fn save(&self, record: &RunRecord) -> Result<()> {
        let mut kept = self.kept.lock().await;
        kept.record = record.clone();
        kept.write().await
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(heart) = &self.heart {
            heart.abort();
        }
    }
}

impl Kept {
    async fn write(&mut self) -> Result<()> {
        let Some(me) = self.me.clone() else {
            // The lake's lock is held: there is no one to compare with.
            return self.store.put(&self.uri, &to_json(&self.record)?).await;
        };
        if let Some(driver) = &mut self.record.driver {
            driver.until = self.store.now() + LASTS;
        }
        let body = to_json(&self.record)?;
        let uri = self.uri.clone();
        let mut contention = Contention::on(&uri);
        loop {
            if let Some(tag) = self.store.put_if_match(&self.uri, &body, &self.tag).await? {
                self.tag = tag;
                return Ok(());
            }
            match read_tagged(self.store.as_ref(), &self.uri).await? {
                // An earlier word of ours, to which no answer came.
                Some((there, tag)) if there.driver.as_ref().is_some_and(|driver| driver.owner == me) => self.tag = tag,
                // What is published is so, whoever has said it first.
                Some((there, _)) if there.state == RunState::Succeeded && self.record.state == there.state => {
                    return Ok(());
                }
                there => return Err(self.put_out(there.map(|(there, _)| there).as_ref())),
            }
            contention.lost().await?;
        }
    }

    fn put_out(&self, by: Option<&RunRecord>) -> Error {
        let run = &self.record.run;
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
}

/// Writes how a run has really ended, whatever its record says.
///
/// # Errors
/// Those of the store.
pub(super) async fn put_right(store: &dyn Store, artifacts: &Uri, record: &RunRecord) -> Result<()> {
    let uri = record_uri(artifacts, &record.run);
    let mut contention = Contention::on(&uri);
    loop {
        let (_, tag) = load_tagged(store, artifacts, &record.run).await?;
        if store.put_if_match(&uri, &to_json(record)?, &tag).await?.is_some() {
            return Ok(());
        }
        contention.lost().await?;
    }
}

/// Returns the right to drive from now on.
pub fn driver(store: &dyn Store, me: &Owner) -> Driver {
    Driver { owner: me.clone(), until: store.now() + LASTS }
}

async fn beat(kept: Arc<Mutex<Kept>>) {
    let mut every = tokio::time::interval(BEAT);
    every.tick().await;
    loop {
        every.tick().await;
        // One that fails is tried again in time; one that finds the run taken ends at the next save.
        let _ = kept.lock().await.write().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FileStore;

    fn owner(who: &str, process: u32) -> Owner {
        Owner { who: who.into(), host: format!("host-of-{who}"), process, ..Owner::default() }
    }

    async fn claimed(folder: &std::path::Path) -> (Arc<dyn Store>, Uri, RunRecord, Keeper) {
        let (store, artifacts): (Arc<dyn Store>, Uri) = (Arc::new(FileStore), Uri::from_path(folder));
        let driver = Some(driver(store.as_ref(), &owner("anna", 1)));
        let record = RunRecord { driver, ..RunRecord::example("daily.2026-11-22.1") };
        let uri = record_uri(&artifacts, &record.run);
        let tag = store.put_if_absent(&uri, &to_json(&record).unwrap()).await.unwrap().unwrap();
        let keeper = Keeper::new(store.clone(), &artifacts, &record, tag);
        (store, artifacts, record, keeper)
    }

    #[tokio::test]
    async fn a_word_whose_answer_was_lost_is_known_as_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (store, artifacts, mut record, keeper) = claimed(folder.path()).await;
        record.error = Some("written, and no answer came".into());
        store.put(&record_uri(&artifacts, &record.run), &to_json(&record).unwrap()).await.unwrap();
        record.state = RunState::Failed;
        keeper.save(&record).await.unwrap();
        let (there, _) = load_tagged(store.as_ref(), &artifacts, &record.run).await.unwrap();
        assert_eq!(there.state, RunState::Failed);
    }

    #[tokio::test]
    async fn whoever_was_put_out_is_told_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, artifacts, mut record, keeper) = claimed(folder.path()).await;
        let bert = owner("bert", 2);
        let polite = Keeper::take(store.clone(), &artifacts, &record.run, &bert, false).await.unwrap();
        assert!(matches!(polite, Taken::Theirs(_)), "anna drives it");
        let taken = Keeper::take(store.clone(), &artifacts, &record.run, &bert, true).await.unwrap();
        let Taken::Ours(mut his, his_keeper) = taken else { panic!("he insisted") };
        assert_eq!(keeper.save(&record).await.unwrap_err().kind, Kind::Detached);
        // She writes nothing more, also not when he has ended it.
        his.error = Some("cancelled by bert".into());
        his_keeper.save(&his).await.unwrap();
        record.state = RunState::Succeeded;
        assert_eq!(keeper.save(&record).await.unwrap_err().kind, Kind::Interrupted);
        let (there, _) = load_tagged(store.as_ref(), &artifacts, &record.run).await.unwrap();
        assert_eq!(there.state, RunState::Running);
        assert_eq!(there.driver.unwrap().owner, bert);
    }
}
