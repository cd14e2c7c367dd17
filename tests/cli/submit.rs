//! `soflow submit` when all is well.

use crate::cli::support::Project;

const SMALL: [&str; 4] = ["submit", "small", "--date", "2025-10-31"];

#[test]
fn a_good_run_in_plain_lines() {
    let project = Project::small();
    // One at a time, so that the lines have one order.
    shot!(project.soflow(["submit", "small", "--date", "2025-10-31", "--parallel", "1"]));
}

#[test]
fn a_good_run_as_events() {
    let project = Project::small();
    shot!(project.soflow(["submit", "small", "--date", "2025-10-31", "--events", "ndjson"]).without_progress());
}

#[test]
fn a_good_run_as_one_document() {
    let project = Project::small();
    let seen = project.soflow(["submit", "small", "--date", "2025-10-31", "--output", "json", "--events", "quiet"]);
    assert_eq!(seen.json()["v"], 1);
    shot!(seen);
}

#[test]
fn a_local_run_is_not_left_however_short_the_wait() {
    let project = Project::small();
    let seen = project.soflow(["submit", "small", "--date", "2025-10-31", "--wait", "0s", "--output", "json"]);
    assert_eq!(seen.json()["state"], "succeeded");
}

#[test]
fn again_there_is_nothing_to_do() {
    shot!(Project::published().soflow(["submit", "daily", "--sample"]));
}

#[test]
fn again_there_is_nothing_to_do_for_programs() {
    let seen = Project::published().soflow(["submit", "daily", "--sample", "--output", "json", "--events", "quiet"]);
    shot!(seen);
}

#[test]
fn another_parameter_is_another_run() {
    let project = Project::small();
    project.soflow(SMALL).succeeded();
    shot!(project.soflow(["submit", "small", "--date", "2025-10-31", "--param", "upto=5"]));
}

#[test]
fn what_is_only_asked_for_is_all_that_runs() {
    let project = Project::small();
    shot!(project.soflow(["submit", "small", "--date", "2025-10-31", "--only", "counts"]));
}

#[test]
fn tables_that_were_not_asked_for_are_not_told_of() {
    let project = Project::small();
    project.soflow(SMALL).succeeded();
    shot!(project.soflow(["submit", "small", "--date", "2025-10-31", "--only", "counts", "--force"]));
}

#[test]
fn the_sample_says_what_it_found() {
    // The whole of the daily job, its insights and its rows set aside.
    let project = Project::published();
    project.step("tag_pairs", &(project.read("pyspark/steps/tag_pairs.py") + "\n# edited\n"));
    shot!(project.soflow(["submit", "daily", "--sample"]));
}
