//! The parts of a run that an execution drives: each takes it from wherever it is, as far as its name says.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::watch;

use super::ended::give_back;
use crate::aws::CallError;
use crate::cli::app::{App, yesterday};
use crate::cli::args::{Selection, TargetOptions, Watching};
use crate::cli::submit::{Submission, SubmitOutcome};
use crate::cli::workspace::Workspace;
use crate::cli::{attach, jobs};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::names::RunId;
use crate::run::{Attached, Part, Reach, RunRecord, Services};
use crate::targets::Stop;

/// What an execution hands to each of its handlers: its input, and what the handlers before have answered.
#[derive(Debug, Deserialize)]
pub struct Payload {
    /// The job, by its name.
    pub job: String,
    /// The logical date.
    pub date: Option<Date>,
    /// When the schedule fired, UTC: the logical date is the day before.
    pub scheduled: Option<String>,
    /// Parameters of the job.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The run, once there is one.
    pub run: Option<RunId>,
    /// The ARN of the execution.
    pub execution: Option<String>,
    /// When the execution was started, UTC.
    pub started: Option<Timestamp>,
}

/// What a handler answers.
#[derive(Debug, Serialize)]
struct Answer {
    run: Option<RunId>,
    /// What comes next.
    next: Next,
    /// How long to wait before that, in seconds.
    wait: u64,
    /// Why, in a sentence.
    note: String,
}

/// What an execution does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Next {
    Begin,
    Cluster,
    Submit,
    Check,
    Publish,
    /// The same again, after a while.
    Wait,
    Done,
}

/// Drives a part of a run.
pub async fn part(app: &App, payload: Json, until: Reach, stop: watch::Receiver<Stop>) -> Result<Json> {
    let wrong = |error| Error::new(Kind::Usage, "the event is not what an execution sends").caused_by(error);
    let payload: Payload = serde_json::from_value(payload).map_err(wrong)?;
    let work = app.open(&TargetOptions::default(), Watching::default()).await?;
    work.project.emr()?;
    let part = Part { until, execution: payload.execution.clone() };
    let services = work.services_until(stop, Some(part))?;
    let mut sink = app.sink();
    let driven = drive(&work, &services, &payload, until, sink.as_mut()).await;
    let answer = match driven {
        Err(error) if error.kind == Kind::Detached || CallError::of(&error).is_some_and(CallError::is_passing) => {
            Answer {
                run: payload.run.clone(),
                next: Next::Wait,
                wait: pause(&work, &payload)?,
                note: error.to_string(),
            }
        }
        answer => answer?,
    };
    serde_json::to_value(answer)
        .map_err(|error| Error::new(Kind::Internal, "the answer cannot be written as JSON").caused_by(error))
}

async fn drive(
    work: &Workspace<'_>,
    services: &Services,
    payload: &Payload,
    until: Reach,
    sink: &mut dyn Sink,
) -> Result<Answer> {
    let attached = match &payload.run {
        Some(run) => attach::follow(work, services, run, sink).await?,
        None if until == Reach::Claimed => {
            let selection = payload.selection();
            let submission = Submission::new(work, services, &selection, jobs::asked(&work.project, &selection)?)?;
            return match submission.execute(work, services, sink).await? {
                SubmitOutcome::Nothing(summary, _) if !services.catalog.index().await?.shown => {
                    Ok(answer(summary.run, Next::Publish, "it is published, and not shown everywhere"))
                }
                outcome => begun(outcome),
            };
        }
        None => return Err(Error::new(Kind::Usage, "the event names no run")),
    };
    match attached {
        Attached::Left(record) => Ok(left(&record, until)),
        Attached::Finished(outcome) => {
            give_back(work, &outcome.record, sink).await?;
            match outcome.unshown {
                Some(error) => Err(error),
                None => Ok(done(outcome.record.run, "it is published")),
            }
        }
        Attached::Over(record) => {
            let answer = over(record)?;
            if services.publishes() {
                services.catalog.telling(services.catalog.settle(), sink).await?;
            }
            Ok(answer)
        }
        Attached::Empty(_) => Ok(Answer {
            run: None,
            next: Next::Begin,
            wait: 0,
            note: "it had not really begun when its process ended".into(),
        }),
        // What is left to do follows from what others have published meanwhile.
        Attached::Behind(record) if until == Reach::Claimed => {
            begun(Submission::after(&record)?.execute(work, services, sink).await?)
        }
        Attached::Behind(record) => {
            Ok(answer(record.run, Next::Begin, "what it was planned from is not what is published now"))
        }
    }
}

