//! EMR's API as far as soflow uses it: requests and answers as its model names them. States and reasons stay texts, as
//! EMR may add new ones.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value as Json, json};

use crate::aws::{CallError, EMR, Retry, Session};

/// A cluster as DescribeCluster and ListClusters give it; the latter leaves most of it out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cluster {
    /// `j-…`.
    pub id: String,
    /// The name given to RunJobFlow.
    pub name: String,
    /// Where it is.
    pub status: ClusterStatus,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// `emr-…`.
    pub release_label: String,
    /// Where its logs go; may come back as `s3n://`.
    pub log_uri: String,
    /// How many steps it runs at once.
    pub step_concurrency_level: u32,
    /// The DNS name of its primary node.
    pub master_public_dns_name: String,
    /// Hours, weighted by instance size, that it has used. Not what is billed.
    pub normalized_instance_hours: u64,
    /// Whether it must be unprotected before it can be ended.
    pub termination_protected: bool,
}

/// Where a cluster is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ClusterStatus {
    /// `STARTING`, `BOOTSTRAPPING`, `RUNNING`, `WAITING`, `TERMINATING`, `TERMINATED`, `TERMINATED_WITH_ERRORS`.
    pub state: String,
    /// Why.
    pub state_change_reason: Reason,
    /// When it was made, became ready and ended.
    pub timeline: Timeline,
    /// What went wrong, at most ten.
    pub error_details: Vec<ErrorDetail>,
}

/// Why something changed its state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reason {
    /// Such as `USER_REQUEST`; steps have none.
    pub code: String,
    /// In words.
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
    let seconds = Option::<f64>::deserialize(deserializer)?;
    Ok(seconds.and_then(|seconds| Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()))
}

/// One thing that went wrong with a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorDetail {
    /// Such as `BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE`.
    pub error_code: String,
    /// Facts such as the instance.
    pub error_data: Vec<BTreeMap<String, String>>,
    /// In words.
    pub error_message: String,
}

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A step as ListSteps gives it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Step {
    /// `s-…`.
    pub id: String,
    /// The name given to AddJobFlowSteps.
    pub name: String,
    /// Where it is.
    pub status: StepStatus,
    /// What newer API versions add, such as the YARN applications.
    pub additional_info: AdditionalInfo,
}

/// Where a step is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StepStatus {
    /// `PENDING`, `CANCEL_PENDING`, `RUNNING`, `COMPLETED`, `CANCELLED`, `FAILED`, `INTERRUPTED`.
    pub state: String,
    /// Why, mostly without a code.
    pub state_change_reason: Reason,
    /// Why it failed; empty at first and filled in minutes later.
    pub failure_details: FailureDetails,
    /// When it was added, started and ended.
    pub timeline: Timeline,
}

/// Why a step failed, as far as EMR found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FailureDetails {
    /// `Unknown Error` when EMR could not tell.
    pub reason: String,
    /// The log's words.
    pub message: String,
    /// The log, `s3://…/stderr.gz`.
    pub log_file: String,
}

/// What newer versions of the API add to a step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AdditionalInfo {
    /// The YARN applications it started.
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
#[serde(rename_all = "PascalCase", default)]
pub struct Instance {
    /// `i-…`.
    pub ec2_instance_id: String,
    /// Such as `m5.xlarge`.
    pub instance_type: String,
    /// `ON_DEMAND` or `SPOT`.
    pub market: String,
    /// Where it is.
    pub status: InstanceStatus,
}

/// Where an instance is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InstanceStatus {
    /// `RUNNING`, `TERMINATED` and so on.
    pub state: String,
    /// Why.
    pub state_change_reason: Reason,
    /// When it was made, became ready and ended.
    pub timeline: Timeline,
}

/// What became of one step that was to be cancelled.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CancelInfo {
    /// `s-…`.
    pub step_id: String,
    /// `SUBMITTED` or `FAILED`.
    pub status: String,
    /// Why it failed.
    pub reason: String,
}

/// Most step ids of one ListSteps call. Source: EMR's API model.
pub const IDS_AT_ONCE: usize = 10;

/// Most steps of one CancelSteps call, and most active steps of a cluster. Source: EMR's API model.
pub const MOST_ACTIVE_STEPS: usize = 256;

/// EMR's operations.
#[derive(Clone, Debug)]
pub struct Api(pub Session);

