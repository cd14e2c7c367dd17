//! Stopping: signals from the keyboard and from a supervisor.

use std::process::{Child, Command};

use crate::cli::support::{Gate, Output, Project, Terminal};

const SUBMIT: [&str; 4] = ["submit", "small", "--date", "2025-10-31"];

fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

fn stopped_by(name: &str) -> (Project, Output) {
    let project = Project::small();
    let gate = Gate::before(&project, "doubles", "");
    let run = project.start(SUBMIT);
    gate.wait_for_step();
    signal(&run, name);
    let seen = project.end(run);
    (project, seen)
}

#[test]
fn ctrl_c_stops_the_run_and_keeps_what_is_finished() {
    let (project, seen) = stopped_by("INT");
    shot!(seen);
    let record = project.soflow(["runs", "show", "small.2025-10-31.1", "--output", "json"]).json();
    assert_eq!(record["state"], "cancelled", "{record:#}");
    shot!("plan_after_ctrl_c", project.soflow(["plan", "small", "--date", "2025-10-31"]));
}

#[test]
fn a_supervisor_stops_a_run_like_a_person() {
    let (_, seen) = stopped_by("TERM");
    assert_eq!(seen.code, Some(130), "{seen}");
}

#[test]
fn a_killed_run_is_found_to_be_interrupted_and_goes_on() {
    let (project, seen) = stopped_by("KILL");
    assert_eq!(seen.code, None, "{seen}");
    project.settle_runs();
    shot!(project.soflow(["runs", "show", "small.2025-10-31.1"]));
    project.step("doubles", "import small\n\nsmall.write('doubles', n=[0, 2, 4])\n");
    shot!("retry_of_a_killed_run", project.soflow(["retry", "small.2025-10-31.1"]));
}

#[test]
fn the_keyboard_of_a_terminal() {
    let project = Project::small();
    let gate = Gate::before(&project, "doubles", "");
    let mut terminal = Terminal::start(&project, SUBMIT);
    gate.wait_for_step();
    terminal.type_keys("\u{3}");
    shot!(terminal.end());
}
