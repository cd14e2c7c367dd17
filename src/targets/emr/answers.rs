//! What soflow reads of EMR's answers: typed states and `jiff` times.
//!
//! Everything in an answer of the SDK may be missing. What an answer must have is a plain field here, so that one without
//! it is an error and never an empty value; all else is an option or, where it is only shown, an empty text.

use std::collections::BTreeMap;

use aws_sdk_emr::primitives::DateTime;
use aws_sdk_emr::types::{self, HadoopJarStepConfig, HadoopStepConfig, MarketType, StepConfig};
pub use aws_sdk_emr::types::{ActionOnFailure, ClusterState, StepState};
use jiff::Timestamp;
use serde::Serialize;

use super::api::Applications;
use super::chain::Chain;
use super::steps;
use crate::diagnose::ErrorDetail;
use crate::event::Event;

/// Runs a program of the primary node. Source: EMR release guide, "Run commands and scripts".
pub const COMMAND_RUNNER: &str = "command-runner.jar";

/// States in which a cluster takes steps. Source: EMR's API model, AddJobFlowSteps.
pub const ALIVE: [ClusterState; 4] =
    [ClusterState::Starting, ClusterState::Bootstrapping, ClusterState::Running, ClusterState::Waiting];

/// States of steps that a cluster still has to do with. Source: EMR's API model, StepState.
pub(super) const ACTIVE: [StepState; 3] = [StepState::Pending, StepState::CancelPending, StepState::Running];

/// States a step does not leave any more. Source: EMR's API model, StepState.
pub const ENDED: [StepState; 4] =
    [StepState::Completed, StepState::Failed, StepState::Cancelled, StepState::Interrupted];

/// A cluster as DescribeCluster and ListClusters give it; the latter leaves most of it out.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `j-…`.
    pub id: String,
    /// The name given to RunJobFlow.
    pub name: String,
    /// Where it is.
    pub state: ClusterState,
    /// Why.
    pub reason: Reason,
    /// What went wrong, at most ten.
    pub errors: Vec<ErrorDetail>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// When it became ready for steps.
    pub ready: Option<Timestamp>,
    /// `emr-…`.
    pub release: String,
    /// Where its logs go; may come back as `s3n://`.
    pub log_uri: String,
    /// Whether it must be unprotected before it can be ended.
    pub termination_protected: bool,
    /// Its ARN.
    pub arn: String,
    /// The applications on it, as EMR spells them.
    pub applications: Vec<String>,
    /// The EC2 key pair that its nodes know.
    pub key_name: Option<String>,
    /// The host name of its primary node.
    pub primary_host: Option<String>,
}

/// Why a cluster changed its state.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reason {
    /// Such as `USER_REQUEST`.
    pub code: String,
    /// In words.
    pub message: String,
}

impl Cluster {
    fn new(
        id: Option<String>,
        name: Option<String>,
        status: Option<types::ClusterStatus>,
    ) -> Result<Self, &'static str> {
        let status = status.ok_or("the status of a cluster")?;
        let reason = status.state_change_reason.map(|reason| Reason {
            code: reason.code.map(|code| code.to_string()).unwrap_or_default(),
            message: reason.message.unwrap_or_default(),
        });
        let times = status.timeline;
        Ok(Self {
            id: id.ok_or("the id of a cluster")?,
            name: name.ok_or("the name of a cluster")?,
            state: status.state.ok_or("the state of a cluster")?,
            reason: reason.unwrap_or_default(),
            errors: status.error_details.into_iter().flatten().map(error_detail).collect(),
            created: times.as_ref().and_then(|times| time(times.creation_date_time)),
            ready: times.as_ref().and_then(|times| time(times.ready_date_time)),
            release: String::new(),
            log_uri: String::new(),
            termination_protected: false,
            arn: String::new(),
            applications: Vec::new(),
            key_name: None,
            primary_host: None,
        })
    }

    pub(super) fn listed(summary: types::ClusterSummary) -> Result<Self, &'static str> {
        Self::new(summary.id, summary.name, summary.status)
    }

    pub(super) fn described(told: types::Cluster) -> Result<Self, &'static str> {
        Ok(Self {
            release: told.release_label.unwrap_or_default(),
            log_uri: told.log_uri.unwrap_or_default(),
            termination_protected: told.termination_protected == Some(true),
            arn: told.cluster_arn.unwrap_or_default(),
            applications: told.applications.into_iter().flatten().filter_map(|application| application.name).collect(),
            key_name: told.ec2_instance_attributes.and_then(|about| about.ec2_key_name),
            primary_host: told.master_public_dns_name.filter(|name| !name.is_empty()),
            ..Self::new(told.id, told.name, told.status)?
        })
    }

    /// Returns what is told when its state has changed.
    pub(super) fn changed(&self) -> Event {
        let (cluster, state, reason) = (self.id.clone(), self.state.to_string(), self.reason.message.clone());
        Event::ClusterChanged { cluster, state, reason }
    }

    /// Returns what sorts clusters by age, the oldest first.
    pub fn age_order(&self) -> (Option<Timestamp>, String) {
        (self.created, self.id.clone())
    }
}

