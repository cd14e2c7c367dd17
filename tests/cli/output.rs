//! A reader of stdout that goes away.

use std::io::{BufRead as _, BufReader};

use crate::cli::support::{Output, Project};

/// Runs the program and closes its stdout after the first line, as `| head -1` does.
fn first_line(project: &Project, arguments: &[&str]) -> Output {
    let mut command = project.command(arguments);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut ended = child.wait_with_output().unwrap();
    ended.stdout = line.into_bytes();
    project.seen(&ended)
}

#[test]
fn a_listing_cut_short_is_no_error() {
    shot!(first_line(&Project::published(), &["tables"]));
}

#[test]
fn a_long_query_cut_short_is_no_error() {
    // More than a pipe holds.
    let sql = "select * from questions";
    shot!(first_line(&Project::published(), &["query", sql, "--limit", "0", "--csv"]));
}

#[test]
fn help_cut_short_is_no_error() {
    let seen = first_line(&Project::empty(), &["--help"]);
    assert_eq!((seen.stderr.as_str(), seen.code), ("", Some(0)), "{seen}");
}

#[test]
fn a_failure_that_nobody_reads_is_a_failure() {
    let project = Project::empty();
    project.write("config/soflow.yaml", "nonsense: 1\n");
    for arguments in [&["validate", "--output", "json"][..], &["runs", "--output", "json"], &["validate"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let errors = writer.try_clone().unwrap();
        let status = project.command(arguments).stdout(writer).stderr(errors).status().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
