//! Ends the steps of a run, and sees that they ended.

use std::collections::BTreeMap;

use aws_sdk_emr::types::StepCancellationOption;
use jiff::Timestamp;

use super::Clusters;
use super::answers::{ActionOnFailure, ENDED, EmrStep, NewStep, StepState};
use super::failure::from_state;
use super::logs::s3;
use super::poll::PollInterval;
use super::steps::{SKEW, is_of};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::targets::{Ended, StepEnd};

/// Most steps of one CancelSteps call. Source: EMR's API model.
const CANCELLED_AT_ONCE: usize = 256;

/// How often to look whether steps have ended before the stronger way is taken, and again before giving up.
const LOOKS: u32 = 12;

/// Returns whether a step is of a run that was claimed at `since`.
fn is_recent(step: &EmrStep, run: &RunId, since: Timestamp) -> bool {
    is_of(&step.name, run) && step.created.is_none_or(|made| made >= since - SKEW)
}

impl Clusters {
    /// Ends what has not ended of a run on a cluster.
    ///
    /// # Errors
    /// `Machine` when EMR does not end the steps.
    pub(super) async fn cancel_run(&self, cluster: &str, run: &RunId, since: Timestamp) -> Result<()> {
        let active = match self.active_of(cluster, run, since).await {
            Ok(active) => active,
            // The cluster, and with it every step, is gone.
            Err(error) if error.is_unknown_cluster() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if active.is_empty() {
            return Ok(());
        }
        let running: Vec<EmrStep> = active.iter().filter(|step| step.state == StepState::Running).cloned().collect();
        for option in [StepCancellationOption::SendInterrupt, StepCancellationOption::TerminateProcess] {
            let left: Vec<String> =
                self.active_of(cluster, run, since).await?.into_iter().map(|step| step.id).collect();
            for part in left.chunks(CANCELLED_AT_ONCE) {
                self.api.cancel_steps(cluster, part, option.clone()).await?;
            }
            if self.await_none(cluster, run, since).await? {
                return self.kill_applications(cluster, run, &running).await;
            }
        }
        Err(Error::new(Kind::Machine, format!("EMR does not end the steps of run `{run}`"))
            .hint(format!("end the cluster with them: `soflow cluster down {cluster} --force`")))
    }

    async fn active_of(&self, cluster: &str, run: &RunId, since: Timestamp) -> Result<Vec<EmrStep>, CallError> {
        let mut active = self.api.active_steps(cluster).await?;
        active.retain(|step| is_recent(step, run, since));
        Ok(active)
    }

    /// Returns the steps of a run that have ended on a cluster, by name, of copies the first. Why one failed is told by EMR's
    /// words alone: logs come minutes later.
    pub(super) async fn ended_of(
        &self,
        cluster: &str,
        run: &RunId,
        since: Timestamp,
    ) -> Result<BTreeMap<String, Ended>> {
        let found = self.api.steps_in(cluster, &ENDED).await;
        let found = match found {
            // The cluster, and with it all that is known of its steps, is gone.
            Err(error) if error.is_unknown_cluster() => return Ok(BTreeMap::new()),
            found => found?,
        };
        let mut ended = BTreeMap::new();
        for step in found.iter().rev().filter(|step| is_recent(step, run, since)) {
            let name = step.name.rsplit('/').next().unwrap_or_default().to_string();
            ended.entry(name).or_insert_with(|| step.outcome(StepEnd::Failed(from_state(step))));
        }
        Ok(ended)
    }

    async fn await_none(&self, cluster: &str, run: &RunId, since: Timestamp) -> Result<bool> {
        let mut interval = PollInterval::new(self.settings.poll_fastest, self.settings.poll_slowest);
        for _ in 0..LOOKS {
            tokio::time::sleep(interval.pause()).await;
            if self.active_of(cluster, run, since).await?.is_empty() {
                return Ok(true);
            }
            interval.lengthen();
        }
        Ok(false)
    }

    /// In cluster mode a step is only the client of its application, which does not end with it. Source: EMR management
    /// guide, "Cancel steps": asynchronous processes are not affected.
    pub(super) async fn kill_applications(&self, cluster: &str, run: &RunId, ended: &[EmrStep]) -> Result<()> {
        let root = super::logs(&self.lake).join(cluster);
        let mut applications = Vec::new();
        for step in ended {
            let logs = s3::StepLogs {
                store: self.store.as_ref(),
                root: &root,
                step: &step.id,
                applications: &step.applications,
            };
            applications.extend(s3::find(&logs).await?.applications);
        }
        let kill = |application: &String| NewStep {
            name: format!("{run} cancelled {application}"),
            action_on_failure: ActionOnFailure::Continue,
            args: ["yarn", "application", "-kill", application].map(String::from).into(),
        };
        let kills: Vec<NewStep> = applications.iter().map(kill).collect();
        if kills.is_empty() {
            return Ok(());
        }
        match self.api.add_steps(cluster, &kills, None).await {
            Ok(_) => Ok(()),
            // Killing twice is as good as once, and an ended cluster has nothing to kill.
            Err(error) if error.maybe_done || error.is_ending_cluster() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
