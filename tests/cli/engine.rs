//! `soflow engine`, and what happens when there cannot be one.

use crate::cli::support::Project;

/// Returns a project whose engine environment would have to be made first.
fn without_engine() -> Project {
    let project = Project::published();
    let folder = project.path().join("engines").display().to_string();
    project.with("SOFLOW_ENGINE_DIR", &folder)
}

#[test]
fn nothing_is_made_to_look() {
    let project = without_engine();
    let mut seen = project.soflow(["engine", "status"]);
    // As long as the paths below it, which are this machine's.
    let rule = "─".repeat(seen.stdout.matches('─').count());
    seen.stdout = seen.stdout.replace(&rule, "────");
    shot!(seen);
    assert!(!project.path().join("engines").exists());
}

#[test]
fn a_machine_without_python() {
    shot!(without_engine().with("PATH", "").soflow(["submit", "daily", "--sample", "--force"]));
}

#[test]
fn a_folder_for_engines_that_cannot_be_one() {
    // Not a matter of permissions, which a superuser does not have to heed.
    let project = without_engine();
    project.write("engines", "a file");
    shot!(project.soflow(["query", "select 1"]));
}

#[test]
fn python_says_how_it_ended() {
    let project = Project::small();
    let seen = project.soflow(["engine", "python", "-c", "import small"]);
    assert_eq!(seen.code, Some(1), "{seen}");
    shot!(project.soflow(["engine", "python", "-c", "print('from python'); raise SystemExit(9)"]));
}
