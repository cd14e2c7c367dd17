//! The same on another interpreter, with functions and events that are not the twin's either.

use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::{Lab, fails};
use crate::unattended::stops::{ABORTED, mended, stuck};
use crate::unattended::whole::{fails_and_is_mended, publishes};

#[test]
fn another_interpreter_publishes_and_leaves_nothing_behind() {
    publishes(&Lab::on(Interpreter::Ministack));
}

#[test]
fn another_interpreter_tells_a_failure_once_and_does_what_is_left() {
    fails_and_is_mended(&fails(Lab::on(Interpreter::Ministack)));
}

#[test]
fn an_execution_that_is_stopped_reaches_its_run_by_the_rule() {
    let (lab, execution) = stuck(Lab::on(Interpreter::Ministack), "working");
    lab.stop(&execution);
    let ended = lab.finish(&execution);
    assert_eq!(ended.status, "ABORTED", "{ended:?}\n{lab}");
    lab.check("stopped", &[ABORTED]);
    mended(&lab, "stopped", ABORTED);
}
