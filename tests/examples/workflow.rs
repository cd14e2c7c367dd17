//! The workflow of GitHub Actions: its form by the schema that check-jsonschema brings, its commands by a shell.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::unattended;
use crate::twin::tools::python;

#[test]
fn the_workflow_is_one_of_github_actions() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs_err::read_to_string(unattended("github-actions.yaml")).unwrap();
    // One mistake, to know that it sees anything.
    let wrong = folder.path().join("wrong.yaml");
    fs_err::write(&wrong, text.replace("runs-on:", "run-on:")).unwrap();
    let check = |file: &std::path::Path| {
        let mut command = python("workflow", include_str!("workflow.lock"));
        command
            .args(["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"])
            .arg(file)
            .output()
            .unwrap()
    };
    let said = check(&unattended("github-actions.yaml"));
    assert!(said.status.success(), "{said:?}");
    assert!(!check(&wrong).status.success());
}

#[test]
fn the_workflow_asks_for_the_date_that_it_is_given() {
    let text = fs_err::read_to_string(unattended("github-actions.yaml")).unwrap();
    let command =
        text.lines().find_map(|line| line.trim().strip_prefix("run: soflow")).expect("a step that runs soflow");
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("soflow");
    fs_err::write(&program, "#!/bin/sh\nprintf '%s|' \"$@\"\n").unwrap();
    fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (date, last) in
        [("", "plain|"), ("2026-11-22", "plain|--date|2026-11-22|"), ("$(id); x", "plain|--date|$(id); x|")]
    {
        let mut shell = Command::new("bash");
        // As GitHub Actions runs it. Source: "Workflow syntax", `jobs.<job_id>.steps[*].shell`.
        shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &format!("{}{command}", program.display())]);
        let output = shell.env("DATE", date).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("submit|daily|--target|prod|--events|{last}"));
    }
}
