//! How a day goes: what is published, what is not done again, what fails and is mended.

use std::collections::BTreeSet;

use crate::emr::lab::{JOB, TABLES, ended};
use crate::twin::{Fate, Loss, StepFate};
use crate::unattended::lab::{Lab, failing, input};
use crate::unattended::rights::{Right, Scenario, done_in};

pub static DAY: Scenario = Scenario::of(|| {
    let lab = Lab::new();
    publishes(&lab);
    done_in(&lab)
});

#[test]
fn a_run_publishes_and_leaves_nothing_behind() {
    DAY.done();
}

/// Runs a date, and the same date again.
pub fn publishes(lab: &Lab) {
    let ended = lab.run();
    lab.succeeded(&ended, "the first run");
    let mut parts = ended.states.clone();
    parts.retain(|state| !state.starts_with("After") && !state.ends_with("Wait"));
    parts.dedup();
    assert_eq!(parts, ["Begin", "Cluster", "Submit", "Check", "Publish", "Done"], "{lab}");
    lab.check_published("the first run", &[]);
    assert_eq!(lab.emr.shown(), TABLES, "what Glue shows\n{lab}");
    assert_eq!(lab.emr.clusters().len(), 1, "{lab}");

    let again = lab.run();
    lab.succeeded(&again, "the same date again");
    assert_eq!(again.states, ["Begin", "AfterBegin", "Done"], "{lab}");
    lab.check_published("the same date again", &[]);
    assert_eq!((lab.emr.clusters().len(), lab.emr.records().len()), (1, 1), "{lab}");
}

pub static MENDED: Scenario = Scenario::of(|| {
    let lab = failing();
    // Logs come late: until then EMR is asked for the step.
    lab.emr.twin.logs_after(4);
    fails_and_is_mended(&lab);
    done_in(&lab)
});

#[test]
fn a_failure_is_told_once_and_what_is_left_is_done_when_it_is_mended() {
    MENDED.done();
}

/// Runs a date whose second step fails, and runs it again when that is mended.
pub fn fails_and_is_mended(lab: &Lab) {
    let ended = lab.run();
    lab.failed(&ended, "JobFailed", "step `two` of run `chain.2026-11-22.1` failed", "step two fails");
    assert_eq!(ended.states[ended.states.len() - 2..], ["Ended", "Failed"], "{lab}");
    let told = "soflow: chain 2026-11-22 failed: JobFailed";
    lab.check("step two fails", &[told]);
    assert_eq!((lab.emr.completed(), lab.emr.published().len()), (vec!["one".to_string()], 0), "{lab}");

    lab.emr.twin.step_fate("two", StepFate::Completes);
    let ended = lab.run();
    lab.succeeded(&ended, "it is mended");
    lab.check_published("it is mended", &[told, "soflow: chain 2026-11-22 recovered"]);
}

#[test]
fn a_cluster_that_cannot_be_had_fails_the_execution_and_not_the_next_one() {
    let lab = Lab::new();
    for _ in 0..8 {
        lab.emr.twin.next_cluster(Fate::NoCapacity { spot: false });
    }
    let ended = lab.run();
    lab.failed(&ended, "CloudFailed", "capacity", "no capacity");
    lab.check("no capacity", &["soflow: chain 2026-11-22 failed: CloudFailed"]);
    assert_eq!((lab.emr.completed().len(), lab.emr.published().len()), (0, 0), "{lab}");
}

#[test]
fn what_the_audit_refuses_is_not_published_and_told() {
    let lab = Lab::new();
    lab.emr.write(
        "jobs/chain.yaml",
        &JOB.replace(
            "second: { key: [id], checks: [{ rows-at-least: 1",
            "second: { key: [id], checks: [{ rows-at-least: 9",
        ),
    );
    let ended = lab.run();
    lab.failed(&ended, "AuditRefused", "second", "the audit refuses");
    lab.check("the audit refuses", &["soflow: chain 2026-11-22 failed: AuditRefused"]);
    assert_eq!((lab.emr.completed().len(), lab.emr.published().len()), (3, 0), "{lab}");
}

#[test]
fn two_executions_of_one_date_are_one_run() {
    let lab = Lab::new();
    let both = [(); 2].map(|()| lab.start(&input()));
    for execution in &both {
        lab.succeeded(&lab.finish(execution), "two at once");
    }
    lab.check_published("two at once", &[]);
    assert_eq!((lab.emr.clusters().len(), lab.emr.records().len()), (1, 1), "{lab}");
}

#[test]
fn a_laptop_and_an_execution_of_one_date_are_one_run() {
    let lab = Lab::new();
    let execution = lab.start(&input());
    let laptop = lab.emr.begin(&[]);
    lab.succeeded(&lab.finish(&execution), "a laptop at the same time");
    let said = ended(laptop);
    assert_eq!(said.code, Some(0), "{said}\n{lab}");
    assert_eq!(lab.emr.records().len(), 1, "{said}\n{lab}");
    lab.emr.check_whole("a laptop at the same time", 1);
    assert_eq!(lab.messages(), [""; 0], "{lab}");
}

pub static LOSSES: Scenario = Scenario::of(loses_every_cluster);

#[test]
fn a_run_that_loses_every_cluster_gives_up() {
    LOSSES.done();
}

fn loses_every_cluster() -> BTreeSet<Right> {
    let lab = Lab::new();
    lab.emr.twin.step_fate("one", StepFate::Hangs);
    let execution = lab.start(&input());
    let lost = std::cell::Cell::new(0);
    let ended = lab.wait(&execution, || {
        let clusters = lab.emr.clusters();
        let running = |cluster: &String| lab.emr.steps(cluster).iter().any(|(_, state)| state == "RUNNING");
        if clusters.len() > lost.get() && clusters.last().is_some_and(running) {
            lab.emr.twin.lose_cluster(clusters.last().unwrap(), Loss::Spot, None);
            lost.set(clusters.len());
            assert!(lost.get() < 9, "it buys clusters for good\n{lab}");
        }
    });
    lab.rule(&execution);
    lab.failed(&ended, "CloudFailed", "cluster", "every cluster is lost");
    assert_eq!(lost.get(), 4, "{lab}");
    lab.check("every cluster is lost", &["soflow: chain 2026-11-22 failed: CloudFailed"]);
    done_in(&lab)
}
