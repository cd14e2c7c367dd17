//! What happens when an execution has ended, however it did: what its run still has is given back, and people are told.
//!
//! Three ways lead here: the state machine itself after an error, the rule on executions that ended, and, for those that
//! neither has told of, the schedule of `reap`.

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::alert::{Message, Place, failed, lost, recovered};
use super::drive::Payload;
use crate::aws::SNS;
use crate::cli::app::{App, today};
use crate::cli::args::{TargetOptions, Watching};
use crate::cli::attach;
use crate::cli::workspace::Workspace;
use crate::deploy::unpacked;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink};
use crate::names::{RunId, RunKey};
use crate::run::{self, News, RunRecord, Telling};
use crate::targets::emr::{ClusterName, Clusters};
use crate::targets::{Placed, Stop};

/// Where people are told: the ARN of a topic, set for the functions of a stack.
const TOPIC: &str = "SOFLOW_ALERTS";

/// How an execution has ended.
pub struct EndedExecution {
    /// Its ARN.
    pub arn: String,
    /// The job and the logical date.
    pub key: RunKey,
    /// Its run, when it had one.
    pub run: Option<RunId>,
    /// The error's name and its text; `None` of one that succeeded.
    pub error: Option<(String, String)>,
}

/// What the state machine sends, besides what it sends to all handlers.
#[derive(Deserialize)]
struct Caught {
    error: CaughtError,
}

/// An error as state machines have it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CaughtError {
    #[serde(default)]
    error: String,
    #[serde(default)]
    cause: String,
}

/// The event of Step Functions. Source: its developer guide, "Step Functions Execution Status Change".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusChange {
    execution_arn: String,
    status: String,
    /// Not there when it is longer than 248 KiB.
    input: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

/// The event of EMR. Source: EMR management guide, "Monitor Amazon EMR events with CloudWatch".
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClusterChange {
    cluster_id: String,
    name: String,
    #[serde(default)]
    state_change_reason: String,
}

/// Ends what an execution left behind, and tells people once.
pub async fn ended(app: &App, payload: Json, stop: watch::Receiver<Stop>) -> Result<Json> {
    if payload["source"] == "aws.emr" {
        return lost_cluster(app, &payload["detail"]).await;
    }
    let execution = execution(payload)?;
    let work = app.open(&TargetOptions::default(), Watching::default()).await?;
    let mut sink = app.sink();
    let told = settle(&work, &execution, stop, sink.as_mut()).await?;
    Ok(json!({ "run": execution.run, "told": told }))
}

/// Returns which execution an event is about.
fn execution(payload: Json) -> Result<EndedExecution> {
    let wrong = |error| Error::new(Kind::Usage, "the event is not one of an execution").caused_by(error);
    if payload.get("detail").is_none() {
        let CaughtError { error, cause } = Caught::deserialize(&payload).map_err(wrong)?.error;
        let input = Payload::deserialize(&payload).map_err(wrong)?;
        let arn = input.execution.clone().unwrap_or_default();
        return Ok(EndedExecution { arn, key: input.key(), run: input.run, error: Some((error, unpacked(&cause))) });
    }
    let change = StatusChange::deserialize(&payload["detail"]).map_err(wrong)?;
    let input = serde_json::from_str::<Payload>(change.input.as_deref().unwrap_or_default()).map_err(wrong)?;
    let error = match change.status.as_str() {
        "SUCCEEDED" => None,
        "TIMED_OUT" => Some(("TimedOut".into(), "the execution took longer than it may".into())),
        "ABORTED" => {
            let why = change.cause.filter(|cause| !cause.is_empty()).map(|cause| format!(": {cause}"));
            Some(("Aborted".into(), format!("someone stopped the execution{}", why.unwrap_or_default())))
        }
        _ => Some((change.error.unwrap_or_default(), unpacked(&change.cause.unwrap_or_default()))),
    };
    Ok(EndedExecution { arn: change.execution_arn, key: input.key(), run: input.run, error })
}

