//! Why a step failed or a cluster ended: what EMR says, and what the logs say once they are there.

use std::collections::BTreeMap;

use tokio::sync::mpsc::UnboundedSender;

use super::Clusters;
use super::answers::{Cluster, EmrStep, FailureDetails, Instance, StepState};
use super::logs::s3;
use crate::diagnose::{self, Class, ClusterEnd, Finding, LostInstance};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::targets::{Cause, Ended, Note, StepEnd};

/// How often logs and FailureDetails are looked for, with growing pauses, before what is known must do. With the default
/// pace that is about six minutes: EMR pushes logs every five.
const LOOKS: u32 = 14;

/// Why a cluster ended.
pub(super) struct ClusterLoss {
    finding: Finding,
    /// One line.
    pub summary: String,
    /// Whether the steps can go on elsewhere.
    pub elsewhere: bool,
}

impl ClusterLoss {
    /// Returns the error of a run that ends with its cluster.
    pub fn into_error(self, cluster: &Cluster) -> Error {
        let mut error = self.finding.error(&format!("cluster `{}` ended", cluster.id));
        // What a cluster could not do is never the job's fault.
        error.kind = Kind::Machine;
        error.hint(format!("all that EMR knows: `soflow cluster show {}`", cluster.id))
    }
}

impl Clusters {
    /// Returns why a cluster ended: one call about its primary node, which may have been a spot instance.
    pub(super) async fn why_lost(&self, cluster: &Cluster) -> ClusterLoss {
        // What cannot be asked must not hide that the cluster ended.
        let primaries = self.api.primaries(&cluster.id).await.unwrap_or_default();
        let lost = |instance: Instance| LostInstance {
            id: instance.id,
            role: "primary".into(),
            spot: instance.spot,
            message: instance.reason,
        };
        let instances: Vec<LostInstance> = primaries.into_iter().map(lost).collect();
        let logs = s3::root(&cluster.log_uri, &cluster.id).ok();
        let finding = diagnose::cluster(&ClusterEnd {
            id: &cluster.id,
            state: cluster.state.as_str(),
            code: &cluster.reason.code,
            message: &cluster.reason.message,
            details: &cluster.errors,
            instances: &instances,
            logs: logs.as_ref(),
        });
        // One that never took steps will not do so elsewhere either. What ends one that did, be it a person, the idle timer
        // or the loss of its primary node, is told by codes that also stand for other things.
        let elsewhere = cluster.ready.is_some();
        ClusterLoss { summary: finding.summary.clone(), elsewhere, finding }
    }

    /// Returns why a step failed. Logs come minutes after the step has ended; what EMR says by itself may come later too.
    pub(super) async fn explain(&self, cluster: &str, step: &EmrStep, notes: &UnboundedSender<Note>) -> Cause {
        let mut details = step.failure.clone();
        let mut applications = step.applications.clone();
        let mut told = false;
        let mut best = None;
        for look in 0..LOOKS {
            if let Some((finding, found)) = self.read_logs(cluster, step, &applications).await {
                applications = found;
                if finding.class != Class::Unknown {
                    return cause(&finding, step, &details);
                }
                best = Some(finding);
            }
            if let Some(finding) = from_details(&details).filter(|finding| finding.class != Class::Unknown) {
                return cause(&finding, step, &details);
            }
            if !told && let Some(ended) = step.ended {
                let at = s3::expected_at(ended);
                let text = format!("Step {} failed; its logs are expected by {at:.0}.", step.name);
                let _ = notes.send(Note::Event(Event::Note { text }));
                told = true;
            }
            let (fastest, slowest) = (self.settings.poll_fastest, self.settings.poll_slowest);
            tokio::time::sleep(fastest.mul_f64(1.3_f64.powf(look.into())).min(slowest)).await;
            if details.message.is_empty()
                && let Ok(step) = self.api.describe_step(cluster, &step.id).await
            {
                details = step.failure;
            }
        }
        let known = from_details(&details).or(best).unwrap_or_default();
        cause(&known, step, &details)
    }

    async fn read_logs(&self, cluster: &str, step: &EmrStep, known: &[String]) -> Option<(Finding, Vec<String>)> {
        let root = super::logs(&self.lake).join(cluster);
        let logs = s3::StepLogs { store: self.store.as_ref(), root: &root, step: &step.id, applications: known };
        // A log that cannot be read must not hide that the step failed.
        let (finding, found) = s3::investigate(&logs).await.ok()?;
        (!found.files.is_empty()).then_some((finding, found.applications))
    }
}

/// Returns why a step failed as far as EMR says it by itself.
pub(super) fn from_state(step: &EmrStep) -> Cause {
    let details = &step.failure;
    cause(&from_details(details).unwrap_or_default(), step, details)
}

impl EmrStep {
    /// Returns how a step that has ended did, and when it ran; `failed`: what a failure is told as.
    pub(super) fn outcome(&self, failed: StepEnd) -> Ended {
        let how = match self.state {
            StepState::Completed => StepEnd::Completed(BTreeMap::new()),
            // Behind a step that failed, or by someone: there is no log that says why.
            StepState::Cancelled | StepState::Interrupted => StepEnd::Stopped,
            _ => failed,
        };
        Ended { how, ran: self.started.zip(self.ended) }
    }
}

fn from_details(details: &FailureDetails) -> Option<Finding> {
    if details.message.is_empty() && details.reason.is_empty() {
        return None;
    }
    let text = diagnose::Text { file: &details.log_file, body: details.message.as_bytes() };
    let mut finding = diagnose::explain(&[text], diagnose::Place::Cluster);
    if finding.summary.is_empty() {
        finding.summary.clone_from(&details.reason);
    }
    Some(finding)
}

fn cause(finding: &Finding, step: &EmrStep, details: &FailureDetails) -> Cause {
    let ended = match (&step.state, details.reason.as_str()) {
        (state, "" | "Unknown Error") => format!("EMR: {state}"),
        (state, reason) => format!("EMR: {state}, {reason}"),
    };
    let mut cause = Cause::new(finding.clone(), &ended);
    if cause.summary.is_empty() {
        cause.summary = format!("EMR says {} and nothing more", step.state);
    }
    if cause.log.is_empty() {
        cause.log.clone_from(&details.log_file);
    }
    cause
}
