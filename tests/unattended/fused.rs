//! Chains, driven part by part by functions.

use crate::emr::fused::{fused, let_go, on_cluster, states, until_waiting};
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::{Lab, input};

fn lab() -> Lab {
    Lab::of(fused(), Interpreter::Moto, ("chain", 21_600), &[])
}

#[test]
fn an_execution_drives_a_chain_as_it_drives_steps() {
    let lab = lab();
    lab.succeeded(&lab.run(), "fused");
    lab.check_published("fused", &[]);
    assert_eq!(on_cluster(&lab.emr, 0), ["1/one+2 COMPLETED"], "{lab}");
}

#[test]
fn of_an_execution_that_is_stopped_what_had_completed_is_kept() {
    let lab = lab();
    lab.emr.write("pyspark/steps/two.py", "# waits\n");
    let execution = lab.start(&input());
    until_waiting(&lab.emr);
    lab.stop(&execution);
    assert_eq!(lab.finish(&execution).status, "ABORTED", "{lab}");
    assert_eq!(states(&lab.emr, 0), ["completed", "cancelled", "cancelled"], "{lab}");
    let_go(&lab.emr);
    lab.succeeded(&lab.run(), "after it was stopped");
    assert_eq!(on_cluster(&lab.emr, 1), ["2/two+1 COMPLETED"], "{lab}");
}