/// Returns whether a cluster runs steps, or would.
pub fn is_ready(state: &ClusterState) -> bool {
    matches!(state, ClusterState::Running | ClusterState::Waiting)
}

/// Returns whether a cluster is ending or has ended.
pub fn is_ending(state: &ClusterState) -> bool {
    *state == ClusterState::Terminating || has_ended(state)
}

/// Returns whether nothing runs on a cluster any more.
pub fn has_ended(state: &ClusterState) -> bool {
    matches!(state, ClusterState::Terminated | ClusterState::TerminatedWithErrors)
}

fn error_detail(detail: types::ErrorDetail) -> ErrorDetail {
    let facts = detail.error_data.into_iter().flatten().flat_map(BTreeMap::from_iter);
    ErrorDetail {
        code: detail.error_code.unwrap_or_default(),
        data: facts.collect(),
        message: detail.error_message.unwrap_or_default(),
    }
}

/// A step.
#[derive(Clone, Debug)]
pub struct EmrStep {
    /// `s-…`.
    pub id: String,
    /// The name given to AddJobFlowSteps.
    pub name: String,
    /// The steps of the job that it runs in one application; `None` for one that runs alone.
    pub chain: Option<Chain>,
    /// Where it is.
    pub state: StepState,
    /// Why it failed; empty at first and filled in minutes later.
    pub failure: FailureDetails,
    /// When it was added.
    pub created: Option<Timestamp>,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// The YARN applications it started, as far as EMR tells.
    pub applications: Vec<String>,
}

/// Why a step failed, as far as EMR found out.
#[derive(Clone, Debug, Default)]
pub struct FailureDetails {
    /// `Unknown Error` when EMR could not tell.
    pub reason: String,
    /// The lines of the log that EMR takes for the cause.
    pub message: String,
    /// The log they are from.
    pub log_file: String,
}

impl EmrStep {
    pub(super) fn new(
        id: Option<String>,
        name: Option<String>,
        status: Option<types::StepStatus>,
        config: Option<HadoopStepConfig>,
        applications: &Applications,
    ) -> Result<Self, &'static str> {
        let (id, status) = (id.ok_or("the id of a step")?, status.ok_or("the status of a step")?);
        // Without it nobody could tell which steps of a job are there.
        let args = config.ok_or("the command line of a step")?.args.unwrap_or_default();
        let failure = status.failure_details.map(|details| FailureDetails {
            reason: details.reason.unwrap_or_default(),
            message: details.message.unwrap_or_default(),
            log_file: details.log_file.unwrap_or_default(),
        });
        let times = status.timeline;
        Ok(Self {
            applications: applications.of(&id),
            id,
            name: name.ok_or("the name of a step")?,
            chain: Chain::of(&args),
            state: status.state.ok_or("the state of a step")?,
            failure: failure.unwrap_or_default(),
            created: times.as_ref().and_then(|times| time(times.creation_date_time)),
            started: times.as_ref().and_then(|times| time(times.start_date_time)),
            ended: times.as_ref().and_then(|times| time(times.end_date_time)),
        })
    }

    /// Returns the names that the steps of the job which it runs have, or would have alone.
    pub fn names(&self) -> Vec<String> {
        steps::names(&self.name, self.chain.as_ref())
    }

    /// Returns whether its cluster still has to do with it.
    pub fn is_active(&self) -> bool {
        ACTIVE.contains(&self.state)
    }

    /// Returns whether it will not change its state any more.
    pub fn has_ended(&self) -> bool {
        ENDED.contains(&self.state)
    }
}

/// A step to add. It runs a program of the primary node.
#[derive(Clone, Debug, PartialEq)]
pub struct NewStep {
    /// At most 256 characters.
    pub name: String,
    /// What becomes of the steps behind it when it fails.
    pub action_on_failure: ActionOnFailure,
    /// The program and its arguments, never joined into one text.
    pub args: Vec<String>,
}

