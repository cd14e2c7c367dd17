//! Ends the steps of a run, and sees that they ended.

use std::collections::BTreeMap;

use aws_sdk_emr::types::StepCancellationOption;
use jiff::Timestamp;

use super::Clusters;
use super::answers::{ACTIVE, ActionOnFailure, ENDED, EmrStep, NewStep, StepState};
use super::chain::Completed;
use super::logs::s3;
use super::steps::{SKEW, run_of, step_of};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::targets::{Ended, StepEnd};

/// Most steps of one CancelSteps call. Source: EMR's API model.
const CANCELLED_AT_ONCE: usize = 256;

/// How often to look whether steps have ended before the stronger way is taken, and again before giving up.
const LOOKS: u32 = 12;

impl Clusters {
    /// Ends what has not ended of a run on a cluster.
    ///
    /// # Errors
    /// `Machine` when EMR does not end the steps.
    pub(super) async fn cancel_run(&self, cluster: &str, run: &RunId, since: Timestamp) -> Result<()> {
        let mut left = self.steps_of(cluster, run, since, &ACTIVE).await?;
        if left.is_empty() {
            return Ok(());
        }
        let running: Vec<EmrStep> = left.iter().filter(|step| step.state == StepState::Running).cloned().collect();
        for option in [StepCancellationOption::SendInterrupt, StepCancellationOption::TerminateProcess] {
            let ids: Vec<String> = left.iter().map(|step| step.id.clone()).collect();
            for part in ids.chunks(CANCELLED_AT_ONCE) {
                self.api.cancel_steps(cluster, part, option.clone()).await?;
            }
            let mut interval = self.poll();
            for _ in 0..LOOKS {
                tokio::time::sleep(interval.next_pause()).await;
                left = self.steps_of(cluster, run, since, &ACTIVE).await?;
                if left.is_empty() {
                    return self.kill_applications(cluster, run, &running).await;
                }
            }
        }
        Err(Error::new(Kind::Machine, format!("EMR does not end the steps of run `{run}`"))
            .hint(format!("end the cluster with them: `soflow cluster down {cluster} --force`")))
    }

    /// Returns the steps of a run that are on a cluster in any of these states, the newest first; none when the cluster, and
    /// with it every step, is gone.
    async fn steps_of(
        &self,
        cluster: &str,
        run: &RunId,
        since: Timestamp,
        states: &[StepState],
    ) -> Result<Vec<EmrStep>, CallError> {
        let run = run.to_string();
        let mut steps = match self.api.steps_in(cluster, states).await {
            Err(error) if error.is_unknown_cluster() => return Ok(Vec::new()),
            steps => steps?,
        };
        steps.retain(|step| run_of(&step.name) == run && step.created.is_none_or(|made| made >= since - SKEW));
        Ok(steps)
    }

    /// Returns the steps of a run that have ended on a cluster, by name, of copies the first. Why one failed is told by EMR's
    /// words alone: logs come minutes later.
    pub(super) async fn ended_of(
        &self,
        cluster: &str,
        run: &RunId,
        since: Timestamp,
    ) -> Result<BTreeMap<String, Ended>> {
        let mut ended = BTreeMap::new();
        for step in self.steps_of(cluster, run, since, &ENDED).await? {
            for step in self.members(step, &mut Completed::default(), &|_| true).await? {
                // Of one name the last stays.
                ended.insert(step_of(&step.name).into(), step.outcome(StepEnd::Failed(step.told_cause())));
            }
        }
        Ok(ended)
    }

    /// In cluster mode a step is only the client of its application, which does not end with it. Source: EMR management
    /// guide, "Cancel steps": asynchronous processes are not affected.
    pub(super) async fn kill_applications(&self, cluster: &str, run: &RunId, ended: &[EmrStep]) -> Result<()> {
        let mut kills = Vec::new();
        for step in ended {
            for application in s3::find(&self.step_logs(cluster, step)).await?.applications {
                kills.push(NewStep {
                    name: format!("{run} cancelled {application}"),
                    action_on_failure: ActionOnFailure::Continue,
                    args: ["yarn", "application", "-kill", &application].map(String::from).into(),
                });
            }
        }
        if kills.is_empty() {
            return Ok(());
        }
        match self.api.add_steps(cluster, &kills, None, std::future::pending()).await {
            // Killing twice is as good as once, and an ended cluster has nothing to kill.
            Err(error) if error.maybe_done || error.is_ending_cluster() => Ok(()),
            added => Ok(added.map(drop)?),
        }
    }
}
