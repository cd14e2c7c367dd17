//! `soflow plan`.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::cli::support::{Output, Project};

const DATE: [&str; 4] = ["plan", "daily", "--date", "2026-10-31"];

fn plan(project: &Project, more: &[&str]) -> Output {
    project.seen(&project.command(&[&DATE, more].concat()).output().unwrap())
}

#[test]
fn nothing_in_raw() {
    let mut seen = Project::daily().soflow(["plan", "daily"]);
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let yesterday = today.checked_sub(1.day()).unwrap();
    seen.stderr = seen.stderr.replace(&yesterday.to_string(), "YESTER-DAY");
    shot!(seen);
}

#[test]
fn pages_of_another_date() {
    shot!(Project::published().soflow(["plan", "daily", "--date", "2026-11-01"]));
}

#[test]
fn the_first_time() {
    let project = Project::daily();
    project.soflow(["ingest", "sample"]).succeeded();
    shot!(plan(&project, &[]));
}

#[test]
fn up_to_date() {
    shot!(plan(&Project::published(), &[]));
}

#[test]
fn an_edited_step_and_what_depends_on_it() {
    let project = Project::published();
    let module = "pyspark/soflow_jobs/text_sentiment.py";
    project.write(module, &(project.read(module) + "\n# edited\n"));
    shot!(plan(&project, &[]));
}

#[test]
fn only_one_step() {
    shot!(plan(&Project::published(), &["--only", "tag_health", "--force"]));
}

#[test]
fn from_a_step_on() {
    shot!(plan(&Project::published(), &["--from", "sentiment", "--force"]));
}

#[test]
fn an_unknown_step() {
    shot!(plan(&Project::published(), &["--only", "sentimant"]));
}

#[test]
fn a_plan_for_programs() {
    let project = Project::small();
    shot!(project.soflow(["plan", "small", "--date", "2025-10-31", "--output", "json"]));
}

#[test]
fn a_plan_for_programs_says_when_there_is_nothing_to_do() {
    let plan = plan(&Project::published(), &["--output", "json"]).json();
    assert_eq!(plan["nothing_to_do"], true, "{plan:#}");
    assert!(plan["steps"].as_array().unwrap().iter().all(|step| step["action"] == "up-to-date"), "{plan:#}");
}
