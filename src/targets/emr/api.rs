//! EMR's API as far as soflow uses it: requests and answers as its model names them. States and reasons stay texts, as
//! EMR may add new ones. What an answer must have is a plain field, so that one without it is no answer; all else is
//! lenient, so that nothing odd in what is only shown hides the rest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::{BAD_ANSWER, CallError, EMR, Retry, Session};

/// A cluster as DescribeCluster and ListClusters give it; the latter leaves most of it out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cluster {
    /// `j-…`.
    pub id: String,
    /// The name given to RunJobFlow.
    pub name: String,
    /// Where it is.
    pub status: ClusterStatus,
    /// `emr-…`.
    #[serde(default, deserialize_with = "lenient")]
    pub release_label: String,
    /// Where its logs go; may come back as `s3n://`.
    #[serde(default, deserialize_with = "lenient")]
    pub log_uri: String,
    /// Whether it must be unprotected before it can be ended.
    #[serde(default, deserialize_with = "lenient")]
    pub termination_protected: bool,
}

impl Cluster {
    /// Returns what sorts clusters by age, the oldest first.
    pub fn age_order(&self) -> (Option<Timestamp>, String) {
        (self.status.timeline.creation_date_time, self.id.clone())
    }
}

/// Where a cluster is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClusterStatus {
    /// `STARTING`, `BOOTSTRAPPING`, `RUNNING`, `WAITING`, `TERMINATING`, `TERMINATED`, `TERMINATED_WITH_ERRORS`.
    pub state: String,
    /// Why.
    #[serde(default, deserialize_with = "lenient")]
    pub state_change_reason: Reason,
    /// When it was made, became ready and ended.
    #[serde(default, deserialize_with = "lenient")]
    pub timeline: Timeline,
    /// What went wrong, at most ten.
    #[serde(default, deserialize_with = "lenient")]
    pub error_details: Vec<ErrorDetail>,
}

/// Why something changed its state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reason {
    /// Such as `USER_REQUEST`; steps have none.
    #[serde(deserialize_with = "lenient")]
    pub code: String,
    /// In words.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
}

/// When things happened.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Timeline {
    /// Asked for.
    #[serde(deserialize_with = "moment")]
    pub creation_date_time: Option<Timestamp>,
    /// A cluster: ready for steps.
    #[serde(deserialize_with = "moment")]
    pub ready_date_time: Option<Timestamp>,
    /// A step: started.
    #[serde(deserialize_with = "moment")]
    pub start_date_time: Option<Timestamp>,
    /// Over.
    #[serde(deserialize_with = "moment")]
    pub end_date_time: Option<Timestamp>,
}

/// Times come as seconds since 1970, with fractions.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let seconds: Option<f64> = lenient(deserializer)?;
    Ok(seconds.and_then(|seconds| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()))
}

/// What is null or of another form than it should be counts as left out.
fn lenient<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Json::deserialize(deserializer)?).unwrap_or_default())
}

/// One thing that went wrong with a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorDetail {
    /// Such as `BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE`.
    #[serde(deserialize_with = "lenient")]
    pub error_code: String,
    /// Facts such as the instance.
    #[serde(deserialize_with = "lenient")]
    pub error_data: Vec<BTreeMap<String, String>>,
    /// In words.
    #[serde(deserialize_with = "lenient")]
    pub error_message: String,
}

/// A step as ListSteps gives it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Step {
    /// `s-…`.
    pub id: String,
    /// The name given to AddJobFlowSteps.
    pub name: String,
    /// Where it is.
    pub status: StepStatus,
    /// What newer API versions add, such as the YARN applications.
    #[serde(default, deserialize_with = "lenient")]
    pub additional_info: AdditionalInfo,
}

impl Step {
    /// Returns whether its cluster still has to do with it.
    pub fn is_active(&self) -> bool {
        ACTIVE.contains(&self.status.state.as_str())
    }
}

/// Where a step is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepStatus {
    /// `PENDING`, `CANCEL_PENDING`, `RUNNING`, `COMPLETED`, `CANCELLED`, `FAILED`, `INTERRUPTED`.
    pub state: String,
    /// Why it failed; empty at first and filled in minutes later.
    #[serde(default, deserialize_with = "lenient")]
    pub failure_details: FailureDetails,
    /// When it was added, started and ended.
    #[serde(default, deserialize_with = "lenient")]
    pub timeline: Timeline,
}

