//! What EMR refuses, and in which words.

use serde_json::{Value, json};

use crate::twin::Twin;
use crate::twin_checks::client::{add, cluster_request, emr, ok, refused, start, state, step, step_of};

fn said(code: &str, text: &str) -> (String, String) {
    (code.to_string(), text.to_string())
}

#[test]
fn a_cluster_that_is_not_there_has_two_names() {
    let twin = Twin::start();
    let old = said("ValidationException", "Specified job flow ID not valid");
    let new = said("InvalidRequestException", "Cluster id 'j-NONE' is not valid.");
    let named = json!({ "ClusterId": "j-NONE" });
    assert_eq!(refused(&twin, "AddJobFlowSteps", &json!({ "JobFlowId": "j-NONE", "Steps": [step("a")] })), old);
    assert_eq!(refused(&twin, "TerminateJobFlows", &json!({ "JobFlowIds": ["j-NONE"] })), old);
    assert_eq!(refused(&twin, "DescribeCluster", &named), new);
    assert_eq!(refused(&twin, "ListSteps", &named), new);
    let cluster = start(&twin, &json!({}));
    let ghost = said("InvalidRequestException", "Step id 's-NONE' is not valid.");
    assert_eq!(refused(&twin, "DescribeStep", &json!({ "ClusterId": cluster, "StepId": "s-NONE" })), ghost);
    assert_eq!(refused(&twin, "CancelSteps", &json!({ "ClusterId": cluster, "StepIds": ["s-NONE"] })), ghost);
}

#[test]
fn clusters_that_cannot_be_are_refused() {
    let twin = Twin::start();
    let long = "x".repeat(257);
    for (fields, part) in [
        (json!({ "Name": "a|b" }), "cannot contain <, >, $, |, or `"),
        (
            json!({ "Name": long }),
            "at 'name' failed to satisfy constraint: Member must have length less than or equal to 256",
        ),
        (json!({ "ReleaseLabel": "emr-99.9.9" }), "The supplied release label is invalid: emr-99.9.9."),
        (json!({ "ServiceRole": "" }), "ServiceRole is required for creating cluster."),
        (json!({ "StepConcurrencyLevel": 257 }), "Invalid step concurrency level. Allowed level is from 1 to 256"),
        (json!({ "StepConcurrencyLevel": 0 }), "Invalid step concurrency level. Allowed level is from 1 to 256"),
        (json!({ "AutoTerminationPolicy": { "IdleTimeout": 59 } }), "IdleTimeout"),
        (json!({ "SecurityConfiguration": "none" }), "Security configuration with name 'none' does not exist."),
        (json!({ "Instances": {} }), "Must specify one of the following"),
    ] {
        let (code, text) = refused(&twin, "RunJobFlow", &cluster_request(&fields));
        assert_eq!(code, "ValidationException", "{fields}");
        assert!(text.contains(part), "{text}");
    }
    assert!(twin.clusters().is_empty());
}

#[test]
fn a_field_that_the_api_does_not_have_is_refused() {
    let twin = Twin::start();
    let mut request = cluster_request(&json!({}));
    request["Instances"]["KeepJobFlowAlive"] = true.into();
    let text = "Unrecognized field \"KeepJobFlowAlive\" in \"instances\"";
    assert_eq!(refused(&twin, "RunJobFlow", &request), said("SerializationException", text));
    let odd = cluster_request(&json!({ "StepConcurrencyLevel": "2" }));
    assert_eq!(refused(&twin, "RunJobFlow", &odd).0, "SerializationException");
    let action = json!({ "JobFlowId": "j-1", "Steps": [{ "Name": "a", "ActionOnFailure": "STOP", "HadoopJarStep": { "Jar": "x" } }] });
    assert!(
        refused(&twin, "AddJobFlowSteps", &action)
            .1
            .contains("Member must satisfy enum value set: [TERMINATE_JOB_FLOW,")
    );
    let (code, text) = refused(&twin, "DescribeStep", &json!({ "ClusterId": "j-1" }));
    assert_eq!((code.as_str(), text.contains("Value 'null' at 'stepId'")), ("ValidationException", true));
}

#[test]
fn an_operation_that_is_not_there_is_no_internal_error() {
    let twin = Twin::start();
    let answer = emr(&twin, "StartNotebookExecution", &json!({}));
    assert_eq!(answer, (400, json!({ "__type": "UnknownOperationException" })));
}

