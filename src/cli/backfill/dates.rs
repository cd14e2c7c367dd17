//! One date of a backfill: run as `submit` runs it, written to the ledger before and after.

use std::sync::Mutex as Lock;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::Mutex;

use super::super::app::App;
use super::super::connections::Connections;
use super::super::jobs;
use super::super::output::stderr;
use super::super::project::Project;
use super::super::submit::{Submission, SubmitOutcome};
use super::BackfillArgs;
use crate::error::{Error, Kind, Result};
use crate::event::{DateState, Event, RunState, Sink};
use crate::job::Job;
use crate::names::RunId;
use crate::plan::{Action, Select, Written};
use crate::report::{line, problem};
use crate::run::{self, Attached, DateEntry, DateWork, Ledger, LedgerLease, Outcome, Services};
use crate::targets::Stop;

/// The dates of a backfill on their way.
pub struct Dates<'a> {
    /// The terminal, the clock, the flags.
    pub app: &'a App,
    /// The project.
    pub project: &'a Project,
    /// What the lake is reached with.
    pub connections: &'a Connections,
    /// What was asked for.
    pub args: &'a BackfillArgs,
    /// What every date was planned with; each is driven with its own, as a target knows the run it works for.
    pub services: &'a Services,
    /// What is written of them.
    pub book: Mutex<LedgerLease>,
    /// How many dates are to run.
    pub of: usize,
    /// Why no more dates are begun: an error that is told last, or that a date failed and none is to follow.
    pub over: Lock<Option<Option<Error>>>,
}

