//! `soflow query`.

use crate::cli::support::{Output, Project};

const TRENDS: &str = "select site, week_start, tag, n_questions from tag_trends_weekly order by n_questions desc, week_start, tag limit 3";

fn query(sql: &str, more: &[&str]) -> Output {
    let project = Project::published();
    project.seen(&project.command(&[&["query", sql], more].concat()).output().unwrap())
}

#[test]
fn as_a_table() {
    shot!(query(TRENDS, &[]));
}

#[test]
fn as_json() {
    shot!(query(TRENDS, &["--output", "json"]));
}

#[test]
fn as_csv() {
    shot!(query(TRENDS, &["--csv"]));
}

#[test]
fn more_rows_than_are_shown() {
    shot!(query("select tag from tag_trends_weekly order by week_start, tag", &["--limit", "2"]));
}

#[test]
fn no_rows() {
    shot!(query("select tag from tag_trends_weekly where tag = 'no such tag'", &[]));
}

#[test]
fn an_unknown_table() {
    shot!(query("select * from tag_trend_weekly", &[]));
}

#[test]
fn an_unknown_column() {
    shot!(query("select tagg from tag_trends_weekly", &[]));
}

#[test]
fn a_syntax_error() {
    shot!(query("select tag from tag_trends_weekly where", &[]));
}

#[test]
fn only_reading() {
    shot!(query("drop table questions", &[]));
}

#[test]
fn an_error_for_programs() {
    shot!(query("select * from tag_trend_weekly", &["--output", "json"]));
}

#[test]
fn nothing_is_published() {
    shot!(Project::small().soflow(["query", "select 1"]));
}
