//! How steps run, fail and are cancelled.

use serde_json::{Value, json};

use crate::twin::{Failure, StepFate, Twin};
use crate::twin_checks::client::{add, ok, refused, start, state, states, status, step};

#[test]
fn as_many_run_at_once_as_the_cluster_allows_in_the_order_they_came() {
    let twin = Twin::start();
    twin.hold();
    let cluster = start(&twin, &json!({ "StepConcurrencyLevel": 2 }));
    add(&twin, &cluster, &[step("a"), step("b"), step("c")]);
    let mut seen = Vec::new();
    for _ in 0..5 {
        twin.tick();
        let letters = states(&twin, &cluster).iter().map(|state| state[..1].to_string()).collect::<String>();
        seen.push(format!("{letters} {}", state(&twin, &cluster)));
    }
    assert_eq!(seen, ["PPP BOOTSTRAPPING", "RRP RUNNING", "CCR RUNNING", "CCC WAITING", "CCC WAITING"]);
}

#[test]
fn a_failure_shows_its_details_only_after_some_polls() {
    let twin = Twin::start();
    let details = json!({ "Reason": "Unknown Error", "Message": "ValueError: x", "LogFile": "s3://logs/stderr.gz" });
    twin.step_fate(
        "bad",
        StepFate::Fails(Failure { details: Some(details.clone()), details_after: 2, ..Failure::default() }),
    );
    let cluster = start(&twin, &json!({}));
    let ids = add(&twin, &cluster, &[step("bad"), step("good")]);
    twin.until("all have ended", |twin| {
        twin.steps(&cluster).iter().all(|step| step["Status"]["Timeline"]["EndDateTime"].is_f64())
    });
    let named = json!({ "ClusterId": cluster, "StepIds": [ids[0]] });
    let seen: Vec<Value> = (0..3)
        .map(|_| ok(&twin, "ListSteps", &named)["Steps"][0]["Status"].clone())
        .inspect(|status| assert_eq!(status["State"], "FAILED"))
        .map(|status| status["FailureDetails"].clone())
        .collect();
    assert_eq!(seen, [Value::Null, Value::Null, details]);
    assert_eq!(states(&twin, &cluster), ["FAILED", "COMPLETED"]);
}

#[test]
fn what_a_failure_does_to_the_others_is_as_asked() {
    let twin = Twin::start();
    twin.step_fate("bad", StepFate::Fails(Failure::default()));
    for (action, others, ends, code) in [
        (Some("CONTINUE"), "COMPLETED", "WAITING", Value::Null),
        (Some("CANCEL_AND_WAIT"), "CANCELLED", "WAITING", Value::Null),
        (Some("TERMINATE_CLUSTER"), "CANCELLED", "TERMINATED_WITH_ERRORS", json!("STEP_FAILURE")),
        (None, "CANCELLED", "TERMINATED_WITH_ERRORS", json!("STEP_FAILURE")),
    ] {
        let mut bad = step("bad");
        bad.as_object_mut().unwrap().remove("ActionOnFailure");
        if let Some(action) = action {
            bad["ActionOnFailure"] = action.into();
        }
        let cluster = start(&twin, &json!({ "Steps": [bad, step("other")] }));
        twin.until("it has run", |twin| state(twin, &cluster) == ends);
        assert_eq!(states(&twin, &cluster), ["FAILED", others], "{action:?}");
        assert_eq!(status(&twin, &cluster)["StateChangeReason"]["Code"], code, "{action:?}");
    }
}

#[test]
fn cancelling_takes_effect_later_and_says_what_it_could_not() {
    let twin = Twin::start();
    twin.step_fate("long", StepFate::Hangs);
    let cluster = start(&twin, &json!({}));
    let ids = add(&twin, &cluster, &[step("short"), step("long"), step("later")]);
    twin.until("the second runs", |twin| states(twin, &cluster)[1] == "RUNNING");
    twin.hold();
    let answer = ok(&twin, "CancelSteps", &json!({ "ClusterId": cluster, "StepIds": ids }));
    let replies = answer["CancelStepsInfoList"].as_array().unwrap();
    let replies: Vec<&str> = replies.iter().map(|reply| reply["Status"].as_str().unwrap()).collect();
    assert_eq!(replies, ["FAILED", "SUBMITTED", "SUBMITTED"]);
    assert_eq!(states(&twin, &cluster), ["COMPLETED", "CANCEL_PENDING", "CANCELLED"]);
    twin.release();
    twin.until("it is cancelled", |twin| states(twin, &cluster)[1] == "CANCELLED");
    assert_eq!(state(&twin, &cluster), "WAITING");
}

#[test]
fn ends_that_are_rare_can_be_asked_for() {
    let twin = Twin::start();
    twin.step_fate("cancelled", StepFate::Cancelled);
    twin.step_fate("interrupted", StepFate::Interrupted);
    let cluster = start(&twin, &json!({ "Steps": [step("cancelled"), step("interrupted")] }));
    twin.until("they end", |twin| states(twin, &cluster) == ["CANCELLED", "INTERRUPTED"]);
}

#[test]
fn a_state_that_the_api_does_not_have_stays() {
    let twin = Twin::start();
    twin.step_fate("odd", StepFate::State("PAUSED"));
    let cluster = start(&twin, &json!({ "Steps": [step("odd")] }));
    twin.until("it is there", |twin| states(twin, &cluster) == ["PAUSED"]);
}

#[test]
fn steps_come_newest_first_in_pages_that_a_new_step_does_not_shift() {
    let twin = Twin::start();
    twin.hold();
    let cluster = start(&twin, &json!({}));
    let names: Vec<Value> = (0..120).map(|number| step(&format!("step {number}"))).collect();
    let ids = add(&twin, &cluster, &names);
    let mut request = json!({ "ClusterId": cluster });
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = ok(&twin, "ListSteps", &request);
        pages += 1;
        seen.extend(page["Steps"].as_array().unwrap().iter().map(|step| step["Id"].as_str().unwrap().to_string()));
        add(&twin, &cluster, &[step("in between")]);
        let Some(marker) = page.get("Marker") else { break };
        request["Marker"] = marker.clone();
    }
    seen.reverse();
    assert_eq!((pages, seen), (3, ids));
    let (code, text) = refused(&twin, "ListSteps", &json!({ "ClusterId": cluster, "Marker": "none" }));
    assert_eq!((code.as_str(), text.as_str()), ("InvalidRequestException", "Marker is not valid."));
}
