//! `soflow ingest`.

use soflow::names::Uri;
use soflow::run::LakeLock;

use crate::cli::support::Project;

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

const POSTS: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<posts>\r\n  \
    <row Id=\"1\" PostTypeId=\"1\" CreationDate=\"2010-08-25T19:50:51.187\" />\r\n  \
    <row Id=\"2\" PostTypeId=\"2\" CreationDate=\"2010-08-25T20:01:00.000\" />\r\n</posts>";

#[test]
fn a_dump() {
    let project = Project::empty();
    project.write("ru.stackoverflow.com/Posts.xml", POSTS);
    project.write("ru.stackoverflow.com/Tags.xml", "<tags>\n  <row Id=\"1\" TagName=\"rust\" />\n</tags>\n");
    project.write("ru.stackoverflow.com/Sites.xml", "<sites />");
    let dump = ["ingest", "dump", "ru.stackoverflow.com", "--date", "2025-10-31"];
    shot!(project.soflow(dump));
    shot!("a_dump_again", project.soflow(dump));
    let programs =
        ["ingest", "dump", "ru.stackoverflow.com", "--only", "Tags", "--date", "2025-10-30", "--output", "json"];
    shot!("a_dump_for_programs", project.soflow(programs));
    project.write("ru.stackoverflow.com/Posts.xml", &POSTS.replace("20:01", "20:02"));
    shot!("a_newer_dump_of_the_same_date", project.soflow(dump));
    shot!(
        "a_dump_that_takes_the_place",
        project.soflow(["ingest", "dump", "ru.stackoverflow.com", "--date", "2025-10-31", "--replace"])
    );
}

#[test]
fn a_dump_that_is_cut_short() {
    let project = Project::empty();
    project.write("stackoverflow.com/Posts.xml", POSTS.trim_end_matches("\r\n</posts>"));
    shot!(project.soflow(["ingest", "dump", "stackoverflow.com", "--date", "2025-10-31"]));
}

#[test]
fn a_dump_of_an_unknown_site() {
    let project = Project::empty();
    project.write("dump/Posts.xml", POSTS);
    shot!(project.soflow(["ingest", "dump", "dump/Posts.xml"]));
}

#[test]
fn a_table_that_dumps_do_not_have() {
    shot!(Project::empty().soflow(["ingest", "dump", "dump", "--only", "posts,answers"]));
}

#[test]
fn the_sample() {
    let project = Project::empty();
    shot!(project.soflow(["ingest", "sample"]));
    shot!("the_sample_again", project.soflow(["ingest", "sample"]));
}

#[test]
fn nobody_else_writes_to_a_local_lake_meanwhile() {
    let project = Project::empty();
    project.write("pages/questions/1.json", QUESTION);
    project.write("ru.stackoverflow.com/Posts.xml", POSTS);
    let artifacts = Uri::from_path(&project.path().join(".soflow/lake/artifacts"));
    let _lock = LakeLock::guard(&artifacts, "gc", "2025-11-01T06:01:00Z".parse().unwrap()).unwrap();
    for arguments in [
        &["ingest", "pages", "pages"][..],
        &["ingest", "dump", "ru.stackoverflow.com"],
        &["ingest", "sample"],
        &["ingest", "api", "questions", "--date", "2025-10-31"],
    ] {
        let output = project.command(arguments).output().unwrap();
        let seen = project.seen(&output);
        assert_eq!(seen.code, Some(5), "{arguments:?}: {seen}");
        assert!(seen.stderr.contains("the lake is being written by gc (process"), "{arguments:?}: {seen}");
    }
    project.soflow(["ingest", "status"]).succeeded();
    assert!(!project.path().join(".soflow/lake/raw").exists());
}
