//! `soflow attach`: watch a run that another process began, and finish it when nobody else does; `soflow cancel`: end it.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::app::App;
use super::args::{AttachArgs, CancelArgs};
use super::connections::RunOptions;
use super::project::Project;
use super::submit;
use super::submit::Submission;
use crate::diagnose::Class;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink};
use crate::names::RunId;
use crate::report::{Answer, Layout};
use crate::run::{self, Attached, How, RunRecord, Services};
use crate::store::lease::Claim;
use crate::targets::Stop;

/// Watches a run and finishes it.
pub async fn attach(app: &App, args: &AttachArgs) -> Result<u8> {
    let project = app.project(None)?;
    let options = args.watching.options();
    let run: RunId = args.run.parse()?;
    project.emr()?;
    let mut sink = app.sink();
    app.warn(&project, sink.as_mut());
    let services = app.services(&project, options).await?;
    let attachment = Attachment { project: &project, services: &services, run, options };
    let ended = attachment.attach(sink.as_mut()).await?;
    attachment.tell(app, ended, sink).await
}

/// A run to go on with.
pub struct Attachment<'a> {
    /// The project.
    pub project: &'a Project,
    /// What it is driven with.
    pub services: &'a Services,
    /// The run.
    pub run: RunId,
    /// What the person wants.
    pub options: RunOptions,
}

impl Attachment<'_> {
    /// Goes on with the run to its end.
    pub async fn attach(&self, sink: &mut dyn Sink) -> Result<Attached> {
        let me = self.services.owner.as_ref().ok_or_else(|| Error::new(Kind::Internal, "nobody attaches"))?;
        let every: Duration = self.project.emr()?.poll_fastest;
        let how = How { me, every, force: self.options.force };
        run::attach(self.services, &self.project.target()?.lake, &self.run, how, sink).await
    }

    /// Waits until a run has ended that does something else than what is wanted now.
    ///
    /// # Errors
    /// `Held` when the person has not asked for waiting, or it took too long, or nobody drives the run.
    pub async fn wait_behind(&self, record: &RunRecord, differences: &[String], sink: &mut dyn Sink) -> Result<()> {
        let patience = self.options.queue.unwrap_or_default();
        let (until, mut record) = (Instant::now() + patience, record.clone());
        if !patience.is_zero() {
            let what = differences.join(", ");
            let text = format!("Waiting for run {}, which was asked for something else: {what}.", record.run);
            sink.emit(Event::Note { text });
        }
        let artifacts = &self.project.target()?.lake.artifacts;
        let mut stop = self.services.stop.clone();
        while record.state == RunState::Running {
            let me = self.services.owner.as_ref();
            let driver = record
                .driver
                .as_ref()
                .filter(|driver| me.is_none_or(|me| driver.is_live(self.services.store.now(), me)));
            if driver.is_none() || Instant::now() >= until {
                return Err(self.busy(driver, differences));
            }
            tokio::select! {
                () = tokio::time::sleep(self.project.emr()?.poll_fastest) => {}
                Ok(_) = stop.wait_for(|stop| *stop != Stop::Go) => {
                    return Err(Error::new(Kind::Interrupted, format!("stopped waiting for run `{}`", record.run)));
                }
            }
            record = run::load_run(self.services.store.as_ref(), artifacts, &record.run).await?;
        }
        Ok(())
    }

    fn busy(&self, driver: Option<&Claim>, differences: &[String]) -> Error {
        let run = &self.run;
        let who = match driver {
            Some(driver) => format!("driven by {} until {:.0}, unless renewed", driver.owner, driver.until),
            None => "nobody drives it: it waits for someone to attach".to_string(),
        };
        Error::new(Kind::Held, format!("run `{run}` is going on, and was asked for something else"))
            .detail(format!("what is new: {}\n{who}", differences.join(", ")))
            .hint(format!("watch it, and publish: `soflow attach {run}`; end it: `soflow cancel {run}`"))
            .hint("run this after it: the same command with `--queue-for 2h`")
    }

    /// Does what a closed run has left to a run after it: with the job, the code and the options of its record.
    async fn go_on_after(&self, app: &App, record: RunRecord, sink: Box<dyn Sink>) -> Result<u8> {
        let missing = || Error::new(Kind::Internal, "a run that others could take over has no intent");
        let intent = record.intent.as_ref().ok_or_else(missing)?;
        let mut select = intent.select.clone();
        select.after.push(record.run.clone());
        let (project, job, date, asked) = (self.project, &intent.job, record.run.date, record.asked.clone());
        let submission = Submission { project, job, date, select, asked, code: intent.code(&record) };
        Box::pin(submission.run(app, self.services, self.options, sink)).await
    }

    /// Prints how the run ended and returns the exit code that says so.
    pub async fn tell(&self, app: &App, ended: Attached, sink: Box<dyn Sink>) -> Result<u8> {
        match ended {
            Attached::Behind(record) => self.go_on_after(app, *record, sink).await,
            Attached::Finished(outcome) => {
                drop(sink);
                submit::print(app, &submit::published(&outcome), outcome.unshown)
            }
            Attached::Over(record) => {
                drop(sink);
                app.answer(record.as_ref())?;
                Ok(code(&record))
            }
            Attached::Empty(record) => {
                let (run, job, date) = (&record.run, &record.run.job, record.run.date);
                Err(Error::new(Kind::Usage, format!("run `{run}` had not begun when its process ended"))
                    .hint(format!("begin anew: `soflow submit {job} --date {date}`")))
            }
        }
    }
}

/// Returns the exit code that the driver of a run that is over ended with.
fn code(record: &RunRecord) -> u8 {
    let kind = match record.state {
        RunState::Succeeded if record.error.is_none() => return 0,
        RunState::Succeeded => Kind::Machine,
        RunState::Refused => Kind::Audit,
        RunState::Cancelled | RunState::Interrupted => Kind::Interrupted,
        RunState::Running => Kind::Detached,
        RunState::Failed => {
            let class = record.steps.iter().find_map(|step| Some(step.cause.as_ref()?.class));
            class.unwrap_or(Class::Service).kind()
        }
    };
    kind.exit_code()
}

/// Cancels what has not ended of a run. Whoever drives it finds out at its next word.
pub async fn cancel(app: &App, args: &CancelArgs) -> Result<u8> {
    let project = app.project(None)?;
    project.emr()?;
    let run: RunId = args.run.parse()?;
    let services = app.services(&project, RunOptions::default()).await?;
    let lake = &project.target()?.lake;
    let before = run::load_run(services.store.as_ref(), &lake.artifacts, &run).await?;
    if before.state != RunState::Running {
        return app.answer(&CancelledRun { run: &run, cancelled: false });
    }
    let me = app.owner();
    let mut sink = app.sink();
    run::cancel(&services, lake, &run, &me, sink.as_mut()).await?;
    drop(sink);
    app.answer(&CancelledRun { run: &run, cancelled: true })
}

/// What became of a run that is not wanted any more.
#[derive(Serialize)]
struct CancelledRun<'a> {
    run: &'a RunId,
    /// Whether it was still going on.
    cancelled: bool,
}

impl Answer for CancelledRun<'_> {
    fn text(&self, _: &Layout) -> String {
        let run = self.run;
        match self.cancelled {
            true => format!("Run {run} is cancelled; finished steps are kept.\n  soflow retry {run}\n"),
            false => format!("Nothing to cancel: run {run} is over.\n"),
        }
    }
}
