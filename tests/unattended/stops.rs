//! Executions that are stopped, take too long, or are cancelled from a laptop.

use std::collections::BTreeSet;

use crate::emr::lab::{DATE, ended, in_two_lanes};
use crate::twin::StepFate;
use crate::unattended::interpreter::Interpreter;
use crate::unattended::kills::SILENCE;
use crate::unattended::lab::{Held, Lab, input};
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

#[test]
fn a_run_that_a_laptop_has_left_is_finished_by_an_execution_on_its_cluster() {
    let lab = Lab::new();
    let said = ended(lab.emr.begin(&["--wait", "0s"]));
    assert_eq!(said.code, Some(4), "{said}\n{lab}");
    let execution = lab.start(&input());
    lab.succeeded(&lab.finish(&execution), "after a laptop");
    lab.check_published("after a laptop", &[]);
    let records = lab.emr.records();
    assert_eq!((records.len(), &records[0]["execution"]), (1, &execution.clone().into()), "{lab}");
    assert_eq!(lab.emr.clusters().len(), 1, "{lab}");
}

/// An execution that was stopped when a function of it was about to make a call: Lambda knows nothing of that, and the function
/// goes on once it is let go.
struct Stopped {
    lab: Lab,
    execution: String,
    held: Held,
}

fn stopped_at(function: &'static str, operation: &'static str, part: &'static str) -> Stopped {
    let lab = Lab::new();
    let held = lab.hold_at(function, operation, part);
    let execution = lab.start(&input());
    held.wait();
    lab.stop(&execution);
    Stopped { lab, execution, held }
}

impl Stopped {
    /// Lets the function go on, to the end of the execution.
    fn go(self) -> (Lab, String) {
        drop(self.held);
        // The interpreter calls it failed when the function fails that was at work.
        self.lab.wait(&self.execution, || {});
        (self.lab, self.execution)
    }
}

#[test]
fn an_execution_that_is_stopped_while_it_publishes_has_published_and_nobody_is_told_otherwise() {
    let Stopped { lab, execution, held } = stopped_at("publish", "PutObject", "catalog.json");
    let looks = |lab: &Lab| {
        let calls = lab.emr.twin.calls_of("s3", "GetObject").into_iter();
        calls.filter(|call| call.caller == "ended" && call.detail.ends_with("run.json")).count()
    };
    std::thread::scope(|scope| {
        let told = scope.spawn(|| lab.tell(&execution, "ABORTED"));
        // It looks for its run, and then again and again for how the publishing ends.
        lab.emr.twin.until("it waits", |_| looks(&lab) >= 5 || told.is_finished());
        assert!(!told.is_finished(), "it has not waited\n{lab}");
        drop(held);
        lab.wait(&execution, || {});
    });
    lab.check_published("publishing", &[]);
    lab.succeeded(&lab.run(), "publishing");
    lab.check_published("publishing", &[]);
    assert_eq!(lab.emr.records().len(), 1, "{lab}");
}

#[test]
fn what_is_published_by_a_function_that_was_taken_for_dead_is_told_by_the_reaper() {
    let stopped = stopped_at("publish", "PutObject", "catalog.json");
    stopped.lab.emr.twin.pass(SILENCE);
    stopped.lab.tell(&stopped.execution, "ABORTED");
    assert_eq!(stopped.lab.messages(), [ABORTED], "{}", stopped.lab);
    let (lab, _) = stopped.go();
    // No event comes any more.
    for _ in 0..2 {
        lab.call("reap");
        lab.check_published("taken for dead", &[ABORTED, "soflow: chain 2026-11-22 recovered"]);
    }
}

#[test]
fn what_a_function_had_asked_for_when_its_execution_was_stopped_is_given_back() {
    let rows = [("cluster", "RunJobFlow"), ("submit", "AddJobFlowSteps")];
    let rows: Vec<_> = rows.into_iter().flat_map(|row| [(row, true), (row, false)]).collect();
    in_two_lanes(rows, |((function, operation), rule_first)| {
        let what = format!("{operation}, the rule first: {rule_first}");
        let stopped = stopped_at(function, operation, "");
        if rule_first {
            stopped.lab.tell(&stopped.execution, "ABORTED");
        }
        let (lab, execution) = stopped.go();
        lab.tell(&execution, "ABORTED");
        // As its schedule does a while later.
        lab.call("reap");
        lab.check(&what, &[ABORTED]);
        assert_eq!(lab.emr.completed().iter().filter(|name| *name == "three").count(), 0, "{what}\n{lab}");
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, &[ABORTED, "soflow: chain 2026-11-22 recovered"]);
    });
}
