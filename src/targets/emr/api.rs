//! EMR's operations through its SDK, each sent as often as that is safe.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_emr::Client;
use aws_sdk_emr::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_emr::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_emr::error::BoxError;
use aws_sdk_emr::operation::create_persistent_app_ui::CreatePersistentAppUiOutput;
use aws_sdk_emr::operation::describe_cluster::DescribeClusterOutput;
use aws_sdk_emr::operation::describe_persistent_app_ui::DescribePersistentAppUiOutput;
use aws_sdk_emr::operation::describe_step::DescribeStepOutput;
use aws_sdk_emr::operation::list_clusters::ListClustersOutput;
use aws_sdk_emr::operation::list_instances::ListInstancesOutput;
use aws_sdk_emr::operation::list_steps::ListStepsOutput;
use aws_sdk_emr::operation::run_job_flow::RunJobFlowOutput;
use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowInputBuilder;
use aws_sdk_emr::primitives::DateTime;
use aws_sdk_emr::types::{
    InstanceFleetType, OnClusterAppUiType, PersistentAppUi, PersistentAppUiType, ProfilerType, StepCancellationOption,
    StepConfig, StepSummary,
};
use jiff::Timestamp;
use serde_json::Value as Json;

use super::answers::{ACTIVE, Cluster, ClusterState, EmrStep, Instance, NewStep, StepState};
use crate::aws::{CallError, OperationError, Retry, SdkError, Session};

/// A page of a list, and where the next one starts; `None` on the last one.
pub struct ListPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one starts.
    pub next: Option<String>,
}

/// EMR's operations. An answer that lacks what it must have is an error with `maybe_done` set: what was asked for was done.
#[derive(Clone, Debug)]
pub struct Api {
    session: Session,
    client: Client,
    applications: Applications,
}

impl Api {
    /// Returns EMR as a session reaches it.
    pub fn new(session: &Session) -> Self {
        let applications = Applications::default();
        let config = session.emr().config().to_builder().interceptor(applications.clone()).build();
        Self { session: session.clone(), client: Client::from_conf(config), applications }
    }

    /// Returns the way to AWS.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Sends an operation; `read` returns what its answer must have, or the name of what is missing.
    async fn send<T, R, E: OperationError, F: Future<Output = Result<T, SdkError<E>>>>(
        &self,
        operation: &str,
        retry: Retry,
        call: impl Fn() -> F,
        read: impl FnOnce(T) -> Result<R, &'static str>,
    ) -> Result<R, CallError> {
        let answer = self.session.send("EMR", operation, retry, call).await?;
        read(answer).map_err(|what| self.session.lacks("EMR", operation, what))
    }

    /// Returns the clusters in any of these states, in no order.
    pub async fn list_clusters(
        &self,
        states: &[ClusterState],
        after: Option<Timestamp>,
    ) -> Result<Vec<Cluster>, CallError> {
        let list = self.client.list_clusters().set_cluster_states(Some(states.to_vec()));
        let list = &list.set_created_after(after.map(|after| DateTime::from_secs(after.as_second())));
        all(|marker| async move {
            let call = || list.clone().set_marker(marker.clone()).send();
            let read = |answer: ListClustersOutput| page(answer.clusters, answer.marker, Cluster::listed);
            self.send("ListClusters", Retry::Safe, call, read).await
        })
        .await
    }

    /// Returns a cluster with all that EMR tells about it.
    pub async fn describe_cluster(&self, id: &str) -> Result<Cluster, CallError> {
        let call = || self.client.describe_cluster().cluster_id(id).send();
        let read = |answer: DescribeClusterOutput| Cluster::described(answer.cluster.ok_or("the cluster")?);
        self.send("DescribeCluster", Retry::Safe, call, read).await
    }

    /// Makes a cluster and returns its id. Not sent again when it may have been done.
    pub async fn run_job_flow(&self, request: &RunJobFlowInputBuilder) -> Result<String, CallError> {
        let call = || request.clone().send_with(&self.client);
        let read = |made: RunJobFlowOutput| made.job_flow_id.filter(|id| !id.is_empty()).ok_or("the cluster's id");
        self.send("RunJobFlow", Retry::NotDone, call, read).await
    }

    /// Adds steps and returns their ids in order. Not sent again when it may have been done, nor once `over` is not pending any
    /// more.
    pub async fn add_steps(
        &self,
        cluster: &str,
        steps: &[NewStep],
        role: Option<&str>,
        over: impl Future<Output = ()>,
    ) -> Result<Vec<String>, CallError> {
        let (session, operation) = (&self.session, "AddJobFlowSteps");
        let add = self.client.add_job_flow_steps().job_flow_id(cluster).set_execution_role_arn(role.map(String::from));
        let add = add.set_steps(Some(steps.iter().map(StepConfig::from).collect()));
        let whole = |ids: &Vec<String>| ids.len() == steps.len() && !ids.iter().any(String::is_empty);
        let call = || async {
            let added = Box::pin(add.clone().send()).await;
            added.map_err(|error| session.failed("EMR", operation, &error))
        };
        let added = session.patiently_until(("EMR", operation), Retry::NotDone, over, call).await?;
        added.step_ids.filter(whole).ok_or_else(|| session.lacks("EMR", operation, "an id for each step"))
    }

