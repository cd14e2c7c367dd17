//! Why a step failed or a cluster ended: what EMR says, and what the logs say once they are there.

use std::collections::BTreeMap;

use aws_sdk_emr::types::InstanceFleetType;

use super::Clusters;
use super::answers::{Cluster, EmrStep, Instance, StepState};
use super::logs::s3;
use crate::diagnose::{self, Class, ClusterEnd, Finding, LostInstance};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::targets::{Cause, Ended, Notes, StepEnd};

/// How often logs and FailureDetails are looked for, with growing pauses, before what is known must do. With the default
/// pace that is about six minutes: EMR pushes logs every five.
const LOOKS: u32 = 18;

impl Cluster {
    /// Returns the error of a run that ends with its cluster.
    pub(super) fn ended_error(&self, why: &Finding) -> Error {
        let mut error = why.error(&format!("cluster `{}` ended", self.id));
        // What a cluster could not do is never the job's fault.
        error.kind = Kind::Machine;
        error.hint(format!("all that EMR knows: `soflow cluster show {}`", self.id))
    }
}

impl Clusters {
    /// Returns why a cluster ended: one call about its primary node, which may have been a spot instance.
    pub(super) async fn why_lost(&self, cluster: &Cluster) -> Finding {
        // What cannot be asked must not hide that the cluster ended.
        let primaries = self.api.instances(&cluster.id, Some(InstanceFleetType::Master)).await.unwrap_or_default();
        let lost = |instance: Instance| LostInstance {
            id: instance.id,
            role: "primary".into(),
            spot: instance.spot,
            message: instance.reason,
        };
        let instances: Vec<LostInstance> = primaries.into_iter().map(lost).collect();
        diagnose::cluster(&ClusterEnd {
            id: &cluster.id,
            state: cluster.state.as_str(),
            code: &cluster.reason.code,
            message: &cluster.reason.message,
            details: &cluster.errors,
            instances: &instances,
            logs: s3::root(&cluster.log_uri, &cluster.id).ok().as_ref(),
        })
    }

    /// Returns why a step failed. Logs come minutes after the step has ended; what EMR says by itself may come later too.
    pub(super) async fn explain(&self, cluster: &str, step: &EmrStep, notes: &Notes) -> Cause {
        let mut step = step.clone();
        let mut interval = self.poll();
        let mut best = None;
        for look in 0..LOOKS {
            // A log that cannot be read must not hide that the step failed.
            if let Ok((finding, found)) = s3::investigate(&self.step_logs(cluster, &step)).await
                && !found.files.is_empty()
            {
                step.applications = found.applications;
                if finding.class != Class::Unknown {
                    return step.cause(finding);
                }
                best = Some(finding);
            }
            if let Some(finding) = step.told().filter(|finding| finding.class != Class::Unknown) {
                return step.cause(finding);
            }
            if let (0, Some(ended)) = (look, step.ended) {
                let at = s3::expected_at(ended);
                let text = format!("Step {} failed; its logs are expected by {at:.0}.", step.name);
                notes.tell(Event::Note { text });
            }
            tokio::time::sleep(interval.next_pause()).await;
            if step.failure.message.is_empty()
                && let Ok(told) = self.api.describe_step(cluster, &step.id).await
            {
                step.failure = told.failure;
            }
        }
        step.cause(step.told().or(best).unwrap_or_default())
    }
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

    /// Returns why it failed as far as EMR says it by itself.
    pub(super) fn told_cause(&self) -> Cause {
        self.cause(self.told().unwrap_or_default())
    }

    fn told(&self) -> Option<Finding> {
        let details = &self.failure;
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

    fn cause(&self, finding: Finding) -> Cause {
        let ended = match self.failure.reason.as_str() {
            "" | "Unknown Error" => format!("EMR: {}", self.state),
            reason => format!("EMR: {}, {reason}", self.state),
        };
        let mut cause = Cause::new(finding, &ended);
        if cause.summary.is_empty() {
            cause.summary = format!("EMR says {} and nothing more", self.state);
        }
        if cause.log.is_empty() {
            cause.log.clone_from(&self.failure.log_file);
        }
        cause
    }
}
