//! What comes between a run and its publication: others who publish, cancel or finish it, answers that are lost, a Glue that
//! refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::civil::Date;
use soflow::catalog::{Catalog, Index, ObjectCatalog, Restored, VersionFile};
use soflow::error::{Error, Kind, Result};
use soflow::event::{Event, RunState};
use soflow::names::RunId;
use soflow::plan::Version;
use soflow::run::{self, Driven, Outcome, RunRecord, Services};
use soflow::store::{FileStore, Owner, Store};
use soflow::targets::Stop;
use tokio::sync::watch;

use super::lab::{FIRST, Lab, SECOND, job_of};
use super::process::Process;
use super::steps::Scripted;

/// What happens while a catalog publishes.
type Meanwhile = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A catalog whose first publication something happens to.
struct Disturbed {
    inner: ObjectCatalog,
    before: Mutex<Option<Meanwhile>>,
    /// Whether the answer is lost.
    lost: bool,
    /// What Glue says.
    glue: Option<&'static str>,
}

#[async_trait]
impl Catalog for Disturbed {
    async fn index(&self) -> Result<Index> {
        self.inner.index().await
    }

    async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>> {
        self.inner.version(table, run).await
    }

    async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<Option<Error>> {
        let before = self.before.lock().unwrap().take();
        if let Some(before) = before {
            before().await;
        }
        self.inner.publish(seen, versions).await?;
        if self.lost {
            return Err(Error::new(Kind::Machine, "S3 did not answer `PutObject`"));
        }
        Ok(self.glue.map(|said| Error::new(Kind::Machine, said)))
    }

    async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<Option<Error>> {
        self.inner.point(seen, to).await
    }

    async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        self.inner.forget(seen, versions).await
    }

    async fn version_files(&self) -> Result<Vec<VersionFile>> {
        self.inner.version_files().await
    }

    async fn restore(&self, published: &BTreeSet<RunId>, write: bool) -> Result<Restored> {
        self.inner.restore(published, write).await
    }
}

fn disturbed(lab: &Lab) -> Disturbed {
    let inner = ObjectCatalog::new(Arc::new(FileStore), &lab.lake.curated);
    Disturbed { inner, before: Mutex::default(), lost: false, glue: None }
}

/// Runs the job for a date as on a target whose runs others may take over, going on after a run that is behind; returns the
/// steps that ran.
async fn submit(lab: &Lab, date: Date, catalog: Disturbed) -> (Vec<String>, Result<Outcome>) {
    let target = Arc::new(Scripted { process: Process::healthy(), ran: Arc::default() });
    let (_keep, stop) = watch::channel(Stop::Go);
    let services = Services {
        store: Arc::new(FileStore),
        catalog: Arc::new(catalog),
        target: target.clone(),
        target_name: "shared".into(),
        now: Timestamp::now,
        owner: Some(Owner::me("anna@laptop", "laptop")),
        stop,
    };
    let job = job_of(date);
    let mut after = Vec::new();
    let ended = loop {
        let (gathered, plan) = lab.planned(&job, date, &services, after.clone()).await.unwrap();
        match run::drive(&gathered, &plan, Vec::new(), &services, &mut Vec::<Event>::new()).await {
            Ok(Driven::Done(outcome)) => break Ok(*outcome),
            Ok(Driven::Behind(record)) => after.push(record.run),
            Ok(Driven::GoesOn(record)) => panic!("someone else runs {}", record.run),
            Err(error) => break Err(error),
        }
    };
    let ran = target.ran.lock().unwrap().clone();
    (ran, ended)
}

