//! `soflow tables`.

use crate::cli::support::Project;

#[test]
fn none() {
    shot!(Project::empty().soflow(["tables"]));
}

#[test]
fn the_list() {
    shot!(Project::published().soflow(["tables"]));
}

#[test]
fn the_list_for_programs() {
    let tables = Project::published().soflow(["tables", "--output", "json"]).json();
    assert_eq!(tables["tables"]["questions"]["current"], "daily.2026-10-31.1", "{tables:#}");
}

#[test]
fn one() {
    shot!(Project::published().soflow(["tables", "show", "questions"]));
}

#[test]
fn one_without_partitions() {
    let project = Project::small();
    project.soflow(["submit", "small", "--date", "2025-10-31"]).succeeded();
    shot!(project.soflow(["tables", "show", "counts"]));
}

#[test]
fn an_unknown_one() {
    shot!(Project::published().soflow(["tables", "show", "question"]));
}
