//! The plain way: a first run makes a cluster, a second one uses it, a third has nothing to do.

use crate::lab::{DATE, Lab, TABLES};

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
    let calls = lab.twin.calls();
    let names = calls.iter().map(|call| format!("{} {} {}", call.service, call.operation, call.detail));
    let before: Vec<String> = names.take_while(|name| !name.contains("AddJobFlowSteps")).collect();
    println!("{} calls before AddJobFlowSteps: {before:#?}", before.len());
    // One of them is the version of the table that is there already; a first run of a job has none.
    assert!(before.len() <= 9, "{before:#?}");
}
