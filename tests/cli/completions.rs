//! What a shell is told at a Tab, as its script asks for it.

use super::support::Project;

/// Returns what may stand at the end of a command line.
fn offered(project: &Project, line: &[&str]) -> Vec<String> {
    let mut command = project.command(&[&["--", "soflow"], line].concat());
    command.env("_SOFLOW_COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_INDEX", line.len().to_string());
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|word| word.trim_end().to_string()).collect()
}

#[test]
fn what_there_is_is_offered() {
    let project = Project::published();
    project.write(
        "jobs/other.yaml",
        "steps: { odd: { script: steps/questions.py, writes: [odd] } }\ntables: { odd: {} }\n",
    );
    for (line, words) in [
        (&["pl"][..], &["plan"][..]),
        (&["submit", "da"], &["daily"]),
        (&["submit", "daily", "--only", "tag_"], &["tag_trends", "tag_health", "tag_sentiment", "tag_pairs"]),
        (&["submit", "other", "--from", "o"], &["odd"]),
        (&["runs", "show", "daily"], &["daily.2026-10-31.1"]),
        (&["logs", "daily.2026-10-31.1", "que"], &["questions", "question_tags"]),
        (&["tables", "show", "q"], &["quarantine", "question_tags", "questions"]),
        (&["rollback", "questions", "--to", "d"], &["daily.2026-10-31.1"]),
        (&["--target", "l"], &["local"]),
        (&["submit", "daily", "--engine", "s"], &["sail", "spark"]),
    ] {
        assert_eq!(offered(&project, line), words, "{line:?}");
    }
}

#[test]
fn where_nothing_can_be_found_nothing_is_offered() {
    let project = Project::empty();
    project.write("config/soflow.yaml", "targets: { local: { engine: duck } }\n");
    for line in [&["submit", "da"][..], &["runs", "show", "d"], &["-C", "/nowhere", "tables", "show", "q"]] {
        assert_eq!(offered(&project, line), [""; 0], "{line:?}");
    }
}

#[test]
fn shells_and_man_get_what_they_read() {
    let project = Project::empty();
    for (shell, word) in
        [("bash", "complete "), ("zsh", "compdef "), ("fish", "complete "), ("powershell", "Register-")]
    {
        let script = project.soflow(["completions", shell]);
        assert!(script.code == Some(0) && script.stdout.contains(word), "{script}");
    }
    project.soflow(["man", "man1"]).succeeded();
    assert!(project.read("man1/soflow-submit.1").contains(".TH soflow-submit 1"));
    let version = project.soflow(["version", "--output", "json"]).json();
    assert_eq!((&version["version"], &version["v"]), (&env!("CARGO_PKG_VERSION").into(), &1.into()));
}
