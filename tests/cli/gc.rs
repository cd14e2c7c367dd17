//! `soflow gc`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::cli::support::Project;

/// Returns a project with as many versions of its tables, the settings of which keep nothing.
fn versions(count: u32) -> Project {
    let project = Project::small();
    for number in 1..=count {
        let upto = format!("upto={}", number + 2);
        project.soflow(["submit", "small", "--date", "2025-10-31", "--param", &upto]).succeeded();
    }
    project.write("config/soflow.yaml", "keep-for: 0s\n");
    project
}

fn lake(project: &Project) -> PathBuf {
    project.path().join(".soflow/lake")
}

/// Returns all files of a lake but those that a look changes, in their folders.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { found.extend(files(&path)) } else { _ = found.insert(path) }
    }
    found.retain(|path| !path.ends_with("lock"));
    found
}

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
    let before = project.path().join(".soflow/lake/curated/counts/run-small.2025-10-31.1/part-0.parquet");
    assert!(before.exists());
    shot!("gc_removes", project.soflow(["gc"]));
    assert!(!before.exists());
    shot!("query_after_gc", project.soflow(["query", "select count(*) as n from counts"]));
}

#[test]
fn what_it_does_not_know_it_lists_and_leaves_alone() {
    let project = versions(3);
    let elsewhere = project.path().parent().unwrap().join("elsewhere");
    let run = "run-small.2025-10-31.1";
    let theirs = [
        elsewhere.join("thesis.parquet"),
        elsewhere.join(run).join("part-0.parquet"),
        lake(&project).join("curated/notes.txt"),
        lake(&project).join("curated/research/part-0.parquet"),
        // Copies keep the names of the folders that were copied.
        lake(&project).join(format!("curated/counts_copy/{run}/part-0.parquet")),
        lake(&project).join("curated/counts/run-small.2025-10-31.9/part-0.parquet"),
        lake(&project).join(format!("curated/counts/{run}/notes.txt")),
        lake(&project).join("artifacts/results/small/notes.json"),
        lake(&project).join("artifacts/scratch/mine/notes.txt"),
    ];
    for path in &theirs {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "theirs").unwrap();
    }
    for link in ["curated/linked", "curated/counts/linked", "artifacts/scratch/linked", "raw"] {
        std::os::unix::fs::symlink(&elsewhere, lake(&project).join(link)).unwrap();
    }
    fs::write(elsewhere.join(".soflow-unfinished-x"), "of another lake").unwrap();
    fs::write(lake(&project).join("curated/linked.parquet"), "theirs").unwrap();
    shot!(project.soflow(["gc"]));
    for path in theirs {
        assert!(path.exists(), "{} is gone", path.display());
    }
    assert!(!lake(&project).join(format!("curated/counts/{run}/part-0.parquet")).exists(), "ours is left");
}

#[test]
fn with_a_lost_catalog_it_removes_nothing_and_repair_brings_the_tables_back() {
    let project = versions(2);
    let catalog = lake(&project).join("curated/_catalog/catalog.json");
    let whole = fs::read_to_string(&catalog).unwrap();
    let mut without: serde_json::Value = serde_json::from_str(&whole).unwrap();
    without["tables"].as_object_mut().unwrap().remove("doubles").unwrap();
    let cases = [("lost", None), ("damaged", Some("{".to_string())), ("empty", Some(String::new()))];
    let partly = [("without a table", Some(without.to_string()))];
    for (what, text) in cases.into_iter().chain(partly) {
        match text {
            Some(text) => fs::write(&catalog, text).unwrap(),
            None => fs::remove_file(&catalog).unwrap(),
        }
        let before = files(&lake(&project));
        let refused = project.soflow(["gc"]);
        assert_eq!(refused.code, Some(3), "{what}: {refused}");
        assert!(refused.stderr.contains("`soflow tables repair`"), "{what}: {refused}");
        assert_eq!(files(&lake(&project)), before, "{what}");
        if what == "damaged" {
            shot!("a_damaged_catalog", project.soflow(["tables"]));
            shot!("repair_dry_run", project.soflow(["tables", "repair", "--dry-run"]));
        }
        if what == "lost" {
            shot!("a_lost_catalog", project.soflow(["tables"]));
            shot!("gc_with_a_lost_catalog", refused);
        }
        project.soflow(["tables", "repair"]).succeeded();
        for table in ["counts", "doubles"] {
            let seen = project.soflow(["tables", "show", table, "--output", "json"]).json();
            let rows = if table == "counts" { 4 } else { 3 };
            assert_eq!((seen["rows"].as_u64(), seen["history"].as_array().unwrap().len()), (Some(rows), 2), "{what}");
        }
        project.soflow(["gc"]).succeeded();
    }
    shot!("nothing_to_repair", project.soflow(["tables", "repair"]));
}
