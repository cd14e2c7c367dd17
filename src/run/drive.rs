//! The top-level flow of a run: claim, prepare, run the steps, audit, publish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;

use super::attach::{going_on, not_shown};
use super::claim::{LakeLock, latest_number};
use super::finish::{Publication, Seen};
use super::gather::{Code, Gathered, PlanRequest, gather};
use super::gc::is_kept;
use super::lease::{RunLease, correct};
use super::record::{RunRecord, run_prefix};
use crate::audit::Reader;
use crate::catalog::Catalog;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, PlannedStep, RunState, Sink};
use crate::names::{RunId, Uri};
use crate::plan::{self, Action, Plan, StepPlan, StepResult, TableFacts, Version};
use crate::store::{Owner, Store};
use crate::targets::{Stop, Target};

/// What a run is driven with.
pub struct Services {
    /// Objects of the lake.
    pub store: Arc<dyn Store>,
    /// The tables.
    pub catalog: Arc<Catalog>,
    /// Where steps run.
    pub target: Arc<dyn Target>,
    /// The target's name.
    pub target_name: String,
    /// Who we are, on a target whose runs others can take over; `None` where a run ends with its process.
    pub owner: Option<Owner>,
    /// What the person wants.
    pub stop: watch::Receiver<Stop>,
    /// What this process does of a run that an execution drives part by part; `None`: all that is left of it.
    pub part: Option<Part>,
}

impl Services {
    /// Returns whether this process may show readers anything: of the parts that an execution drives the last one does that
    /// for all.
    pub fn publishes(&self) -> bool {
        self.part.as_ref().is_none_or(|part| part.until == Reach::Published || part.execution.is_none())
    }
}

/// What one process does of a run that an execution of a state machine drives: it takes the run from wherever it is, as far
/// as `until`, and leaves it to the next process.
#[derive(Clone, Debug)]
pub struct Part {
    /// How far.
    pub until: Reach,
    /// The ARN of the execution, once there is one.
    pub execution: Option<String>,
}

/// How far a run is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Its number is taken, its tasks are written and its code is shipped.
    Claimed,
    /// It has a cluster, which may still be starting.
    OnCluster,
    /// All steps that may start are on the cluster.
    HandedOver,
    /// All steps have finished. Where they have not, the run is looked at once and left.
    Ended,
    /// Readers see what it wrote.
    Published,
}

/// A run that published.
pub struct Outcome {
    /// Its record.
    pub record: RunRecord,
    /// What it set out to do.
    pub plan: Plan,
    /// The tables as they were before.
    pub before: BTreeMap<String, TableFacts>,
    /// What each step wrote.
    pub results: BTreeMap<String, StepResult>,
    /// What it published.
    pub versions: Vec<Version>,
    /// What has kept other catalogs, such as Glue, from showing that.
    pub unshown: Option<Error>,
}

/// What came of wanting to run a job for a date.
pub enum Driven {
    /// It was run.
    Done(Box<Outcome>),
    /// It came as far as this process was to take it.
    Left(Box<RunRecord>),
    /// A run of the same job and date is going on.
    GoesOn(Box<RunRecord>),
    /// It was run and is closed unpublished: others have published tables it was planned from. What of its results still
    /// stands is taken by a run after it.
    Behind(Box<RunRecord>),
}

/// Executes a plan: all of it becomes visible to readers, or nothing does.
///
/// # Errors
/// `Job` when a step failed, `Audit` when what landed was refused, `Interrupted` when it was stopped, `Detached` when it
/// goes on without us, `Machine` and `Held` from the services. The record says the same.
pub async fn drive(
    gathered: &Gathered<'_>,
    plan: &Plan,
    asked: Vec<String>,
    services: &Services,
    sink: &mut dyn Sink,
) -> Result<Driven> {
    let facts = &gathered.facts;
    // Elsewhere the record of the run is its lock.
    let mut lock = match services.owner {
        None => Some(LakeLock::take(&facts.lake.artifacts, Timestamp::now())?),
        Some(_) => None,
    };
    let key = facts.key();
    let latest = latest_number(services.store.as_ref(), &facts.lake.artifacts, &key);
    let (latest, ()) = tokio::try_join!(latest, services.target.prepare(sink))?;
    let claimed = match going_on(services, &facts.lake.artifacts, &key.run(latest)).await? {
        Some(there) => ActiveRun::claimed_before(gathered, plan, asked, services, there).await?,
        None => ActiveRun::claim(gathered, plan, asked, services, latest).await?,
    };
    let run = match claimed {
        Ok(run) => run,
        Err(goes_on) => return Ok(Driven::GoesOn(goes_on)),
    };
    if let Some(lock) = &mut lock {
        lock.tell(&run.record.run.to_string(), Timestamp::now())?;
    }
    sink.emit(run.started_event());
    run.run_to_end(false, sink).await
}

