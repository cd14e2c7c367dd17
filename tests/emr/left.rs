//! Runs that were left: what became of their steps meanwhile is found out, and whoever goes on with them changes nothing
//! about what they are.

use serde_json::Value;

use crate::daily::lab::BETWEEN_LOOKS;
use crate::emr::kill::killed_at;
use crate::emr::lab::{DATE, Lab, ended, signal};
use crate::twin::{Fault, FaultKind, Moment, StepFate};

const RUN: &str = "chain.2026-11-22.1";

/// Hands a run's steps over and leaves; returns once they have ended, unwatched.
fn left(lab: &Lab) {
    let said = lab.run(&["submit", "chain", "--date", DATE, "--wait", "0s"]);
    assert_eq!(said.code, Some(4), "{said}");
    lab.until_step("three", "COMPLETED");
}

/// Returns a field of each step in a record.
fn of_steps(record: &Value, field: &str) -> Vec<Value> {
    record["steps"].as_array().unwrap().iter().map(|step| step[field].clone()).collect()
}

#[test]
fn a_run_that_goes_on_elsewhere_keeps_the_code_it_was_claimed_with() {
    let lab = Lab::new();
    assert!(killed_at(&lab, Moment::Before, |call| call.operation == "AddJobFlowSteps"));
    lab.write("pyspark/steps/three.py", "# what the one who goes on has in his folder\n");
    let said = lab.run(&["attach", RUN]);
    assert_eq!(said.code, Some(0), "{said}");
    let record = &lab.records()[0];
    let code = record["shipped"]["code"].as_str().unwrap_or_default();
    let steps = lab.twin.steps(&lab.clusters()[0]);
    assert_eq!(steps.len(), 3, "{said}");
    for step in steps {
        let args = step["Config"]["Args"].to_string();
        assert!(!code.is_empty() && args.contains(&format!("{code}/steps/")), "not the code of the record: {args}");
    }
    let sent = lab.twin.calls_of("s3", "PutObject").into_iter().filter(|call| call.detail.contains("/code/"));
    let mut sent: Vec<String> = sent.map(|call| call.detail.split('/').nth(4).unwrap().to_string()).collect();
    sent.dedup();
    assert_eq!(sent.len(), 1, "the working copy was sent: {sent:?}");
    lab.check_whole("attached with other code in the folder", 1);
}

#[test]
fn steps_that_ended_unwatched_have_their_time_and_cost() {
    let lab = Lab::new();
    left(&lab);
    let said = lab.run(&["attach", RUN]);
    assert_eq!(said.code, Some(0), "{said}");
    let record = lab.json(&["runs", "show", RUN]);
    assert!(of_steps(&record, "started_at").iter().all(Value::is_string), "{record:#}");
    let took = of_steps(&record, "seconds");
    assert!(took.iter().all(|took| took.as_f64().is_some_and(|took| took > 0.0)), "{took:?}");
    let costs = record["cost"]["estimate"]["by_step"].as_array().map_or(0, Vec::len);
    assert_eq!(costs, 3, "{record:#}");
}

#[test]
fn what_finished_unwatched_is_not_cancelled() {
    let lab = Lab::new();
    left(&lab);
    let said = lab.run(&["cancel", RUN]);
    assert_eq!(said.code, Some(0), "{said}");
    let record = &lab.records()[0];
    assert_eq!(record["state"], "cancelled");
    assert_eq!(of_steps(record, "state"), ["completed"; 3], "{record:#}");
    assert!(of_steps(record, "seconds").iter().all(|took| took.as_f64() > Some(0.0)), "{record:#}");
    let again = lab.run(&["retry", RUN]);
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!((lab.completed().len(), lab.published().len()), (3, 3), "{again}");
}

#[test]
fn a_result_that_cannot_be_written_makes_no_step_run_again() {
    let lab = Lab::new();
    lab.twin.fault(Fault::new("s3", "PutObject", FaultKind::AccessDenied).on("/results/"));
    let said = lab.submit();
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains(&format!("`soflow attach {RUN}`")), "{said}");
    assert_eq!(lab.records()[0]["state"], "running");
    let again = lab.submit();
    assert_eq!(again.code, Some(0), "{again}");
    lab.check_whole("a result that could not be written", 1);
}

#[test]
fn a_record_that_cannot_be_written_ends_no_step() {
    let lab = Lab::new();
    lab.twin.step_fate("two", StepFate::Hangs);
    let child = lab.begin(&[]);
    lab.until_step("two", "RUNNING");
    lab.twin.fault(Fault::new("s3", "PutObject", FaultKind::AccessDenied).on("run.json").always());
    lab.twin.step_fate("two", StepFate::Completes);
    let said = ended(child);
    lab.twin.heal();
    assert_eq!(said.code, Some(4), "{said}");
    let states: Vec<String> = lab.steps(&lab.clusters()[0]).into_iter().map(|(_, state)| state).collect();
    assert!(!states.contains(&"CANCELLED".to_string()), "{states:?}\n{said}");
}

#[test]
fn a_run_whose_results_are_gone_says_so_and_does_them_again() {
    let lab = Lab::new();
    lab.twin.hold();
    let child = lab.begin(&[]);
    lab.until_handed_over();
    // As far as the first step's end, and its record.
    let done = |lab: &Lab| lab.records()[0]["steps"][0]["state"] == "completed";
    while !done(&lab) {
        lab.twin.tick();
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
    signal(child.id(), "-INT");
    assert_eq!(ended(child).code, Some(4));
    lab.twin.release();
    lab.until_step("three", "COMPLETED");
    let artifacts = format!("s3://{}/lake/artifacts", lab.bucket);
    let result = lab.twin.calls_of("s3", "PutObject").into_iter().find(|call| call.detail.contains("/results/"));
    lab.twin.remove(&format!("s3://{}", result.unwrap().detail));
    lab.twin
        .remove(&format!("{}/part-0.parquet", artifacts.replace("artifacts", "curated/first/run-chain.2026-11-22.1")));
    let said = lab.run(&["attach", RUN]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("what step `one` had written is gone"), "{said}");
    let first = lab.json(&["tables", "show", "first"]);
    assert_eq!(first["rows"], 3, "{said}");
    assert_eq!(lab.completed().iter().filter(|step| *step == "one").count(), 2, "{said}");
}