impl NewStep {
    /// Returns the names that the steps of the job which it runs have, or would have alone.
    pub fn names(&self) -> Vec<String> {
        steps::names(&self.name, Chain::of(&self.args).as_ref())
    }
}

impl From<&NewStep> for StepConfig {
    fn from(step: &NewStep) -> Self {
        let jar = HadoopJarStepConfig::builder().jar(COMMAND_RUNNER).set_args(Some(step.args.clone())).build();
        let config = Self::builder().name(&step.name).action_on_failure(step.action_on_failure.clone());
        config.hadoop_jar_step(jar).build()
    }
}

/// An instance of a cluster.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Such as `m5.xlarge`.
    pub instance_type: String,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Why it changed its state, in words.
    pub reason: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it became ready.
    pub ready: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Instance {
    pub(super) fn listed(instance: types::Instance) -> Result<Self, &'static str> {
        let status = instance.status.ok_or("the status of an instance")?;
        let times = status.timeline;
        Ok(Self {
            id: instance.ec2_instance_id.unwrap_or_default(),
            instance_type: instance.instance_type.ok_or("the type of an instance")?,
            spot: instance.market == Some(MarketType::Spot),
            reason: status.state_change_reason.and_then(|reason| reason.message).unwrap_or_default(),
            created: times.as_ref().and_then(|times| time(times.creation_date_time)),
            ready: times.as_ref().and_then(|times| time(times.ready_date_time)),
            ended: times.as_ref().and_then(|times| time(times.end_date_time)),
        })
    }
}

fn time(at: Option<DateTime>) -> Option<Timestamp> {
    Timestamp::from_millisecond(at?.to_millis().ok()?).ok()
}

#[cfg(test)]
pub(super) mod testing {
    use aws_sdk_emr::types::{ClusterStatus, StepStatus};

    use super::*;

    impl Cluster {
        /// Returns a cluster of which nothing is known but this.
        pub fn testing(id: &str, name: &str, state: &str) -> Self {
            let status = ClusterStatus::builder().state(state.into()).build();
            Self::new(Some(id.into()), Some(name.into()), Some(status)).unwrap()
        }
    }

    impl EmrStep {
        /// Returns a step of which nothing is known but this.
        pub fn testing(id: &str, name: &str, state: &str) -> Self {
            let status = StepStatus::builder().state(state.into()).build();
            let config = HadoopStepConfig::builder().build();
            Self::new(Some(id.into()), Some(name.into()), Some(status), Some(config), &Applications::default()).unwrap()
        }
    }

    #[test]
    fn what_an_answer_must_have_is_missed_and_nothing_else() {
        let status = || Some(ClusterStatus::builder().state("RESTING".into()).build());
        let (id, name) = (|| Some("j-1".to_string()), || Some("n".to_string()));
        let cluster = Cluster::new(id(), name(), status()).unwrap();
        assert_eq!((cluster.state.as_str(), cluster.created), ("RESTING", None));
        assert!(!is_ready(&cluster.state) && !is_ending(&cluster.state) && !ALIVE.contains(&cluster.state));
        let blank = || Some(ClusterStatus::builder().build());
        for (id, name, status, what) in [
            (None, name(), status(), "the id of a cluster"),
            (id(), None, status(), "the name of a cluster"),
            (id(), name(), None, "the status of a cluster"),
            (id(), name(), blank(), "the state of a cluster"),
        ] {
            assert_eq!(Cluster::new(id, name, status).unwrap_err(), what);
        }
        let blank = Some(StepStatus::builder().build());
        let config = || Some(HadoopStepConfig::builder().build());
        let step = EmrStep::new(id(), name(), blank.clone(), config(), &Applications::default());
        assert_eq!(step.unwrap_err(), "the state of a step");
        let step = EmrStep::new(id(), name(), blank, None, &Applications::default());
        assert_eq!(step.unwrap_err(), "the command line of a step");
    }

    #[test]
    fn times_are_exact_to_a_millisecond() {
        let at = time(Some(DateTime::from_secs_f64(1_795_000_000.25))).unwrap();
        assert_eq!(at.as_millisecond(), 1_795_000_000_250);
        assert_eq!(time(None).or(time(Some(DateTime::from_secs(i64::MAX)))), None);
    }
}