/// Ends the run of an execution if it goes on, gives its cluster back, and tells how it went. Returns whether it was told
/// now.
async fn settle(
    work: &Workspace<'_>,
    execution: &EndedExecution,
    stop: watch::Receiver<Stop>,
    sink: &mut dyn Sink,
) -> Result<bool> {
    let (mut record, services) = (record_of(work, execution).await?, work.services_until(stop, None)?);
    if let (Some(there), Some((name, text))) = (&record, &execution.error)
        && there.state == RunState::Running
    {
        let kind = if name == "Aborted" { Kind::Interrupted } else { Kind::Machine };
        let why = Error::new(kind, text.lines().next().unwrap_or(name).to_string());
        record = Some(run::cancel(&services, work.lake(), &there.run, why, sink).await?);
    }
    if let Some(ended) = record.take() {
        give_back(work, &ended, sink).await?;
        record = Some(run::agreed(&services, work.lake(), ended).await?);
    }
    let published = record.as_ref().is_some_and(|record| attach::kind(record).is_none());
    let about = record.as_ref().map_or_else(|| execution.arn.clone(), |record| record.run.to_string());
    match &execution.error {
        // Stopped when all was done.
        Some(_) if !published => {
            let message = failed(&Place::of(work)?, execution, record.as_ref());
            tell(work, &execution.key, News::Failed, &about, message).await
        }
        _ => {
            tell(work, &execution.key, News::Recovered, &about, recovered(&Place::of(work)?, &execution.key, &about))
                .await
        }
    }
}

/// Returns the record of the run that an execution drives, unless someone else took the run over and drives it now.
async fn record_of(work: &Workspace<'_>, execution: &EndedExecution) -> Result<Option<RunRecord>> {
    let (store, artifacts) = (work.store.as_ref(), &work.lake().artifacts);
    let record = match &execution.run {
        Some(run) => Some(run::load_run(store, artifacts, run).await?),
        None => run::latest(store, artifacts, &execution.key).await?,
    };
    Ok(record.filter(|record| record.execution.as_ref() == Some(&execution.arn)))
}

/// Tells people of a cluster that ended with an error. What one means that was made for a run its run tells.
async fn lost_cluster(app: &App, detail: &Json) -> Result<Json> {
    let wrong = |error| Error::new(Kind::Usage, "the event is not one of a cluster").caused_by(error);
    let ClusterChange { cluster_id, name, state_change_reason } = ClusterChange::deserialize(detail).map_err(wrong)?;
    if ClusterName::parse(&name).is_none_or(|name| name.run().is_some()) {
        return Ok(json!({ "cluster": cluster_id, "told": false }));
    }
    let work = app.workspace().await?;
    let key = RunKey { job: cluster_id.clone(), date: today() };
    let message = lost(&Place::of(&work)?, &cluster_id, &unpacked(&state_change_reason));
    let told = tell(&work, &key, News::Failed, &cluster_id, message).await?;
    Ok(json!({ "cluster": cluster_id, "told": told }))
}

/// Ends the clusters that were made for a run, unless others use them: nobody waits beside them for the next one.
pub async fn give_back(work: &Workspace<'_>, record: &RunRecord, sink: &mut dyn Sink) -> Result<()> {
    let clusters = work.clusters()?;
    for placed in record.left.iter().chain(&record.placed).filter(|placed| placed.made) {
        end_cluster(&clusters, &placed.cluster, sink).await?;
    }
    Ok(())
}

/// Ends the clusters of runs that executions drove and that are over: a function that was at work when its execution was
/// stopped may have made one, or handed steps over, after that, and the event of an execution's end may never have come.
pub async fn give_back_late(
    work: &Workspace<'_>,
    stop: watch::Receiver<Stop>,
    sink: &mut dyn Sink,
) -> Result<Vec<String>> {
    let (clusters, services, mut ended) = (work.clusters()?, work.services_until(stop, None)?, Vec::new());
    for cluster in clusters.candidates().await? {
        // Others were made by a person, for whoever comes.
        let Some(run) = cluster.name.run() else { continue };
        let record = match run::load_run(work.store.as_ref(), &work.lake().artifacts, &run).await {
            Err(error) if error.kind == Kind::Usage => continue,
            record => record?,
        };
        if record.execution.is_none() || record.state == RunState::Running {
            continue;
        }
        let placed = Placed { cluster: cluster.id, made: true };
        services.target.cancel(&run, &placed, record.started_at).await?;
        if end_cluster(&clusters, &placed.cluster, sink).await? {
            ended.push(placed.cluster);
        }
    }
    Ok(ended)
}

