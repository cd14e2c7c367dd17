//! Goes on with a run that another process began: as its driver when nobody drives it, as a watcher when someone does.

use std::time::Duration;

use super::claim::latest_number;
use super::drive::{ActiveRun, Driven, Outcome, Part, Services, task_uri};
use super::ended::is_open;
use super::gather::is_whole;
use super::intent::Intent;
use super::lease::{RunLease, correct};
use super::record::{RunRecord, find_run};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink, StepState};
use crate::names::{RunId, RunKey, Uri};
use crate::plan::{Action, Version};
use crate::store::{Owner, Store};
use crate::targets::Stop;

/// What came of going on with a run.
pub enum Attached {
    /// It was finished here.
    Finished(Box<Outcome>),
    /// It came as far as this process was to take it.
    Left(Box<RunRecord>),
    /// It ended before, or someone else finished it.
    Over(Box<RunRecord>),
    /// It had not really begun, and has been closed: the same may be submitted anew.
    Empty(Box<RunRecord>),
    /// It is closed unpublished: a run after it has to do some of its steps again, and takes what still stands.
    Behind(Box<RunRecord>),
}

/// Returns the latest run of a job and date if it is going on, on a target whose runs outlive their process.
///
/// # Errors
/// Those of the store.
pub async fn unfinished(services: &Services, artifacts: &Uri, key: &RunKey) -> Result<Option<Box<RunRecord>>> {
    let number = latest_number(services.store.as_ref(), artifacts, key).await?;
    Ok(going_on(services, artifacts, &key.run(number)).await?.map(Box::new))
}

/// Returns the record of the latest run of a job and date, if there is one.
///
/// # Errors
/// Those of the store.
pub async fn latest(store: &dyn Store, artifacts: &Uri, key: &RunKey) -> Result<Option<RunRecord>> {
    match latest_number(store, artifacts, key).await? {
        0 => Ok(None),
        number => find_run(store, artifacts, &key.run(number)).await,
    }
}

/// Returns the record of a run that is going on, on a target whose runs outlive their process.
///
/// # Errors
/// Those of the store.
pub(super) async fn going_on(services: &Services, artifacts: &Uri, run: &RunId) -> Result<Option<RunRecord>> {
    if services.owner.is_none() || run.number == 0 {
        return Ok(None);
    }
    // A record that was damaged, and removed, leaves its tasks behind.
    let found = find_run(services.store.as_ref(), artifacts, run).await?;
    Ok(found.filter(|record| record.state == RunState::Running))
}

/// Goes on with a run. `every`: how often to look at one that someone else drives; `force`: put that one out.
///
/// # Errors
/// As `drive`.
pub async fn attach(
    services: &Services,
    lake: &Lake,
    run: &RunId,
    how: How<'_>,
    sink: &mut dyn Sink,
) -> Result<Attached> {
    let mut seen: Option<RunRecord> = None;
    loop {
        let (record, lease) = RunLease::take(services.store.clone(), &lake.artifacts, run, how.me, how.force).await?;
        if let Some(lease) = lease {
            return take_over(services, lake, record, lease, sink).await;
        }
        if record.state != RunState::Running {
            if record.behind {
                return Ok(Attached::Behind(Box::new(record)));
            }
            if !services.publishes() && is_unsettled(services, &record).await? {
                return Ok(Attached::Left(Box::new(record)));
            }
            return Ok(Attached::Over(Box::new(agreed(services, lake, record).await?)));
        }
        if let (Some(_), Some(driver)) = (&services.part, &record.driver) {
            return Err(Error::new(Kind::Detached, format!("run `{run}` is driven by {} now", driver.owner)));
        }
        if let (None, Some(driver)) = (&seen, &record.driver) {
            sink.emit(Event::Note { text: format!("Run {run} is driven by {}; watching it.", driver.owner) });
        }
        show(&record, seen.as_ref(), sink);
        seen = Some(record);
        let mut stop = services.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(how.every) => {}
            Ok(_) = stop.wait_for(|stop| *stop != Stop::Go) => {
                return Err(Error::new(Kind::Detached, format!("stopped watching run `{run}`, which goes on"))
                    .hint(format!("watch it again: `soflow attach {run}`")));
            }
        }
    }
}

