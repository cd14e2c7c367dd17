//! A crash at every single write of a run, a rollback and a collection: readers see all of the old or all of the new,
//! and the same command completes what was cut short. No engine: a scripted target writes small Parquet files.

mod beside;
mod lab;
pub mod process;
mod publishing;
mod steps;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use lab::{FIRST, Lab, SECOND, THIRD, Tables};
use process::{DEATHS, Death, DyingStore, Process};
use soflow::error::Result;
use soflow::names::RunId;
use soflow::run::Collection;

/// Which of these a crash left, and that it is not a mix of tables from two runs.
async fn one_of<'a>(lab: &Lab, before: &'a Tables, after: &'a Tables, when: &str) -> &'a str {
    let seen = lab.tables(when).await;
    if seen == *before {
        return "old";
    }
    assert_eq!(seen, *after, "{when}: neither the tables before the run nor those after it");
    "new"
}

/// Crashes the run of `date` at every write, on top of `start`, and completes it each time.
async fn crash_everywhere(start: &Lab, date: Date) {
    let before = start.tables("before").await;
    let undisturbed = start.copy();
    let process = Process::healthy();
    let (ran, ended) = undisturbed.submit(date, &process).await;
    assert_eq!(ran.len(), 4, "all steps have something to do");
    ended.unwrap();
    let after = undisturbed.tables("undisturbed").await;
    assert_ne!(before, after);
    let writes = process.writes.load(Ordering::SeqCst);
    assert!(writes > 25, "only {writes} writes: the steps do too little");

    let (mut old, mut new, mut reused) = (0, 0, 0);
    for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
        let lab = start.copy();
        let process = Process::dying(at, death);
        let (_, ended) = lab.submit(date, &process).await;
        if !process.dead.load(Ordering::SeqCst) {
            ended.unwrap();
            assert!(at > writes - 3, "only {at} of {writes} writes were reached");
            break;
        }
        let when = format!("death {death:?} write {at}, {}", process.last.lock().unwrap());
        let seen = one_of(&lab, &before, &after, &when).await;
        // Cleaning up comes after everything that counts, and may fail.
        let cleaning = seen == "new" && process.last.lock().unwrap().contains("/scratch/");
        assert!(ended.is_err() || cleaning, "{when}: the run does not know that it is dead");
        let index = lab.index().await;
        let mine: BTreeSet<&RunId> =
            index.tables.values().map(|entry| &entry.current).filter(|run| run.date == date).collect();
        assert!(mine.len() <= 1, "{when}: tables of several runs");

        let kept = lab.kept_results().await;
        let again = lab.submit_well(date).await;
        if seen == "new" {
            new += 1;
            assert!(again.is_empty(), "{when}: everything was published, and {again:?} ran again");
        } else {
            old += 1;
            reused += kept.len();
            let twice: Vec<&String> = again.iter().filter(|step| kept.contains(*step)).collect();
            assert!(twice.is_empty(), "{when}: {twice:?} ran again although their results were kept");
            assert_eq!(again.len() + kept.len(), 4, "{when}: {again:?} ran, {kept:?} were kept");
        }
        assert_eq!(lab.tables(&when).await, after, "{when}: after the second try");
        lab.logs_must_be_right(&when).await;
        assert!(lab.submit_well(date).await.is_empty(), "{when}: a third submit has nothing to do");
    }
    assert!(
        old > 20 && new > 2 && reused > 20,
        "{old} old, {new} new, {reused} results kept: the crashes missed the point"
    );
    println!("{date}: {writes} writes; {old} crashes left the old tables, {new} the new ones");
}

#[tokio::test]
async fn a_first_run_survives_a_crash_at_every_write() {
    let start = Lab::new().await;
    crash_everywhere(&start, FIRST).await;
}

