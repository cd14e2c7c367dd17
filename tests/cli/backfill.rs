//! `soflow backfill`. The job merges pages of each date, and one of its steps reads what other dates have merged, as
//! the answers of `daily` do: each date makes the plans of the earlier ones stale.

use std::process::Command;

use crate::cli::support::{Gate, Project, Terminal};

const JOB: &str = "\
description: Pages, merged by date.
steps:
  seen: { script: steps/seen.py, reads: [raw.questions], writes: [seen] }
  late: { script: steps/late.py, reads: [raw.questions, seen], writes: [late] }
tables:
  seen: { key: [n], partition-by: [dt], update: merge }
  late: { key: [n], partition-by: [dt], update: merge }
";

const DATES: [&str; 3] = ["2025-10-01", "2025-10-02", "2025-10-04"];

/// Writes one row into the date's own partition.
fn script(table: &str) -> String {
    format!(
        "import small\n\
         import pyarrow\n\
         import pyarrow.parquet\n\n\
         date = small.task['date']\n\
         folder = small.path(small.task['outputs']['{table}']['prefix']) / f'dt={{date}}'\n\
         folder.mkdir(parents=True)\n\
         pyarrow.parquet.write_table(pyarrow.table({{'n': [int(date[-2:])]}}), folder / 'part-0.parquet')\n"
    )
}

/// Returns a project with pages of three dates out of four.
fn project() -> Project {
    let project = Project::small();
    project.write("jobs/pages.yaml", JOB);
    for step in ["seen", "late"] {
        project.step(step, &script(step));
    }
    for date in DATES {
        let page = format!("{{\"items\": [{{\"question_id\": {}}}]}}", &date[8..]);
        project.write(&format!("pages/{date}/questions/1.json"), &page);
        project.soflow(["ingest", "pages", &format!("pages/{date}"), "--date", date]).succeeded();
    }
    project
}

/// Makes `seen` fail for the second date until there is a file `mended`: its code stays the same.
fn break_second(project: &Project) {
    let mended = project.path().join("mended");
    let check = format!("if small.task['date'] == '2025-10-02' and not Path('{}').exists():", mended.display());
    let fail = format!("import small\nfrom pathlib import Path\n{check}\n    raise ValueError('no')\n");
    project.step("seen", &(fail + &script("seen")));
}

const BACKFILL: [&str; 7] = ["backfill", "pages", "--from", "2025-10-01", "--to", "2025-10-04", "--yes"];
const QUIET: [&str; 9] =
    ["backfill", "pages", "--from", "2025-10-01", "--to", "2025-10-04", "--yes", "--output", "json"];

/// Returns a field of each date.
fn of_dates(document: &serde_json::Value, field: &str) -> Vec<String> {
    let dates = document["dates"].as_object().unwrap();
    dates.values().map(|entry| entry[field].to_string().trim_matches('"').to_string()).collect()
}

