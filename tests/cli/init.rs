//! `soflow init`: a project of one's own.

use super::support::{Project, engine_is_there};

#[test]
fn a_new_project_runs_as_it_is() {
    engine_is_there();
    let home = Project::empty();
    shot!("a_new_project", home.soflow(["init", "mine"]));
    let said = home.soflow(["-C", "mine", "submit", "example"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.contains("Best days\n  • 2026-01-04: 7230\n"), "{said}");
    shot!("a_project_that_is_there", home.soflow(["init", "mine"]));
    home.soflow(["-C", "mine", "validate"]).succeeded();
}

#[test]
fn the_daily_job_comes_with_all_that_it_imports() {
    engine_is_there();
    let home = Project::empty();
    home.write(".gitignore", "mine\n");
    // The folder that one is in, which has a folder `jobs` already.
    let made = home.soflow(["init", "--template", "daily", "--output", "json"]).json();
    assert!(made["files"].as_array().unwrap().iter().all(|file| file != ".gitignore"), "{made}");
    assert_eq!(home.read(".gitignore"), "mine\n");
    let said = home.soflow(["submit", "daily", "--sample", "--only", "questions"]);
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn nothing_is_left_of_a_project_that_cannot_be_written() {
    let home = Project::empty();
    home.write("mine/pyspark", "a file where a folder is wanted");
    let said = home.soflow(["init", "mine"]);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stderr.contains("the project cannot be written to `mine`"), "{said}");
    for name in ["mine/config/soflow.yaml", "mine/jobs/example.yaml", "mine/.gitignore"] {
        assert!(!home.path().join(name).exists(), "{name} is left");
    }
}
