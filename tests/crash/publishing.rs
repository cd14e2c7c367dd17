//! What comes between a run and its publication: others who publish, cancel or finish it, answers that are lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use soflow::error::{Kind, Result};
use soflow::event::{Event, RunState};
use soflow::run::{self, Driven, Outcome, RunRecord, Services};
use soflow::store::{FileStore, Owner, Store};
use soflow::targets::Stop;
use tokio::sync::watch;

use super::lab::{FIRST, Lab, SECOND, job_of};
use super::process::Process;
use super::steps::Scripted;

/// Runs the job for a date as on a target whose runs others may take over, going on after a run that is behind; returns the
/// steps that ran.
async fn submit(lab: &Lab, date: Date, process: &Arc<Process>) -> (Vec<String>, Result<Outcome>) {
    let target = Arc::new(Scripted { process: Process::healthy(), ran: Arc::default() });
    let (_keep, stop) = watch::channel(Stop::Go);
    let services = Services {
        store: Arc::new(FileStore),
        catalog: Arc::new(lab.catalog(process)),
        target: target.clone(),
        target_name: "shared".into(),
        owner: Some(Owner::me("anna@laptop", "laptop")),
        stop,
        part: None,
    };
    let job = job_of(date);
    let mut after = Vec::new();
    let ended = loop {
        let (gathered, plan) = lab.planned(&job, date, &services, after.clone()).await.unwrap();
        match run::drive(&gathered, &plan, Vec::new(), &services, &mut Vec::<Event>::new()).await {
            Ok(Driven::Done(outcome)) => break Ok(*outcome),
            Ok(Driven::Behind(record)) => after.push(record.run),
            Ok(Driven::GoesOn(record) | Driven::Left(record)) => panic!("someone else runs {}", record.run),
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
    let process = Process::healthy();
    *process.meanwhile.lock().unwrap() = Some(Box::new(move || {
        Box::pin(async move {
            other.submit_well(FIRST).await;
        })
    }));
    let (ran, ended) = submit(&lab, SECOND, &process).await;
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
        let process = Process::healthy();
        process.loses_answer.store(!cancelled, Ordering::SeqCst);
        if cancelled {
            let artifacts = lab.lake.artifacts.clone();
            *process.meanwhile.lock().unwrap() = Some(Box::new(move || {
                Box::pin(async move {
                    let run = "mini.2026-11-21.1".parse().unwrap();
                    let mut record = run::load_run(&FileStore, &artifacts, &run).await.unwrap();
                    (record.state, record.driver) = (RunState::Cancelled, None);
                    let body = serde_json::to_vec(&record).unwrap();
                    FileStore.put(&artifacts.join("runs/mini/2026-11-21/1/run.json"), &body).await.unwrap();
                })
            }));
        }
        let (_, ended) = submit(&lab, FIRST, &process).await;
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
        catalog: Arc::new(lab.catalog(&process)),
        target,
        target_name: "shared".into(),
        owner: Some(Owner::me("anna@laptop", "laptop")),
        stop,
        part: None,
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
