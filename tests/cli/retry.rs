//! `soflow retry`.

use crate::cli::support::Project;

const SUBMIT: [&str; 4] = ["submit", "small", "--date", "2025-10-31"];
const RETRY: [&str; 2] = ["retry", "small.2025-10-31.1"];

#[test]
fn finished_steps_are_not_run_again() {
    let project = Project::small();
    let good = project.read("pyspark/steps/doubles.py");
    project.step("doubles", "raise ValueError('not yet')\n");
    assert_eq!(project.soflow(SUBMIT).code, Some(1));
    project.step("doubles", &good);
    shot!(project.soflow(RETRY));
    shot!("retry_of_a_retried_run", project.soflow(RETRY));
    project.settle_runs();
    shot!("runs_show_a_retried_run", project.soflow(["runs", "show", "small.2025-10-31.2"]));
}

#[test]
fn a_run_that_succeeded() {
    shot!(Project::published().soflow(["retry", "daily.2026-10-31.1"]));
}

#[test]
fn an_unknown_run() {
    shot!(Project::published().soflow(["retry", "daily.2026-10-31.7"]));
}

#[test]
fn what_is_not_a_run_at_all() {
    shot!(Project::empty().soflow(["retry", "daily"]));
}
