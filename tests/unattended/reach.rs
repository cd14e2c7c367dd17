//! What happens seldom, and needs rights all the same: each function meets it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::daily::lab::{page, question};
use crate::emr::lab::{DATE, Lab as Emr, TABLES, in_two_lanes, signal};
use crate::stackexchange::{Double, Options, World};
use crate::twin::{Act, Fault, FaultKind, Loss, Moment, StepFate};
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::{Lab, function, input};
use crate::unattended::rights::{Right, Scenario, done_in};

/// After which time others take what a process had that is gone.
const SILENCE: Duration = Duration::from_secs(100);

pub static GONE: Scenario = Scenario::of(|| together(&["begin", "cluster", "submit", "check"], gone));
pub static MOVES: Scenario = Scenario::of(|| together(&["submit", "check"], moves));
pub static SHOWN: Scenario = Scenario::of(|| together(&["publish", "ended"], shown));
pub static SPARE: Scenario = Scenario::of(spare);
pub static LEFT: Scenario = Scenario::of(left);
pub static INGESTED: Scenario = Scenario::of(ingested);

fn together(handlers: &[&'static str], each: fn(&'static str) -> BTreeSet<Right>) -> BTreeSet<Right> {
    let all = std::sync::Mutex::new(BTreeSet::new());
    in_two_lanes(handlers.to_vec(), |handler| {
        let done = each(handler);
        all.lock().unwrap().extend(done);
    });
    all.into_inner().unwrap()
}

#[test]
fn a_run_whose_results_are_gone_is_begun_anew_by_whoever_finds_out() {
    GONE.done();
}

/// A laptop begins a run and is killed; when a function takes that over, what a finished step has written is not there.
fn gone(handler: &'static str) -> BTreeSet<Right> {
    let lab = Lab::new();
    lab.emr.twin.step_fate("two", StepFate::Hangs);
    let mut laptop = lab.emr.begin(&[]);
    lab.emr.until_step("two", "RUNNING");
    lab.emr.twin.until("step one taken in", |_| {
        lab.emr.records().first().is_some_and(|record| record["steps"][0]["state"] == "completed")
    });
    signal(laptop.id(), "-KILL");
    laptop.wait().unwrap();
    lab.emr.twin.pass(SILENCE);
    let held = lab.hold_at(handler, "*", "");
    let execution = lab.start(&input());
    held.wait();
    lab.emr.twin.remove(&format!("s3://{}/lake/curated/first/run-chain.{DATE}.1/part-0.parquet", lab.emr.bucket));
    lab.emr.twin.step_fate("two", StepFate::Completes);
    drop(held);
    lab.succeeded(&lab.finish(&execution), handler);
    // The cluster was made for the first run, and has become the second one's.
    lab.call("reap");
    lab.check(handler, &[]);
    assert_eq!(
        (lab.emr.published(), lab.emr.records().len()),
        (TABLES.map(String::from).into(), 2),
        "{handler}\n{lab}"
    );
    done_in(&lab)
}

#[test]
fn a_run_moves_to_another_cluster_in_whatever_function_it_is() {
    MOVES.done();
}

/// The cluster is lost while a function is at work, and of the request for another one two come up.
fn moves(handler: &'static str) -> BTreeSet<Right> {
    let lab = Lab::new();
    let up = lab.emr.run(&["cluster", "up"]);
    assert_eq!(up.code, Some(0), "{up}");
    lab.emr.twin.fault(overtaken().by(handler));
    let held = lab.hold_at(handler, if handler == "submit" { "AddJobFlowSteps" } else { "ListSteps" }, "");
    let execution = lab.start(&input());
    held.wait();
    // What a step has left half-written.
    lab.emr.twin.put(&format!("s3://{}/lake/curated/third/run-chain.{DATE}.1/half", lab.emr.bucket), "half");
    lab.emr.twin.lose_cluster(&lab.emr.clusters()[0], Loss::Spot, None);
    drop(held);
    lab.succeeded(&lab.finish(&execution), handler);
    check_published_by_one_of_two(&lab, handler);
    assert_eq!(lab.emr.clusters().len(), 3, "{handler}\n{lab}");
    done_in(&lab)
}

/// A request for a cluster that is executed when it has been sent again, right before the other one.
fn overtaken() -> Fault {
    Fault::new("emr", "RunJobFlow", FaultKind::Overtaken(Moment::Before))
}

/// Asserts that the date is published although one request has made two clusters.
fn check_published_by_one_of_two(lab: &Lab, what: &str) {
    lab.check_ended(what);
    assert_eq!((lab.emr.published(), lab.messages()), (TABLES.map(String::from).into(), Vec::new()), "{what}\n{lab}");
}

#[test]
fn a_cluster_that_comes_up_twice_is_ended_by_whoever_asked_for_it() {
    SPARE.done();
}

fn spare() -> BTreeSet<Right> {
    let lab = Lab::new();
    lab.emr.twin.fault(overtaken());
    lab.succeeded(&lab.run(), "two clusters");
    check_published_by_one_of_two(&lab, "two clusters");
    assert_eq!(lab.emr.clusters().len(), 2, "{lab}");
    done_in(&lab)
}

#[test]
fn steps_that_were_added_when_their_run_had_ended_are_ended_by_the_reaper() {
    LEFT.done();
}