impl Api {
    async fn paged<T: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        mut input: Json,
        items: &str,
    ) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        loop {
            let mut page: Json = self.0.call(&EMR, operation, &input).await?;
            let found = page.get_mut(items).map(Json::take).unwrap_or_default();
            all.extend(serde_json::from_value::<Option<Vec<T>>>(found).ok().flatten().unwrap_or_default());
            match page.get_mut("Marker").map(Json::take) {
                Some(Json::String(marker)) if !marker.is_empty() => input["Marker"] = marker.into(),
                _ => return Ok(all),
            }
        }
    }

    /// Returns the clusters in any of these states, in no order.
    pub async fn list_clusters(&self, states: &[&str], after: Option<Timestamp>) -> Result<Vec<Cluster>, CallError> {
        let mut input = json!({ "ClusterStates": states });
        if let Some(after) = after {
            input["CreatedAfter"] = after.as_second().into();
        }
        self.paged("ListClusters", input, "Clusters").await
    }

    /// Returns a cluster with all that EMR tells about it.
    pub async fn describe_cluster(&self, id: &str) -> Result<Cluster, CallError> {
        let mut answer: Json = self.0.call(&EMR, "DescribeCluster", &json!({ "ClusterId": id })).await?;
        Ok(serde_json::from_value(answer["Cluster"].take()).unwrap_or_default())
    }

    /// Makes a cluster and returns its id. Not sent again when it may have been done.
    pub async fn run_job_flow(&self, request: &Json) -> Result<String, CallError> {
        let answer: Json = self.0.call_with(&EMR, "RunJobFlow", request, Retry::NotDone).await?;
        Ok(answer["JobFlowId"].as_str().unwrap_or_default().into())
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
        let answer: Json = self.0.call_with(&EMR, "AddJobFlowSteps", &input, Retry::NotDone).await?;
        Ok(serde_json::from_value(answer["StepIds"].clone()).unwrap_or_default())
    }

    /// Returns one page of steps, the newest first, and where the next page starts.
    pub async fn steps_page(
        &self,
        cluster: &str,
        marker: Option<String>,
    ) -> Result<(Vec<Step>, Option<String>), CallError> {
        let mut input = json!({ "ClusterId": cluster });
        if let Some(marker) = marker {
            input["Marker"] = marker.into();
        }
        let mut page: Json = self.0.call(&EMR, "ListSteps", &input).await?;
        let steps = serde_json::from_value(page["Steps"].take()).unwrap_or_default();
        Ok((steps, page["Marker"].as_str().filter(|marker| !marker.is_empty()).map(String::from)))
    }

    /// Returns the steps in any of these states.
    pub async fn steps_in(&self, cluster: &str, states: &[&str]) -> Result<Vec<Step>, CallError> {
        self.paged("ListSteps", json!({ "ClusterId": cluster, "StepStates": states }), "Steps").await
    }

    /// Returns a step.
    pub async fn describe_step(&self, cluster: &str, step: &str) -> Result<Step, CallError> {
        let mut answer: Json =
            self.0.call(&EMR, "DescribeStep", &json!({ "ClusterId": cluster, "StepId": step })).await?;
        Ok(serde_json::from_value(answer["Step"].take()).unwrap_or_default())
    }

    /// Asks for steps to be cancelled, `SEND_INTERRUPT` or `TERMINATE_PROCESS`: EMR promises to try.
    pub async fn cancel_steps(
        &self,
        cluster: &str,
        steps: &[String],
        option: &str,
    ) -> Result<Vec<CancelInfo>, CallError> {
        let input = json!({ "ClusterId": cluster, "StepIds": steps, "StepCancellationOption": option });
        let mut answer: Json = self.0.call(&EMR, "CancelSteps", &input).await?;
        Ok(serde_json::from_value(answer["CancelStepsInfoList"].take()).unwrap_or_default())
    }

    /// Ends clusters; ending one twice is no error.
    pub async fn terminate(&self, clusters: &[&str]) -> Result<(), CallError> {
        self.0.call::<Json>(&EMR, "TerminateJobFlows", &json!({ "JobFlowIds": clusters })).await.map(drop)
    }

    /// Returns the instances of a cluster, also those that have ended.
    pub async fn instances(&self, cluster: &str) -> Result<Vec<Instance>, CallError> {
        self.paged("ListInstances", json!({ "ClusterId": cluster }), "Instances").await
    }

    /// Returns the primary nodes of a cluster of instance fleets, as soflow makes them, also those that have ended.
    pub async fn primaries(&self, cluster: &str) -> Result<Vec<Instance>, CallError> {
        self.paged("ListInstances", json!({ "ClusterId": cluster, "InstanceFleetType": "MASTER" }), "Instances").await
    }
}
