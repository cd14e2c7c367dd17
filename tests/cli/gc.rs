//! `soflow gc`.

use crate::support::Project;

#[test]
fn nothing_to_remove() {
    shot!(Project::published().soflow(["gc", "--dry-run"]));
}

#[test]
fn looking_removes_nothing_and_removing_leaves_what_readers_see() {
    let project = Project::small();
    project.soflow(["submit", "small", "--date", "2025-10-31"]).succeeded();
    // The current version and the one before it are always kept.
    project.soflow(["submit", "small", "--date", "2025-10-31", "--param", "upto=5"]).succeeded();
    project.soflow(["submit", "small", "--date", "2025-10-31", "--param", "upto=7"]).succeeded();
    project.write("config/soflow.yaml", "keep-for: 0s\n");
    shot!(project.soflow(["gc", "--dry-run"]));
    let before = project.path().join(".soflow/lake/curated/counts/run=small.2025-10-31.1/part-0.parquet");
    assert!(before.exists());
    shot!("gc_removes", project.soflow(["gc"]));
    assert!(!before.exists());
    shot!("query_after_gc", project.soflow(["query", "select count(*) as n from counts"]));
}
