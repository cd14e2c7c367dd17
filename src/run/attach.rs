//! Goes on with a run that another process began: as its driver when nobody drives it, as a watcher when someone does.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;

use super::claim::latest_number;
use super::drive::{Outcome, Run, Services, task_uri};
use super::execute::is_open;
use super::finish;
use super::intent::Intent;
use super::keeper::{Keeper, Taken};
use super::record::{RunRecord, load_run, read_tagged, record_uri};
use crate::catalog;
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink, StepState};
use crate::names::{RunId, Uri};
use crate::plan::{Action, TableFacts, Version};
use crate::store::Owner;
use crate::target::Stop;

/// What came of going on with a run.
pub enum Attached {
    /// It was finished here.
    Finished(Box<Finished>),
    /// It ended before, or someone else finished it.
    Over(Box<RunRecord>),
    /// It had not really begun, and has been closed: the same may be submitted anew.
    Empty(Box<RunRecord>),
}

/// A run that was finished by another process than the one that began it.
pub struct Finished {
    /// What it set out to do.
    pub intent: Intent,
    /// The tables as they were before.
    pub tables: BTreeMap<String, TableFacts>,
    /// What it came to.
    pub outcome: Outcome,
}

/// Returns the run of a job and date that is going on, on a target whose runs outlive their process.
///
/// # Errors
/// Those of the store.
pub async fn unfinished(services: &Services, artifacts: &Uri, job: &str, date: Date) -> Result<Option<RunId>> {
    if services.owner.is_none() {
        return Ok(None);
    }
    let number = latest_number(services.store.as_ref(), artifacts, job, date).await?;
    going_on(services, artifacts, RunId { job: job.into(), date, number }).await
}

