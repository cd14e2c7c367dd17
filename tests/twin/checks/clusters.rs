//! How clusters begin, wait and end.

use std::time::Duration;

use serde_json::json;

use crate::twin::{Fate, Loss, Options, Twin};
use crate::twin_checks::client::{add, ok, refused, start, state, states, status, step};

/// Returns a twin whose clocks stand, so that each state is seen.
fn held() -> Twin {
    let twin = Twin::start();
    twin.hold();
    twin
}

#[test]
fn a_cluster_passes_through_its_states_and_waits() {
    let twin = held();
    let cluster = start(&twin, &json!({}));
    let mut seen = vec![state(&twin, &cluster)];
    for _ in 0..3 {
        twin.tick();
        seen.push(state(&twin, &cluster));
    }
    assert_eq!(seen, ["STARTING", "BOOTSTRAPPING", "WAITING", "WAITING"]);
    let timeline = &status(&twin, &cluster)["Timeline"];
    assert!(timeline["ReadyDateTime"].as_f64().unwrap() > timeline["CreationDateTime"].as_f64().unwrap());
}

#[test]
fn without_keep_alive_it_ends_after_its_steps() {
    let twin = held();
    let fields = json!({ "Steps": [step("one")], "Instances": { "InstanceGroups": [
        { "InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1 },
    ] } });
    let cluster = start(&twin, &fields);
    let mut seen = Vec::new();
    for _ in 0..6 {
        twin.tick();
        seen.push(format!("{} {}", state(&twin, &cluster), states(&twin, &cluster)[0]));
    }
    assert_eq!(
        seen,
        [
            "BOOTSTRAPPING PENDING",
            "RUNNING RUNNING",
            "TERMINATING COMPLETED",
            "TERMINATED COMPLETED",
            "TERMINATED COMPLETED",
            "TERMINATED COMPLETED",
        ]
    );
    assert_eq!(
        status(&twin, &cluster)["StateChangeReason"],
        json!({ "Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed" })
    );
}

#[test]
fn each_fate_ends_a_cluster_in_its_own_words() {
    let twin = Twin::start();
    let bootstrap = Fate::BootstrapFails { action: 2, instance: "i-0abc".into() };
    let refusal = Fate::ValidationError { message: "Invalid InstanceProfile: soflow-ec2.".into() };
    for (fate, code, text, error) in [
        (Fate::NoCapacity { spot: false }, "INTERNAL_ERROR", "capacity", "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"),
        (Fate::NoCapacity { spot: true }, "INSTANCE_FLEET_TIMEOUT", "Spot", "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"),
        (
            bootstrap,
            "BOOTSTRAP_FAILURE",
            "(i-0abc), bootstrap action 2 ",
            "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
        ),
        (refusal, "VALIDATION_ERROR", "Invalid InstanceProfile: soflow-ec2.", ""),
        (Fate::ServiceLinkedRoleMissing, "VALIDATION_ERROR", "'AWSServiceRoleForEMRCleanup'", ""),
    ] {
        twin.next_cluster(fate);
        let cluster = start(&twin, &json!({ "Steps": [step("never")] }));
        twin.until("it ends", |twin| state(twin, &cluster) == "TERMINATED_WITH_ERRORS");
        let status = status(&twin, &cluster);
        assert_eq!(status["StateChangeReason"]["Code"], code);
        assert!(status["StateChangeReason"]["Message"].as_str().unwrap().contains(text), "{status}");
        assert_eq!(status["ErrorDetails"][0]["ErrorCode"].as_str().unwrap_or_default(), error);
        assert_eq!(states(&twin, &cluster), ["CANCELLED"]);
    }
    let cluster = start(&twin, &json!({}));
    twin.until("the one after them is ready", |twin| state(twin, &cluster) == "WAITING");
}

#[test]
fn an_idle_cluster_ends_by_its_policy_and_a_busy_one_does_not() {
    let twin = Twin::with(Options { idle_second: Duration::from_millis(1), ..Options::default() });
    let policy = json!({ "AutoTerminationPolicy": { "IdleTimeout": 60 } });
    twin.step_fate("hangs", crate::twin::StepFate::Hangs);
    let (idle, busy) = (start(&twin, &policy), start(&twin, &policy));
    add(&twin, &busy, &[step("hangs")]);
    twin.until("the idle one ends", |twin| state(twin, &idle) == "TERMINATED");
    assert_eq!(state(&twin, &busy), "RUNNING");
    let kept = ok(&twin, "GetAutoTerminationPolicy", &json!({ "ClusterId": busy }));
    assert_eq!(kept["AutoTerminationPolicy"]["IdleTimeout"], 60);
}

#[test]
fn a_user_interrupts_what_runs_and_a_lost_primary_cancels_it() {
    let twin = Twin::start();
    twin.step_fate("long", crate::twin::StepFate::Hangs);
    for (loss, ends, code, running) in [
        (Loss::Operator, "TERMINATED", "USER_REQUEST", "INTERRUPTED"),
        (Loss::MaxAge, "TERMINATED", "USER_REQUEST", "INTERRUPTED"),
        (Loss::IdleTimer, "TERMINATED", "USER_REQUEST", "INTERRUPTED"),
        (Loss::PrimaryLost, "TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", "CANCELLED"),
        (Loss::Spot, "TERMINATED_WITH_ERRORS", "INTERNAL_ERROR", "CANCELLED"),
    ] {
        let cluster = start(&twin, &json!({ "Steps": [step("long"), step("later")] }));
        twin.until("it runs", |twin| states(twin, &cluster) == ["RUNNING", "PENDING"]);
        twin.lose_cluster(&cluster, loss, Some(2));
        assert_eq!(states(&twin, &cluster), ["RUNNING", "PENDING"], "{loss:?}");
        assert_eq!(states(&twin, &cluster), ["RUNNING", "PENDING"], "{loss:?}");
        assert_eq!(states(&twin, &cluster), [running, "CANCELLED"], "{loss:?}");
        twin.until("it ends", |twin| state(twin, &cluster) == ends);
        assert_eq!(status(&twin, &cluster)["StateChangeReason"]["Code"], code);
    }
}

#[test]
fn terminating_is_refused_while_protected_and_then_interrupts() {
    let twin = Twin::start();
    twin.step_fate("long", crate::twin::StepFate::Hangs);
    let cluster = start(&twin, &json!({ "Steps": [step("long"), step("later")] }));
    twin.until("it runs", |twin| states(twin, &cluster) == ["RUNNING", "PENDING"]);
    let all = json!({ "JobFlowIds": [cluster] });
    let protect = |on: bool| json!({ "JobFlowIds": [cluster], "TerminationProtected": on });
    ok(&twin, "SetTerminationProtection", &protect(true));
    let (code, text) = refused(&twin, "TerminateJobFlows", &all);
    assert_eq!((code.as_str(), text.contains("termination protected")), ("ValidationException", true));
    ok(&twin, "SetTerminationProtection", &protect(false));
    ok(&twin, "TerminateJobFlows", &all);
    assert_eq!(states(&twin, &cluster), ["INTERRUPTED", "CANCELLED"]);
    ok(&twin, "TerminateJobFlows", &all);
    let (code, text) =
        refused(&twin, "AddTags", &json!({ "ResourceId": cluster, "Tags": [{ "Key": "a", "Value": "b" }] }));
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("InvalidRequestException", "Tags cannot be modified on terminated clusters.")
    );
}

#[test]
fn instances_come_with_the_fleets_that_were_asked_for() {
    let twin = held();
    let cluster = start(&twin, &json!({}));
    let named = json!({ "ClusterId": cluster });
    assert_eq!(ok(&twin, "ListInstances", &named)["Instances"].as_array().unwrap().len(), 0);
    twin.tick();
    twin.tick();
    let fleets = ok(&twin, "ListInstanceFleets", &named);
    assert_eq!(fleets["InstanceFleets"][1]["ProvisionedSpotCapacity"], 2);
    let markets = ok(&twin, "ListInstances", &json!({ "ClusterId": cluster, "InstanceFleetType": "CORE" }));
    let markets: Vec<&str> =
        markets["Instances"].as_array().unwrap().iter().map(|one| one["Market"].as_str().unwrap()).collect();
    assert_eq!(markets, ["ON_DEMAND", "SPOT", "SPOT"]);
    let (code, text) = refused(&twin, "ListInstanceGroups", &named);
    assert_eq!((code.as_str(), text.contains("mutually exclusive")), ("InvalidRequestException", true));
}
