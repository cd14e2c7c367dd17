//! `soflow rollback`.

use crate::cli::support::Project;

/// Returns a project with two versions of `counts`: of 3 rows and of 5.
fn two_versions() -> Project {
    let project = Project::small();
    project.soflow(["submit", "small", "--date", "2025-10-31"]).succeeded();
    project.soflow(["submit", "small", "--date", "2025-10-31", "--param", "upto=5"]).succeeded();
    project
}

#[test]
fn to_the_version_before_and_back() {
    let project = two_versions();
    let rows = || project.soflow(["tables", "show", "counts", "--output", "json"]).json()["rows"].clone();
    assert_eq!(rows(), 5);
    shot!(project.soflow(["rollback", "counts"]));
    assert_eq!(rows(), 3);
    shot!("rollback_twice", project.soflow(["rollback", "counts"]));
    shot!("tables_after_a_rollback", project.soflow(["tables", "show", "counts"]));
    project.soflow(["rollback", "counts", "--to", "small.2025-10-31.2"]).succeeded();
    assert_eq!(rows(), 5);
    shot!("rollback_to_where_it_is", project.soflow(["rollback", "counts", "--to", "small.2025-10-31.2"]));
}

#[test]
fn without_an_earlier_version() {
    shot!(Project::published().soflow(["rollback", "questions"]));
}

#[test]
fn to_an_unknown_run() {
    shot!(Project::published().soflow(["rollback", "questions", "--to", "daily.2026-10-31.9"]));
}

#[test]
fn of_an_unknown_table() {
    shot!(Project::published().soflow(["rollback", "quesions"]));
}
