//! `--help`, the program's and each verb's: the reference that people have at hand.

use crate::support::Project;

const VERBS: [&str; 19] = [
    "submit", "plan", "backfill", "validate", "doctor", "retry", "attach", "cancel", "cluster", "runs", "logs",
    "tables", "query", "rollback", "gc", "ingest", "parity", "config", "engine",
];

#[test]
fn the_program() {
    shot!(Project::empty().soflow(["--help"]));
}

#[test]
fn every_verb() {
    let project = Project::empty();
    let global = project.soflow(["--help"]).stdout;
    for verb in VERBS {
        assert!(global.contains(&format!("\n  {verb} ")), "{verb} is not in the list of verbs");
        let mut seen = project.soflow([verb, "--help"]);
        // The same for each verb, and shown once above.
        let end = seen.stdout.find("\nGlobal options:").expect(verb);
        seen.stdout.truncate(end);
        shot!(format!("help_{verb}"), seen);
    }
}

#[test]
fn verbs_below_verbs() {
    let project = Project::empty();
    for (verb, below) in [
        ("cluster", "up"),
        ("cluster", "down"),
        ("cluster", "reap"),
        ("runs", "show"),
        ("tables", "show"),
        ("tables", "repair"),
        ("ingest", "pages"),
        ("ingest", "dump"),
        ("engine", "python"),
    ] {
        let mut seen = project.soflow([verb, below, "--help"]);
        let end = seen.stdout.find("\nGlobal options:").expect(below);
        seen.stdout.truncate(end);
        shot!(format!("help_{verb}_{below}"), seen);
    }
}

#[test]
fn the_version_is_an_answer() {
    let seen = Project::empty().soflow(["--version"]);
    assert_eq!(seen.stdout, format!("soflow {}\n", env!("CARGO_PKG_VERSION")), "{seen}");
    seen.succeeded();
}
