//! What gets lost or is refused between Step Functions, Lambda and AWS.

use std::time::Duration;

use crate::twin::{Fault, FaultKind};
use crate::unattended::lab::{Lab, PARTS};

#[test]
fn throttled_calls_are_made_later_and_nothing_is_made_twice() {
    // The second is more than a client tries at once.
    for times in [2, 9] {
        let what = format!("throttled {times} times");
        let lab = Lab::new();
        for operation in ["RunJobFlow", "AddJobFlowSteps"] {
            lab.emr.twin.fault(Fault::new("emr", operation, FaultKind::Throttle).times(times));
        }
        lab.succeeded(&lab.run(), &what);
        lab.check_published(&what, &[]);
        assert_eq!(lab.emr.clusters().len(), 1, "{what}\n{lab}");
    }
}

#[test]
fn an_invocation_that_is_lost_is_made_again_and_its_work_is_done_once() {
    let kinds = [
        ("lost", FaultKind::DropBefore),
        ("without an answer", FaultKind::DropAfter),
        ("throttled", FaultKind::Throttle),
        ("failed", FaultKind::Internal { done: true }),
    ];
    for handler in PARTS {
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
    }
}

#[test]
fn a_handler_that_is_short_of_time_leaves_its_work_to_the_next_call() {
    // Ten seconds before its end it stops by itself: here at once.
    let short = PARTS.map(|handler| (handler, Duration::from_millis(10_050)));
    let lab = Lab::with("", 21_600, &short);
    lab.succeeded(&lab.run(), "short of time");
    lab.check_published("short of time", &[]);
}
