//! The operations, one arm each.

use serde_json::{Value, json};

use super::fates::Fate;
use super::step::Step;
use super::{Cluster, Effect, Emr, Refusal, limits, lists, releases, show};

/// Steps that ListSteps still knows. Source: "Step history" in the management guide.
const HISTORY: usize = 1000;

impl Emr {
    pub fn execute(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        match operation {
            "RunJobFlow" => self.run_job_flow(body),
            "DescribeCluster" => self.named(body).map(|cluster| json!({ "Cluster": self.describe(cluster) })),
            "ListClusters" => self.list_clusters(body),
            "TerminateJobFlows" => self.terminate(body),
            "ModifyCluster" => self.modify(body),
            "SetTerminationProtection" => self.protect(body),
            "AddTags" | "RemoveTags" => self.tag(body),
            "AddJobFlowSteps" => self.add_steps(body),
            "ListSteps" => self.list_steps(body),
            "DescribeStep" => self.one_step(body),
            "CancelSteps" => self.cancel_steps(body),
            "ListInstances" => self.list_instances(body),
            "ListInstanceFleets" => self.list_fleets(body),
            "ListInstanceGroups" => self.list_groups(body),
            "ListBootstrapActions" => self.list_bootstrap_actions(body),
            "ListReleaseLabels" => Ok(releases::list_labels(body)),
            "DescribeReleaseLabel" => releases::describe(body),
            "ListSupportedInstanceTypes" => releases::list_types(body),
            "DescribeSecurityConfiguration" => self.security_configuration_of(body),
            "PutAutoTerminationPolicy" | "GetAutoTerminationPolicy" | "RemoveAutoTerminationPolicy" => {
                self.auto_termination(operation, body)
            }
            "PutManagedScalingPolicy" | "GetManagedScalingPolicy" => self.managed_scaling(operation, body),
            "GetOnClusterAppUIPresignedURL" => self.presigned_url(body),
            "CreatePersistentAppUI" => self.create_pages(body),
            "DescribePersistentAppUI" => self.describe_pages(body),
            "GetPersistentAppUIPresignedURL" => self.link_to_pages(body),
            _ => Err(Refusal::unknown_operation()),
        }
    }

    /// Returns the cluster that a request of the newer kind names.
    pub fn named(&self, body: &Value) -> Result<&Cluster, Refusal> {
        let id = ["ClusterId", "ResourceId"].iter().find_map(|key| body[key].as_str()).unwrap_or_default();
        let found = self.clusters.iter().find(|cluster| cluster.id == id);
        found.ok_or_else(|| Refusal::invalid(format!("Cluster id '{id}' is not valid.")))
    }

    pub fn named_mut(&mut self, body: &Value) -> Result<&mut Cluster, Refusal> {
        let id = self.named(body)?.id.clone();
        self.job_flow(&id)
    }

    /// Returns the cluster that a request of the older kind names.
    fn job_flow(&mut self, id: &str) -> Result<&mut Cluster, Refusal> {
        let found = self.clusters.iter_mut().find(|cluster| cluster.id == id);
        found.ok_or_else(|| Refusal::validation("Specified job flow ID not valid"))
    }

    fn run_job_flow(&mut self, body: &Value) -> Result<Value, Refusal> {
        limits::run_job_flow(body)?;
        if let Some(name) = body["SecurityConfiguration"].as_str()
            && !self.security.contains_key(name)
        {
            return Err(Refusal::validation(format!("Security configuration with name '{name}' does not exist.")));
        }
        let id = self.id("j-");
        let now = self.clock.now();
        let fate = self.fates.pop_front().unwrap_or(Fate::Ready);
        let mut cluster = Cluster::new(id.clone(), body.clone(), fate, (now, self.clock.epoch(now)));
        let role = body["StepExecutionRoleArn"].as_str();
        cluster.steps = self.steps_of(&body["Steps"], role);
        self.clusters.push(cluster);
        Ok(json!({ "JobFlowId": id, "ClusterArn": show::arn(&id) }))
    }

    fn add_steps(&mut self, body: &Value) -> Result<Value, Refusal> {
        let id = body["JobFlowId"].as_str().unwrap_or_default().to_string();
        let added = body["Steps"].as_array().cloned().unwrap_or_default();
        limits::add_steps(self.job_flow(&id)?, &added)?;
        let steps = self.steps_of(&body["Steps"], body["ExecutionRoleArn"].as_str());
        let ids: Vec<String> = steps.iter().map(|step| step.id.clone()).collect();
        let (now, mut effects) = (self.clock.now(), Vec::new());
        let cluster = self.job_flow(&id)?;
        cluster.steps.extend(steps);
        cluster.changed(now, &mut effects);
        self.effects.extend(effects);
        Ok(json!({ "StepIds": ids }))
    }

    fn steps_of(&mut self, asked: &Value, role: Option<&str>) -> Vec<Step> {
        let mut steps = Vec::new();
        for asked in asked.as_array().into_iter().flatten() {
            let fate = self.step_fate(asked["Name"].as_str().unwrap_or_default());
            let mut step = Step::new(self.id("s-"), asked.clone(), fate, self.clock.now());
            step.role = role.map(ToString::to_string);
            steps.push(step);
        }
        steps
    }

    fn list_clusters(&self, body: &Value) -> Result<Value, Refusal> {
        let states = body["ClusterStates"].as_array();
        let (after, before) = (body["CreatedAfter"].as_f64(), body["CreatedBefore"].as_f64());
        let fits = |cluster: &&Cluster| {
            let created = self.clock.epoch(cluster.created);
            states.is_none_or(|states| states.iter().any(|state| state == cluster.state))
                && after.is_none_or(|after| created > after)
                && before.is_none_or(|before| created < before)
        };
        let mut found: Vec<&Cluster> = self.clusters.iter().filter(fits).collect();
        // In no order that means anything, as the API has it.
        found.sort_by(|one, other| one.id.cmp(&other.id));
        let shown = found.into_iter().map(|cluster| self.summary(cluster)).collect();
        lists::page("Clusters", shown, body, |item| item["Id"].to_string())
    }

