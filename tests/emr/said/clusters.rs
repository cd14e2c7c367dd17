//! `soflow cluster`.

use serde_json::Value;

use crate::emr::lab::{Lab, ended};
use crate::emr::said::support::{Shown, hold, hold_lease, show_clusters, walked};
use crate::twin::{Fault, FaultKind};

/// A lab with one cluster that takes steps.
fn with_a_cluster() -> (Lab, String) {
    let lab = Lab::new();
    let up = lab.run(&["cluster", "up"]);
    assert_eq!(up.code, Some(0), "{up}");
    let id = lab.clusters().remove(0);
    (lab, id)
}

#[test]
fn up_makes_one_and_finds_it_again() {
    let lab = Lab::new();
    shot!("up", lab, walked(&lab, &["cluster", "up"]));
    shot!("up_again", lab, lab.run(&["cluster", "up"]));
    shot!("up_of_another_shape", lab, lab.run(&["cluster", "up", "small"]));
    assert_eq!(lab.clusters().len(), 1);
}

#[test]
fn nothing_is_there() {
    let lab = Lab::new();
    shot!("list_none", lab, lab.run(&["cluster", "list"]));
    shot!("show_none", lab, lab.run(&["cluster", "show"]));
    shot!("show_unknown", lab, lab.run(&["cluster", "show", "j-NOSUCHCLUSTER"]));
    shot!("reap_none", lab, lab.run(&["cluster", "reap"]));
}

#[test]
fn one_that_is_in_use_is_not_ended_without_force() {
    let (lab, id) = with_a_cluster();
    hold_lease(&lab, &id);
    shot!("list", lab, lab.run(&["cluster", "list"]));
    shot!("show", lab, lab.run(&["cluster", "show"]));
    shot!("down_in_use", lab, lab.run(&["cluster", "down"]));
    lab.twin.hold();
    shot!("down_by_force", lab, lab.run(&["cluster", "down", "--force"]));
    shot!("list_of_one_that_is_ending", lab, lab.run(&["cluster", "list"]));
    shot!("show_of_one_that_is_ending", lab, lab.run(&["cluster", "show"]));
    lab.twin.release();
    lab.twin.until("it has ended", |_| lab.twin.clusters()[0]["Status"]["State"] == "TERMINATED");
    shot!("list_after_down", lab, lab.run(&["cluster", "list"]));
}

#[test]
fn whoever_waits_for_someone_to_make_one_is_told_for_whom() {
    let (lab, id) = with_a_cluster();
    assert_eq!(lab.run(&["cluster", "down"]).code, Some(0));
    assert_eq!(lab.lease(&id), None, "a lease is left");
    let name = lab.twin.clusters()[0]["Name"].as_str().unwrap().to_string();
    let [_, _, shape, settings, ..] = name.split('/').collect::<Vec<_>>()[..] else { panic!("{name}") };
    let lease = format!("create-{shape}-{settings}");
    hold_lease(&lab, &lease);
    let waits = lab.spawn(&["cluster", "up"]);
    let queue = || serde_json::from_str::<Value>(&lab.lease(&lease)?).unwrap()["queue"].as_array().cloned();
    lab.twin.until("it queues", |_| queue().is_some_and(|queue| !queue.is_empty()));
    hold(&lab, &lease, jiff::Timestamp::UNIX_EPOCH);
    let said = ended(waits);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("is being made: other.2026-11-22.1 by ben@desk (process 77)"), "{said}");
}

#[test]
fn an_odd_field_hides_no_cluster_and_one_that_must_be_there_is_missed() {
    let (lab, id) = with_a_cluster();
    let like = lab.twin.clusters().remove(0);
    let mut shown =
        serde_json::json!({ "Id": id, "Name": like["Name"], "ReleaseLabel": null, "Status": like["Status"] });
    let list = |shown: &serde_json::Value| {
        lab.twin.heal();
        let answer = serde_json::json!({ "Clusters": [shown] }).to_string();
        lab.twin.fault(Fault::new("emr", "ListClusters", FaultKind::Answer(200, answer)).always());
        lab.run(&["cluster", "list"])
    };
    let said = list(&shown);
    assert!(said.code == Some(0) && said.stdout.contains(&id), "{said}");
    shown["Status"]["State"].take();
    let said = list(&shown);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stderr.contains("the answer of EMR to `ListClusters` cannot be used"), "{said}");
}

#[test]
fn those_that_nobody_needs_are_ended() {
    let (lab, id) = with_a_cluster();
    let like = lab.twin.clusters().remove(0);
    let id: &'static str = id.leak();
    show_clusters(&lab, &like, &[Shown { id, state: "WAITING", hours: 25.0, instead: None }]);
    shot!("reap_dry", lab, lab.run(&["cluster", "reap", "--dry-run"]));
    assert_eq!(lab.twin.calls_of("emr", "TerminateJobFlows").len(), 0);
    shot!("reap", lab, lab.run(&["cluster", "reap"]));
    assert_eq!(lab.twin.calls_of("emr", "TerminateJobFlows").len(), 1);
}
