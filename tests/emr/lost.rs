//! Requests that EMR executes late, or answers without what the answer must have; and clients that were stopped in between.
//! A minute of the real thing is 1.8 s here.

use std::time::Duration;

use serde_json::Value;

use crate::emr::fused::let_go;
use crate::emr::kill::stopped_at;
use crate::emr::lab::{DATE, Lab, Said, ended, in_two_lanes, signal};
use crate::twin::{Fault, FaultKind, Moment};

/// Returns so many seconds of the real thing.
fn seconds(seconds: u64) -> Duration {
    Duration::from_millis(seconds * 30)
}

/// Returns what is there of one run, the copies that were ended aside: the clusters, and the steps of the first of them.
fn left(lab: &Lab) -> (usize, Vec<String>) {
    let ending = |cluster: &&Value| {
        let state = cluster["Status"]["State"].as_str().unwrap();
        !state.starts_with("TERMINAT")
    };
    let clusters = lab.twin.clusters();
    let steps = lab.steps(&lab.clusters()[0]).into_iter().filter(|(_, state)| state != "CANCELLED");
    (clusters.iter().filter(ending).count(), steps.map(|(name, _)| name).collect())
}

fn all_once() -> (usize, Vec<String>) {
    (1, ["one", "two", "three"].map(|step| format!("chain.{DATE}.1/{step}")).into())
}

#[test]
fn what_is_executed_late_is_found_at_every_quota() {
    // The quotas 0.5 to 10 of a clock that runs 33 times as fast. All of them with all delays are tried where no
    // program has to be started: `targets::emr::send_once`.
    let rows = vec![(17, 5), (17, 35), (33, 16), (133, 9), (333, 5), (333, 35)];
    in_two_lanes(rows, |(quota, late)| {
        let what = format!("{late} s late at quota {quota}");
        let lab = Lab::with(&format!("    api-quota: {quota}\n    lost-answer-wait: 1800ms\n"), |options| options);
        for operation in ["RunJobFlow", "AddJobFlowSteps"] {
            lab.twin.fault(Fault::new("emr", operation, FaultKind::Late(seconds(late))));
        }
        let said = lab.submit();
        assert_eq!(said.code, Some(0), "{what}\n{said}");
        assert_eq!(left(&lab), all_once(), "{what}\n{said}");
        for operation in ["RunJobFlow", "AddJobFlowSteps"] {
            assert_eq!(lab.twin.calls_of("emr", operation).len(), 1, "{what}: {operation}\n{said}");
        }
    });
}

#[test]
fn a_cluster_that_comes_up_after_it_was_asked_for_again_is_ended_and_told() {
    let lab = Lab::new();
    lab.twin.fault(Fault::new("emr", "RunJobFlow", FaultKind::Overtaken(Moment::After)));
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("of one request: it is ended"), "{said}");
    assert_eq!(left(&lab), all_once(), "{said}");
    assert_eq!(lab.published().len(), 3);
}

#[test]
fn steps_that_come_after_they_were_asked_for_again_are_cancelled_and_told() {
    let lab = Lab::new();
    lab.write("pyspark/steps/one.py", "# waits\n");
    lab.twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::Overtaken(Moment::After)));
    let child = lab.begin(&[]);
    let cancelled = |lab: &Lab| lab.steps(&lab.clusters()[0]).iter().filter(|(_, state)| state == "CANCELLED").count();
    lab.twin.until("the copies cancelled", |_| !lab.clusters().is_empty() && cancelled(&lab) == 3);
    let_go(&lab);
    let said = ended(child);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("a second time: s-"), "{said}");
    assert_eq!(left(&lab), all_once(), "{said}");
    assert_eq!(lab.published().len(), 3);
}

#[test]
fn a_spare_cluster_that_came_up_after_everybody_had_left_is_reaped() {
    let lab = Lab::with("    lost-answer-wait: 50ms\n", |options| options);
    lab.twin.hold();
    lab.twin.fault(Fault::new("emr", "RunJobFlow", FaultKind::Late(Duration::from_millis(2))));
    let said = lab.run(&["cluster", "up", "--no-wait"]);
    assert_eq!(said.code, Some(0), "{said}");
    // Both have the second of the same name; which one is older is EMR's to say.
    lab.twin.release();
    lab.twin.until("the late one", |_| lab.clusters().len() == 2);
    let said = lab.run(&["cluster", "reap"]);
    assert!(said.stdout.contains("made by one request with j-"), "{said}");
    assert_eq!(left(&lab).0, 1, "{said}");
}

#[test]
fn an_answer_without_ids_is_a_doubt_and_no_reason_to_add_the_steps_again() {
    let answers =
        [(FaultKind::AnswerAfter(200, "{}".into()), 1), (FaultKind::AnswerAfter(200, "{\"StepIds\": []}".into()), 1)];
    for (fault, calls) in answers {
        let what = format!("{fault:?}");
        let lab = Lab::new();
        lab.twin.fault(Fault::new("emr", "AddJobFlowSteps", fault.clone()).always());
        lab.twin.fault(Fault::new("emr", "RunJobFlow", fault).always());
        let said = lab.submit();
        assert_eq!(said.code, Some(0), "{what}\n{said}");
        assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), calls, "{what}\n{said}");
        assert_eq!(lab.twin.calls_of("emr", "RunJobFlow").len(), calls, "{what}\n{said}");
        lab.check_whole(&what, 1);
    }
}