#[test]
fn steps_that_cannot_be_are_refused() {
    let twin = Twin::start();
    twin.hold();
    let cluster = start(&twin, &json!({ "StepConcurrencyLevel": 2 }));
    let steps = |steps: Vec<Value>| json!({ "JobFlowId": cluster, "Steps": steps });
    let too_many =
        "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded.";
    assert_eq!(refused(&twin, "AddJobFlowSteps", &steps(vec![step("x"); 257])), said("ValidationException", too_many));
    add(&twin, &cluster, &vec![step("x"); 256]);
    assert_eq!(refused(&twin, "AddJobFlowSteps", &steps(vec![step("x")])), said("ValidationException", too_many));

    let other = start(&twin, &json!({ "StepConcurrencyLevel": 2 }));
    let mut stopping = step("x");
    stopping["ActionOnFailure"] = "CANCEL_AND_WAIT".into();
    let text = "Action on failure 'CANCEL_AND_WAIT' is invalid.";
    let request = json!({ "JobFlowId": other, "Steps": [stopping] });
    assert_eq!(refused(&twin, "AddJobFlowSteps", &request), said("ValidationException", text));
    // All strings count together: the jar's name is 18 letters.
    let arguments = |last: usize| ["x".repeat(10_000), "y".repeat(last)];
    let fits = arguments(222);
    add(&twin, &other, &[step_of("x", &[&fits[0], &fits[1]])]);
    let long = arguments(223);
    let request = json!({ "JobFlowId": other, "Steps": [step_of("x", &[&long[0], &long[1]])] });
    assert!(refused(&twin, "AddJobFlowSteps", &request).1.contains("10240"));
}

#[test]
fn a_cluster_that_has_ended_takes_no_steps() {
    let twin = Twin::start();
    let cluster = start(&twin, &json!({}));
    ok(&twin, "TerminateJobFlows", &json!({ "JobFlowIds": [cluster] }));
    let text = "A job flow that is shutting down, terminated, or finished may not be modified.";
    let request = json!({ "JobFlowId": cluster, "Steps": [step("late")] });
    assert_eq!(refused(&twin, "AddJobFlowSteps", &request), said("ValidationException", text));
    twin.until("it ends", |twin| state(twin, &cluster) == "TERMINATED");
    assert_eq!(refused(&twin, "AddJobFlowSteps", &request), said("ValidationException", text));
}

#[test]
fn steps_are_listed_by_state_or_by_ten_ids_and_not_by_both() {
    let twin = Twin::start();
    twin.hold();
    let cluster = start(&twin, &json!({}));
    let ids = add(&twin, &cluster, &vec![step("x"); 11]);
    let both = json!({ "ClusterId": cluster, "StepIds": ids[..1], "StepStates": ["PENDING"] });
    let text = "Cannot specify both StepIds and StepStates.";
    assert_eq!(refused(&twin, "ListSteps", &both), said("InvalidRequestException", text));
    let eleven = json!({ "ClusterId": cluster, "StepIds": ids });
    assert_eq!(refused(&twin, "ListSteps", &eleven).0, "InvalidRequestException");
    let ten = ok(&twin, "ListSteps", &json!({ "ClusterId": cluster, "StepIds": ids[..10] }));
    assert_eq!(ten["Steps"].as_array().unwrap().len(), 10);
}

#[test]
fn clusters_are_listed_in_pages_by_state_and_age() {
    let twin = Twin::start();
    twin.hold();
    let all: Vec<String> = (0..60).map(|_| start(&twin, &json!({}))).collect();
    ok(&twin, "TerminateJobFlows", &json!({ "JobFlowIds": [all[0]] }));
    let first = ok(&twin, "ListClusters", &json!({ "ClusterStates": ["STARTING"] }));
    let rest = ok(&twin, "ListClusters", &json!({ "ClusterStates": ["STARTING"], "Marker": first["Marker"] }));
    let count = |page: &Value| page["Clusters"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&rest), rest.get("Marker")), (50, 9, None));
    let created = twin.clusters()[0]["Status"]["Timeline"]["CreationDateTime"].as_f64().unwrap();
    let later = ok(&twin, "ListClusters", &json!({ "CreatedAfter": created + 1.0 }));
    assert_eq!(count(&later), 0);
}
