//! Runs that fail: what people are told, and what programs are.

use crate::cli::support::{Gate, Project};

const SUBMIT: [&str; 4] = ["submit", "small", "--date", "2025-10-31"];

#[test]
fn a_python_exception() {
    let project = Project::small();
    project.step("doubles", "def double(rows):\n    return rows['n'] * 2\n\n\ndouble({})\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_step_that_says_why_and_leaves() {
    let project = Project::small();
    project.step("counts", "import sys\nprint('cannot reach the oracle', file=sys.stderr)\nsys.exit(7)\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_step_that_leaves_without_a_word() {
    let project = Project::small();
    project.step("counts", "import sys\nsys.exit(7)\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_step_that_is_killed() {
    let project = Project::small();
    project.step("counts", "import os\nos.kill(os.getpid(), 9)\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_step_that_takes_more_memory_than_it_may() {
    let project = Project::small();
    project.write("config/soflow.yaml", "targets: { local: { memory: 600m, parallel: 1 } }\n");
    project.step("counts", "kept = bytearray(2 << 30)\nwhile True:\n    pass\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_step_that_writes_nothing() {
    let project = Project::small();
    project.step("counts", "pass\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_step_whose_script_has_a_syntax_error() {
    let project = Project::small();
    project.step("counts", "import small\nsmall.write('counts', n=[1, 2\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_disk_without_space() {
    let project = Project::small();
    project.step("counts", "raise OSError(28, 'No space left on device')\n");
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_failure_for_programs() {
    let project = Project::small();
    project.step("counts", "raise ValueError('no tags')\n");
    let seen = project.soflow(["submit", "small", "--date", "2025-10-31", "--output", "json", "--events", "ndjson"]);
    assert_eq!(seen.json()["error"]["exit_code"], 1);
    shot!(seen.without_progress());
}

#[test]
fn data_that_the_audit_refuses() {
    let project = Project::small();
    project.step("counts", "import small\n\nsmall.write('counts', n=[1, 1, None])\n");
    shot!(project.soflow(SUBMIT));
    let listed = project.soflow(["tables"]);
    assert!(listed.stdout.starts_with("No tables are published yet"), "{listed}");
    listed.succeeded();
}

#[test]
fn a_script_that_is_gone() {
    let project = Project::small();
    fs_err::remove_file(project.path().join("pyspark/steps/counts.py")).unwrap();
    shot!(project.soflow(SUBMIT));
}

#[test]
fn a_second_run_while_one_goes_on() {
    let project = Project::small();
    let gate = Gate::before(&project, "counts", "import small\n\nsmall.write('counts', n=[1])\n");
    let first = project.start(SUBMIT);
    gate.wait_for_step();
    shot!(project.soflow(SUBMIT));
    shot!("runs_while_one_goes_on", project.soflow(["runs"]));
    shot!("gc_while_a_run_goes_on", project.soflow(["gc"]));
    gate.open();
    project.end(first).succeeded();
}
