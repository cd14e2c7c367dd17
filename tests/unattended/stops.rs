//! Executions that are stopped, take too long, or are cancelled from a laptop.

use std::sync::Mutex;

use crate::emr::lab::DATE;
use crate::twin::{Act, Call, Moment, StepFate};
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::{Lab, input};

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

#[test]
fn whoever_stops_an_execution_ends_its_run_and_gives_its_cluster_back() {
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
    }
}

#[test]
fn an_execution_that_takes_too_long_is_ended_and_told() {
    let lab = Lab::with(Interpreter::Moto, 3, &[]);
    lab.emr.twin.step_fate("two", StepFate::Hangs);
    let execution = lab.start(&input());
    let ended = lab.finish(&execution);
    assert_eq!(ended.status, "TIMED_OUT", "{ended:?}\n{lab}");
    lab.check("too long", &["soflow: chain 2026-11-22 failed: TimedOut"]);
    assert!(lab.emr.published().is_empty(), "{lab}");
}

#[test]
fn a_run_that_is_cancelled_from_a_laptop_ends_its_execution_and_is_done_by_a_retry() {
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
}

#[test]
fn an_execution_that_is_stopped_while_it_publishes_has_published() {
    // Lambda knows nothing of the end of an execution: the function goes on, before or after the rule has ended its run.
    for rule_first in [true, false] {
        let what = format!("publishing, the rule first: {rule_first}");
        let lab = Lab::new();
        let (arrived, there) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel();
        let held = Mutex::new(Some((arrived, released)));
        lab.emr.twin.kill_hook(move |call: &Call, moment: Moment| {
            let catalog = call.operation == "PutObject" && call.detail.ends_with("catalog.json");
            if call.function == "publish" && catalog && moment == Moment::Before {
                let first = held.lock().unwrap().take();
                if let Some((arrived, released)) = first {
                    arrived.send(()).unwrap();
                    released.recv().unwrap();
                }
            }
            Act::Go
        });
        let execution = lab.start(&input());
        there.recv().unwrap();
        lab.stop(&execution);
        if rule_first {
            lab.tell(&execution, "ABORTED");
        }
        release.send(()).unwrap();
        let ended = lab.wait(&execution, || {});
        assert_eq!(ended.status, "ABORTED", "{what}: {ended:?}\n{lab}");
        lab.rule(&execution);
        // What was told too early is put right by the next event.
        let told = if rule_first { &[ABORTED, "soflow: chain 2026-11-22 recovered"][..] } else { &[] };
        lab.check_published(&what, told);
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, told);
        assert_eq!(lab.emr.records().len(), 1, "{what}\n{lab}");
    }
}