#[tokio::test]
async fn a_run_on_top_of_another_survives_a_crash_at_every_write() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let questions = &start.tables("first").await["questions"];
    let numbers: Vec<(&str, i64)> = questions.iter().map(|row| (row.key.as_str(), row.number)).collect();
    assert_eq!(numbers, [("1", 4), ("2", 1), ("3", 7)]);
    crash_everywhere(&start, SECOND).await;
    start.submit_well(SECOND).await;
    let tables = start.tables("second").await;
    let numbers = |table: &str| tables[table].iter().map(|row| (row.key.as_str(), row.number)).collect::<Vec<_>>();
    assert_eq!(numbers("questions"), [("1", 5), ("2", 1), ("3", 7), ("4", 2), ("5", 8)]);
    assert_eq!(numbers("counts"), [("2025-12", 2), ("2026-01", 2), ("2026-02", 1)]);
    assert_eq!(numbers("best"), [("2025-12", 210), ("2026-01", 214), ("2026-02", 116)]);
    assert_eq!(numbers("quarantine"), [("reason", 9), ("reason", 8)]);
}

#[tokio::test]
async fn a_row_that_is_gone_from_raw_is_gone_from_the_tables_whatever_came_after_it() {
    let lab = Lab::new().await;
    lab.submit_well(FIRST).await;
    lab.submit_well(SECOND).await;
    let numbers = async |table: &str| {
        let tables = lab.tables("mended").await;
        tables[table].iter().map(|row| (row.key.clone(), row.number)).collect::<Vec<_>>()
    };
    let rows = |rows: &[(&str, i64)]| rows.iter().map(|(key, number)| (key.to_string(), *number)).collect::<Vec<_>>();
    lab.replace_page(FIRST, "000002", &[(9, "bad", 0)]);
    lab.submit_well(FIRST).await;
    assert_eq!(
        numbers("questions").await,
        rows(&[("1", 5), ("2", 1), ("4", 2), ("5", 8)]),
        "3 is gone, 1 is as it was seen last"
    );
    assert_eq!(numbers("counts").await, rows(&[("2025-12", 2), ("2026-01", 1), ("2026-02", 1)]));
    assert_eq!(numbers("quarantine").await, rows(&[("reason", 9), ("reason", 8)]), "each date's own");
    assert!(lab.submit_well(FIRST).await.is_empty() && lab.submit_well(SECOND).await.is_empty());
}

#[tokio::test]
async fn a_crash_of_the_second_try_is_survived_too() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let before = start.tables("before").await;
    let undisturbed = start.copy();
    undisturbed.submit_well(SECOND).await;
    let after = undisturbed.tables("undisturbed").await;
    for first in [14, 26] {
        for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
            let lab = start.copy();
            let (process, second) = (Process::dying(first, Death::Halfway), Process::dying(at, death));
            lab.submit(SECOND, &process).await.1.map(drop).unwrap_err();
            lab.submit(SECOND, &second).await.1.ok();
            if !second.dead.load(Ordering::SeqCst) {
                break;
            }
            let when = format!("death at {first}, then {death:?} write {at}, {}", second.last.lock().unwrap());
            one_of(&lab, &before, &after, &when).await;
            lab.submit_well(SECOND).await;
            assert_eq!(lab.tables(&when).await, after, "{when}");
            lab.logs_must_be_right(&when).await;
        }
    }
}

#[tokio::test]
async fn a_rollback_happens_or_does_not() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let first = start.tables("first").await;
    start.submit_well(SECOND).await;
    let second = start.tables("second").await;
    let to: BTreeMap<String, RunId> =
        start.index().await.tables.iter().map(|(table, entry)| (table.clone(), entry.history[0].run.clone())).collect();
    for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
        let lab = start.copy();
        let process = Process::dying(at, death);
        let catalog = lab.catalog(&process);
        let ended = catalog.point(&catalog.index().await.unwrap(), &to).await;
        if !process.dead.load(Ordering::SeqCst) {
            ended.unwrap();
            assert_eq!(lab.tables("rolled back").await, first);
            assert!(at > 1, "a rollback writes something");
            break;
        }
        let when = format!("death {death:?} write {at} of the rollback");
        let seen = one_of(&lab, &second, &first, &when).await;
        // All writes but the first show to other readers what has happened.
        assert_eq!(seen == "new", at > 1 || death == Death::After, "{when}");
        let good = lab.catalog(&Process::healthy());
        good.point(&good.index().await.unwrap(), &to).await.unwrap();
        assert_eq!(lab.tables(&when).await, first, "{when}");
        lab.logs_must_be_right(&when).await;
    }
}