    fn list_steps(&mut self, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named(body)?;
        let (states, ids) = (body["StepStates"].as_array(), body["StepIds"].as_array());
        if states.is_some_and(|states| !states.is_empty()) && ids.is_some_and(|ids| !ids.is_empty()) {
            return Err(Refusal::invalid("Cannot specify both StepIds and StepStates."));
        }
        if ids.is_some_and(|ids| ids.len() > 10) {
            return Err(Refusal::invalid("Cannot specify more than 10 step ids."));
        }
        let known = |id: &Value| cluster.steps.iter().any(|step| *id == step.id);
        if let Some(id) = ids.into_iter().flatten().find(|id| !known(id)) {
            return Err(Refusal::invalid(format!("Step id '{}' is not valid.", id.as_str().unwrap_or_default())));
        }
        let fits = |step: &&Step| {
            states.is_none_or(|states| states.is_empty() || states.iter().any(|state| state == step.state))
                && ids.is_none_or(|ids| ids.is_empty() || ids.iter().any(|id| *id == step.id))
        };
        let steps = cluster.steps.iter().rev().take(HISTORY).filter(fits).map(|step| self.step_summary(step));
        let answer = lists::page("Steps", steps.collect(), body, |item| item["Id"].to_string())?;
        let id = cluster.id.clone();
        self.polled(&id, true);
        Ok(answer)
    }

    fn one_step(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (cluster, id) = (self.named(body)?, body["StepId"].as_str().unwrap_or_default());
        let step = cluster.steps.iter().find(|step| step.id == id);
        let step = step.ok_or_else(|| Refusal::invalid(format!("Step id '{id}' is not valid.")))?;
        let answer = json!({ "Step": self.describe_step(step) });
        let cluster = cluster.id.clone();
        self.polled(&cluster, false);
        Ok(answer)
    }

    /// Counts a look at a cluster's steps: logs, failure details and losses may wait for it.
    fn polled(&mut self, id: &str, listed: bool) {
        let (now, pace, due) = (self.clock.now(), self.paces(), self.logs_after);
        let Some(cluster) = self.clusters.iter_mut().find(|cluster| cluster.id == id) else { return };
        for step in cluster.steps.iter_mut().filter(|step| step.ended.is_some()) {
            step.polls += 1;
            if step.polls == due && step.started.is_some() {
                self.effects.push(Effect::Logs { cluster: id.to_string(), step: step.id.clone() });
            }
        }
        if let Some((loss, polls)) = cluster.losing.filter(|_| listed) {
            cluster.losing = Some((loss, polls - 1)).filter(|_| polls > 1);
            if polls == 1 {
                cluster.lose(loss, now, pace, &mut self.effects);
            }
        }
    }

    fn cancel_steps(&mut self, body: &Value) -> Result<Value, Refusal> {
        let now = self.clock.now();
        let mut effects = Vec::new();
        let cluster = self.named_mut(body)?;
        let mut replies = Vec::new();
        for id in body["StepIds"].as_array().into_iter().flatten() {
            let step = cluster.steps.iter_mut().find(|step| *id == step.id);
            let step = step.ok_or_else(|| {
                Refusal::invalid(format!("Step id '{}' is not valid.", id.as_str().unwrap_or_default()))
            })?;
            match step.state {
                "PENDING" => step.end("CANCELLED", Some("Cancelled by user"), now),
                "RUNNING" => {
                    step.state = "CANCEL_PENDING";
                    step.cancelled = Some(now);
                    effects.extend(step.real.then(|| Effect::Kill { step: step.id.clone() }));
                }
                "CANCEL_PENDING" => {}
                _ => {
                    let reason = "The step is not in a state in which it can be cancelled.";
                    replies.push(json!({ "StepId": id, "Status": "FAILED", "Reason": reason }));
                    continue;
                }
            }
            replies.push(json!({ "StepId": id, "Status": "SUBMITTED" }));
        }
        cluster.changed(now, &mut effects);
        self.effects.extend(effects);
        Ok(json!({ "CancelStepsInfoList": replies }))
    }

    fn terminate(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (now, pace) = (self.clock.now(), self.paces());
        let ids: Vec<String> =
            body["JobFlowIds"].as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
        for id in &ids {
            if self.job_flow(id)?.protected {
                let text = "Could not shut down one or more job flows since they are termination protected.";
                return Err(Refusal::validation(text));
            }
        }
        let mut effects = Vec::new();
        for id in &ids {
            self.job_flow(id)?.terminate_by_user(now, pace, &mut effects);
        }
        self.effects.extend(effects);
        Ok(Value::Null)
    }

    fn modify(&mut self, body: &Value) -> Result<Value, Refusal> {
        limits::concurrency(&body["StepConcurrencyLevel"])?;
        let now = self.clock.now();
        let cluster = self.named_mut(body)?;
        if let Some(level) = body["StepConcurrencyLevel"].as_u64() {
            cluster.concurrency = level as usize;
        }
        cluster.changed(now, &mut Vec::new());
        Ok(json!({ "StepConcurrencyLevel": cluster.concurrency }))
    }

    fn protect(&mut self, body: &Value) -> Result<Value, Refusal> {
        for id in body["JobFlowIds"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.job_flow(id)?.protected = body["TerminationProtected"] == true;
        }
        Ok(Value::Null)
    }
}
