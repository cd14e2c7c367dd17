//! `soflow logs`.

use crate::support::{Project, Record};

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
fn a_step_that_did_not_run() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "answers"]));
}

#[test]
fn an_unknown_step() {
    shot!(project().soflow(["logs", "daily.2025-10-31.1", "answer"]));
}