/// How to go on with a run.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// Who we are.
    pub me: &'a Owner,
    /// How often to look at a run that someone else drives.
    pub every: Duration,
    /// Whether to put its driver out.
    pub force: bool,
}

/// Closes a run whose tables readers see.
pub(super) async fn close_published(
    mut going: ActiveRun<'_>,
    versions: Vec<Version>,
    sink: &mut dyn Sink,
) -> Result<Box<Outcome>> {
    for step in going.record.steps.iter_mut().filter(|step| is_open(step.state)) {
        step.state = StepState::Completed;
    }
    // Its process may have ended before other catalogs showed them.
    let catalog = going.services.catalog.as_ref();
    let unshown = catalog.telling(catalog.settle(), sink).await.err();
    going.record.error = unshown.as_ref().map(|error| not_shown(&going.record.run, error));
    going.close(None, sink).await?;
    Ok(going.outcome((versions, unshown)))
}

pub(super) fn intent_of(record: &RunRecord) -> Result<Intent> {
    let run = &record.run;
    record.intent.clone().ok_or_else(|| {
        Error::new(Kind::Usage, format!("run `{run}` ended with its process"))
            .hint(format!("finished steps are kept: `soflow retry {run}`"))
    })
}

/// Tells what is new in a record.
fn show(record: &RunRecord, before: Option<&RunRecord>, sink: &mut dyn Sink) {
    for step in &record.steps {
        let known = before.and_then(|before| before.step(&step.name)).map(|step| step.state);
        if known != Some(step.state) && step.state != StepState::Pending {
            let (rows, seconds) = (step.rows.values().sum(), step.seconds.unwrap_or_default());
            sink.emit(Event::StepChanged { step: step.name.clone(), state: step.state, rows, seconds });
        }
    }
}

async fn take_over(
    services: &Services,
    lake: &Lake,
    record: RunRecord,
    lease: RunLease,
    sink: &mut dyn Sink,
) -> Result<Attached> {
    let run = record.run.clone();
    let intent = intent_of(&record)?;
    let gathered = intent.gathered(&record, lake, services.catalog.as_ref()).await?;
    let mut going = ActiveRun::resumed(&gathered, &intent.plan, services, record, lease);
    if let Some(Part { execution: Some(execution), .. }) = &services.part {
        going.record.execution = Some(execution.clone());
    }
    let found = match find_out(&mut going, lake, sink).await {
        Ok(found) => found,
        Err(error) => {
            going.leave().await;
            return Err(error);
        }
    };
    match found {
        Reached::Nothing => {
            let error = Error::new(Kind::Interrupted, "its process ended before it had begun");
            going.close(Some(&error), sink).await?;
            Ok(Attached::Empty(Box::new(going.record)))
        }
        Reached::Gone(steps) => {
            let error = Error::new(Kind::Machine, format!("what {} had written is gone", steps_named(&steps)));
            sink.emit(Event::Warning { text: format!("{error}: run again, in a run after `{run}`") });
            if let Some(placed) = &going.record.placed {
                services.target.cancel(&run, placed, going.record.started_at).await?;
            }
            going.record.behind = true;
            going.close(Some(&error), sink).await?;
            Ok(Attached::Behind(Box::new(going.record)))
        }
        Reached::Published(_) if !services.publishes() => {
            going.leave().await;
            Ok(Attached::Left(Box::new(going.record)))
        }
        Reached::Published(versions) => Ok(Attached::Finished(close_published(going, versions, sink).await?)),
        Reached::Steps => match going.run_to_end(true, sink).await? {
            Driven::Done(outcome) => Ok(Attached::Finished(outcome)),
            Driven::Left(record) => Ok(Attached::Left(record)),
            Driven::Behind(record) => Ok(Attached::Behind(record)),
            Driven::GoesOn(_) => Err(Error::new(Kind::Internal, "a run goes on that has been run to its end")),
        },
    }
}

fn steps_named(steps: &[String]) -> String {
    let names = steps.iter().map(|step| format!("`{step}`")).collect::<Vec<_>>().join(", ");
    format!("step{} {names}", if steps.len() == 1 { "" } else { "s" })
}