    /// Returns one page of steps, the newest first; of all states when none are named.
    pub async fn steps_page(
        &self,
        cluster: &str,
        states: &[StepState],
        marker: Option<String>,
    ) -> Result<ListPage<EmrStep>, CallError> {
        let list = self.client.list_steps().cluster_id(cluster).set_marker(marker);
        let list = list.set_step_states((!states.is_empty()).then(|| states.to_vec()));
        let step = |step: StepSummary| EmrStep::new(step.id, step.name, step.status, step.config, &self.applications);
        let read = |answer: ListStepsOutput| page(answer.steps, answer.marker, step);
        self.send("ListSteps", Retry::Safe, || list.clone().send(), read).await
    }

    /// Returns the steps in any of these states, the newest first.
    pub async fn steps_in(&self, cluster: &str, states: &[StepState]) -> Result<Vec<EmrStep>, CallError> {
        all(|marker| self.steps_page(cluster, states, marker)).await
    }

    /// Returns whether `is` holds for any step of a cluster. Reads no page after the first one that has such a step.
    pub async fn has_step(&self, cluster: &str, is: impl Fn(&EmrStep) -> bool) -> Result<bool, CallError> {
        let mut marker = None;
        loop {
            let page = self.steps_page(cluster, &[], marker).await?;
            marker = page.next;
            let found = page.items.iter().any(&is);
            if found || marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// Returns the steps that have not ended.
    pub async fn active_steps(&self, cluster: &str) -> Result<Vec<EmrStep>, CallError> {
        self.steps_in(cluster, &ACTIVE).await
    }

    /// Returns a step.
    pub async fn describe_step(&self, cluster: &str, step: &str) -> Result<EmrStep, CallError> {
        let call = || self.client.describe_step().cluster_id(cluster).step_id(step).send();
        let read = |answer: DescribeStepOutput| {
            let step = answer.step.ok_or("the step")?;
            EmrStep::new(step.id, step.name, step.status, step.config, &self.applications)
        };
        self.send("DescribeStep", Retry::Safe, call, read).await
    }

    /// Asks for steps to be cancelled: EMR promises to try.
    pub async fn cancel_steps(
        &self,
        cluster: &str,
        steps: &[String],
        option: StepCancellationOption,
    ) -> Result<(), CallError> {
        let cancel = self.client.cancel_steps().cluster_id(cluster).set_step_ids(Some(steps.to_vec()));
        let cancel = cancel.step_cancellation_option(option);
        self.send("CancelSteps", Retry::Safe, || cancel.clone().send(), |_| Ok(())).await
    }

    /// Ends a cluster; ending it twice is no error.
    pub async fn terminate(&self, cluster: &str) -> Result<(), CallError> {
        let call = || self.client.terminate_job_flows().job_flow_ids(cluster).send();
        self.send("TerminateJobFlows", Retry::Safe, call, |_| Ok(())).await
    }

    /// Returns the instances of a cluster, also those that have ended; `role`: only those of that fleet.
    pub async fn instances(&self, cluster: &str, role: Option<InstanceFleetType>) -> Result<Vec<Instance>, CallError> {
        let list = &self.client.list_instances().cluster_id(cluster).set_instance_fleet_type(role);
        all(|marker| async move {
            let call = || list.clone().set_marker(marker.clone()).send();
            let read = |answer: ListInstancesOutput| page(answer.instances, answer.marker, Instance::listed);
            self.send("ListInstances", Retry::Safe, call, read).await
        })
        .await
    }
}

impl Api {
    /// Returns a link that opens a page of a running cluster, once there is one. `application`: YARN's name of the application
    /// that the page is of; `role`: whose steps it may show, on clusters whose steps have roles.
    pub async fn cluster_page(
        &self,
        cluster: &str,
        page: &OnClusterAppUiType,
        application: Option<&str>,
        role: Option<&str>,
    ) -> Result<Option<String>, CallError> {
        let get = self.client.get_on_cluster_app_ui_presigned_url().cluster_id(cluster);
        let get = get.on_cluster_app_ui_type(page.clone()).set_application_id(application.map(String::from));
        let get = get.set_execution_role_arn(role.map(String::from));
        self.send(
            "GetOnClusterAppUIPresignedURL",
            Retry::Safe,
            || get.clone().send(),
            |answer| {
                Ok(answer.presigned_url.filter(|url| answer.presigned_url_ready != Some(false) && !url.is_empty()))
            },
        )
        .await
    }

    /// Has the pages made that outlive a cluster, or finds them; returns their id.
    pub async fn create_pages(&self, arn: &str, kind: ProfilerType) -> Result<String, CallError> {
        let create = self.client.create_persistent_app_ui().target_resource_arn(arn).profiler_type(kind);
        let read = |made: CreatePersistentAppUiOutput| made.persistent_app_ui_id.ok_or("the id of the pages");
        self.send("CreatePersistentAppUI", Retry::Safe, || create.clone().send(), read).await
    }

    /// Returns what EMR says of pages that outlive a cluster.
    pub async fn describe_pages(&self, id: &str) -> Result<PersistentAppUi, CallError> {
        let call = || self.client.describe_persistent_app_ui().persistent_app_ui_id(id).send();
        let read = |told: DescribePersistentAppUiOutput| told.persistent_app_ui.ok_or("the pages");
        self.send("DescribePersistentAppUI", Retry::Safe, call, read).await
    }

    /// Returns a link that opens such pages, once there is one.
    pub async fn link_to_pages(&self, id: &str, kind: PersistentAppUiType) -> Result<Option<String>, CallError> {
        let get = self.client.get_persistent_app_ui_presigned_url().persistent_app_ui_id(id);
        let get = get.persistent_app_ui_type(kind);
        self.send(
            "GetPersistentAppUIPresignedURL",
            Retry::Safe,
            || get.clone().send(),
            |answer| {
                Ok(answer.presigned_url.filter(|url| answer.presigned_url_ready != Some(false) && !url.is_empty()))
            },
        )
        .await
    }
}

/// Returns a page of an answer's list, which must be there although it may be empty.
fn page<S, T>(
    items: Option<Vec<S>>,
    marker: Option<String>,
    read: impl Fn(S) -> Result<T, &'static str>,
) -> Result<ListPage<T>, &'static str> {
    let items = items.ok_or("the list")?.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(ListPage { items, next: marker.filter(|marker| !marker.is_empty()) })
}

/// Returns what is on all pages.
async fn all<T, F: Future<Output = Result<ListPage<T>, CallError>>>(
    page: impl Fn(Option<String>) -> F,
) -> Result<Vec<T>, CallError> {
    let (mut items, mut marker) = (Vec::new(), None);
    loop {
        let page = page(marker).await?;
        items.extend(page.items);
        marker = page.next;
        if marker.is_none() {
            return Ok(items);
        }
    }
}

/// The YARN applications of steps, by the step's id. EMR tells them in `AdditionalInfo`, which the crate's model of a step
/// does not have yet, so they are read from the body of each answer beside the SDK.
#[derive(Clone, Debug, Default)]
pub(super) struct Applications(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Applications {
    /// Returns those of a step.
    pub fn of(&self, step: &str) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(step).cloned().unwrap_or_default()
    }
}

impl Intercept for Applications {
    fn name(&self) -> &'static str {
        "Applications"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        let answer: Json = serde_json::from_slice(body).unwrap_or_default();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for step in answer["Steps"].as_array().into_iter().flatten().chain(answer.get("Step")) {
            let ids = step["AdditionalInfo"]["ResourceManagerApplicationIds"].as_array().into_iter().flatten();
            let ids: Vec<String> = ids.filter_map(Json::as_str).map(String::from).collect();
            if let (Some(step), false) = (step["Id"].as_str(), ids.is_empty()) {
                known.insert(step.into(), ids);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::aws::RetryPolicy;

    #[tokio::test]
    async fn a_step_is_looked_for_on_no_more_pages_than_it_takes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keys = Credentials::new("id", "secret", None, None, "test");
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let api = Api::new(&Session::for_tests(&endpoint, keys, RetryPolicy::hasty()));
        let page = |steps: &[&str], marker: &str| {
            let step =
                |name: &&str| json!({ "Id": "s-1", "Name": name, "Config": {}, "Status": { "State": "COMPLETED" } });
            json!({ "Steps": steps.iter().map(step).collect::<Vec<_>>(), "Marker": marker }).to_string()
        };
        for (pages, found) in [
            (vec![page(&["c", "b"], "m1")], true),
            (vec![page(&["d"], "m1"), page(&["b", "a"], "m2")], true),
            (vec![page(&["d"], "m1"), page(&["a"], "")], false),
        ] {
            let serve = async {
                for page in &pages {
                    let (mut connection, _) = listener.accept().await.unwrap();
                    assert_ne!(connection.read(&mut [0; 65_536]).await.unwrap(), 0);
                    let head =
                        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", page.len());
                    connection.write_all(format!("{head}{page}").as_bytes()).await.unwrap();
                }
            };
            tokio::select! {
                answer = api.has_step("j-1", |step| step.name == "b") => assert_eq!(answer.unwrap(), found, "{pages:?}"),
                () = async { serve.await; listener.accept().await.unwrap(); } => panic!("more is asked for: {pages:?}"),
            }
        }
    }
}
