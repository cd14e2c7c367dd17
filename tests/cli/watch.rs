//! `soflow watch`.

use crate::cli::support::{Gate, Project, Terminal};

const WATCH: [&str; 5] = ["watch", "small", "--date", "2025-10-31", "--events=plain"];

fn is_waiting(screen: &str) -> bool {
    screen.lines().rfind(|line| !line.is_empty()).is_some_and(|line| line.contains("Watching"))
}

#[test]
fn a_save_runs_what_it_changes_and_errors_are_told_in_place() {
    let project = Project::small();
    let mut terminal = Terminal::start(&project, WATCH);
    terminal.wait_for(is_waiting);
    project.step("doubles", "import small\n\nraise ValueError('half done')\n");
    let screen = terminal.wait_for(|screen| screen.contains("half done") && is_waiting(screen));
    assert!(screen.contains("Saved: pyspark/steps/doubles.py."), "{screen}");
    project.step("doubles", "import small\n\nsmall.write('doubles', n=[2, 4])\n");
    let screen = terminal.wait_for(|screen| screen.contains("small.2025-10-31.3") && is_waiting(screen));
    assert!(!screen.contains("step counts running"), "{screen}");
    terminal.type_keys("\u{3}");
    assert!(terminal.end().ends_with("[exit 0]"));
}

#[test]
fn a_save_during_a_run_begins_it_anew() {
    let project = Project::small();
    let gate = Gate::before(&project, "doubles", "import small\n\nsmall.write('doubles', n=[0])\n");
    let mut terminal = Terminal::start(&project, WATCH);
    gate.wait_for_step();
    project.step("doubles", "import small\n\nsmall.write('doubles', n=[1])\n");
    terminal.wait_for(|screen| screen.contains("Saved: ") && is_waiting(screen));
    let rows = project.soflow(["query", "select n from doubles", "--csv"]);
    assert!(rows.to_string().contains("n\n1\n"), "{rows}");
    terminal.type_keys("\u{3}");
    assert!(terminal.end().ends_with("[exit 0]"));
}

#[test]
fn a_cluster_is_not_watched() {
    let project = Project::small();
    project.write("config/soflow.yaml", "targets:\n  dev: { kind: emr, lake: s3://bucket/prefix }\n");
    shot!(project.with("AWS_REGION", "eu-west-1").soflow(["watch", "small", "--target", "dev"]));
}
