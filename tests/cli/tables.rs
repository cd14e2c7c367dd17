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
fn the_files_that_readers_see_and_no_others() {
    let project = Project::small();
    for upto in ["upto=3", "upto=5"] {
        project.soflow(["submit", "small", "--date", "2025-10-31", "--param", upto]).succeeded();
    }
    let file = |run: u32| format!(".soflow/lake/curated/counts/run-small.2025-10-31.{run}/part-0.parquet");
    assert!(project.path().join(file(1)).is_file(), "the replaced version is gone");
    assert_eq!(project.soflow(["tables", "paths", "counts"]).stdout, format!("/project/{}\n", file(2)));
    let document = project.soflow(["tables", "paths", "counts", "--output", "json"]).json();
    assert_eq!(document["files"][0]["bytes"], fs_err::metadata(project.path().join(file(2))).unwrap().len());
    project.soflow(["rollback", "counts"]).succeeded();
    assert_eq!(project.soflow(["tables", "paths", "counts"]).stdout, format!("/project/{}\n", file(1)));
}

#[test]
fn an_unknown_one() {
    shot!(Project::published().soflow(["tables", "show", "question"]));
}
