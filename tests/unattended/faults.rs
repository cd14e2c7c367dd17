//! What gets lost or is refused between Step Functions, Lambda and AWS.

use std::time::Duration;

use crate::emr::lab::in_two_lanes;
use crate::twin::{Fault, FaultKind};
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::{Lab, PARTS, input};

#[test]
fn throttled_calls_are_made_later_and_nothing_is_made_twice() {
    // With little time the handler leaves in the middle of trying again, and the next one finds what it had asked for.
    let short = ["cluster", "submit"].map(|handler| (handler, Duration::from_secs(14)));
    for (times, timeouts) in [(2, &short[..0]), (4, &short)] {
        let what = format!("throttled {times} times");
        let lab = Lab::with(Interpreter::Moto, 21_600, timeouts);
        for operation in ["RunJobFlow", "AddJobFlowSteps"] {
            lab.emr.twin.fault(Fault::new("emr", operation, FaultKind::Throttle).times(times));
        }
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, &[]);
        assert_eq!(lab.emr.clusters().len(), 1, "{what}\n{lab}");
        assert!(!lab.emr.twin.functions_said().contains("Sandbox.Timedout"), "{what}: a handler did not leave\n{lab}");
    }
}

#[test]
fn an_execution_that_is_often_short_of_time_has_one_run() {
    let lab = Lab::with(Interpreter::Moto, 21_600, &[("begin", Duration::from_secs(12))]);
    // Two seconds are left for what takes three.
    let slow = FaultKind::Delay(Duration::from_secs(3));
    lab.emr.twin.fault(Fault::new("s3", "PutObject", slow).by("begin").on("/code/").times(3));
    lab.succeeded(&lab.run(), "short of time");
    lab.check_published("short of time", &[]);
    assert_eq!(lab.emr.records().len(), 1, "{lab}");
}

#[test]
fn an_invocation_that_is_lost_is_made_again_and_its_work_is_done_once() {
    let kinds = [
        ("lost", FaultKind::DropBefore),
        ("without an answer", FaultKind::DropAfter),
        ("throttled", FaultKind::Throttle),
        ("failed", FaultKind::Internal { done: true }),
    ];
    in_two_lanes(PARTS.into(), |handler| {
        let lab = Lab::new();
        for (n, (_, kind)) in kinds.iter().enumerate() {
            // Of each call of a handler the one after the fault is answered.
            lab.emr.twin.fault(Fault::new("lambda", "Invoke", kind.clone()).on(handler).nth(n + 1));
        }
        let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
        let what = format!("{handler}, {}", names.join(", "));
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, &[]);
        assert_eq!(lab.emr.clusters().len(), 1, "{what}\n{lab}");
    });
}

#[test]
fn a_handler_that_is_short_of_time_leaves_its_work_to_the_next_call() {
    // Ten seconds before its end it stops by itself: here after two, which one of its calls takes.
    in_two_lanes(PARTS.into(), |handler| {
        let lab = Lab::with(Interpreter::Moto, 21_600, &[(handler, Duration::from_secs(12))]);
        let slow = FaultKind::Delay(Duration::from_secs(3));
        lab.emr.twin.fault(Fault::new("*", "*", slow).by(handler).nth(5));
        lab.succeeded(&lab.run(), handler);
        lab.check_published(handler, &[]);
    });
}

#[test]
fn an_invocation_that_hangs_is_given_up_and_harms_nothing_when_it_arrives_at_last() {
    // The state gives up after 15 seconds: `States.Timeout`. The function is called a second later all the same.
    let lab = Lab::with(Interpreter::Moto, 21_600, &[("submit", Duration::from_secs(14))]);
    let hangs = FaultKind::Delay(Duration::from_secs(16));
    lab.emr.twin.fault(Fault::new("lambda", "Invoke", hangs).on("submit"));
    lab.succeeded(&lab.run(), "an invocation that hangs");
    lab.emr.twin.until("the first invocation", |twin| twin.functions_said().matches("submit ->").count() == 2);
    lab.check_published("an invocation that hangs", &[]);
}

#[test]
fn sandboxes_that_are_woken_to_be_ended_do_nothing_more() {
    let lab = Lab::new();
    let execution = lab.start(&input());
    // Between two looks they are frozen, all of them.
    let ended = lab.wait(&execution, || lab.emr.twin.shut_down_functions());
    lab.succeeded(&ended, "sandboxes come and go");
    lab.rule(&execution);
    lab.check_published("sandboxes come and go", &[]);
    let calls = lab.emr.twin.calls().len();
    lab.emr.twin.shut_down_functions();
    assert_eq!(lab.emr.twin.calls().len(), calls, "{lab}");
}