/// Why a step failed, as far as EMR found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FailureDetails {
    /// `Unknown Error` when EMR could not tell.
    #[serde(deserialize_with = "lenient")]
    pub reason: String,
    /// The log's words.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
    /// The log, `s3://…/stderr.gz`.
    #[serde(deserialize_with = "lenient")]
    pub log_file: String,
}

/// What newer versions of the API add to a step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AdditionalInfo {
    /// The YARN applications it started.
    #[serde(deserialize_with = "lenient")]
    pub resource_manager_application_ids: Vec<String>,
}

/// A step to add.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NewStep {
    /// At most 256 characters.
    pub name: String,
    /// `CONTINUE` or `CANCEL_AND_WAIT`.
    pub action_on_failure: &'static str,
    /// What runs.
    pub hadoop_jar_step: JarStep,
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct JarStep {
    /// `command-runner.jar`: runs a program of the primary node.
    pub jar: &'static str,
    /// The program and its arguments, never joined into one text.
    pub args: Vec<String>,
}

/// An instance of a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// `i-…`.
    #[serde(default, deserialize_with = "lenient")]
    pub ec2_instance_id: String,
    /// Such as `m5.xlarge`.
    pub instance_type: String,
    /// `ON_DEMAND` or `SPOT`.
    #[serde(default, deserialize_with = "lenient")]
    pub market: String,
    /// Where it is.
    pub status: InstanceStatus,
}

/// Where an instance is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceStatus {
    /// `RUNNING`, `TERMINATED` and so on.
    pub state: String,
    /// Why.
    #[serde(default, deserialize_with = "lenient")]
    pub state_change_reason: Reason,
    /// When it was made, became ready and ended.
    #[serde(default, deserialize_with = "lenient")]
    pub timeline: Timeline,
}

/// A page of a list, and where the next one starts.
#[derive(Deserialize)]
pub struct Page<T> {
    /// What is on it.
    #[serde(rename = "Clusters", alias = "Steps", alias = "Instances")]
    pub items: Vec<T>,
    #[serde(rename = "Marker")]
    marker: Option<String>,
}

