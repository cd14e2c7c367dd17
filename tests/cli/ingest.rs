//! `soflow ingest`.

use crate::support::Project;

const QUESTION: &str = r#"{"items": [{"question_id": 7, "creation_date": 1764000000, "title": "Why?", "tags": ["rust"]}], "has_more": false, "quota_remaining": 9}"#;

#[test]
fn pages_of_a_folder() {
    let project = Project::empty();
    project.write("pages/questions/1.json", QUESTION);
    project.write("pages/notes.txt", "not a page");
    shot!(project.soflow(["ingest", "pages", "pages", "--date", "2025-10-31"]));
    shot!("pages_again", project.soflow(["ingest", "pages", "pages", "--date", "2025-10-31"]));
    shot!(
        "pages_for_programs",
        project.soflow(["ingest", "pages", "pages", "--date", "2025-10-31", "--output", "json"])
    );
}

#[test]
fn an_empty_folder() {
    let project = Project::empty();
    project.write("pages/notes.txt", "not a page");
    shot!(project.soflow(["ingest", "pages", "pages"]));
}

#[test]
fn no_folder() {
    shot!(Project::empty().soflow(["ingest", "pages", "pages"]));
}

#[test]
fn a_page_that_does_not_tell_its_endpoint() {
    let project = Project::empty();
    project.write("pages/1.json", r#"{"items": []}"#);
    shot!(project.soflow(["ingest", "pages", "pages"]));
}

#[test]
fn an_unknown_endpoint() {
    let project = Project::empty();
    project.write("pages/1.json", r#"{"items": []}"#);
    shot!(project.soflow(["ingest", "pages", "pages", "--endpoint", "Questions!"]));
}

#[test]
fn the_sample() {
    let project = Project::empty();
    shot!(project.soflow(["ingest", "sample"]));
    shot!("the_sample_again", project.soflow(["ingest", "sample"]));
}
