use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::audit::testing::{Named, block_on, floats, ints, moments, texts, upload, write, write_blind, write_int96};
use crate::audit::{Reader, read};
use crate::job::Update;
use crate::names::Uri;
use crate::store::testing::{BUCKET, Bucket};
use crate::store::{FileStore, Object, Store};

fn table(partition_by: &[&str], checks: Vec<Check>) -> Table {
    let partition_by = partition_by.iter().map(ToString::to_string).collect();
    Table { description: String::new(), key: vec!["id".into()], partition_by, update: Update::Merge, checks }
}

/// Returns whether each check holds, and what was found: the same on this machine and in a bucket.
fn run(root: &Path, partition_by: &[&str], objects: &[Object], checks: Vec<Check>) -> Vec<(bool, String)> {
    let table = table(partition_by, checks);
    block_on(async {
        let bucket = Bucket::start().await;
        let uploaded = upload(&bucket, root, objects);
        let found = found(&(Arc::new(FileStore) as Arc<_>), &Uri::from_path(root), &table, objects).await;
        assert_eq!(found, self::found(&bucket.store, &Uri::in_bucket(BUCKET, "t"), &table, &uploaded).await);
        found
    })
}

async fn found(store: &Arc<dyn Store>, prefix: &Uri, table: &Table, objects: &[Object]) -> Vec<(bool, String)> {
    let opened = read(&Reader::new(store.clone()), prefix, &table.partition_by, &[], objects).await.unwrap();
    let date = jiff::civil::date(2026, 11, 22);
    let subject = Subject { table: table.clone(), opened, before: Some(1000), after: 900, date };
    check(subject).await.unwrap().into_iter().map(|finding| (finding.passed, finding.found)).collect()
}

