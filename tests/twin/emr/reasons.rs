//! Why a cluster has ended, in EMR's words where they are known.

use serde_json::{Value, json};

use super::fates::{Fate, Loss};

/// What EMR says here could not be found out: nothing may depend on this text.
pub fn idle() -> (&'static str, String) {
    ("USER_REQUEST", "Terminated by the auto-termination policy: the cluster was idle".to_string())
}

/// Returns the state in which a lost cluster ends, and code and text of the reason.
pub fn loss_reason(loss: Loss) -> (&'static str, (&'static str, String)) {
    let master = "The master node was terminated".to_string();
    match loss {
        Loss::Operator | Loss::MaxAge => ("TERMINATED", ("USER_REQUEST", "Terminated by user request".to_string())),
        Loss::IdleTimer => ("TERMINATED", idle()),
        Loss::PrimaryLost => ("TERMINATED_WITH_ERRORS", ("INSTANCE_FAILURE", master)),
        Loss::Spot => ("TERMINATED_WITH_ERRORS", ("INTERNAL_ERROR", master)),
    }
}

/// Returns code and text of the state change reason, and the error's code and data.
pub fn start_failure(fate: &Fate) -> (&'static str, String, Option<(&'static str, Value)>) {
    match fate {
        Fate::NoCapacity { spot: false } => (
            "INTERNAL_ERROR",
            "Error provisioning instances: EC2 has insufficient capacity for the requested instance type in the Availability Zone.".to_string(),
            Some(("INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ", json!([{ "availability-zone": "us-east-1a" }]))),
        ),
        Fate::NoCapacity { spot: true } => (
            "INSTANCE_FLEET_TIMEOUT",
            "Instance fleet timeout: Spot capacity for the primary instance was not available in time.".to_string(),
            Some(("INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY", json!([{ "instance-type": "m5.xlarge" }]))),
        ),
        Fate::BootstrapFails { action, instance } => (
            "BOOTSTRAP_FAILURE",
            format!("On the master instance ({instance}), bootstrap action {action} returned a non-zero return code"),
            Some((
                "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
                json!([{ "bootstrap-action": action.to_string(), "instance-id": instance, "return-code": "1" }]),
            )),
        ),
        Fate::ServiceLinkedRoleMissing => (
            "VALIDATION_ERROR",
            "Service-linked role 'AWSServiceRoleForEMRCleanup' for EMR is required. Please create this role directly or add permission to create it in your IAM entity.".to_string(),
            None,
        ),
        Fate::ValidationError { message } => ("VALIDATION_ERROR", message.clone(), None),
        Fate::Ready => unreachable!("a cluster that gets ready does not fail"),
    }
}
