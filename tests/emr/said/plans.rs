//! `soflow plan` for a cluster.

use serde_json::Value;

use crate::emr::lab::{DATE, Lab};
use crate::emr::said::support::{Shown, hold_lease, show_clusters};
use crate::twin::{Fault, FaultKind};

const PLAN: [&str; 4] = ["plan", "chain", "--date", DATE];

/// Shows one cluster of every sort.
fn one_of_each(lab: &Lab) {
    let up = lab.run(&["cluster", "up", "--no-wait"]);
    assert_eq!(up.code, Some(0), "{up}");
    let like: Value = lab.twin.clusters().remove(0);
    let name = like["Name"].as_str().unwrap();
    let hash: &'static str = name.split('/').nth(3).unwrap().to_string().leak();
    let of = |id, state, hours, instead| Shown { id, state, hours, instead };
    let shown = [
        of("j-IDLE", "WAITING", 2.0, None),
        of("j-HELD", "WAITING", 1.0, None),
        of("j-BUSY", "RUNNING", 0.5, None),
        of("j-STARTING", "STARTING", 0.01, None),
        of("j-SHAPE", "WAITING", 1.0, Some(("/standard/", "/big/"))),
        of("j-SETTINGS", "WAITING", 1.0, Some((hash, "0123456789ab"))),
        of("j-SMALL", "WAITING", 1.0, Some(("/10u/", "/4u/"))),
        of("j-OLD", "WAITING", 30.0, None),
        of("j-ENDING", "TERMINATING", 1.0, None),
        of("j-OTHERLAKE", "WAITING", 1.0, Some(("soflow/", "soflow/0"))),
    ];
    show_clusters(lab, &like, &shown);
    hold_lease(lab, "j-HELD");
}

#[test]
fn a_first_run_makes_a_cluster_and_says_what_it_costs() {
    let lab = Lab::new();
    lab.twin.reset_calls();
    shot!("plan_first", lab, lab.run(&PLAN));
    let wrote = lab.twin.calls().into_iter().filter(|call| {
        ["PutObject", "DeleteObject", "RunJobFlow", "AddJobFlowSteps", "CreateTable"].contains(&call.operation.as_str())
    });
    assert_eq!(wrote.map(|call| call.operation).collect::<Vec<_>>(), Vec::<String>::new(), "a plan changes nothing");
}

#[test]
fn every_cluster_is_told_why_or_why_not() {
    let lab = Lab::new();
    one_of_each(&lab);
    shot!("plan_clusters", lab, lab.run(&PLAN));
    shot!("plan_clusters_json", lab, {
        let mut said = lab.run(&[&PLAN[..], &["--output", "json"]].concat());
        let plan: Value = serde_json::from_str(&said.stdout).unwrap();
        said.stdout =
            serde_json::to_string_pretty(&serde_json::json!([plan["cluster"], plan["uploads"]])).unwrap() + "\n";
        said
    });
    shot!("list_clusters", lab, lab.run(&["cluster", "list"]));
}

#[test]
fn a_run_waits_for_a_cluster_that_others_hold() {
    let lab = Lab::new();
    lab.run(&["cluster", "up"]);
    hold_lease(&lab, &lab.clusters()[0]);
    shot!("plan_held", lab, lab.run(&PLAN));
}

#[test]
fn what_is_published_needs_no_cluster() {
    let lab = Lab::new();
    let first = lab.submit();
    assert_eq!(first.code, Some(0), "{first}");
    lab.twin.reset_calls();
    shot!("plan_published", lab, lab.run(&PLAN));
    assert_eq!(lab.twin.calls_of("emr", "ListClusters").len(), 0);
    shot!("plan_again", lab, lab.run(&["plan", "chain", "--date", "2026-11-23"]));
}

#[test]
fn what_may_not_be_looked_at_is_named() {
    let lab = Lab::new();
    lab.twin.fault(Fault::new("s3", "HeadObject", FaultKind::AccessDenied).always());
    shot!("plan_head_denied", lab, lab.run(&PLAN));
}
