//! `--help`, the program's and each verb's: the reference that people have at hand.

use crate::cli::support::{Output, Project};

const VERBS: [&str; 19] = [
    "submit", "plan", "backfill", "validate", "doctor", "retry", "attach", "cancel", "cluster", "runs", "logs",
    "tables", "query", "rollback", "gc", "ingest", "parity", "config", "engine",
];

/// They are the same for each verb, and shown once, with the program's help.
fn without_global_options(mut seen: Output) -> Output {
    let start = seen.stdout.find("\nGlobal options:").unwrap();
    let end = seen.stdout.find("\nExamples:").unwrap_or(seen.stdout.len());
    seen.stdout.replace_range(start..end, "");
    seen
}

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
        let seen = project.soflow([verb, "--help"]);
        assert!(seen.stdout.contains("\nExamples:\n"), "{seen}");
        shot!(format!("help_{verb}"), without_global_options(seen));
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
        let seen = project.soflow([verb, below, "--help"]);
        shot!(format!("help_{verb}_{below}"), without_global_options(seen));
    }
}

#[test]
fn the_version_is_an_answer() {
    let seen = Project::empty().soflow(["--version"]);
    assert_eq!(seen.stdout, format!("soflow {}\n", env!("CARGO_PKG_VERSION")), "{seen}");
    seen.succeeded();
}
