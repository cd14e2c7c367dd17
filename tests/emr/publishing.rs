//! Several runs in one lake, none of which is watched: each is published by whoever attaches. And what is told when the
//! lake has a publication that Glue does not show.

use serde_json::Value;

use crate::cli::readers;
use crate::emr::lab::{DATE, Lab, TABLES};
use crate::twin::{Fault, FaultKind};

const OTHER: &str = "2026-11-21";
const RUN: &str = "chain.2026-11-22.1";

/// Another job with a table of its own, and one that both jobs write parts of.
const SINGLE: &str =
    "steps: { solo: { script: steps/one.py, reads: [], writes: [alone] } }\ntables: { alone: { key: [id] } }\n";

fn hand_over(lab: &Lab, job: &str, date: &str) {
    let said = lab.run(&["submit", job, "--date", date, "--wait", "0s"]);
    assert_eq!(said.code, Some(4), "{said}");
    lab.twin.until("its steps to end", |_| {
        lab.clusters().last().is_some_and(|id| lab.steps(id).iter().all(|(_, state)| state == "COMPLETED"))
    });
}

fn attach(lab: &Lab, run: &str) {
    let said = lab.run(&["attach", run]);
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn readers_of_s3_and_of_glue_count_what_is_published() {
    let lab = Lab::new();
    let steps = "steps: { one: { script: steps/one.py, reads: [], writes: [first] } }";
    lab.write("jobs/chain.yaml", &format!("{steps}\ntables: {{ first: {{ partition-by: [part] }} }}\n"));
    let mut environment = lab.twin.environment();
    environment.push(("DATABASE", lab.bucket.replace('-', "_")));
    environment.push(("HOME", lab.home.path().display().to_string()));
    let curated = format!("s3://{}/lake/curated", lab.bucket);
    for (parts, rows) in [("a", 3), ("a b", 6)] {
        lab.write("pyspark/steps/one.py", &format!("# partitions: {parts}\n"));
        let said = lab.submit();
        assert_eq!(said.code, Some(0), "{said}");
        let Some(seen) = readers::counted("first", &curated, lab.home.path(), &environment) else { return };
        readers::all_count(&seen, rows, 3);
    }
    assert_eq!(lab.run(&["rollback", "first"]).code, Some(0));
    let seen = readers::counted("first", &curated, lab.home.path(), &environment).unwrap();
    readers::all_count(&seen, 3, 3);
}

#[test]
fn two_jobs_in_one_lake_are_each_published_by_who_attaches() {
    let lab = Lab::new();
    lab.write("jobs/single.yaml", SINGLE);
    hand_over(&lab, "chain", DATE);
    hand_over(&lab, "single", DATE);
    attach(&lab, RUN);
    attach(&lab, &format!("single.{DATE}.1"));
    assert_eq!(lab.published().len(), 4);
    assert_eq!(lab.completed().len(), 4, "nothing is run twice");
}

#[test]
fn two_dates_of_one_job_are_each_published_by_who_attaches() {
    let lab = Lab::new();
    hand_over(&lab, "chain", DATE);
    hand_over(&lab, "chain", OTHER);
    attach(&lab, RUN);
    attach(&lab, &format!("chain.{OTHER}.1"));
    assert_eq!(lab.published(), TABLES);
    assert_eq!(lab.completed().len(), 6, "what the steps wrote does not depend on the other date");
    let states: Vec<Value> = lab.records().into_iter().map(|record| record["state"].clone()).collect();
    assert_eq!(states, ["succeeded"]);
}

#[test]
fn a_publication_that_glue_does_not_show_is_told_as_that() {
    let lab = Lab::new();
    lab.twin.fault(Fault::new("glue", "CreateTable", FaultKind::AccessDenied).always());
    let said = lab.submit();
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stdout.contains("3 tables published"), "{said}");
    assert!(said.stderr.contains("is published, and Glue does not show it yet"), "{said}");
    assert!(!said.stderr.contains("nothing was published"), "{said}");
    assert!(said.stderr.contains(&format!("`soflow submit chain --date {DATE}`")), "{said}");
    let record = &lab.records()[0];
    assert_eq!(record["state"], "succeeded", "{record:#}");
    assert!(record["error"].as_str().unwrap().contains("Glue does not show it yet"), "{record:#}");
    let retried = lab.run(&["retry", RUN]);
    assert!(retried.code == Some(2) && retried.stderr.contains("succeeded"), "{retried}");
    lab.twin.heal();
    let attached = lab.run(&["attach", RUN]);
    assert_eq!(attached.code, Some(0), "{attached}");
    assert_eq!(lab.shown(), TABLES, "{attached}");
    assert_eq!(lab.completed().len(), 3);
}

#[test]
fn a_record_that_says_failed_of_what_is_published_is_put_right() {
    let lab = Lab::new();
    assert_eq!(lab.submit().code, Some(0));
    let uri = format!("s3://{}/lake/artifacts/runs/chain/{DATE}/1/run.json", lab.bucket);
    for verb in ["attach", "retry"] {
        let mut record = lab.records().remove(0);
        record["state"] = "failed".into();
        record["error"] = "S3 did not answer".into();
        lab.twin.put(&uri, record.to_string());
        let said = lab.run(&[verb, RUN]);
        assert_eq!(said.code, Some(if verb == "attach" { 0 } else { 2 }), "{said}");
        let record = lab.records().remove(0);
        assert_eq!((&record["state"], &record["error"]), (&"succeeded".into(), &Value::Null), "{verb}: {said}");
    }
    assert_eq!(lab.completed().len(), 3);
}
