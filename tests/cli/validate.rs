//! `soflow validate`.

use fs_err as fs;

use crate::cli::support::Project;

/// Returns a project with one of the invalid jobs that the job file's own tests have.
fn with_invalid(name: &str) -> Project {
    let project = Project::empty();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/jobs/invalid");
    project.write(&format!("jobs/{name}.yaml"), &fs::read_to_string(format!("{folder}/{name}.yaml")).unwrap());
    ["one", "two", "three", "questions"].iter().for_each(|step| project.step(step, ""));
    project
}

#[test]
fn a_job_without_mistakes() {
    shot!(Project::daily().soflow(["validate"]));
}

#[test]
fn five_mistakes_at_once() {
    shot!(with_invalid("five-mistakes").soflow(["validate"]));
}

#[test]
fn mistakes_are_values_for_programs() {
    let seen = with_invalid("five-mistakes").soflow(["validate", "--output", "json"]);
    assert_eq!(seen.json()["problems"].as_array().unwrap().len(), 5);
    shot!(seen);
}

#[test]
fn a_cycle() {
    shot!(with_invalid("cycle").soflow(["validate"]));
}

#[test]
fn one_of_two_jobs() {
    let project = with_invalid("five-mistakes");
    project.write("jobs/fine.yaml", "steps:\n  one: { script: steps/one.py, writes: [a] }\ntables: { a: }\n");
    shot!(project.soflow(["validate"]));
}

#[test]
fn mistakes_in_the_settings_come_first() {
    let project = Project::daily();
    project.write("config/soflow.yaml", "keep-for: 7 dayz\ntargets:\n  local: { engin: spark }\n");
    shot!(project.soflow(["validate", "--output", "json"]));
}

#[test]
fn no_jobs() {
    shot!(Project::empty().soflow(["validate"]));
}
