//! Functions that end in the middle of their work, at every kind of call that they make: the next one goes on from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::emr::lab::in_two_lanes;
use crate::twin::{Act, Call, Moment};
use crate::unattended::lab::{Ended, Lab, PARTS, failing, input};

/// After which time others take what a function had that is gone.
pub const SILENCE: Duration = Duration::from_secs(100);

/// At how many of its calls each handler ends.
const POINTS: usize = 4;

/// How a function ends before its work is done.
#[derive(Clone, Debug)]
struct End {
    handler: String,
    /// At which of its calls.
    nth: usize,
    moment: Moment,
    act: Act,
}

/// Returns ends of these handlers, spread over the calls that they made in `lab`, of every kind in turn.
fn ends(lab: &Lab, handlers: &[&str]) -> Vec<End> {
    let mut ends = Vec::new();
    for handler in handlers {
        let calls = lab.emr.twin.calls().iter().filter(|call| call.caller == **handler).count();
        assert!(calls >= POINTS, "{handler} makes {calls} calls\n{lab}");
        for point in 0..POINTS {
            let nth = 1 + point * (calls - 1) / (POINTS - 1);
            let moment = if nth.is_multiple_of(2) { Moment::After } else { Moment::Before };
            let act = if point % 2 == 0 { Act::Kill } else { Act::TimeOut };
            ends.push(End { handler: (*handler).to_string(), nth, moment, act });
        }
    }
    ends
}

/// Runs the date's execution with an end in it; returns whether it came so far, too: how many calls there are depends on how
/// fast a cluster is. What the function had runs out when one call has found that someone has it.
fn run(lab: &Lab, end: &End) -> (Ended, bool) {
    let (count, has_ended, since) =
        (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (fatal, told, invoked) = (end.clone(), has_ended.clone(), since.clone());
    lab.emr.twin.kill_hook(move |call: &Call, moment: Moment| {
        if call.operation == "Invoke" && moment == Moment::After && told.load(Ordering::SeqCst) {
            invoked.fetch_add(1, Ordering::SeqCst);
        }
        if call.caller != fatal.handler || moment != fatal.moment {
            return Act::Go;
        }
        if count.fetch_add(1, Ordering::SeqCst) + 1 != fatal.nth {
            return Act::Go;
        }
        told.store(true, Ordering::SeqCst);
        fatal.act
    });
    let execution = lab.start(&input());
    let passed = AtomicBool::new(false);
    let ended = lab.wait(&execution, || {
        // The one that ended, and the next.
        if since.load(Ordering::SeqCst) >= 2 && !passed.swap(true, Ordering::SeqCst) {
            lab.emr.twin.pass(SILENCE);
        }
    });
    lab.rule(&execution);
    lab.emr.twin.kill_hook(|_, _| Act::Go);
    (ended, has_ended.load(Ordering::SeqCst))
}

#[test]
fn a_function_that_ends_at_any_call_is_followed_by_one_that_goes_on() {
    let lab = Lab::new();
    lab.succeeded(&lab.run(), "the first");
    let (ends, happened) = (ends(&lab, &PARTS), AtomicUsize::new(0));
    let all = ends.len();
    in_two_lanes(ends, |end| {
        let (lab, what) = (Lab::new(), format!("{end:?}"));
        let (ended, has_ended) = run(&lab, &end);
        happened.fetch_add(usize::from(has_ended), Ordering::SeqCst);
        lab.succeeded(&ended, &what);
        lab.check_published(&what, &[]);
        assert_eq!(lab.emr.clusters().len(), 1, "{what}\n{lab}");
    });
    assert!(happened.load(Ordering::SeqCst) * 4 >= all * 3, "{happened:?} of {all}");
}

#[test]
fn a_failure_is_told_once_however_often_whoever_tells_it_ends() {
    let told = "soflow: chain 2026-11-22 failed: JobFailed";
    let lab = failing();
    lab.run();
    in_two_lanes(ends(&lab, &["ended"]), |end| {
        let (lab, what) = (failing(), format!("{end:?}"));
        lab.failed(&run(&lab, &end).0, "JobFailed", "step `two` of run `chain.2026-11-22.1` failed", &what);
        lab.check_left(&what);
        let mut messages = lab.messages();
        // Who ends between the message and its note has told it, and nobody knows.
        assert!(messages.len() <= 2, "{what}: {messages:?}\n{lab}");
        messages.dedup();
        assert_eq!(messages, [told], "{what}\n{lab}");
    });
}
