//! A day in the life of a stack, as a person can try it, with a job of two steps.

use std::process::{Command, Stdio};

use super::unattended;
use crate::daily::lab::engine_dir;

const JOB: &str = r#"
description: Questions, and how often each tag is asked about.
parameters: { site: stackoverflow }
steps:
  questions:
    script: steps/questions.py
    reads: [raw.questions]
    writes: [questions, "quarantine/endpoint=questions/dt={date}", "ingest_audit/endpoint=questions/dt={date}"]
  tag_trends: { script: steps/tag_trends.py, reads: [questions], writes: [tag_trends_weekly] }
tables:
  questions: { key: [site, question_id], partition-by: [created_month], update: merge, checks: [{ rows-at-least: 1 }] }
  quarantine: { partition-by: [endpoint, dt] }
  ingest_audit: { key: [site, endpoint, dt, raw_run], partition-by: [endpoint, dt] }
  tag_trends_weekly: { key: [site, week_start, tag], partition-by: [year] }
"#;

/// What is told on the way, in order.
const TOLD: [&str; 13] = [
    "Stack soflow-prod is CREATE_COMPLETE",
    "T02:00:00Z, says the clock of the schedules",
    "run=api-",
    "T02:15:00Z, says the clock of the schedules",
    "SUCCEEDED",
    "\ntag_trends_weekly: ",
    "Stack soflow-prod is UPDATE_COMPLETE",
    "FAILED JobFailed",
    "failed: JobFailed\n",
    "recovered\n",
    "Stack soflow-prod is deleted",
    " cancelled ",
    "== all was seen",
];

#[test]
fn a_day_in_the_life_of_a_stack_is_seen_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let job = home.path().join("daily.yaml");
    fs_err::write(&job, JOB).unwrap();
    let mut script = Command::new("bash");
    script.args(["-c", "exec \"$0\" 2>&1"]).arg(unattended("try.sh")).stdin(Stdio::null());
    script.env("TRY_JOB", &job).env("TRY_TABLES", "3").env("SOFLOW_ENGINE_DIR", engine_dir());
    let output = script.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // What it says last tells what went wrong; all of it is more than a log of tests shows.
    let last: Vec<&str> = said.lines().rev().take(50).collect();
    assert!(output.status.success(), "{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    let mut rest = said.as_str();
    for told in TOLD {
        let (_, after) = rest.split_once(told).unwrap_or_else(|| panic!("`{told}` is not told in its turn\n{said}"));
        rest = after;
    }
    assert!(!said.contains("the-key-of-the-api"), "a secret is told\n{said}");
}