/// Returns what one check found in one file.
fn one(columns: Vec<Named>, check: Check) -> (bool, String) {
    let root = tempfile::tempdir().unwrap();
    let objects = [write(root.path(), "a.parquet", columns)];
    run(root.path(), &[], &objects, vec![check]).remove(0)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn range(column: &str, min: Option<f64>, max: Option<f64>) -> Check {
    Check::Range { column: column.into(), min, max }
}

fn fresh(column: &str, hours: i64) -> Check {
    Check::Fresh { column: column.into(), within_seconds: hours * 3600 }
}

fn typed(columns: &[(&str, &str)]) -> Check {
    Check::Columns(columns.iter().map(|(name, kind)| (name.to_string(), kind.to_string())).collect())
}

#[track_caller]
fn fails(verdict: (bool, String), found: &str) {
    assert_eq!(verdict, (false, found.to_string()));
}

#[track_caller]
fn passes(verdict: (bool, String), found: &str) {
    assert_eq!(verdict, (true, found.to_string()));
}

#[test]
fn checks_read_as_in_a_job_file() {
    for (check, expected) in [
        (Check::RowsAtLeast(1), "rows-at-least: 1"),
        (Check::NotNull(names(&["a", "b"])), "not-null: [a, b]"),
        (Check::Accepted { column: "a".into(), values: names(&["x", "y"]) }, "accepted: { column: a, values: [x, y] }"),
        (range("a", Some(0.0), Some(0.5)), "range: { column: a, min: 0, max: 0.5 }"),
        (range("a", None, Some(1.0)), "range: { column: a, max: 1 }"),
        (fresh("at", 36), "fresh: { column: at, within: 36h }"),
        (fresh("at", 48), "fresh: { column: at, within: 2d }"),
        (Check::DropAtMost(0.2), "drop-at-most: 0.2"),
        (typed(&[("b", "date"), ("a", "bigint")]), "columns: { a: bigint, b: date }"),
    ] {
        assert_eq!(written(&check), expected);
    }
}

#[test]
fn too_few_rows_fail() {
    let id = || vec![ints("id", &[Some(1), Some(2)])];
    passes(one(id(), Check::RowsAtLeast(2)), "2 rows landed");
    fails(one(id(), Check::RowsAtLeast(3)), "2 rows landed");
}

#[test]
fn a_table_that_shrinks_too_much_fails() {
    passes(drop_at_most(0.1, Some(1000), 900), "1000 rows before, 900 after: 10.0 % less");
    fails(drop_at_most(0.09, Some(1000), 900), "1000 rows before, 900 after: 10.0 % less");
    passes(drop_at_most(0.0, Some(1), 2), "1 row before, 2 after");
    passes(drop_at_most(0.0, Some(0), 0), "0 rows before, 0 after");
    passes(drop_at_most(0.0, None, 0), "there is no version before");
}

#[test]
fn columns_that_are_others_are_told() {
    let columns = || vec![ints("id", &[Some(7)]), texts("name", &[None])];
    passes(one(columns(), typed(&[("id", "bigint"), ("name", "string")])), "2 columns");
    let found = "`id` is `bigint`, `note` is not there, `name` is there, too, as `string`";
    fails(one(columns(), typed(&[("id", "int"), ("note", "string")])), found);
}

#[test]
fn nulls_are_counted_and_their_keys_shown() {
    let columns = || vec![ints("id", &[Some(7), Some(8), Some(9)]), texts("name", &[Some("x"), None, None])];
    passes(one(columns(), Check::NotNull(names(&["id"]))), "no nulls in 3 rows");
    fails(one(columns(), Check::NotNull(names(&["id", "name"]))), "`name` is null in 2 of 3 rows, such as `id 8`, `9`");
    fails(one(vec![ints("id", &[None, None])], Check::NotNull(names(&["id"]))), "`id` is null in 2 of 2 rows");
}

#[test]
fn files_without_statistics_are_read() {
    let root = tempfile::tempdir().unwrap();
    let write =
        |name: &str, id, score| write_blind(root.path(), name, vec![ints("id", &[Some(id)]), ints("score", &[score])]);
    let objects = [write("a.parquet", 1, Some(5)), write("b.parquet", 2, None)];
    let checks =
        vec![Check::NotNull(names(&["id"])), Check::NotNull(names(&["score"])), range("score", Some(6.0), None)];
    let found = run(root.path(), &[], &objects, checks);
    assert_eq!(found[0], (true, "no nulls in 2 rows".into()));
    assert_eq!(found[1], (false, "`score` is null in 1 of 2 rows, such as `id 2`".into()));
    assert_eq!(found[2], (false, "1 row outside, such as `5`".into()));
}

#[test]
fn a_repeated_key_is_found_across_files() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, ids: &[Option<i64>]| write(root.path(), name, vec![ints("id", ids)]);
    let objects =
        [write("a.parquet", &[Some(1), Some(2), None]), write("b.parquet", &[Some(3), Some(2), None, Some(2)])];
    let found = run(root.path(), &[], &objects, vec![Check::Unique(names(&["id"]))]).remove(0);
    fails(found, "2 values have more than one row, 5 rows in all, such as `2` (3 times), `null` (2 times)");
    let found = run(root.path(), &[], &objects[..1], vec![Check::Unique(names(&["id"]))]).remove(0);
    passes(found, "3 rows, all different");
}

#[test]
fn a_partition_column_can_be_part_of_the_key_and_of_other_checks() {
    let root = tempfile::tempdir().unwrap();
    let write = |below: &str| write(root.path(), below, vec![ints("id", &[Some(1)])]);
    let objects = [write("dt=2026-11-21/a.parquet"), write("dt=2026-11-22/a.parquet"), write("dt=x/a.parquet")];
    let accepted = Check::Accepted { column: "dt".into(), values: names(&["2026-11-21", "2026-11-22"]) };
    let checks = vec![
        Check::Unique(names(&["dt", "id"])),
        Check::Unique(names(&["id"])),
        accepted,
        fresh("dt", 0),
        range("dt", None, None),
        Check::NotNull(names(&["dt"])),
    ];
    let found = run(root.path(), &["dt"], &objects, checks);
    assert_eq!(found[0], (true, "3 rows, all different".into()));
    assert_eq!(found[1], (false, "1 value has more than one row, 3 rows in all, such as `1` (3 times)".into()));
    assert_eq!(found[2], (false, "1 row with another value, such as `x`".into()));
    assert_eq!(found[3], (true, "the newest is of the end of 2026-11-22".into()));
    assert_eq!(found[4], (false, "3 rows outside, such as `2026-11-21`, `2026-11-22`, `x`".into()));
    assert!(found[5].0);
}

