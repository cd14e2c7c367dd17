//! One date of a backfill: run as `submit` runs it, written to the ledger before and after.

use std::cell::RefCell;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::super::jobs;
use super::super::submit::{Submission, SubmitOutcome};
use super::super::workspace::Workspace;
use super::BackfillArgs;
use crate::error::{Error, Kind, Result};
use crate::event::{DateState, Event, RunState, Sink};
use crate::names::RunId;
use crate::plan::{Action, Written};
use crate::report::line;
use crate::run::{self, DateEntry, DateWork, Ledger, LedgerLease, Services};
use crate::targets::Stop;

/// The dates of a backfill on their way.
pub struct Dates<'a> {
    /// The lake.
    pub work: &'a Workspace<'a>,
    /// What was asked for.
    pub args: &'a BackfillArgs,
    /// What every date was planned with; each is driven with its own, as a target knows the run it works for.
    pub services: &'a Services,
    /// What is written of them.
    pub book: Mutex<LedgerLease>,
    /// How many dates are to run.
    pub of: usize,
    /// Why no more dates are begun: an error that is told last, or that a date failed and none is to follow.
    pub over: RefCell<Option<Result<()>>>,
}

impl Dates<'_> {
    /// Runs a date, unless no more are to be begun.
    pub async fn run(&self, number: usize, planned: &Submission) {
        if *self.services.stop.borrow() != Stop::Go || self.over.borrow().is_some() {
            return;
        }
        if let Err(error) = self.run_and_write(number, planned).await {
            self.end(Err(error));
        }
    }

    /// Writes that nobody is at it any more; returns what was written, and what stopped all of it.
    pub async fn close(self) -> (Ledger, Result<()>) {
        let mut book = self.book.into_inner();
        let closed = book.close().await;
        (book.ledger, self.over.into_inner().unwrap_or(Ok(())).and(closed))
    }

    async fn run_and_write(&self, number: usize, planned: &Submission) -> Result<()> {
        let date = planned.date;
        let attempts = self.book.lock().await.entry(date).attempts + 1;
        let started_at = Some(Timestamp::now());
        let mut entry = DateEntry { state: DateState::Running, attempts, started_at, ..DateEntry::default() };
        self.book.lock().await.write([(date, entry.clone())]).await?;
        self.tell(number, planned, &entry);
        let ended = self.order(planned, &mut entry).await;
        entry.ended_at = Some(Timestamp::now());
        if let Err(error) = &ended {
            entry.state = match error.kind {
                // It goes on without us.
                Kind::Detached => DateState::Running,
                Kind::Interrupted => DateState::Cancelled,
                _ => DateState::Failed,
            };
            entry.error = Some(line(&error.message));
            entry.exit_code = Some(error.kind.exit_code());
        }
        self.book.lock().await.write([(date, entry.clone())]).await?;
        self.tell(number, planned, &entry);
        match ended {
            Err(error) if entry.state == DateState::Failed => {
                // Why is told in full; lines for programs have it in the event.
                if !self.work.app.tells_ndjson() {
                    self.work.app.show_error(&error);
                }
                if self.args.stop_on_failure {
                    self.end(Ok(()));
                }
                Ok(())
            }
            ended => ended,
        }
    }

    /// Runs the job for a date and notes what came of it; the run as soon as it is claimed.
    async fn order(&self, planned: &Submission, entry: &mut DateEntry) -> Result<()> {
        let mut services = self.work.services()?;
        services.stop = self.services.stop.clone();
        let submission = Submission {
            job: planned.job.clone(),
            date: planned.date,
            select: planned.select.clone(),
            asked: planned.asked.clone(),
            code: jobs::code(&self.work.project, &planned.job, &services)?,
            page: false,
        };
        let mut inner = self.sink();
        let several = self.args.parallel > 1;
        let mut sink = RunIdSink { inner: inner.as_mut(), run: &mut entry.run, several };
        match submission.execute(self.work, &services, &mut sink).await? {
            SubmitOutcome::Nothing(_, plan) => {
                (entry.state, entry.done) = (DateState::NothingToDo, Some(DateWork::of(&plan)));
                // One that gave way to another run has published nothing.
                entry.run = None;
            }
            SubmitOutcome::Published(outcome) => {
                entry.run = Some(outcome.record.run.clone());
                // The date is to be looked at again.
                if let Some(mut error) = outcome.unshown {
                    error.message = run::not_shown(&outcome.record.run, &error);
                    return Err(error);
                }
                let ran: Vec<_> = outcome.plan.steps.iter().filter(|step| step.action == Action::Run).collect();
                let results = ran.iter().filter_map(|step| outcome.results.get(&step.step.name));
                entry.rows = results.flat_map(|result| result.tables.values()).map(Written::rows).sum();
                entry.steps = ran.len() as u64;
                (entry.state, entry.done) = (DateState::Done, Some(DateWork::of(&outcome.plan)));
            }
            // What it was made from is not known here: the next plan says whether anything is left.
            SubmitOutcome::Over(record) | SubmitOutcome::Left(record) => {
                let run = &record.run;
                entry.run = Some(run.clone());
                if record.state != RunState::Succeeded {
                    return Err(Error::new(
                        Kind::Job,
                        format!("run `{run}`, which someone else drove, did not publish"),
                    )
                    .hint(format!("`soflow runs show {run}` says why")));
                }
                entry.rows = record.steps.iter().flat_map(|step| step.rows.values()).sum();
                entry.steps = record.steps.len() as u64;
                entry.state = DateState::Done;
            }
        }
        Ok(())
    }

    /// Begins no more dates; the first reason is the one that counts.
    fn end(&self, why: Result<()>) {
        self.over.borrow_mut().get_or_insert(why);
    }

    /// Each story has a listener of its own: a live view is of one run, and there is none where several run at once.
    fn sink(&self) -> Box<dyn Sink> {
        if self.args.parallel > 1 { self.work.app.lines() } else { self.work.app.sink() }
    }

    fn tell(&self, number: usize, planned: &Submission, entry: &DateEntry) {
        let took = entry.started_at.zip(entry.ended_at).map(|(began, ended)| ended.duration_since(began));
        self.sink().emit(Event::BackfillDate {
            date: planned.date.to_string(),
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
