//! What the program says to a command line it does not understand, or in the wrong place.

use crate::cli::support::Project;

#[test]
fn no_arguments() {
    shot!(Project::empty().soflow([]));
}

#[test]
fn an_unknown_verb() {
    shot!(Project::empty().soflow(["sumbit", "daily"]));
}

#[test]
fn an_unknown_flag() {
    shot!(Project::empty().soflow(["submit", "daily", "--parallell", "2"]));
}

#[test]
fn an_unknown_flag_for_programs() {
    shot!(Project::empty().soflow(["submit", "daily", "--output", "json", "--parallell", "2"]));
}

#[test]
fn a_date_that_is_none() {
    shot!(Project::empty().soflow(["plan", "daily", "--date", "2026-02-30"]));
}

#[test]
fn the_sample_has_its_own_date() {
    shot!(Project::empty().soflow(["submit", "daily", "--sample", "--date", "2026-11-22"]));
}

#[test]
fn an_unknown_job() {
    shot!(Project::daily().soflow(["submit", "dayly"]));
}

#[test]
fn an_unknown_target() {
    shot!(Project::daily().soflow(["plan", "daily", "--target", "locl"]));
}

#[test]
fn a_folder_that_is_no_project() {
    let project = Project::empty();
    let home = project.path().with_file_name("home");
    shot!(project.soflow(["tables", "-C", home.to_str().unwrap()]));
}

#[test]
fn a_folder_that_is_not_there() {
    shot!(Project::empty().soflow(["-C", "nowhere", "runs"]));
}

#[test]
fn a_parameter_without_a_value() {
    shot!(Project::daily().soflow(["plan", "daily", "--param", "site"]));
}

#[test]
fn an_unknown_parameter() {
    shot!(Project::daily().soflow(["plan", "daily", "--param", "sight=superuser"]));
}