/// A person cancels a run at the moment at which a function hands its steps over, and that one ends before it finds out.
fn left() -> BTreeSet<Right> {
    let (lab, what) = (Lab::new(), "cancelled and handed over");
    lab.emr.twin.step_fate("one", StepFate::Hangs);
    let held = lab.hold_and("submit", "AddJobFlowSteps", "", Act::Kill);
    let execution = lab.start(&input());
    held.wait();
    let said = lab.emr.run(&["cancel", &format!("chain.{DATE}.1")]);
    assert_eq!(said.code, Some(0), "{said}");
    drop(held);
    lab.emr.until_step("one", "RUNNING");
    lab.failed(&lab.finish(&execution), "Cancelled", "", what);
    lab.call("reap");
    lab.check(what, &["soflow: chain 2026-11-22 failed: Cancelled"]);
    lab.emr.twin.step_fate("one", StepFate::Completes);
    lab.succeeded(&lab.run(), what);
    lab.check_published(what, &["soflow: chain 2026-11-22 failed: Cancelled", "soflow: chain 2026-11-22 recovered"]);
    done_in(&lab)
}

/// A table with partitions, made from raw pages: the script says which, and the launcher reads that.
const JOB: &str = "
description: One table with partitions.
steps:
  one: { script: steps/one.py, reads: [raw.questions], writes: [first] }
tables:
  first: { key: [part, id], partition-by: [part], checks: [{ rows-at-least: 1 }] }
";

#[test]
fn readers_of_glue_see_what_is_published_whoever_shows_it() {
    SHOWN.done();
}

/// Partitions come, change and go, and so does the partition column. Shown by `publish`, or, when that one cannot, by `ended`.
fn shown(by: &'static str) -> BTreeSet<Right> {
    let lab = Lab::new();
    lab.emr.write("pages/questions.json", &page(&[question(1, "2026-11-22T10:00:00Z", &["rust"], 3)]));
    let said = lab.emr.run(&["ingest", "pages", "pages", "--date", DATE]);
    assert_eq!(said.code, Some(0), "{said}");
    if by == "ended" {
        // The first one looks whether someone else has such a table.
        lab.emr.twin.fault(Fault::new("glue", "GetTable", FaultKind::AccessDenied).by("publish").nth(2).always());
    }
    for (job, parts, seen) in [
        (JOB.to_string(), "a b", &["a", "b"][..]),
        (JOB.to_string(), "b c", &["b", "c"]),
        (JOB.replace("key: [part, id], partition-by: [part]", "key: [id]"), "", &[]),
    ] {
        let what = format!("by {by}: {parts}");
        lab.emr.write("jobs/chain.yaml", &job);
        lab.emr.write("pyspark/steps/one.py", &format!("# partitions: {parts}\n"));
        let ended = lab.run();
        if by == "publish" {
            lab.succeeded(&ended, &what);
        }
        assert_eq!(lab.emr.partitions("first"), seen, "{what}\n{lab}");
        lab.check_ended(&what);
        assert_eq!(lab.messages(), [""; 0], "{what}\n{lab}");
    }
    if by == "publish" {
        published_meanwhile(&lab);
    }
    done_in(&lab)
}

/// Someone points the table elsewhere while an execution is about to publish it: what it was planned from is not there.
fn published_meanwhile(lab: &Lab) {
    lab.emr.write("pyspark/steps/one.py", "# once more\n");
    let held = lab.hold_at("publish", "PutObject", "_catalog/catalog.json");
    let execution = lab.start(&input());
    held.wait();
    let said = lab.emr.run(&["rollback", "first"]);
    assert_eq!(said.code, Some(0), "{said}");
    drop(held);
    lab.succeeded(&lab.finish(&execution), "published meanwhile");
    lab.check_ended("published meanwhile");
}

#[test]
fn a_function_reads_on_in_the_api_with_the_key_of_the_stack() {
    INGESTED.done();
}

fn ingested() -> BTreeSet<Right> {
    let double = Double::with(Options { key: Some("k".into()), ..Options::default() }, World::made(7, 5_600));
    let emr = Emr::new();
    let settings = fs_err::read_to_string(emr.home.path().join("config/soflow.yaml")).unwrap();
    emr.write("config/soflow.yaml", &format!("{settings}ingest:\n  api: {}\n  endpoints: [questions]\n", double.url()));
    let lab = Lab::of(emr, Interpreter::Moto, ("chain", 21_600), &[]);
    // Nobody has said where to begin.
    let refused = lab.emr.twin.invoke(&function(&lab.emr, "ingest"), &json!({})).unwrap_err();
    assert_eq!(refused["errorType"], "Usage", "{refused}");
    let said = lab.emr.run(&["ingest", "api", "--since", "2024-01-01", "--until", "2024-01-02"]);
    assert_eq!(said.code, Some(0), "{said}");
    let before = today();
    let read = lab.call("ingest");
    assert!(read["done"] == true && read["ingested"]["endpoints"][0]["pages"].as_u64() > Some(50), "{read}\n{lab}");
    // The run of yesterday may be over: it would not look there again.
    let written = lab.emr.twin.calls_of("s3", "PutObject").into_iter();
    let mut pages = written.filter(|call| call.caller == "ingest" && call.detail.ends_with(".json.gz"));
    let days = [before, today()].map(|day| format!("/dt={day}/"));
    assert!(pages.all(|call| days.iter().any(|day| call.detail.contains(day))), "{lab}");
    done_in(&lab)
}

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}