async fn record(lab: &Lab, run: &str) -> RunRecord {
    run::load_run(&FileStore, &lab.lake.artifacts, &run.parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn what_others_publish_meanwhile_is_merged_with_by_a_run_after_it() {
    let (lab, one_by_one) = (Lab::new().await, Lab::new().await);
    one_by_one.submit_well(FIRST).await;
    one_by_one.submit_well(SECOND).await;
    let other = Arc::new(lab.same());
    let catalog = disturbed(&lab);
    *catalog.before.lock().unwrap() = Some(Box::new(move || {
        Box::pin(async move {
            other.submit_well(FIRST).await;
        })
    }));
    let (ran, ended) = submit(&lab, SECOND, catalog).await;
    assert_eq!(ended.unwrap().record.run.to_string(), "mini.2026-11-22.2");
    assert_eq!(ran.len(), 8, "what was merged with nothing is merged again: {ran:?}");
    assert_eq!(lab.tables("both").await, one_by_one.tables("one by one").await);
    let behind = record(&lab, "mini.2026-11-22.1").await;
    assert!(behind.behind && behind.state == RunState::Failed, "{behind:?}");
}

#[tokio::test]
async fn what_is_published_is_not_said_to_have_failed() {
    // The answer to the publication is lost; someone cancels the run while its driver sleeps, right before it publishes.
    for cancelled in [false, true] {
        let lab = Lab::new().await;
        let mut catalog = disturbed(&lab);
        catalog.lost = !cancelled;
        if cancelled {
            let artifacts = lab.lake.artifacts.clone();
            *catalog.before.lock().unwrap() = Some(Box::new(move || {
                Box::pin(async move {
                    let run = "mini.2026-11-21.1".parse().unwrap();
                    let mut record = run::load_run(&FileStore, &artifacts, &run).await.unwrap();
                    (record.state, record.driver) = (RunState::Cancelled, None);
                    let body = serde_json::to_vec(&record).unwrap();
                    FileStore.put(&artifacts.join("runs/mini/2026-11-21/1/run.json"), &body).await.unwrap();
                })
            }));
        }
        let (_, ended) = submit(&lab, FIRST, catalog).await;
        ended.unwrap_or_else(|error| panic!("cancelled {cancelled}: {error}"));
        assert_eq!(record(&lab, "mini.2026-11-21.1").await.state, RunState::Succeeded, "cancelled {cancelled}");
    }
}

#[tokio::test]
async fn whoever_was_put_out_publishes_nothing() {
    let lab = Lab::new().await;
    let artifacts = lab.lake.artifacts.clone();
    let process = Process::healthy();
    let target = Arc::new(Scripted { process: process.clone(), ran: Arc::default() });
    let (_keep, stop) = watch::channel(Stop::Go);
    let services = Services {
        store: Arc::new(FileStore),
        catalog: Arc::new(disturbed(&lab)),
        target,
        target_name: "shared".into(),
        now: Timestamp::now,
        owner: Some(Owner::me("anna@laptop", "laptop")),
        stop,
    };
    let job = job_of(FIRST);
    let (gathered, plan) = lab.planned(&job, FIRST, &services, Vec::new()).await.unwrap();
    // Someone takes the run while its steps are audited.
    let mut sink = Taking(artifacts);
    let ended = run::drive(&gathered, &plan, Vec::new(), &services, &mut sink).await;
    assert_eq!(ended.map(drop).unwrap_err().kind, Kind::Detached);
    assert!(lab.index().await.tables.is_empty(), "it has published although it was put out");
}

/// A listener that takes the run over as soon as its last step has ended.
struct Taking(soflow::names::Uri);

impl soflow::event::Sink for Taking {
    fn emit(&mut self, event: Event) {
        let Event::StepChanged { step, state, .. } = event else { return };
        if step != "best" || state != soflow::event::StepState::Completed {
            return;
        }
        let path = self.0.join("runs/mini/2026-11-21/1/run.json").to_path().unwrap();
        let mut record: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
        record["driver"]["owner"]["who"] = "bert@server".into();
        fs_err::write(&path, record.to_string()).unwrap();
    }
}

#[tokio::test]
async fn what_glue_does_not_show_is_published_and_told() {
    let lab = Lab::new().await;
    let mut catalog = disturbed(&lab);
    catalog.glue = Some("AWS does not allow `CreateTable`");
    let (_, ended) = submit(&lab, FIRST, catalog).await;
    let outcome = ended.unwrap();
    assert_eq!(outcome.unshown.unwrap().message, "AWS does not allow `CreateTable`");
    let record = record(&lab, "mini.2026-11-21.1").await;
    let said = "run `mini.2026-11-21.1` is published, and Glue does not show it yet: AWS does not allow `CreateTable`";
    assert_eq!((record.state, record.error.as_deref()), (RunState::Succeeded, Some(said)));
}
