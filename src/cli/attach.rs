//! `soflow attach`: watch a run that another process began, and finish it when nobody else does; `soflow cancel`: end it.

use std::time::Instant;

use serde_json::json;

use super::app::App;
use super::args::{TargetOptions, Watching};
use super::runs;
use super::submit::{self, Submission};
use super::workspace::Workspace;
use crate::diagnose::Class;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink};
use crate::names::RunId;
use crate::run::{self, Attached, How, RunRecord, Services};
use crate::targets::Stop;

/// Watches a run and finishes it.
pub async fn attach(app: &App, run: &str, watching: Watching) -> Result<u8> {
    let run: RunId = run.parse()?;
    let work = app.open(&TargetOptions::default(), watching).await?;
    work.project.emr()?;
    let services = work.services()?;
    let mut sink = app.sink();
    match follow(&work, &services, &run, sink.as_mut()).await? {
        Attached::Behind(record) => Submission::after(&record)?.run(&work, &services, sink).await,
        Attached::Finished(outcome) => {
            drop(sink);
            submit::print(app, &submit::published(&outcome), outcome.unshown)
        }
        Attached::Over(record) | Attached::Left(record) => {
            drop(sink);
            over(app, &record)
        }
        Attached::Empty(_) => Err(Error::new(Kind::Usage, format!("run `{run}` had not begun when its process ended"))
            .hint(format!("begin anew: `soflow submit {} --date {}`", run.job, run.date))),
    }
}

/// Goes on with a run to its end.
pub async fn follow(work: &Workspace<'_>, services: &Services, run: &RunId, sink: &mut dyn Sink) -> Result<Attached> {
    let me = services.owner.as_ref().ok_or_else(|| Error::new(Kind::Internal, "nobody attaches"))?;
    let how = How { me, every: work.project.emr()?.poll_fastest, force: work.watching.force_lease };
    run::attach(services, work.lake(), run, how, sink).await
}

/// Waits until a run has ended that does something else than what is wanted now.
///
/// # Errors
/// `Held` when the person has not asked for waiting, or it took too long, or nobody drives the run.
pub async fn wait_behind(
    work: &Workspace<'_>,
    services: &Services,
    mut record: RunRecord,
    differences: &[String],
    sink: &mut dyn Sink,
) -> Result<()> {
    let (run, new) = (record.run.clone(), differences.join(", "));
    let patience = work.watching.queue_for.unwrap_or_default();
    let until = Instant::now() + patience;
    if !patience.is_zero() {
        let text = format!("Waiting for run {run}, which was asked for something else: {new}.");
        sink.emit(Event::Note { text });
    }
    let mut stop = services.stop.clone();
    while record.state == RunState::Running {
        let (me, now) = (services.owner.as_ref(), services.store.now());
        let driver = record.driver.as_ref().filter(|driver| me.is_none_or(|me| driver.is_live(now, me)));
        if driver.is_none() || Instant::now() >= until {
            let who = match driver {
                Some(driver) => format!("driven by {} until {:.0}, unless renewed", driver.owner, driver.until),
                None => "nobody drives it: it waits for someone to attach".to_string(),
            };
            return Err(Error::new(Kind::Held, format!("run `{run}` is going on, and was asked for something else"))
                .detail(format!("what is new: {new}\n{who}"))
                .hint(format!("watch it, and publish: `soflow attach {run}`; end it: `soflow cancel {run}`"))
                .hint("run this after it: the same command with `--queue-for 2h`"));
        }
        tokio::select! {
            () = tokio::time::sleep(work.project.emr()?.poll_fastest) => {}
            Ok(_) = stop.wait_for(|stop| *stop != Stop::Go) => {
                return Err(Error::new(Kind::Interrupted, format!("stopped waiting for run `{run}`")));
            }
        }
        record = run::load_run(services.store.as_ref(), &work.lake().artifacts, &run).await?;
    }
    Ok(())
}

/// Prints a run that is over; returns the exit code that its driver ended with.
pub fn over(app: &App, record: &RunRecord) -> Result<u8> {
    app.answer(record, |layout| runs::shown(record, layout))?;
    Ok(kind(record).map_or(0, Kind::exit_code))
}

/// Returns the kind of failure that a run's driver ended with; `None` of one that is published and shown.
pub fn kind(record: &RunRecord) -> Option<Kind> {
    Some(match record.state {
        RunState::Succeeded if record.error.is_none() => return None,
        RunState::Succeeded => Kind::Machine,
        RunState::Refused => Kind::Audit,
        RunState::Cancelled | RunState::Interrupted => Kind::Interrupted,
        RunState::Running => Kind::Detached,
        RunState::Failed => {
            let class = record.steps.iter().find_map(|step| Some(step.cause.as_ref()?.class));
            class.unwrap_or(Class::Service).kind()
        }
    })
}

/// Cancels what has not ended of a run. Whoever drives it finds out at its next word.
pub async fn cancel(app: &App, run: &str) -> Result<u8> {
    let run: RunId = run.parse()?;
    let work = app.workspace().await?;
    work.project.emr()?;
    let services = work.services()?;
    let before = run::load_run(services.store.as_ref(), &work.lake().artifacts, &run).await?;
    let mut cancelled = before.state == RunState::Running;
    if cancelled {
        let why = Error::new(Kind::Interrupted, format!("cancelled by {}", app.owner()));
        let ended = run::cancel(&services, work.lake(), &run, why, app.sink().as_mut()).await?;
        // It may have been too late.
        cancelled = ended.state == RunState::Cancelled;
    }
    app.answer(&json!({ "run": run, "cancelled": cancelled }), |_| match cancelled {
        true => format!("Run {run} is cancelled; finished steps are kept.\n  soflow retry {run}\n"),
        false => format!("Nothing to cancel: run {run} is over.\n"),
    })
}