#[tokio::test]
async fn a_log_that_others_have_written_to_or_damaged_is_put_right() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let foreign =
        r#"{"add":{"path":"theirs.parquet","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true}}"#;
    for (body, first) in [(foreign, 3), ("{", 1)] {
        let lab = start.copy();
        let log = lab.lake.curated.join("best/_delta_log").to_path().unwrap();
        fs_err::write(log.join("00000000000000000001.json"), body).unwrap();
        lab.submit_well(SECOND).await;
        lab.logs_must_be_right(body).await;
        assert_eq!(fs_err::read_dir(&log).unwrap().count(), first, "{body}");
    }
}

#[tokio::test]
async fn a_collection_that_is_cut_short_removes_nothing_that_is_needed() {
    let start = Lab::new().await;
    for date in [FIRST, SECOND, THIRD] {
        // A crash before each run: half-written prefixes, results nobody took, unfinished files.
        let lost = Process::dying(12, Death::Halfway);
        start.submit(date, &lost).await.1.map(drop).unwrap_err();
        start.submit_well(date).await;
    }
    let abandoned = start.copy();
    let late = Timestamp::now() + SignedDuration::from_hours(24 * 30);
    let keep = SignedDuration::from_hours(24 * 7);
    let collect = async |lab: &Lab, process: &Arc<Process>| -> Result<usize> {
        let (store, catalog) = (DyingStore(process.clone()), lab.catalog(process));
        let (store, catalog) = (&store, &catalog);
        let garbage = Collection { lake: &lab.lake, store, catalog, now: late, keep, dry_run: false }.collect().await?;
        assert_eq!(garbage.unknown, []);
        Ok(garbage.versions.len() + garbage.files.len() + garbage.leftovers.len())
    };
    let seen = start.tables("before").await;
    let process = Process::healthy();
    let removed = collect(&abandoned, &process).await.unwrap();
    let clean = abandoned.files();
    assert!(removed > 10, "only {removed} things to collect");
    assert_eq!(abandoned.tables("collected").await, seen);
    assert!(clean.iter().all(|name| !name.contains("unfinished") && !name.contains("results/")), "{clean:?}");
    let mut crashes = 0;
    for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
        let lab = start.copy();
        let process = Process::dying(at, death);
        let ended = collect(&lab, &process).await;
        if !process.dead.load(Ordering::SeqCst) {
            ended.unwrap();
            break;
        }
        crashes += 1;
        let when = format!("death {death:?} write {at} of the collection, {}", process.last.lock().unwrap());
        assert_eq!(lab.tables(&when).await, seen, "{when}");
        collect(&lab, &Process::healthy()).await.unwrap();
        assert_eq!(lab.tables(&when).await, seen, "{when}: collected again");
        assert_eq!(lab.files(), clean, "{when}: collected again");
    }
    assert!(crashes > 20, "only {crashes} crashes");
    println!("collection: {crashes} crashes");
}

#[tokio::test]
async fn after_rollbacks_a_collection_keeps_what_one_would_go_back_to() {
    let lab = Lab::new().await;
    let mut seen = Vec::new();
    for date in [FIRST, SECOND, THIRD] {
        lab.submit_well(date).await;
        seen.push(lab.tables("published").await);
    }
    let process = Process::healthy();
    let (store, catalog) = (&DyingStore(process.clone()), &lab.catalog(&process));
    let (now, keep) = (Timestamp::now() + SignedDuration::from_hours(1), SignedDuration::ZERO);
    let collection = Collection { lake: &lab.lake, store, catalog, now, keep, dry_run: false };
    let go_to = async |at: usize| {
        let index = lab.index().await;
        let to =
            index.tables.iter().filter_map(|(table, entry)| Some((table.clone(), entry.history.get(at)?.run.clone())));
        catalog.point(&index, &to.collect()).await.unwrap();
    };
    // The one before, and the one that readers saw last.
    go_to(1).await;
    collection.collect().await.unwrap();
    for at in [0, 2, 1] {
        go_to(at).await;
        assert_eq!(lab.tables("gone back to").await["questions"], seen[at]["questions"]);
    }
    // One that readers have just left is not old, whenever it was replaced first.
    go_to(0).await;
    go_to(2).await;
    let soon = Collection { now: Timestamp::now(), keep: SignedDuration::from_mins(30), ..collection };
    assert_eq!(soon.collect().await.unwrap().versions, []);
}
