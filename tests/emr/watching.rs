//! Watching costs little, can be stopped, and is no condition for a run to go on.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::emr::lab::{DATE, Lab, Said, ended, signal};
use crate::twin::{Act, Moment, Options, StepFate};

/// Writes a job of that many steps, none of which needs another.
fn many(lab: &Lab, steps: usize, table: &str) {
    let all = |line: &dyn Fn(usize) -> String| (0..steps).map(line).collect::<String>();
    let steps = all(&|n| format!("  s{n}: {{ script: steps/one.py, reads: [], writes: [t{n}] }}\n"));
    let tables = all(&|n| format!("  t{n}: {table}\n"));
    lab.write("jobs/many.yaml", &format!("description: Many steps.\nsteps:\n{steps}tables:\n{tables}"));
}

#[test]
fn more_steps_than_a_cluster_takes_are_added_as_others_end() {
    // The twin refuses more than 256 active steps, as EMR does. Nothing is written: the steps only end.
    // Each look is at all of the steps.
    let rarely = "    poll-fastest: 200ms\n    poll-slowest: 500ms\n";
    let lab = Lab::with(rarely, |options| Options { exec: None, pace: Duration::from_millis(1), ..options });
    many(&lab, 300, "{}");
    let said = lab.run(&["submit", "many", "--date", DATE]);
    assert_eq!(said.code, Some(0), "{said}");
    let mut completed = lab.completed();
    completed.sort();
    completed.dedup();
    assert_eq!(completed.len(), 300, "each of them once");
    assert!(lab.twin.calls_of("emr", "AddJobFlowSteps").len() > 1);
}

#[test]
fn fifty_steps_cost_no_more_calls_than_one() {
    let lab = Lab::new();
    many(&lab, 50, "{ key: [id], checks: [{ rows-at-least: 1 }] }");
    let said = lab.run(&["submit", "many", "--date", DATE]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(lab.completed().len(), 50);
    assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), 1);
    let looks = lab.twin.calls_of("emr", "ListSteps");
    // A tick is at least nine milliseconds after the one before: two calls in one would be next to each other.
    let close = looks.windows(2).filter(|pair| pair[1].at - pair[0].at < Duration::from_millis(8)).count();
    println!("{} looks, {close} close to the one before", looks.len());
    assert_eq!(close, 0, "of {} looks", looks.len());
    assert_eq!(lab.twin.calls_of("emr", "DescribeStep").len(), 0);
}

/// Starts a run whose second step hangs.
fn hanging(args: &[&str]) -> (Lab, std::process::Child) {
    let lab = Lab::new();
    lab.twin.step_fate("two", StepFate::Hangs);
    let child = lab.begin(args);
    lab.until_step("two", "RUNNING");
    lab.until_handed_over();
    (lab, child)
}

fn check_detached(said: &Said) {
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.stderr.contains(&format!("`soflow attach chain.{DATE}.1`")), "{said}");
}

#[test]
fn who_does_not_wait_is_told_how_to_come_back() {
    let lab = Lab::new();
    let said = lab.run(&["submit", "chain", "--date", DATE, "--wait", "0s"]);
    check_detached(&said);
    assert_eq!(lab.twin.calls_of("emr", "AddJobFlowSteps").len(), 1, "{said}");
    let said = lab.run(&["attach", &format!("chain.{DATE}.1")]);
    assert_eq!(said.code, Some(0), "{said}");
    lab.check_whole("attached", 1);
}

#[test]
fn signals_detach_and_the_run_goes_on() {
    for which in ["-INT", "-TERM"] {
        let lab = Lab::new();
        lab.twin.hold();
        let child = lab.begin(&[]);
        lab.until_handed_over();
        signal(child.id(), which);
        check_detached(&ended(child));
        lab.twin.release();
        let said = lab.submit();
        assert_eq!(said.code, Some(0), "{said}");
        lab.check_whole(which, 1);
    }
}

/// Asserts that nothing of the run goes on, and that it can be done anew.
fn check_cancelled(lab: &Lab, said: &Said) {
    assert_eq!(said.code, Some(130), "{said}");
    let states: Vec<String> = lab.steps(&lab.clusters()[0]).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states[..3], ["COMPLETED", "CANCELLED", "CANCELLED"], "{said}");
    assert_eq!(lab.records()[0]["state"], "cancelled", "{said}");
    lab.twin.step_fate("two", StepFate::Completes);
    let again = lab.submit();
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(lab.published().len(), 3);
    assert_eq!(lab.completed().iter().filter(|step| *step == "one").count(), 1, "it was done already");
}

#[test]
fn signals_cancel_when_asked_to() {
    for which in ["-INT", "-TERM"] {
        let (lab, child) = hanging(&["--on-interrupt", "cancel"]);
        signal(child.id(), which);
        check_cancelled(&lab, &ended(child));
    }
}

#[test]
fn another_client_cancels_and_the_driver_finds_out() {
    let (lab, child) = hanging(&[]);
    let cancelled = lab.run(&["cancel", &format!("chain.{DATE}.1")]);
    assert_eq!(cancelled.code, Some(0), "{cancelled}");
    check_cancelled(&lab, &ended(child));
}

#[test]
fn two_who_cancel_at_once_have_both_cancelled_it() {
    let (lab, child) = hanging(&[]);
    let run = format!("chain.{DATE}.1");
    let (release, released) = mpsc::channel::<()>();
    let first = Mutex::new(Some(released));
    let (arrived, there) = mpsc::channel();
    lab.twin.kill_hook(move |call, moment| {
        if call.operation == "CancelSteps" && moment == Moment::Before {
            let first = first.lock().unwrap().take();
            if let Some(released) = first {
                arrived.send(()).unwrap();
                // Nobody releases it when the test has failed.
                let _ = released.recv();
            }
        }
        Act::Go
    });
    let one = lab.spawn(&["cancel", &run]);
    there.recv().unwrap();
    let other = lab.run(&["cancel", &run]);
    drop(release);
    let one = ended(one);
    assert_eq!((one.code, other.code), (Some(0), Some(0)), "{one}\n{other}");
    assert!(one.stdout.contains("is cancelled"), "{one}");
    check_cancelled(&lab, &ended(child));
}