impl Dates<'_> {
    /// Runs a date, unless no more are to be begun.
    pub async fn run(&self, number: usize, date: Date, job: Option<&Job>) {
        let Some(job) = job.filter(|_| !self.is_over()) else { return };
        if let Err(error) = self.run_and_write(number, date, job).await {
            // The first is what stopped the others.
            self.end(Some(error));
        }
    }

    /// Writes that nobody is at it any more; returns what was written, and what stopped all of it.
    pub async fn close(self) -> (Ledger, Result<()>) {
        let mut book = self.book.into_inner();
        let closed = book.close().await;
        let over = self.over.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ended = match over.flatten() {
            Some(error) => Err(error),
            None => closed,
        };
        (book.ledger, ended)
    }

    async fn run_and_write(&self, number: usize, date: Date, job: &Job) -> Result<()> {
        let before = self.book.lock().await.entry(date);
        let started_at = Some(Timestamp::now());
        let attempts = before.attempts + 1;
        let mut entry = DateEntry { state: DateState::Running, attempts, started_at, ..DateEntry::default() };
        self.book.lock().await.write([(date, entry.clone())]).await?;
        self.tell(number, date, &entry);
        let mut run = None;
        let ended = self.order(date, job, &mut run).await;
        entry.ended_at = Some(Timestamp::now());
        entry.run = run;
        let stopped = match ended {
            Ok(ran) => {
                settle(&mut entry, ran);
                None
            }
            Err(error) => {
                entry.state = match error.kind {
                    // It goes on without us.
                    Kind::Detached => DateState::Running,
                    Kind::Interrupted => DateState::Cancelled,
                    _ => DateState::Failed,
                };
                entry.error = Some(line(&error.message));
                entry.exit_code = Some(error.kind.exit_code());
                Some(error)
            }
        };
        self.book.lock().await.write([(date, entry.clone())]).await?;
        self.tell(number, date, &entry);
        match stopped {
            Some(error) if matches!(error.kind, Kind::Detached | Kind::Interrupted) => Err(error),
            Some(error) => self.failed(&error),
            None => Ok(()),
        }
    }

    /// Runs the job for a date; `run` becomes the run as soon as it is claimed.
    async fn order(&self, date: Date, job: &Job, run: &mut Option<RunId>) -> Result<DateOutcome> {
        let options = self.args.watching.options();
        let mut services = self.app.services_on(self.project, self.connections, options)?;
        services.stop = self.services.stop.clone();
        let select = Select { force: self.args.force, ..Select::default() };
        let mut asked: Vec<String> = self.args.params.iter().map(|param| format!("--param={param}")).collect();
        asked.extend(self.args.force.then(|| "--force".to_string()));
        let code = jobs::code(self.project, job, &services)?;
        let submission = Submission { project: self.project, job, date, select, asked, code };
        let mut inner = self.sink();
        let mut sink = RunIdSink { inner: inner.as_mut(), run, several: self.args.parallel > 1 };
        Ok(match submission.execute(&services, options, &mut sink).await? {
            SubmitOutcome::Nothing(_, plan) => DateOutcome::Nothing(DateWork::of(&plan)),
            SubmitOutcome::Published(outcome) => DateOutcome::published(*outcome)?,
            SubmitOutcome::Attached(id, attached) => {
                *run = Some(id);
                DateOutcome::attached(*attached)?
            }
        })
    }

    /// Tells in full why a date failed; the others go on unless that is not wanted.
    fn failed(&self, error: &Error) -> Result<()> {
        // Lines for programs have it in the event.
        if !self.app.tells_ndjson() {
            problem::write_text(error, &self.app.err_style, &mut stderr())?;
        }
        if self.args.stop_on_failure {
            self.end(None);
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        *self.services.stop.borrow() != Stop::Go || self.locked().is_some()
    }

    fn end(&self, why: Option<Error>) {
        self.locked().get_or_insert(why);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Option<Error>>> {
        self.over.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Each story has a listener of its own: a live view is of one run, and there is none where several run at once.
    fn sink(&self) -> Box<dyn Sink> {
        if self.args.parallel > 1 { self.app.lines() } else { self.app.sink() }
    }

    fn tell(&self, number: usize, date: Date, entry: &DateEntry) {
        let took = entry.started_at.zip(entry.ended_at).map(|(began, ended)| ended.duration_since(began));
        self.sink().emit(Event::BackfillDate {
            date: date.to_string(),
            state: entry.state,
            number,
            of: self.of,
            run: entry.run.clone(),
            steps: entry.steps,
            rows: entry.rows,
            seconds: took.map_or(0.0, |took| took.as_secs_f64()),
            error: entry.error.clone(),
        });
    }
}

/// What a date came to.
enum DateOutcome {
    /// It was published before.
    Nothing(DateWork),
    /// It was published: by a run of so many steps and rows.
    Published { steps: u64, rows: u64, work: Option<DateWork> },
}

impl DateOutcome {
    /// Returns the error of a publication that Glue does not show: the date is to be looked at again.
    fn published(outcome: Outcome) -> Result<Self> {
        if let Some(mut error) = outcome.unshown {
            error.message = run::not_shown(&outcome.record.run, &error);
            return Err(error);
        }
        let ran: Vec<_> = outcome.plan.steps.iter().filter(|step| step.action == Action::Run).collect();
        let results = ran.iter().filter_map(|step| outcome.results.get(&step.step.name));
        let rows = results.flat_map(|result| result.tables.values()).map(Written::rows).sum();
        Ok(Self::Published { steps: ran.len() as u64, rows, work: Some(DateWork::of(&outcome.plan)) })
    }

    fn attached(attached: Attached) -> Result<Self> {
        match attached {
            Attached::Finished(outcome) => Self::published(*outcome),
            Attached::Over(record) if record.state == RunState::Succeeded => {
                let rows = record.steps.iter().flat_map(|step| step.rows.values()).sum();
                // What it was made from is not known here: the next plan says whether anything is left.
                Ok(Self::Published { steps: record.steps.len() as u64, rows, work: None })
            }
            Attached::Over(record) | Attached::Empty(record) | Attached::Behind(record) => {
                let run = &record.run;
                Err(Error::new(Kind::Job, format!("run `{run}`, which someone else drove, did not publish"))
                    .hint(format!("`soflow runs show {run}` says why")))
            }
        }
    }
}

fn settle(entry: &mut DateEntry, ended: DateOutcome) {
    match ended {
        DateOutcome::Nothing(work) => {
            (entry.state, entry.done) = (DateState::NothingToDo, Some(work));
            // One that gave way to another run has published nothing.
            entry.run = None;
        }
        DateOutcome::Published { steps, rows, work } => {
            (entry.state, entry.done) = (DateState::Done, work);
            (entry.steps, entry.rows) = (steps, rows);
        }
    }
}

/// A listener that notes the run on its way to another one.
struct RunIdSink<'a> {
    inner: &'a mut dyn Sink,
    run: &'a mut Option<RunId>,
    /// Whether runs of other dates tell their stories at the same time: only what names its run is told then.
    several: bool,
}

impl Sink for RunIdSink<'_> {
    fn emit(&mut self, event: Event) {
        if let Event::RunStarted { run, .. } = &event {
            *self.run = Some(run.clone());
        }
        let named = matches!(
            event,
            Event::RunStarted { .. } | Event::Published { .. } | Event::RunFinished { .. } | Event::Warning { .. }
        );
        if named || !self.several {
            self.inner.emit(event);
        }
    }
}