/// Returns what is written of the backfill.
fn ledger(project: &Project) -> serde_json::Value {
    let text = project.read(".soflow/lake/artifacts/backfill/pages/2025-10-01..2025-10-04.json");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_would_be_run() {
    shot!(project().soflow(["backfill", "pages", "--from", "2025-10-01", "--to", "2025-10-04", "--dry-run"]));
}

#[test]
fn nobody_to_ask() {
    let project = project();
    shot!(project.soflow(["backfill", "pages", "--from", "2025-10-01", "--to", "2025-10-04"]));
    assert!(!project.path().join(".soflow/lake/artifacts/backfill").exists(), "nothing was begun");
}

#[test]
fn oldest_first_and_then_nothing() {
    let project = project();
    let seen = project.soflow(BACKFILL);
    let told: Vec<&str> = seen.stderr.lines().filter(|line| line.contains(" is running, ")).collect();
    let order: Vec<&str> = told.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(order, DATES, "{seen}");
    assert_eq!(seen.code, Some(0), "{seen}");
    let again = project.soflow(QUIET);
    let document = again.json();
    assert_eq!(of_dates(&document, "state"), ["done", "done", "no-raw", "done"], "{again}");
    assert_eq!(of_dates(&document, "attempts"), ["1", "1", "0", "1"], "{again}");
    assert!(again.stderr.contains("to run          none"), "{again}");
    let page = r#"{"items": [{"question_id": 7}]}"#;
    project.write("more/questions/2.json", page);
    project.soflow(["ingest", "pages", "more", "--date", "2025-10-02"]).succeeded();
    let document = project.soflow(QUIET).json();
    assert_eq!(of_dates(&document, "attempts"), ["1", "2", "0", "1"], "only the date with a new page");
}

#[test]
fn a_date_that_fails_is_tried_again_and_no_other() {
    let project = project();
    break_second(&project);
    let seen = project.soflow(BACKFILL);
    assert_eq!(seen.code, Some(1), "{seen}");
    assert!(seen.stdout.contains("  soflow retry pages.2025-10-02.1\n"), "{seen}");
    assert!(seen.stderr.contains("error: step `seen`"), "{seen}");
    let ledger = ledger(&project);
    assert_eq!(of_dates(&ledger, "state"), ["done", "failed", "no-raw", "done"], "{ledger:#}");
    assert_eq!(ledger["dates"]["2025-10-02"]["exit_code"], 1, "{ledger:#}");
    project.write("mended", "");
    let document = project.soflow(QUIET).json();
    assert_eq!(of_dates(&document, "state"), ["done", "done", "no-raw", "done"], "{document:#}");
    assert_eq!(of_dates(&document, "attempts"), ["1", "2", "0", "1"], "{document:#}");
}

#[test]
fn none_after_one_that_failed() {
    let project = project();
    break_second(&project);
    let mut arguments = QUIET.to_vec();
    arguments.push("--stop-on-failure");
    let output = project.command(&arguments).output().unwrap();
    let seen = project.seen(&output);
    assert_eq!(seen.code, Some(1), "{seen}");
    assert_eq!(of_dates(&seen.json(), "state"), ["done", "failed", "no-raw", "waiting"], "{seen}");
}

#[test]
fn events_are_lines_of_json_also_when_a_date_fails() {
    let project = project();
    break_second(&project);
    let mut arguments = BACKFILL.to_vec();
    arguments.extend(["--events", "ndjson"]);
    let output = project.command(&arguments).output().unwrap();
    let seen = project.seen(&output);
    let events: Vec<serde_json::Value> =
        seen.stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let states: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "backfill-date")
        .filter_map(|event| event["state"].as_str())
        .collect();
    assert_eq!(states, ["running", "done", "running", "failed", "running", "done"], "{seen}");
}

#[test]
fn killed_and_begun_again() {
    let project = project();
    let good = script("late");
    let gate = Gate::before(&project, "late", &good);
    let run = project.start(BACKFILL);
    gate.wait_for_step();
    let second = project.soflow(BACKFILL);
    assert_eq!(second.code, Some(5), "{second}");
    assert!(second.stderr.contains("a backfill of `pages` from 2025-10-01 to 2025-10-04 is going on"), "{second}");
    let id = run.id().to_string();
    assert!(Command::new("kill").args(["-s", "KILL", &id]).status().unwrap().success());
    assert_eq!(project.end(run).code, None);
    let ledger = ledger(&project);
    assert_eq!(of_dates(&ledger, "state"), ["running", "waiting", "no-raw", "waiting"], "{ledger:#}");
    project.step("late", &good);
    let document = project.soflow(QUIET).json();
    assert_eq!(of_dates(&document, "state"), ["done", "done", "no-raw", "done"], "{document:#}");
    assert_eq!(of_dates(&document, "attempts"), ["2", "1", "0", "1"], "{document:#}");
}

#[test]
fn ctrl_c_stops_the_date_and_all_after_it() {
    let project = project();
    let gate = Gate::before(&project, "late", "");
    let run = project.start(BACKFILL);
    gate.wait_for_step();
    let id = run.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    let seen = project.end(run);
    assert_eq!(seen.code, Some(130), "{seen}");
    let ledger = ledger(&project);
    assert_eq!(of_dates(&ledger, "state"), ["cancelled", "waiting", "no-raw", "waiting"], "{ledger:#}");
    assert_eq!(ledger["driver"], serde_json::Value::Null, "{ledger:#}");
}

#[test]
fn a_person_who_does_not_say_yes() {
    let project = project();
    let mut terminal = Terminal::start(&project, ["backfill", "pages", "--from", "2025-10-01", "--to", "2025-10-04"]);
    terminal.type_keys("n\n");
    let seen = terminal.end();
    assert!(seen.to_string().contains("not confirmed: nothing was run"), "{seen}");
}

#[test]
fn what_cannot_be_meant() {
    let project = Project::small();
    shot!(
        "parallel_on_a_local_target",
        project.soflow(["backfill", "small", "--from", "2025-10-01", "--to", "2025-10-04", "--parallel", "2",])
    );
    shot!("from_after_to", project.soflow(["backfill", "small", "--from", "2025-10-04", "--to", "2025-10-01"]));
}
