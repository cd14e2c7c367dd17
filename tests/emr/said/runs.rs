//! Runs: that go well, that fail, that are left and taken up again.

use crate::emr::lab::DATE;
use crate::emr::said::support::{begin, end, interrupt, lab, state, walk, walked, without_cost};
use crate::twin::{Failure, Loss, StepFate};

const SUBMIT: [&str; 4] = ["submit", "chain", "--date", DATE];
const RUN: &str = "chain.2026-11-22.1";

/// What a step's own code leaves behind when it fails.
const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/mnt/tmp/two.py\", line 12, in <module>
    main()
  File \"/mnt/tmp/two.py\", line 8, in main
    rows = rows.select(\"titel\")
pyspark.errors.exceptions.captured.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `titel` cannot be resolved. Did you mean one of the following? [`title`, `tags`].
";

#[test]
fn a_run_from_nothing_to_tables() {
    let lab = lab();
    shot!("run", lab, walked(&lab, &SUBMIT));
    shot!("run_again", lab, lab.submit());
    shot!("run_on_the_same_cluster", lab, walked(&lab, &[&SUBMIT[..], &["--force"]].concat()));
}

#[test]
fn a_step_that_fails() {
    let lab = lab();
    let failure = Failure { driver_stdout: TRACEBACK.into(), ..Failure::default() };
    lab.twin.step_fate("/two", StepFate::Fails(failure));
    shot!("failed", lab, walked(&lab, &SUBMIT));
    shot!("failed_shown", lab, without_cost(lab.run(&["runs", "show", RUN])));
}

#[test]
fn a_cluster_that_is_lost_under_a_run() {
    let lab = lab();
    lab.twin.step_fate("/two", StepFate::Hangs);
    let mut child = begin(&lab, &SUBMIT);
    walk(&lab, &mut child, |lab| state(lab, "two").is_some_and(|state| state == "running"));
    lab.twin.step_fate("/two", StepFate::Completes);
    lab.twin.lose_cluster(&lab.clusters()[0], Loss::PrimaryLost, None);
    walk(&lab, &mut child, |_| false);
    lab.twin.release();
    shot!("lost", lab, end(child));
}

#[test]
fn a_run_that_is_left_is_finished_by_whoever_attaches() {
    let lab = lab();
    let mut child = begin(&lab, &SUBMIT);
    // The steps are handed over, and looked at for the first time after that.
    walk(&lab, &mut child, |lab| lab.twin.calls_of("emr", "ListSteps").len() > 1);
    interrupt(&child);
    shot!("left", lab, end(child));
    shot!("left_shown", lab, without_cost(lab.run(&["runs", "show", RUN])));
    shot!("attached", lab, walked(&lab, &["attach", RUN]));
    shot!("attached_again", lab, without_cost(lab.run(&["attach", RUN])));
}

#[test]
fn a_run_that_is_cancelled() {
    let lab = lab();
    lab.twin.step_fate("/two", StepFate::Hangs);
    let mut child = begin(&lab, &SUBMIT);
    walk(&lab, &mut child, |lab| state(lab, "two").is_some_and(|state| state == "running"));
    interrupt(&child);
    let left = end(child);
    assert_eq!(left.code, Some(4), "{left}");
    shot!("cancelled", lab, walked(&lab, &["cancel", RUN]));
    shot!("cancelled_again", lab, lab.run(&["cancel", RUN]));
    shot!("cancelled_shown", lab, without_cost(lab.run(&["runs", "show", RUN])));
}

#[test]
fn a_run_cancelled_from_the_keyboard() {
    let lab = lab();
    lab.twin.step_fate("/two", StepFate::Hangs);
    let mut child = begin(&lab, &[&SUBMIT[..], &["--on-interrupt", "cancel"]].concat());
    walk(&lab, &mut child, |lab| state(lab, "two").is_some_and(|state| state == "running"));
    interrupt(&child);
    walk(&lab, &mut child, |_| false);
    lab.twin.release();
    shot!("cancelled_by_ctrl_c", lab, end(child));
}