#[test]
fn steps_that_never_come_up_are_given_up() {
    let lab = Lab::with("    lost-answer-wait: 50ms\n", |options| options);
    lab.twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::Answer(200, "{}".into())).always());
    let said = lab.submit();
    assert_eq!(said.code, Some(3), "{said}");
    assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), 3, "{said}");
    assert!(said.stderr.contains("the answer of EMR to `AddJobFlowSteps` cannot be used"), "{said}");
    assert!(said.stderr.contains("the answer lacks an id for each step"), "{said}");
}

#[test]
fn a_cluster_that_never_comes_up_is_given_up_and_told() {
    let faults = [
        (FaultKind::Answer(200, "{}".into()), "the answer lacks the cluster's id"),
        (FaultKind::Internal { done: false }, "EMR failed at `RunJobFlow`"),
        (FaultKind::DropBefore, "EMR did not answer `RunJobFlow`"),
    ];
    for (fault, why) in faults {
        let lab = Lab::with("    lost-answer-wait: 50ms\n", |options| options);
        lab.twin.fault(Fault::new("emr", "RunJobFlow", fault).always());
        let said = lab.submit();
        assert_eq!(said.code, Some(3), "{said}");
        assert_eq!(lab.twin.calls_of("emr", "RunJobFlow").len(), 3, "{said}");
        for told in [why, "whether it made the cluster `soflow", "shows whether it came up later"] {
            assert!(said.stderr.contains(told), "{told}\n{said}");
        }
    }
}

#[test]
fn a_lease_that_cannot_be_read_is_no_doubt_about_steps() {
    let lab = Lab::with("clusters:\n  standard: { step-concurrency: 2 }\n", |options| options);
    lab.twin.hold();
    let child = lab.begin(&[]);
    lab.twin.until("its first step", |_| {
        lab.records().first().is_some_and(|record| record["steps"][0]["step_id"].is_string())
    });
    // As often as it is asked for.
    let fault = Fault::new("s3", "GetObject", FaultKind::Internal { done: false }).on("/leases/");
    lab.twin.fault(fault.times(6));
    lab.twin.release();
    let said = ended(child);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stderr.contains("S3 failed at `GetObject`"), "{said}");
    assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), 1, "{said}");
}

fn in_doubt(args: &[&str]) -> (Lab, std::process::Child) {
    let lab = Lab::with("    lost-answer-wait: 20s\n", |options| options);
    lab.twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::DropBefore).always());
    let child = lab.begin(args);
    lab.twin.until("steps asked for", |twin| !twin.calls_of("emr", "AddJobFlowSteps").is_empty());
    (lab, child)
}

fn check_left(lab: &Lab, said: &Said, code: i32) {
    assert_eq!(said.code, Some(code), "{said}");
    assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), 1, "{said}");
}

#[test]
fn looking_for_what_was_lost_obeys_the_time_to_wait_and_signals() {
    let (lab, child) = in_doubt(&["--wait", "0s"]);
    check_left(&lab, &ended(child), 4);
    for (which, args, code) in [("-TERM", &[][..], 4), ("-INT", &["--on-interrupt", "cancel"][..], 130)] {
        let (lab, child) = in_doubt(args);
        signal(child.id(), which);
        check_left(&lab, &ended(child), code);
    }
}

#[test]
fn a_client_that_was_stopped_between_lease_and_steps_ends_its_own_copies() {
    let lab = Lab::new();
    let stopped = stopped_at(&lab, "AddJobFlowSteps", 1);
    // All that it had has run out by now.
    let record = format!("s3://{}/lake/artifacts/runs/chain/{DATE}/1/run.json", lab.bucket);
    let lease = format!("s3://{}/lake/artifacts/leases/{}.json", lab.bucket, lab.clusters()[0]);
    for (uri, place) in [(record, "/driver"), (lease, "/holders/0")] {
        let mut body: Value = serde_json::from_slice(&lab.twin.get(&uri).unwrap()).unwrap();
        body.pointer_mut(place).unwrap()["until"] = "2026-11-22T00:00:00Z".into();
        lab.twin.put(&uri, body.to_string());
    }
    lab.twin.hold();
    let other = lab.run(&["submit", "chain", "--date", DATE, "--wait", "0s"]);
    assert_eq!(other.code, Some(4), "{other}");
    let said = ended(stopped.go_on());
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains("a second time: s-"), "{said}");
    lab.twin.release();
    let said = lab.run(&["attach", &format!("chain.{DATE}.1")]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(left(&lab), all_once(), "{said}");
}