/// Returns the record of a run that is over as the catalog has it: what readers see is published, whatever was written when
/// the answer to that was lost; and what Glue lacked of it is shown.
///
/// # Errors
/// Those of the store and the catalog.
pub async fn agreed(services: &Services, lake: &Lake, mut record: RunRecord) -> Result<RunRecord> {
    if is_unsettled(services, &record).await? {
        record.state = RunState::Succeeded;
        record.error = services.catalog.settle().await.err().map(|error| not_shown(&record.run, &error));
        correct(services.store.as_ref(), &lake.artifacts, &record).await?;
    }
    Ok(record)
}

/// Returns whether a run has published although its record says otherwise, or lacks something in Glue.
async fn is_unsettled(services: &Services, record: &RunRecord) -> Result<bool> {
    let agrees = record.state == RunState::Succeeded && record.error.is_none();
    Ok(!agrees && services.catalog.index().await?.published_by(&record.run).next().is_some())
}

/// Returns the words for a publication that is in the lake and not in Glue.
pub fn not_shown(run: &RunId, why: &Error) -> String {
    format!("run `{run}` is published, and Glue does not show it yet: {why}")
}

/// How far a run had come when its process ended.
enum Reached {
    /// Nothing was handed over.
    Nothing,
    /// What these steps had written has been removed.
    Gone(Vec<String>),
    /// Its steps may be on the target.
    Steps,
    /// Readers see its tables.
    Published(Vec<Version>),
}

async fn find_out(going: &mut ActiveRun<'_>, lake: &Lake, sink: &mut dyn Sink) -> Result<Reached> {
    if !began(going, lake).await? {
        return Ok(Reached::Nothing);
    }
    sink.emit(going.started_event());
    if let Some(versions) = published(going).await? {
        return Ok(Reached::Published(versions));
    }
    let gone = recall(going, sink).await?;
    Ok(if gone.is_empty() { Reached::Steps } else { Reached::Gone(gone) })
}

/// Returns whether the tasks of all steps had been written and their code shipped: before that nothing is handed over.
async fn began(run: &ActiveRun<'_>, lake: &Lake) -> Result<bool> {
    let last = run.plan.steps.iter().filter(|step| step.action == Action::Run);
    for step in last {
        let task = task_uri(&lake.artifacts, &run.record.run, &step.step.name);
        if run.services.store.size(&task).await?.is_none() {
            return Ok(false);
        }
    }
    if run.record.steps.iter().all(|step| step.step_id.is_none())
        && let Some(shipped) = &run.record.shipped
    {
        return run.services.target.is_shipped(shipped).await;
    }
    Ok(true)
}

/// Returns what the run has published, when its process ended after that.
pub(super) async fn published(run: &ActiveRun<'_>) -> Result<Option<Vec<Version>>> {
    let mut versions = Vec::new();
    let index = run.services.catalog.index().await?;
    for table in index.published_by(&run.record.run) {
        versions.extend(run.services.catalog.version(table, &run.record.run).await?);
    }
    Ok((!versions.is_empty()).then_some(versions))
}

/// Takes in what earlier processes have found out: the results of finished steps. Returns those whose files are gone.
pub(super) async fn recall(run: &mut ActiveRun<'_>, sink: &mut dyn Sink) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for step in &run.plan.steps {
        let name = &step.step.name;
        let known = match (&step.reused, &step.action) {
            (Some(reused), _) => Some(reused.clone()),
            (None, Action::Run) => run.known_result(step).await?,
            (None, _) => continue,
        };
        let (lake, store) = (run.gathered.facts.lake, run.services.store.as_ref());
        let Some(record) = run.record.step_mut(name) else { continue };
        match known {
            Some(result) if is_whole(&result, lake, store).await? => {
                if step.action == Action::Run {
                    record.state = StepState::Completed;
                    record.started_at = record.started_at.or(result.started_at);
                    record.seconds = record.seconds.or(Some(result.seconds));
                    record.rows = result.rows();
                    let (rows, seconds) = (record.rows.values().sum(), result.seconds);
                    sink.emit(Event::StepChanged { step: name.clone(), state: record.state, rows, seconds });
                }
                run.results.insert(name.clone(), result);
            }
            // A step that failed or was cancelled ended the run, whoever saw it; one that says it completed left a result.
            None if record.state != StepState::Completed => {}
            _ => gone.push(name.clone()),
        }
    }
    Ok(gone)
}
