//! The live view, on a terminal of 80 x 24.

use crate::cli::support::{Gate, Project, Terminal};

const SUBMIT: [&str; 6] = ["submit", "small", "--date", "2025-10-31", "--parallel", "1"];

#[test]
fn a_good_run_leaves_its_steps_and_the_summary() {
    let project = Project::small();
    let mut terminal = Terminal::start(&project, SUBMIT);
    shot!(terminal.end());
    assert!(terminal.written.windows(5).any(|bytes| bytes == b"\x1b[32m"), "nothing is green");
}

#[test]
fn no_color_is_honoured() {
    let project = Project::small().with("NO_COLOR", "1");
    let mut terminal = Terminal::start(&project, SUBMIT);
    let screen = terminal.end();
    assert!(screen.ends_with("[exit 0]"), "{screen}");
    let text = String::from_utf8_lossy(&terminal.written).into_owned();
    let styled = text.split('\u{1b}').skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        end.is_some_and(|end| rest[end..].starts_with('m'))
    });
    assert!(!styled, "{text:?}");
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_lines() {
    let project = Project::small().with("TERM", "dumb");
    let mut terminal = Terminal::start(&project, SUBMIT);
    let screen = terminal.end();
    assert!(screen.contains("completed") && screen.ends_with("[exit 0]"), "{screen}");
    assert!(!terminal.written.contains(&b'\x1b'), "{}", String::from_utf8_lossy(&terminal.written));
}

#[test]
fn a_run_on_its_way() {
    let project = Project::small();
    let gate = Gate::before(&project, "doubles", "import small\n\nsmall.write('doubles', n=[0])\n");
    let mut terminal = Terminal::start(&project, SUBMIT);
    gate.wait_for_step();
    let screen = terminal.wait_for(|screen| screen.contains("1 of 2 steps") && screen.contains("doubles  running"));
    gate.open();
    assert!(terminal.end().ends_with("[exit 0]"));
    // The spinner stands wherever it stands.
    let spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    shot!(spinner.iter().fold(screen, |screen, at| screen.replace(at, "*")));
}

#[test]
fn a_step_that_was_not_asked_for() {
    let project = Project::small();
    let arguments = ["submit", "small", "--date", "2025-10-31", "--only", "counts"];
    shot!(Terminal::start(&project, arguments).end());
}

#[test]
fn a_failed_run() {
    let project = Project::small();
    project.step("doubles", "def double(rows):\n    return rows['n'] * 2\n\n\ndouble({})\n");
    shot!(Terminal::start(&project, SUBMIT).end());
}

#[test]
fn tables_fit() {
    shot!(Terminal::start(&Project::published(), ["tables"]).end());
}

#[test]
fn a_plan_fits() {
    let project = Project::small();
    shot!(Terminal::start(&project, ["plan", "small", "--date", "2025-10-31"]).end());
}

#[test]
fn runs_fit() {
    let project = Project::empty();
    crate::cli::runs::some(&project);
    shot!(Terminal::start(&project, ["runs"]).end());
}