impl<T> Page<T> {
    /// Returns where the next page starts; `None` on the last one.
    pub fn next(&self) -> Option<String> {
        self.marker.clone().filter(|marker| !marker.is_empty())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneStep {
    step: Step,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    job_flow_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Added {
    step_ids: Vec<String>,
}

/// States of steps that a cluster still has to do with. Source: EMR's API model, StepState.
pub const ACTIVE: [&str; 3] = ["PENDING", "CANCEL_PENDING", "RUNNING"];

/// Most steps of one CancelSteps call, and most active steps of a cluster. Source: EMR's API model.
pub const MOST_ACTIVE_STEPS: usize = 256;

/// EMR's operations. An answer that lacks what it must have is an error with `maybe_done` set: what was asked for was done.
#[derive(Clone, Debug)]
pub struct Api(pub Session);

impl Api {
    async fn paged<T: DeserializeOwned>(&self, operation: &str, mut input: Json) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        loop {
            let page: Page<T> = self.0.call(&EMR, operation, &input).await?;
            let next = page.next();
            all.extend(page.items);
            match next {
                Some(marker) => input["Marker"] = marker.into(),
                None => return Ok(all),
            }
        }
    }

    /// Returns the clusters in any of these states, in no order.
    pub async fn list_clusters(&self, states: &[&str], after: Option<Timestamp>) -> Result<Vec<Cluster>, CallError> {
        let mut input = json!({ "ClusterStates": states });
        if let Some(after) = after {
            input["CreatedAfter"] = after.as_second().into();
        }
        self.paged("ListClusters", input).await
    }

    /// Returns a cluster with all that EMR tells about it.
    pub async fn describe_cluster(&self, id: &str) -> Result<Cluster, CallError> {
        let answer: OneCluster = self.0.call(&EMR, "DescribeCluster", &json!({ "ClusterId": id })).await?;
        Ok(answer.cluster)
    }

    /// Makes a cluster and returns its id. Not sent again when it may have been done.
    pub async fn run_job_flow(&self, request: &Json) -> Result<String, CallError> {
        let operation = "RunJobFlow";
        let made: Made = self.0.call_with(&EMR, operation, request, Retry::NotDone).await?;
        if made.job_flow_id.is_empty() {
            return Err(self.lacks(operation, "the cluster's id"));
        }
        Ok(made.job_flow_id)
    }

    /// Adds steps and returns their ids in order. Not sent again when it may have been done.
    pub async fn add_steps(
        &self,
        cluster: &str,
        steps: &[NewStep],
        role: Option<&str>,
    ) -> Result<Vec<String>, CallError> {
        let mut input = json!({ "JobFlowId": cluster, "Steps": steps });
        if let Some(role) = role {
            input["ExecutionRoleArn"] = role.into();
        }
        let operation = "AddJobFlowSteps";
        let added: Added = self.0.call_with(&EMR, operation, &input, Retry::NotDone).await?;
        if added.step_ids.len() != steps.len() || added.step_ids.iter().any(String::is_empty) {
            return Err(self.lacks(operation, "an id for each step"));
        }
        Ok(added.step_ids)
    }

    /// Returns one page of steps, the newest first.
    pub async fn steps_page(&self, cluster: &str, marker: Option<String>) -> Result<Page<Step>, CallError> {
        let mut input = json!({ "ClusterId": cluster });
        if let Some(marker) = marker {
            input["Marker"] = marker.into();
        }
        self.0.call(&EMR, "ListSteps", &input).await
    }

    /// Returns the steps in any of these states, the newest first.
    pub async fn steps_in(&self, cluster: &str, states: &[&str]) -> Result<Vec<Step>, CallError> {
        self.paged("ListSteps", json!({ "ClusterId": cluster, "StepStates": states })).await
    }

    /// Returns the steps that have not ended.
    pub async fn active_steps(&self, cluster: &str) -> Result<Vec<Step>, CallError> {
        self.steps_in(cluster, &ACTIVE).await
    }

    /// Returns a step.
    pub async fn describe_step(&self, cluster: &str, step: &str) -> Result<Step, CallError> {
        let answer: OneStep =
            self.0.call(&EMR, "DescribeStep", &json!({ "ClusterId": cluster, "StepId": step })).await?;
        Ok(answer.step)
    }

    /// Asks for steps to be cancelled, `SEND_INTERRUPT` or `TERMINATE_PROCESS`: EMR promises to try.
    pub async fn cancel_steps(&self, cluster: &str, steps: &[String], option: &str) -> Result<(), CallError> {
        let input = json!({ "ClusterId": cluster, "StepIds": steps, "StepCancellationOption": option });
        self.0.call::<IgnoredAny>(&EMR, "CancelSteps", &input).await.map(drop)
    }

    /// Ends clusters; ending one twice is no error.
    pub async fn terminate(&self, clusters: &[&str]) -> Result<(), CallError> {
        self.0.call::<IgnoredAny>(&EMR, "TerminateJobFlows", &json!({ "JobFlowIds": clusters })).await.map(drop)
    }

    /// Returns the instances of a cluster, also those that have ended.
    pub async fn instances(&self, cluster: &str) -> Result<Vec<Instance>, CallError> {
        self.paged("ListInstances", json!({ "ClusterId": cluster })).await
    }

    /// Returns the primary nodes of a cluster of instance fleets, as soflow makes them, also those that have ended.
    pub async fn primaries(&self, cluster: &str) -> Result<Vec<Instance>, CallError> {
        self.paged("ListInstances", json!({ "ClusterId": cluster, "InstanceFleetType": "MASTER" })).await
    }

    fn lacks(&self, operation: &str, what: &str) -> CallError {
        CallError {
            service: EMR.name,
            operation: operation.into(),
            code: BAD_ANSWER.into(),
            message: format!("the answer lacks {what}"),
            maybe_done: true,
            partition: self.0.partition().id,
        }
    }
}

#[cfg(test)]
mod tests;
