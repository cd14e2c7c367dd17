//! The plain way: a first run makes a cluster, a second one uses it, a third has nothing to do.

use crate::emr::lab::{DATE, Lab, TABLES};
use crate::twin::Call;

#[test]
fn a_run_makes_a_cluster_and_the_next_one_uses_it() {
    let lab = Lab::new();
    let first = lab.submit();
    assert_eq!(first.code, Some(0), "{first}");
    lab.check_invariants("after the first run");
    assert_eq!(lab.published(), TABLES);
    let clusters = lab.clusters();
    assert_eq!(clusters.len(), 1);
    let steps = lab.steps(&clusters[0]);
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    let run = format!("chain.{DATE}.1");
    assert_eq!(names, ["one", "two", "three"].map(|step| format!("{run}/{step}")));
    assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), 1, "a chain is one call");

    lab.twin.reset_calls();
    let again = lab.run(&["submit", "chain", "--date", DATE, "--force"]);
    assert!(again.stdout.contains("3 tables published"), "{again}");
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(lab.clusters(), clusters);
    let uploads =
        lab.twin.calls_of("s3", "PutObject").into_iter().filter(|call| call.detail.contains("/code/")).count();
    assert_eq!(uploads, 0, "unchanged code is not sent again");

    let nothing = lab.submit();
    assert!(nothing.stdout.starts_with("Nothing to do"), "{nothing}");
}

#[test]
fn a_warm_cluster_is_submitted_to_in_few_calls() {
    let lab = Lab::new();
    let job =
        "steps: { one: { script: steps/one.py, reads: [], writes: [first] } }\ntables: { first: { key: [id] } }\n";
    lab.write("jobs/single.yaml", job);
    let first = lab.run(&["submit", "single", "--date", DATE]);
    assert_eq!(first.code, Some(0), "{first}");
    lab.twin.reset_calls();
    let again = lab.run(&["submit", "single", "--date", "2026-11-23", "--force"]);
    assert_eq!(again.code, Some(0), "{again}");
    let calls: Vec<String> = lab.twin.calls().iter().map(told).collect();
    println!("{} calls of a run: {calls:#?}", calls.len());
    let before = calls.iter().take_while(|call| !call.contains("AddJobFlowSteps")).count();
    assert!(before <= 8, "{before} calls before AddJobFlowSteps: {calls:#?}");
    let times =
        |operation: &str, key: &str| calls.iter().filter(|call| call.contains(operation) && call.contains(key)).count();
    assert_eq!(times("GetObject", "/lake/curated/first/"), 1, "a footer is read once: {calls:#?}");
    assert_eq!(times("GetObject", "/_catalog/versions/"), 0, "what is in the index, or was just written: {calls:#?}");
    assert_eq!(times("GetObject", "/_catalog/catalog.json"), 1, "the index is read once: {calls:#?}");
    assert_eq!(times("DeleteObjects", ""), 1, "{calls:#?}");

    lab.twin.reset_calls();
    let nothing = lab.run(&["submit", "single", "--date", "2026-11-23"]);
    assert!(nothing.stdout.starts_with("Nothing to do"), "{nothing}");
    let calls: Vec<String> = lab.twin.calls().iter().map(told).collect();
    assert!(calls.len() <= 4, "{calls:#?}");
}

/// Returns a call in a few words.
pub fn told(call: &Call) -> String {
    format!("{} {} {}", call.service, call.operation, call.detail)
}

#[test]
fn a_plan_takes_as_many_calls_after_many_publications_as_after_one() {
    let lab = Lab::new();
    let mut calls = Vec::new();
    for publication in 1..=4 {
        let ran = lab.run(&["submit", "chain", "--date", DATE, "--force"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        lab.twin.reset_calls();
        let planned = lab.run(&["plan", "chain", "--date", DATE]);
        assert_eq!(planned.code, Some(0), "{planned}");
        let read: Vec<String> = lab.twin.calls().iter().filter(|call| call.service == "s3").map(told).collect();
        println!("S3 calls of a plan after publication {publication}: {read:#?}");
        calls.push(read.len());
    }
    assert!(calls.iter().all(|count| *count == calls[0]), "{calls:?}");
}