/// Returns the latest run of a job and date if it is going on.
///
/// # Errors
/// Those of the store.
pub(super) async fn going_on(services: &Services, artifacts: &Uri, run: RunId) -> Result<Option<RunId>> {
    if run.number == 0 {
        return Ok(None);
    }
    // A record that was damaged, and removed, leaves its tasks behind.
    let found = read_tagged(services.store.as_ref(), &record_uri(artifacts, &run)).await?;
    Ok(found.filter(|(record, _)| record.state == RunState::Running).map(|_| run))
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
    let mut told = false;
    let mut seen: Option<RunRecord> = None;
    loop {
        let taken = Keeper::take(services.store.clone(), &lake.artifacts, run, how.me, how.force).await?;
        match taken {
            Taken::Ours(record, keeper) if record.state == RunState::Running => {
                return take_over(services, lake, *record, keeper, sink).await;
            }
            Taken::Ours(record, _) => return Ok(Attached::Over(record)),
            Taken::Theirs(record) if record.state != RunState::Running => return Ok(Attached::Over(record)),
            Taken::Theirs(record) => {
                if !told && let Some(driver) = &record.driver {
                    let text = format!("Run {run} is driven by {}; watching it.", driver.owner);
                    sink.emit(Event::Note { text });
                    told = true;
                }
                show(&record, seen.as_ref(), sink);
                seen = Some(*record);
            }
        }
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

/// Ends a run that goes on without its process, whoever drives it: that one finds out at its next word. Returns the record
/// then, as it is when the run was over already.
///
/// # Errors
/// `Usage` when there is no such run; `Machine` when its steps do not end.
pub async fn cancel(
    services: &Services,
    lake: &Lake,
    run: &RunId,
    me: &Owner,
    sink: &mut dyn Sink,
) -> Result<RunRecord> {
    let taken = Keeper::take(services.store.clone(), &lake.artifacts, run, me, true).await?;
    let Taken::Ours(record, keeper) = taken else {
        return load_run(services.store.as_ref(), &lake.artifacts, run).await;
    };
    if record.state != RunState::Running {
        return Ok(*record);
    }
    let intent = intent_of(&record)?;
    let gathered = intent.gathered(run, &record.engine, lake, services.catalog.as_ref()).await?;
    let mut going = Run::resumed(&gathered, &intent.plan, services, *record, keeper);
    // For the driver that finds out: its steps end before the run has.
    let cancelled = format!("cancelled by {me}");
    going.record.error = Some(cancelled.clone());
    going.save().await?;
    if let Some(placed) = &going.record.placed {
        services.target.cancel(run, placed, going.record.started_at).await?;
    }
    for step in going.record.steps.iter_mut().filter(|step| is_open(step.state)) {
        step.state = StepState::Cancelled;
        let (rows, seconds) = (0, step.seconds.unwrap_or_default());
        sink.emit(Event::StepChanged { step: step.name.clone(), state: step.state, rows, seconds });
    }
    going.close(Some(&Error::new(Kind::Interrupted, cancelled)), sink).await?;
    Ok(going.record)
}

fn intent_of(record: &RunRecord) -> Result<Intent> {
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
    keeper: Keeper,
    sink: &mut dyn Sink,
) -> Result<Attached> {
    let run = record.run.clone();
    let intent = intent_of(&record)?;
    let gathered = intent.gathered(&run, &record.engine, lake, services.catalog.as_ref()).await?;
    let mut going = Run::resumed(&gathered, &intent.plan, services, record, keeper);
    let found = match find_out(&mut going, lake, sink).await {
        Ok(found) => found,
        Err(error) => {
            going.leave().await;
            return Err(error);
        }
    };
    let outcome = match found {
        Found::Nothing => {
            let error = Error::new(Kind::Interrupted, "its process ended before it had begun");
            going.close(Some(&error), sink).await?;
            return Ok(Attached::Empty(Box::new(going.record)));
        }
        Found::Published(versions) => {
            going.close(None, sink).await?;
            Outcome { record: going.record, results: going.results, versions }
        }
        Found::Steps => going.run_to_end(true, sink).await?,
    };
    Ok(finished(&intent, gathered.facts.tables.clone(), outcome))
}

/// How far a run had come when its process ended.
enum Found {
    /// Nothing was handed over.
    Nothing,
    /// Its steps may be on the target.
    Steps,
    /// Readers see its tables.
    Published(Vec<Version>),
}

async fn find_out(going: &mut Run<'_>, lake: &Lake, sink: &mut dyn Sink) -> Result<Found> {
    if !began(going, lake).await? {
        return Ok(Found::Nothing);
    }
    sink.emit(going.started_event());
    if let Some(versions) = published(going).await? {
        // Its process may have ended before other catalogs showed them.
        let catalog = going.services.catalog.as_ref();
        catalog::telling(catalog, catalog.settle(), sink).await?;
        return Ok(Found::Published(versions));
    }
    recall(going, sink).await?;
    Ok(Found::Steps)
}

fn finished(intent: &Intent, tables: BTreeMap<String, TableFacts>, outcome: Outcome) -> Attached {
    Attached::Finished(Box::new(Finished { intent: intent.clone(), tables, outcome }))
}

/// Returns whether the tasks of all steps had been written: before that nothing is handed over.
async fn began(run: &Run<'_>, lake: &Lake) -> Result<bool> {
    let last = run.plan.steps.iter().filter(|step| step.action == Action::Run);
    for step in last {
        let task = task_uri(&lake.artifacts, &run.record.run, &step.step.name);
        if run.services.store.size(&task).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns what the run has published, when its process ended after that.
async fn published(run: &Run<'_>) -> Result<Option<Vec<Version>>> {
    let mut versions = Vec::new();
    let index = run.services.catalog.index().await?;
    for (table, entry) in &index.tables {
        if entry.history.iter().any(|known| known.run == run.record.run) {
            versions.extend(run.services.catalog.version(table, &run.record.run).await?);
        }
    }
    Ok((!versions.is_empty()).then_some(versions))
}

/// Takes in what earlier processes have found out: the results of finished steps.
async fn recall(run: &mut Run<'_>, sink: &mut dyn Sink) -> Result<()> {
    for step in &run.plan.steps {
        let name = &step.step.name;
        if let Some(reused) = &step.reused {
            run.results.insert(name.clone(), reused.clone());
        } else if step.action == Action::Run
            && let Some(result) = finish::known_result(run, step).await?
        {
            let rows = result.tables.values().map(crate::plan::Written::rows).sum();
            let seconds = result.seconds;
            run.results.insert(name.clone(), result);
            if let Some(record) = run.record.steps.iter_mut().find(|record| record.name == *name) {
                record.state = StepState::Completed;
            }
            sink.emit(Event::StepChanged { step: name.clone(), state: StepState::Completed, rows, seconds });
        }
    }
    // A step that failed or was cancelled ended the run, whoever saw it; one that says it completed left a result.
    for record in run.record.steps.iter_mut().filter(|record| record.state == StepState::Completed) {
        if !run.results.contains_key(&record.name) {
            record.state = StepState::Queued;
        }
    }
    Ok(())
}
