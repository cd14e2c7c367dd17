//! Executions that are stopped, take too long, or are cancelled from a laptop.

use std::collections::BTreeSet;

use crate::emr::lab::{DATE, in_two_lanes};
use crate::twin::StepFate;
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::{Lab, input};
use crate::unattended::rights::{Right, Scenario, done_in};

pub const ABORTED: &str = "soflow: chain 2026-11-22 failed: Aborted";

/// Starts an execution whose cluster is starting, or whose second step runs for good.
pub fn stuck(lab: Lab, at: &str) -> (Lab, String) {
    if at == "starting" {
        lab.emr.twin.hold();
    } else {
        lab.emr.twin.step_fate("two", StepFate::Hangs);
    }
    let execution = lab.start(&input());
    match at {
        "starting" => lab.emr.twin.until("a cluster", |_| !lab.emr.clusters().is_empty()),
        _ => lab.emr.until_step("two", "RUNNING"),
    }
    (lab, execution)
}

/// Lets the date be done when nothing is in the way any more.
pub fn mended(lab: &Lab, what: &str, told: &str) {
    lab.emr.twin.release();
    lab.emr.twin.step_fate("two", StepFate::Completes);
    lab.succeeded(&lab.run(), what);
    lab.check_published(what, &[told, "soflow: chain 2026-11-22 recovered"]);
}

pub static STOPPED: Scenario = Scenario::of(stopped);

#[test]
fn whoever_stops_an_execution_ends_its_run_and_gives_its_cluster_back() {
    STOPPED.done();
}

fn stopped() -> BTreeSet<Right> {
    let mut done = BTreeSet::new();
    for at in ["starting", "working"] {
        let (lab, execution) = stuck(Lab::new(), at);
        lab.stop(&execution);
        let ended = lab.wait(&execution, || {});
        assert_eq!(ended.status, "ABORTED", "{at}: {ended:?}\n{lab}");
        lab.rule(&execution);
        lab.check(at, &[ABORTED]);
        // Events come at least once.
        lab.rule(&execution);
        lab.check(at, &[ABORTED]);
        mended(&lab, at, ABORTED);
        done.extend(done_in(&lab));
    }
    done
}

#[test]
fn an_execution_that_takes_too_long_is_ended_and_told() {
    let lab = Lab::with(Interpreter::Moto, 3, &[]);
    lab.emr.twin.step_fate("two", StepFate::Hangs);
    let ended = lab.run();
    assert_eq!(ended.status, "TIMED_OUT", "{ended:?}\n{lab}");
    // A function may have been at work.
    lab.call("reap");
    lab.check("too long", &["soflow: chain 2026-11-22 failed: TimedOut"]);
    assert!(lab.emr.published().is_empty(), "{lab}");
}

pub static CANCELLED: Scenario = Scenario::of(cancelled);

#[test]
fn a_run_that_is_cancelled_from_a_laptop_ends_its_execution_and_is_done_by_a_retry() {
    CANCELLED.done();
}

fn cancelled() -> BTreeSet<Right> {
    let (lab, execution) = stuck(Lab::new(), "working");
    let run = format!("chain.{DATE}.1");
    let said = lab.emr.run(&["cancel", &run]);
    assert_eq!(said.code, Some(0), "{said}\n{lab}");
    lab.failed(&lab.finish(&execution), "Cancelled", &run, "cancelled");
    let told = "soflow: chain 2026-11-22 failed: Cancelled";
    lab.check("cancelled", &[told]);
    lab.emr.twin.step_fate("two", StepFate::Completes);
    let said = lab.emr.run(&["retry", &run]);
    assert_eq!(said.code, Some(0), "{said}\n{lab}");
    assert_eq!(lab.emr.published().len(), 3, "{said}\n{lab}");
    // No execution tells of that.
    lab.call("reap");
    assert_eq!(lab.messages(), [told, "soflow: chain 2026-11-22 recovered"], "{lab}");
    done_in(&lab)
}

/// Starts an execution and stops it when a function is about to make a call; Lambda knows nothing of that, and the function
/// goes on: before the rule has ended its run, or after.
pub fn stopped_at(
    lab: Lab,
    (function, operation, part): (&'static str, &'static str, &'static str),
    rule_first: bool,
) -> Lab {
    let held = lab.hold_at(function, operation, part);
    let execution = lab.start(&input());
    held.wait();
    lab.stop(&execution);
    if rule_first {
        lab.tell(&execution, "ABORTED");
    }
    drop(held);
    // The interpreter calls it failed when the function fails that was at work.
    lab.wait(&execution, || {});
    lab.tell(&execution, "ABORTED");
    lab
}

#[test]
fn an_execution_that_is_stopped_while_it_publishes_has_published() {
    for rule_first in [true, false] {
        let what = format!("publishing, the rule first: {rule_first}");
        let lab = stopped_at(Lab::new(), ("publish", "PutObject", "catalog.json"), rule_first);
        // What was told too early is put right by the next event.
        let told = if rule_first { &[ABORTED, "soflow: chain 2026-11-22 recovered"][..] } else { &[] };
        lab.check_published(&what, told);
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, told);
        assert_eq!(lab.emr.records().len(), 1, "{what}\n{lab}");
    }
}

#[test]
fn what_a_function_had_asked_for_when_its_execution_was_stopped_is_given_back() {
    let rows = [("cluster", "RunJobFlow"), ("submit", "AddJobFlowSteps")];
    let rows: Vec<_> = rows.into_iter().flat_map(|row| [(row, true), (row, false)]).collect();
    in_two_lanes(rows, |((function, operation), rule_first)| {
        let what = format!("{operation}, the rule first: {rule_first}");
        let lab = stopped_at(Lab::new(), (function, operation, ""), rule_first);
        // As its schedule does a while later.
        lab.call("reap");
        lab.check(&what, &[ABORTED]);
        assert_eq!(lab.emr.completed().iter().filter(|name| *name == "three").count(), 0, "{what}\n{lab}");
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, &[ABORTED, "soflow: chain 2026-11-22 recovered"]);
    });
}
