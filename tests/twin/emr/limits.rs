//! What EMR refuses although it is well formed. Texts as the service gives them.

use serde_json::Value;

use super::{Cluster, Refusal, releases};

/// Source: "Submit work to an Amazon EMR cluster" in the management guide.
const ACTIVE_STEPS: usize = 256;

/// Source: HadoopJarStepConfig in the API reference: all strings of a step together.
const STEP_LETTERS: usize = 10_240;

/// Source: RunJobFlow in the API reference.
const NAME_FORBIDS: [char; 5] = ['<', '>', '$', '|', '`'];

/// Source: AutoTerminationPolicy in the API reference: seconds.
const IDLE_TIMEOUT: std::ops::RangeInclusive<i64> = 60..=604_800;

/// Refuses a RunJobFlow request.
pub fn run_job_flow(body: &Value) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::validation(text));
    let text = |key: &str| body[key].as_str().unwrap_or_default();
    if text("Name").contains(NAME_FORBIDS) {
        return refuse("The name of the cluster cannot contain <, >, $, |, or `.");
    }
    if body["ReleaseLabel"].is_null() && body["AmiVersion"].is_null() {
        return refuse("Must specify exactly one of the following: release label, AMI version, or Hadoop version.");
    }
    if !releases::is_known(text("ReleaseLabel")) {
        return Err(Refusal::validation(format!("The supplied release label is invalid: {}.", text("ReleaseLabel"))));
    }
    if text("ServiceRole").is_empty() {
        return refuse("ServiceRole is required for creating cluster.");
    }
    if text("JobFlowRole").is_empty() {
        return refuse("InstanceProfile is required for creating cluster.");
    }
    let instances = &body["Instances"];
    let ways = ["InstanceFleets", "InstanceGroups", "MasterInstanceType"].map(|key| !instances[key].is_null());
    match ways.iter().filter(|way| **way).count() {
        0 => return refuse("Must specify one of the following: instance fleets, instance groups, or instance types."),
        1 => {}
        _ => {
            return refuse(
                "Please configure instances using one and only one of the following: instance groups; instance fleets; instance count, master and slave instance type.",
            );
        }
    }
    if !instances["Ec2SubnetIds"].is_null() && instances["InstanceFleets"].is_null() {
        return refuse("Multiple subnets are only supported with instance fleets.");
    }
    // Source: the management guide, "Create bootstrap actions".
    if body["BootstrapActions"].as_array().is_some_and(|actions| actions.len() > 16) {
        return refuse("Cannot specify more than 16 bootstrap actions.");
    }
    concurrency(&body["StepConcurrencyLevel"])?;
    if let Some(policy) = body.get("AutoTerminationPolicy") {
        idle_timeout(policy).map_err(Refusal::validation)?;
    }
    steps(body["Steps"].as_array().map_or(&[], Vec::as_slice), body["StepConcurrencyLevel"].as_u64().unwrap_or(1))
}

/// Refuses a step concurrency level.
pub fn concurrency(level: &Value) -> Result<(), Refusal> {
    match level.as_i64() {
        Some(level) if !(1..=256).contains(&level) => {
            Err(Refusal::validation("Invalid step concurrency level. Allowed level is from 1 to 256"))
        }
        _ => Ok(()),
    }
}

/// Refuses an idle timeout; returns the text, as two operations wrap it differently.
pub fn idle_timeout(policy: &Value) -> Result<(), &'static str> {
    match policy["IdleTimeout"].as_i64() {
        Some(seconds) if !IDLE_TIMEOUT.contains(&seconds) => {
            Err("The IdleTimeout value is invalid. It must be between 60 and 604800 seconds.")
        }
        _ => Ok(()),
    }
}

/// Refuses steps for a cluster that is there.
pub fn add_steps(cluster: &Cluster, added: &[Value]) -> Result<(), Refusal> {
    if cluster.is_over() {
        let text = "A job flow that is shutting down, terminated, or finished may not be modified.";
        return Err(Refusal::validation(text));
    }
    if cluster.active_steps() + added.len() > ACTIVE_STEPS {
        let text =
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded.";
        return Err(Refusal::validation(text));
    }
    steps(added, cluster.concurrency as u64)
}

fn steps(steps: &[Value], concurrency: u64) -> Result<(), Refusal> {
    if steps.len() > ACTIVE_STEPS {
        let text =
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded.";
        return Err(Refusal::validation(text));
    }
    for step in steps {
        // Left out, it is TERMINATE_CLUSTER.
        let action = step["ActionOnFailure"].as_str().unwrap_or("TERMINATE_CLUSTER");
        if concurrency > 1 && action != "CONTINUE" {
            return Err(Refusal::validation(format!("Action on failure '{action}' is invalid.")));
        }
        if letters(&step["HadoopJarStep"]) > STEP_LETTERS {
            return Err(Refusal::validation(format!(
                "The combined length of the step's strings must be at most {STEP_LETTERS} characters."
            )));
        }
    }
    Ok(())
}

/// Returns the letters in all strings of a value.
fn letters(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.iter().map(letters).sum(),
        Value::Object(fields) => fields.values().map(letters).sum(),
        _ => 0,
    }
}