/// A claimed run on its way.
pub struct ActiveRun<'a> {
    /// What it was planned from.
    pub gathered: &'a Gathered<'a>,
    /// What it does.
    pub plan: &'a Plan,
    /// What it is driven with.
    pub services: &'a Services,
    /// How far it is.
    pub record: RunRecord,
    /// What finished and reused steps have written.
    pub results: BTreeMap<String, StepResult>,
    /// What of that this process has read.
    pub(super) seen: Seen,
    pub(super) reader: Arc<Reader>,
    pub(super) lease: RunLease,
    /// The steps that the latest look has found ended, once there was one.
    pub(super) looked: Option<Vec<String>>,
    pub(super) began: Instant,
}

impl<'a> ActiveRun<'a> {
    /// Returns a run that is claimed.
    pub(super) fn resumed(
        gathered: &'a Gathered<'a>,
        plan: &'a Plan,
        services: &'a Services,
        record: RunRecord,
        lease: RunLease,
    ) -> Self {
        let (results, seen) = (BTreeMap::new(), Seen::new());
        let reader = Reader::new(services.store.clone());
        Self { gathered, plan, services, record, results, seen, reader, lease, looked: None, began: Instant::now() }
    }

    /// Returns how far this process takes the run.
    pub(super) fn until(&self) -> Reach {
        self.services.part.as_ref().map_or(Reach::Published, |part| part.until)
    }

