//! SIGKILL at every call of a run: whoever comes next finishes it, nothing is done twice.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use crate::daily::lab::BETWEEN_LOOKS;
use crate::emr::lab::{DATE, Lab, ended, signal};
use crate::twin::{Act, Call, Moment, StepFate};

/// How often the same call, such as a look at the steps, is worth dying at.
const SAME: usize = 2;

/// Starts a submission that dies at the first call that `fatal` names; returns whether it came so far.
pub fn killed_at(lab: &Lab, moment: Moment, fatal: impl Fn(&Call) -> bool + Send + Sync + 'static) -> bool {
    let process = Arc::new(AtomicU32::new(0));
    let victim = process.clone();
    lab.twin.kill_hook(move |call: &Call, now: Moment| {
        if !fatal(call) || now != moment {
            return Act::Go;
        }
        while victim.load(Ordering::SeqCst) == 0 {
            std::thread::park_timeout(BETWEEN_LOOKS);
        }
        signal(victim.load(Ordering::SeqCst), "-KILL");
        Act::Drop
    });
    let child = lab.begin(&[]);
    process.store(child.id(), Ordering::SeqCst);
    let said = ended(child);
    lab.twin.kill_hook(|_, _| Act::Go);
    said.code.is_none()
}

/// A client that was stopped.
pub struct Stopped {
    pub child: Child,
    _release: mpsc::Sender<()>,
}

impl Stopped {
    /// Lets it go on.
    pub fn go_on(self) -> Child {
        signal(self.child.id(), "-CONT");
        self.child
    }
}

/// Starts a submission and stops it at its `nth` call of an operation, which is not handled until it goes on.
pub fn stopped_at(lab: &Lab, operation: &'static str, nth: usize) -> Stopped {
    let (arrived, there) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let (seen, released) = (AtomicUsize::new(0), Mutex::new(released));
    lab.twin.kill_hook(move |call, moment| {
        if call.operation == operation && moment == Moment::Before && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            arrived.send(()).unwrap();
            // Nobody releases it when the test has failed.
            let _ = released.lock().unwrap().recv();
        }
        Act::Go
    });
    let child = lab.begin(&[]);
    there.recv().unwrap();
    signal(child.id(), "-STOP");
    Stopped { child, _release: release }
}

/// Lets the next client finish the date.
fn finish(lab: &Lab, attach: bool, what: &str) {
    if attach {
        let said = lab.run(&["attach", &format!("chain.{DATE}.1")]);
        assert!([Some(0), Some(2)].contains(&said.code), "{what}: attach\n{said}");
        if said.code == Some(0) {
            return;
        }
    }
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{what}: submit\n{said}");
}

/// Which calls of a run are worth dying at.
#[derive(Clone, Copy)]
pub enum Calls {
    All,
    /// From the moment at which the steps are handed over until their tables are shown.
    OfSteps,
}

/// Returns the numbers of the calls worth dying at, of a run in such a lab.
fn points(lab: &Lab, worth: Calls) -> Vec<usize> {
    assert_eq!(lab.submit().code, Some(0));
    let mut seen: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let mut points = Vec::new();
    let calls = lab.twin.calls();
    let index = |call: &&Call| call.operation == "PutObject" && call.detail.ends_with("catalog.json");
    let published: Vec<usize> = calls.iter().filter(index).map(|call| call.number).collect();
    let (first, last) = (published[0], published[published.len() - 1]);
    let handed_over = calls.iter().find(|call| call.operation == "AddJobFlowSteps").map_or(0, |call| call.number);
    for call in calls {
        if matches!(worth, Calls::OfSteps) && !(handed_over..first).contains(&call.number) {
            continue;
        }
        // Whoever dies while Glue is written to keeps others waiting for a minute: two are enough.
        if call.number > first && call.number < last && call.number != usize::midpoint(first, last) {
            continue;
        }
        let count = seen.entry((call.service, call.operation, call.detail)).or_default();
        *count += 1;
        if *count <= SAME {
            points.push(call.number);
        }
    }
    points
}

#[test]
fn a_client_killed_at_any_call_is_followed_by_one_that_finishes() {
    kill_everywhere(Lab::new, Calls::All);
}

/// Kills the client of a run at each call worth dying at, in a lab of its own, and lets another one finish it.
pub fn kill_everywhere(make: fn() -> Lab, worth: Calls) {
    let points = points(&make(), worth);
    assert!(points.len() >= 10, "{points:?}");
    println!("{} points", points.len());
    let mut all: Vec<(usize, Moment)> = vec![(1, Moment::Before)];
    all.extend(points.iter().map(|n| (*n, if n % 2 == 0 { Moment::Before } else { Moment::After })));
    let (left, failed) = (Mutex::new(all), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((number, moment)) = { left.lock().unwrap().pop() } {
                    let tried = std::panic::catch_unwind(|| {
                        let lab = make();
                        let died = killed_at(&lab, moment, move |call| call.number == number);
                        let call = lab.twin.calls().into_iter().find(|call| call.number == number);
                        let call = call.map(|call| format!("{} {} {}", call.service, call.operation, call.detail));
                        let what = format!("killed {moment:?} call {number}, {}", call.unwrap_or_default());
                        lab.check_invariants(&what);
                        // A run may make a look or two less than the one the points are from.
                        if died {
                            finish(&lab, number % 2 == 0, &what);
                        }
                        lab.check_whole(&what, 1);
                    });
                    if let Err(error) = tried {
                        failed.lock().unwrap().push(error.downcast_ref::<String>().cloned().unwrap_or_default());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} points failed:\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn a_client_killed_while_its_cluster_starts_is_followed() {
    for attach in [true, false] {
        let lab = Lab::new();
        lab.twin.hold();
        let mut child = lab.begin(&[]);
        lab.until_handed_over();
        signal(child.id(), "-KILL");
        child.wait().unwrap();
        lab.twin.release();
        finish(&lab, attach, "killed while the cluster starts");
        lab.check_whole("killed while the cluster starts", 1);
    }
}

#[test]
fn what_a_killed_client_left_hanging_can_be_cancelled_and_done_anew() {
    let lab = Lab::new();
    lab.twin.step_fate("two", StepFate::Hangs);
    let mut child = lab.begin(&[]);
    lab.until_step("two", "RUNNING");
    signal(child.id(), "-KILL");
    child.wait().unwrap();
    lab.twin.step_fate("two", StepFate::Completes);
    let said = lab.run(&["cancel", &format!("chain.{DATE}.1")]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        lab.steps(&lab.clusters()[0]).iter().all(|(_, state)| ["COMPLETED", "CANCELLED"].contains(&state.as_str()))
    );
    finish(&lab, false, "cancelled");
    assert_eq!((lab.published().len(), lab.shown().len(), lab.clusters().len()), (3, 3, 1));
}