#[test]
fn the_null_partition_is_null() {
    let root = tempfile::tempdir().unwrap();
    let objects = [write(root.path(), "p=__HIVE_DEFAULT_PARTITION__/a.parquet", vec![ints("id", &[Some(4)])])];
    let found = run(root.path(), &["p"], &objects, vec![Check::NotNull(names(&["p"]))]).remove(0);
    fails(found, "`p` is null in 1 of 1 row, such as `id 4`");
}

#[test]
fn values_outside_a_range_are_shown_and_nan_is_outside() {
    let scores = || vec![ints("score", &[Some(-2), None, Some(10)])];
    passes(one(scores(), range("score", Some(-2.0), Some(10.0))), "from -2 to 10");
    fails(one(scores(), range("score", Some(-1.0), Some(10.0))), "1 row outside, such as `-2`");
    let shares = || vec![floats("share", &[Some(0.0), Some(1.0), Some(f64::NAN), None, Some(f64::INFINITY)])];
    fails(one(shares(), range("share", None, None)), "1 row outside, such as `NaN`");
    fails(one(shares(), range("share", Some(0.0), Some(1.0))), "2 rows outside, such as `NaN`, `inf`");
    passes(
        one(vec![floats("share", &[Some(0.5)])], range("share", Some(0.0), Some(1.0))),
        "all values of 1 row within",
    );
    fails(one(vec![texts("t", &[Some("1")])], range("t", None, None)), "`t` is `string`, but a range needs numbers");
}

#[test]
fn values_that_are_not_accepted_are_shown_once_each() {
    let accepted = Check::Accepted { column: "kind".into(), values: names(&["a", "b"]) };
    let kinds = [Some("a"), None, Some("c"), Some("c"), Some("d"), Some("e"), Some("f")];
    fails(one(vec![texts("kind", &kinds)], accepted.clone()), "5 rows with another value, such as `c`, `d`, `e`");
    passes(one(vec![texts("kind", &kinds[..2])], accepted), "nothing else in 2 rows");
    let numbers = Check::Accepted { column: "n".into(), values: names(&["1"]) };
    fails(one(vec![ints("n", &[Some(1), Some(2)])], numbers), "1 row with another value, such as `2`");
}

#[test]
fn freshness_is_measured_to_the_end_of_the_logical_date() {
    let at = || vec![moments("at", &["2026-11-20T00:00:00Z", "2026-11-22T12:00:00Z"])];
    passes(one(at(), fresh("at", 12)), "the newest is 2026-11-22T12:00:00Z, 12h before the end of 2026-11-22");
    fails(one(at(), fresh("at", 11)), "the newest is 2026-11-22T12:00:00Z, 12h before the end of 2026-11-22");
    fails(
        one(vec![ints("at", &[Some(1)])], fresh("at", 1)),
        "`at` is `bigint`, but freshness needs a date or a timestamp",
    );
    fails(run(Path::new("/"), &[], &[], vec![fresh("at", 1)]).remove(0), "no date or timestamp in `at`");
}

#[test]
fn freshness_reads_what_spark_wrote() {
    let root = tempfile::tempdir().unwrap();
    let objects = [write_int96(root.path(), "a.parquet", "at", &["2026-11-22T23:00:00.5Z", "2300-01-01T00:00:00Z"])];
    let found = run(root.path(), &[], &objects, vec![fresh("at", 0)]).remove(0);
    passes(found, "the newest is 2300-01-01T00:00:00Z, after the end of 2026-11-22");
}

#[test]
fn a_column_that_is_not_there_fails_with_advice() {
    let columns = || vec![ints("question_id", &[Some(1)])];
    let found = one(columns(), Check::NotNull(names(&["question_idd"])));
    fails(found, "the table has no column `question_idd`: did you mean `question_id`?");
    let found = one(columns(), Check::Unique(names(&["xyz"])));
    fails(found, "the table has no column `xyz`: it has `question_id`");
}

#[test]
fn nothing_landed_breaks_no_rule_about_rows() {
    let found = run(Path::new("/"), &["m"], &[], vec![Check::Unique(names(&["id"])), Check::RowsAtLeast(1)]);
    assert_eq!(found, [(true, "no rows landed".into()), (false, "0 rows landed".into())]);
}