    /// Runs the steps, audits, publishes, and writes how that went, as far as this process is to take it. Returns anything
    /// but `GoesOn`.
    pub(super) async fn run_to_end(mut self, resumed: bool, sink: &mut dyn Sink) -> Result<Driven> {
        let ended = match self.execute(resumed, sink).await {
            Ok(()) if self.until() < Reach::Published => {
                self.leave().await;
                return Ok(Driven::Left(Box::new(self.record)));
            }
            Ok(()) => self.audit_and_publish(sink).await,
            Err(error) => Err(error),
        };
        match &ended {
            Err(error) if error.kind == Kind::Detached => self.leave().await,
            _ => {
                // Not before it is published: who comes next starts from that.
                if let Err(error) = self.services.target.close(ended.is_err()).await {
                    sink.emit(Event::Warning { text: format!("the target could not be given back: {error}") });
                }
                if let Ok((_, Some(error))) = &ended {
                    self.record.error = Some(not_shown(&self.record.run, error));
                }
                self.close(ended.as_ref().err(), sink).await?;
            }
        }
        match ended {
            Ok(published) => Ok(Driven::Done(self.outcome(published))),
            Err(_) if self.record.behind => Ok(Driven::Behind(Box::new(self.record))),
            Err(error) if error.hints.is_empty() => {
                Err(error.hint(format!("`soflow runs show {}` shows how far it came", self.record.run)))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the end of a run that has published.
    pub(super) fn outcome(self, (versions, unshown): Publication) -> Box<Outcome> {
        let (plan, before) = (self.plan.clone(), self.gathered.facts.tables.clone());
        Box::new(Outcome { record: self.record, plan, before, results: self.results, versions, unshown })
    }

    /// Makes sure that all it was planned from is there, and writes its tasks.
    ///
    /// # Errors
    /// `Held` when some of that was collected as garbage before the run was claimed.
    pub(super) async fn begin(&self) -> Result<()> {
        let Services { store, catalog, .. } = self.services;
        if !is_kept(self.gathered, self.plan, store.as_ref(), catalog.as_ref()).await? {
            return Err(Error::new(Kind::Held, "what this run was planned from was collected as garbage meanwhile")
                .hint("run the same command again: it starts from what is there now"));
        }
        write_tasks(&self.gathered.facts, self.plan, &self.record.run, store.as_ref()).await
    }

    /// Writes the record.
    ///
    /// # Errors
    /// As [`RunLease::save`]; `Detached` when it cannot be written while steps go on without us.
    pub(super) async fn save(&self) -> Result<()> {
        self.lease.save(&self.record).await.map_err(|error| self.goes_on(error))
    }

    /// Returns what a failure of this process means for the run: steps that were handed over do not care.
    pub(super) fn goes_on(&self, mut error: Error) -> Error {
        let handed_over = self.record.steps.iter().any(|step| step.step_id.is_some());
        if error.kind == Kind::Machine && self.services.owner.is_some() && handed_over {
            error.kind = Kind::Detached;
            let run = &self.record.run;
            return error.hint(format!("run `{run}` goes on: `soflow attach {run}` watches it again, and publishes"));
        }
        error
    }

    /// Returns the facts as they are now, and what this run's steps have written as results to be taken.
    pub(super) async fn gathered_anew(&self) -> Result<Gathered<'a>> {
        let Gathered { facts, shipped, .. } = self.gathered;
        let mut select = facts.select.clone();
        select.after.push(self.record.run.clone());
        let (job, date, lake) = (facts.job, facts.date, facts.lake);
        let code = Code { steps: facts.code.clone(), engine: facts.engine.clone(), shipped: shipped.clone() };
        let request = PlanRequest { job, date, lake, code, select };
        gather(request, self.services.store.as_ref(), self.services.catalog.as_ref()).await
    }

    pub(super) fn started_event(&self) -> Event {
        let action = |step: &StepPlan| match step.action {
            Action::Run => "run",
            Action::Reuse => "reuse",
            Action::UpToDate => "up-to-date",
            Action::NotAsked => "not-asked",
        };
        let planned = |step: &StepPlan| PlannedStep { name: step.step.name.clone(), action: action(step).into() };
        Event::RunStarted {
            run: self.record.run.clone(),
            target: self.record.target.clone(),
            engine: self.record.engine.clone(),
            steps: self.plan.steps.iter().map(planned).collect(),
        }
    }

    /// Lets others drive the run. When that cannot be written they wait until we are taken for dead.
    pub(super) async fn leave(&mut self) {
        self.record.driver = None;
        let _ = self.save().await;
    }

    /// Writes how the run ended and removes what only it needed.
    pub(super) async fn close(&mut self, failure: Option<&Error>, sink: &mut dyn Sink) -> Result<()> {
        self.record.state = match failure.map(|error| error.kind) {
            None => RunState::Succeeded,
            Some(Kind::Audit) => RunState::Refused,
            Some(Kind::Interrupted) => RunState::Cancelled,
            Some(_) => RunState::Failed,
        };
        if let Some(error) = failure {
            self.record.error = Some(error.message.clone());
        }
        self.record.ended_at = Some(Timestamp::now());
        self.record.driver = None;
        if let Some(placed) = &self.record.placed {
            // What fails here runs out by itself.
            let _ = self.services.target.forget(&self.record.run, placed).await;
        }
        if let Some(stay) = self.record.stay() {
            // `runs show` asks again when it cannot be had now.
            self.record.cost = self.services.target.bill(stay).await.ok().flatten();
        }
        let (store, artifacts) = (self.services.store.as_ref(), &self.gathered.facts.lake.artifacts);
        // A full disk must not hide why the run failed; and what is published is so, whoever has closed the run meanwhile.
        let saved = match self.lease.save(&self.record).await {
            Err(error) if failure.is_none() && matches!(error.kind, Kind::Detached | Kind::Interrupted) => {
                correct(store, artifacts, &self.record).await
            }
            saved => saved,
        };
        if failure.is_none() {
            let run = &self.record.run;
            saved.map_err(|error| {
                Error::new(error.kind, format!("run `{run}` is published, and its record cannot be written"))
                    .caused_by(error)
                    .hint(format!("`soflow runs show {run}` shows what is written of it"))
            })?;
        }
        // Neither must what cannot be cleaned up hide how it went: garbage collection finds it.
        if let Err(error) = store.remove(&plan::scratch(artifacts, &self.record.run)).await {
            sink.emit(Event::Warning { text: format!("its scratch files were left: {error}") });
        }
        let seconds = match self.services.owner {
            None => self.began.elapsed().as_secs_f64(),
            Some(_) => Timestamp::now().duration_since(self.record.started_at).as_secs_f64(),
        };
        sink.emit(Event::RunFinished { run: self.record.run.clone(), state: self.record.state, seconds });
        Ok(())
    }
}

/// Writes the task of every step that runs. Writing one again changes nothing.
async fn write_tasks(facts: &plan::Facts<'_>, plan: &Plan, run: &RunId, store: &dyn Store) -> Result<()> {
    let tasks = plan.steps.iter().filter(|step| step.action == Action::Run).map(|step| async move {
        let body = serde_json::to_vec_pretty(&plan::task(facts, step, run))
            .map_err(|error| Error::new(Kind::Internal, "a task cannot be written as JSON").caused_by(error))?;
        store.put(&task_uri(&facts.lake.artifacts, run, &step.step.name), &body).await
    });
    futures_util::future::try_join_all(tasks).await.map(drop)
}

/// Returns where a step's task is.
pub(super) fn task_uri(artifacts: &Uri, run: &RunId, step: &str) -> Uri {
    run_prefix(artifacts, run).join(&format!("tasks/{step}.json"))
}
