//! What CI services run: its form by the schemas that check-jsonschema brings, its commands by the program and a shell.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::unattended;
use crate::daily::lab::repository;
use crate::twin::tools::python;

/// The files of CI services, each with the schema of its service and a mistake to know that it sees anything.
fn files() -> [(PathBuf, &'static str, [&'static str; 2]); 3] {
    let ci = repository().join("examples/ci");
    [
        (unattended("github-actions.yaml"), "vendor.github-workflows", ["runs-on:", "run-on:"]),
        (ci.join("github-actions.yaml"), "vendor.github-workflows", ["runs-on:", "run-on:"]),
        (ci.join("gitlab-ci.yml"), "vendor.gitlab-ci", ["rules:", "rule:"]),
    ]
}

#[test]
fn files_of_ci_services_are_as_their_schemas_say() {
    let folder = tempfile::tempdir().unwrap();
    for (file, schema, [right, wrong]) in files() {
        let text = fs_err::read_to_string(&file).unwrap();
        let mistaken = folder.path().join("wrong.yaml");
        fs_err::write(&mistaken, text.replace(right, wrong)).unwrap();
        let check = |file: &Path| {
            let mut command = python("workflow", include_str!("workflow.lock"));
            command.args(["-m", "check_jsonschema", "--builtin-schema", schema]).arg(file).output().unwrap()
        };
        let said = check(&file);
        assert!(said.status.success(), "{}: {said:?}", file.display());
        assert!(!check(&mistaken).status.success(), "{}", file.display());
    }
}

#[test]
fn commands_of_ci_files_are_the_programs() {
    for (file, ..) in files() {
        let text = fs_err::read_to_string(&file).unwrap();
        for command in
            text.lines().map(str::trim_start).filter(|line| line.contains("soflow ") && line.starts_with("- "))
        {
            let (_, rest) = command.split_once("soflow ").unwrap();
            let words = rest.split_whitespace().take_while(|word| !word.starts_with(['$', '>']));
            let output = Command::new(env!("CARGO_BIN_EXE_soflow")).args(words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
        }
    }
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