/// Returns what comes after a run was claimed.
fn begun(outcome: SubmitOutcome) -> Result<Answer> {
    match outcome {
        SubmitOutcome::Nothing(summary, _) => Ok(done(summary.run, "all of it is published")),
        SubmitOutcome::Published(outcome) => Ok(done(outcome.record.run, "it is published")),
        SubmitOutcome::Over(record) => over(record),
        SubmitOutcome::Left(record) => Ok(left(&record, Reach::Claimed)),
    }
}

fn left(record: &RunRecord, until: Reach) -> Answer {
    let next = match until {
        Reach::Claimed => Next::Cluster,
        Reach::OnCluster => Next::Submit,
        Reach::HandedOver => Next::Check,
        Reach::Ended | Reach::Published => Next::Publish,
    };
    answer(record.run.clone(), next, "")
}

fn done(run: RunId, note: &str) -> Answer {
    answer(run, Next::Done, note)
}

fn answer(run: RunId, next: Next, note: &str) -> Answer {
    Answer { run: Some(run), next, wait: 0, note: note.into() }
}

/// Returns the end of a run that someone else has ended.
fn over(record: Box<RunRecord>) -> Result<Answer> {
    let Some(kind) = attach::kind(&record) else { return Ok(done(record.run, "it is published")) };
    let run = &record.run;
    let cause = record.steps.iter().find_map(|step| Some((&step.name, step.cause.as_ref()?)));
    let error = match cause {
        Some((step, cause)) => {
            let error = Error::new(kind, format!("step `{step}` of run `{run}` failed: {}", cause.summary));
            error.detail(format!("{}\n\n{}", cause.excerpt, cause.place()))
        }
        None => Error::new(kind, record.error.clone().unwrap_or_else(|| format!("run `{run}` has failed"))),
    };
    Err(error.hint(format!("`soflow runs show {run}` shows how far it came")))
}

/// Returns how long to wait before the next look, in seconds: the longer it takes, the more seldom.
fn pause(work: &Workspace<'_>, payload: &Payload) -> Result<u64> {
    let emr = work.project.emr()?;
    let age = payload.started.map_or(0, |started| work.store.now().duration_since(started).as_secs());
    let (fastest, slowest) = (emr.poll_fastest.as_secs().max(1), emr.poll_slowest.as_secs().max(1));
    Ok((age.unsigned_abs() / 10).clamp(fastest, slowest.max(fastest)))
}

impl Payload {
    fn selection(&self) -> Selection {
        Selection {
            job: self.job.clone(),
            date: Some(self.logical_date()),
            params: self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            only: Vec::new(),
            from: None,
            force: false,
            local: TargetOptions::default(),
        }
    }

    /// Returns the logical date: the one that is asked for, or the day before the schedule fired.
    pub fn logical_date(&self) -> Date {
        let scheduled = self.scheduled.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        let day_before = |at: Timestamp| at.to_zoned_datetime(TimeZone::UTC).date().checked_sub(1.day()).ok();
        self.date.or_else(|| scheduled.and_then(day_before)).unwrap_or_else(yesterday)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_logical_date_is_the_one_asked_for_or_the_day_before_the_schedule() {
        let date = |input: Json| serde_json::from_value::<Payload>(input).unwrap().logical_date().to_string();
        assert_eq!(
            date(json!({ "job": "daily", "date": "2026-11-20", "scheduled": "2026-11-23T02:15:00Z" })),
            "2026-11-20"
        );
        assert_eq!(date(json!({ "job": "daily", "scheduled": "2026-11-23T02:15:00Z" })), "2026-11-22");
        // A stand-in for the scheduler leaves it as it is.
        let unknown = date(json!({ "job": "daily", "scheduled": "<aws.scheduler.scheduled-time>" }));
        assert_eq!(unknown, yesterday().to_string());
    }
}