/// Ends a cluster unless it is in use; returns whether it did.
async fn end_cluster(clusters: &Clusters, id: &str, sink: &mut dyn Sink) -> Result<bool> {
    match clusters.down(id, false).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind, Kind::Held | Kind::Usage) => {
            sink.emit(Event::Note { text: format!("Cluster {id} stays: {error}.") });
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Tells people of failures that have been mended by other ways than an execution, such as a retry from a laptop.
pub async fn tell_of_mended(work: &Workspace<'_>) -> Result<Vec<RunId>> {
    let (store, artifacts) = (work.store.as_ref(), &work.lake().artifacts);
    let mut mended = Vec::new();
    for key in run::failures_told(store, artifacts).await? {
        let Some(record) = run::latest(store, artifacts, &key).await? else { continue };
        if attach::kind(&record).is_none() {
            let about = record.run.to_string();
            tell(work, &key, News::Recovered, &about, recovered(&Place::of(work)?, &key, &about)).await?;
            mended.push(record.run);
        }
    }
    Ok(mended)
}

async fn tell(work: &Workspace<'_>, key: &RunKey, news: News, about: &str, message: Message) -> Result<bool> {
    let (store, artifacts) = (work.store.as_ref(), &work.lake().artifacts);
    let Some(topic) = work.app.environment.get(TOPIC).filter(|topic| !topic.is_empty()) else { return Ok(false) };
    run::tell_once(store, artifacts, Telling { key, news, about }, async || {
        let fields = [("TopicArn", topic), ("Subject", &message.subject), ("Message", &message.text)];
        let fields = fields.map(|(name, value)| (name.to_string(), value.clone()));
        work.session()?.query(&SNS, "Publish", &fields).await?;
        Ok(())
    })
    .await
}

impl Payload {
    fn key(&self) -> RunKey {
        let date: Date = self.run.as_ref().map_or_else(|| self.logical_date(), |run| run.date);
        RunKey { job: self.job.clone(), date }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_read_from_both_who_tell_it() {
        let told = |payload: Json| {
            let EndedExecution { arn, key, run, error } = execution(payload).unwrap();
            (arn, format!("{} {}", key.job, key.date), run.map(|run| run.to_string()), error)
        };
        let error = |name: &str, text: &str| Some((name.to_string(), text.to_string()));
        let cause =
            json!({ "errorType": "JobFailed", "errorMessage": "step `a` failed\nhint: x", "trace": [] }).to_string();
        let caught = json!({
            "job": "daily", "scheduled": "2026-11-23T02:15:00Z", "run": "daily.2026-11-22.3", "execution": "arn:x", "at": "Check",
            "next": "check", "error": { "Error": "JobFailed", "Cause": cause },
        });
        let expected = error("JobFailed", "step `a` failed\nhint: x");
        assert_eq!(
            told(caught),
            ("arn:x".into(), "daily 2026-11-22".into(), Some("daily.2026-11-22.3".into()), expected)
        );
        let event = |status: &str, cause: Json| {
            let input = json!({ "job": "daily", "date": "2026-11-20" }).to_string();
            let detail =
                json!({ "executionArn": "arn:y", "name": "8f1b", "status": status, "input": input, "cause": cause });
            told(json!({ "source": "aws.states", "detail": detail }))
        };
        for (status, cause, expected) in [
            ("SUCCEEDED", Json::Null, None),
            ("TIMED_OUT", Json::Null, error("TimedOut", "the execution took longer than it may")),
            ("ABORTED", Json::Null, error("Aborted", "someone stopped the execution")),
            ("ABORTED", "by anna".into(), error("Aborted", "someone stopped the execution: by anna")),
            ("FAILED", "as it is".into(), error("", "as it is")),
        ] {
            assert_eq!(event(status, cause), ("arn:y".into(), "daily 2026-11-20".into(), None, expected), "{status}");
        }
        assert_eq!(execution(json!({ "job": "daily" })).err().unwrap().kind, Kind::Usage);
        assert_eq!(unpacked(r#"{"code":"INTERNAL_ERROR","message":"no capacity"}"#), "no capacity");
    }
}
