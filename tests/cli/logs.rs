//! `soflow logs`.

use std::io::{BufRead as _, BufReader, Read as _};

use soflow::names::Uri;
use soflow::run::LakeLock;

use crate::cli::support::{Project, Record};

fn project() -> Project {
    let project = Project::empty();
    Record::new(1, "failed", ["completed", "cancelled"]).save(&project);
    project.write(".soflow/lake/logs/questions/stdout.log", "2414 rows\n");
    project.write(".soflow/lake/logs/questions/stderr.log", "WARN one page is empty\n");
    project
}

#[test]
fn both_streams() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "questions"]));
}

#[test]
fn one_stream() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "questions", "--stream", "stderr"]));
}

#[test]
fn for_programs() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "questions", "--output", "json"]));
}

#[test]
fn a_step_that_failed_says_why_beside_what_it_printed() {
    let project = Project::empty();
    Record::new(1, "failed", ["completed", "failed"]).cause("KeyError: 'score'", "KeyError: 'score'").save(&project);
    project.write(".soflow/lake/logs/answers/stderr.log", "one\ntwo\nKeyError: 'score'\n");
    shot!(project.soflow(["logs", "daily.2025-10-31.1", "answers"]));
}

#[test]
fn a_step_that_did_not_run() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "answers"]));
}

#[test]
fn an_unknown_step() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "answer"]));
}

#[test]
fn a_running_step_is_followed_until_it_ends() {
    let project = Project::empty();
    let artifacts = Uri::from_path(&project.path().join(".soflow/lake/artifacts"));
    let lock = LakeLock::take(&artifacts, "2025-11-01T06:01:00Z".parse().unwrap()).unwrap();
    Record::new(1, "running", ["completed", "running"]).save(&project);
    project.write(".soflow/lake/logs/answers/stdout.log", "first\nhal");
    let mut following = project.start(["logs", "daily.2025-10-31.1", "answers", "-f"]);
    let mut out = BufReader::new(following.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "first\n");
    project.write(".soflow/lake/logs/answers/stdout.log", "first\nhalf and half\n");
    line.clear();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "half and half\n", "it grew while it was followed");
    project.write(".soflow/lake/logs/answers/stdout.log", "first\nhalf and half\nlast\n");
    Record::new(1, "succeeded", ["completed", "completed"]).save(&project);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), following.wait().unwrap().code()), ("last\n", Some(0)));
    drop(lock);
}
