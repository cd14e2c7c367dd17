use std::path::Path;
use std::sync::Arc;

use arrow::array::{DictionaryArray, Float32Array, Int32Array, LargeStringArray, ListArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type};
use proptest::prelude::*;

use super::*;
use crate::audit::Reader;
use crate::audit::testing::{Named, block_on, floats, ints, moments, texts, write, write_int96};
use crate::error::{Kind, Result};
use crate::names::{PartitionValues, parse_partition_path};
use crate::store::{FileStore, Object};

/// Files to be, by path below the side's folder.
type Files = Vec<(&'static str, Vec<Named>)>;

fn side<'a>(root: &Path, name: &'a str, files: Files) -> Side<'a> {
    let root = root.join(name);
    of(name, files.into_iter().map(|(below, columns)| (write(&root, below, columns), values(below))).collect())
}

fn of(name: &str, files: Vec<(Object, PartitionValues)>) -> Side<'_> {
    Side { name, reader: Reader::new(Arc::new(FileStore)), files }
}

fn values(below: &str) -> PartitionValues {
    match below.rsplit_once('/') {
        Some((directory, _)) => {
            let (column, _) = directory.split_once('=').unwrap();
            parse_partition_path(&[column.to_string()], directory).unwrap()
        }
        None => PartitionValues::new(),
    }
}

fn try_diff(left: Files, right: Files, key: &[&str], ignore: &[&str]) -> Result<TableDiff> {
    let root = tempfile::tempdir().unwrap();
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (left, right) = (side(root.path(), "sail", left), side(root.path(), "spark", right));
    block_on(compare(&left, &right, &owned(key), &owned(ignore), 1e-9))
}

fn diff(left: Files, right: Files, key: &[&str]) -> TableDiff {
    try_diff(left, right, key, &[]).unwrap()
}

fn files(left: Vec<Named>, right: Vec<Named>) -> (Files, Files) {
    (vec![("a.parquet", left)], vec![("a.parquet", right)])
}

fn id(values: &[i64]) -> Named {
    ints("id", &values.iter().copied().map(Some).collect::<Vec<_>>())
}

#[test]
fn rows_match_by_key_in_any_order_and_any_files() {
    let left = vec![("a.parquet", vec![id(&[1, 2, 3]), texts("t", &[Some("x"), None, Some("z")])])];
    let right = vec![
        ("b.parquet", vec![id(&[3]), texts("t", &[Some("z")])]),
        ("c.parquet", vec![id(&[2, 1]), texts("t", &[None, Some("x")])]),
    ];
    let diff = diff(left, right, &["id"]);
    assert!(diff.is_equal(), "{diff:?}");
    assert_eq!((diff.rows_left, diff.rows_right), (3, 3));
    assert_eq!(describe("questions", &diff), "questions: equal, 3 rows\n");
}

#[test]
fn differences_are_told_with_key_column_and_both_values() {
    let (left, right) = files(
        vec![id(&[1, 2, 3]), floats("score", &[Some(1.0), Some(0.5), None]), ints("n", &[Some(1), None, Some(3)])],
        vec![id(&[3, 2, 4]), floats("score", &[Some(0.0), Some(0.25), None]), ints("n", &[Some(3), None, Some(4)])],
    );
    let diff = diff(left, right, &["id"]);
    assert!(!diff.is_equal());
    let text = "\
questions: different, sail has 3 rows, spark has 3 rows
  1 row only in sail
    id 1
  1 row only in spark
    id 4
  column `score` differs in 2 rows
    id 2
      sail   0.5
      spark  0.25
    id 3
      sail   null
      spark  0.0
";
    assert_eq!(describe("questions", &diff), text);
    assert_eq!(serde_json::from_str::<TableDiff>(&serde_json::to_string(&diff).unwrap()).unwrap(), diff);
}

#[test]
fn numbers_are_equal_within_the_tolerance() {
    use super::equal::close;
    for (a, b) in [(1.0, 1.0 + 1e-10), (1e20, 1e20 + 1e9), (0.0, 1e-10), (0.0, -0.0), (f64::NAN, -f64::NAN)] {
        assert!(close(a, b, 1e-9), "{a} {b}");
    }
    let infinity = f64::INFINITY;
    for (a, b) in [(1.0, 1.0 + 1e-8), (1e20, 1.001e20), (infinity, 1.0), (infinity, -infinity), (f64::NAN, 1.0)] {
        assert!(!close(a, b, 1e-9), "{a} {b}");
    }
    assert!(close(infinity, infinity, 1e-9));
}

#[test]
fn how_values_are_stored_is_no_difference() {
    let dictionary: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
    let nanos = TimestampNanosecondArray::from(vec![1_000_000_000, 2_000_000_000]).with_timezone("UTC");
    let (left, right) = files(
        vec![id(&[1, 2]), ("t", Arc::new(dictionary)), ("at", Arc::new(nanos))],
        vec![
            id(&[2, 1]),
            ("t", Arc::new(LargeStringArray::from(vec!["b", "a"]))),
            moments("at", &["1970-01-01T00:00:02Z", "1970-01-01T00:00:01Z"]),
        ],
    );
    let diff = diff(left, right, &["id"]);
    assert!(diff.is_equal(), "{diff:?}");
}

#[test]
fn moments_of_spark_and_sail_are_compared() {
    let root = tempfile::tempdir().unwrap();
    let at = ["1600-02-29T00:00:00.000001Z", "2026-11-22T12:00:00Z"];
    let sail = side(root.path(), "sail", vec![("a.parquet", vec![moments("at", &at)])]);
    let compare_with = |at: &[&str]| {
        let spark = of("spark", vec![(write_int96(root.path(), "spark.parquet", "at", at), PartitionValues::new())]);
        block_on(compare(&sail, &spark, &[], &[], 1e-9)).unwrap()
    };
    let same = compare_with(&at);
    assert!(same.is_equal(), "{same:?}");
    let other = compare_with(&["1600-02-29T00:00:00.000001Z", "2026-11-22T12:00:01Z"]);
    assert_eq!(other.only_left.examples, ["2026-11-22T12:00:00Z"]);
    assert_eq!(other.only_right.examples, ["2026-11-22T12:00:01Z"]);
}

#[test]
fn columns_that_are_missing_or_of_another_type_are_told() {
    let narrow: Named = ("n", Arc::new(Int32Array::from(vec![7, 8])));
    let (left, right) = files(
        vec![id(&[1, 2]), ints("n", &[Some(7), Some(9)]), texts("old", &[None, None]), texts("kind", &[None, None])],
        vec![id(&[1, 2]), narrow, ints("kind", &[None, None]), texts("new", &[None, None])],
    );
    let diff = diff(left, right, &["id"]);
    let schema: Vec<_> =
        diff.schema.iter().map(|s| (s.column.as_str(), s.left.as_deref(), s.right.as_deref())).collect();
    let expected = [
        ("n", Some("bigint"), Some("int")),
        ("old", Some("string"), None),
        ("kind", Some("string"), Some("bigint")),
        ("new", None, Some("string")),
    ];
    assert_eq!(schema, expected);
    assert_eq!(diff.columns.len(), 1, "integers of two widths are still compared by value");
    assert_eq!((diff.columns[0].examples[0].left.as_str(), diff.columns[0].examples[0].right.as_str()), ("9", "8"));
    let text = describe("t", &diff);
    assert!(text.contains("  column `n` is `bigint` in sail, but `int` in spark\n"), "{text}");
    assert!(text.contains("  column `new` (string) is only in spark\n"), "{text}");
}

#[test]
fn ignored_columns_do_not_count() {
    let (left, right) = files(
        vec![id(&[1]), texts("run", &[Some("a")]), texts("only", &[None])],
        vec![id(&[1]), texts("run", &[Some("b")])],
    );
    assert!(try_diff(left, right, &["id"], &["run", "only"]).unwrap().is_equal());
}

#[test]
fn the_order_inside_a_list_matters_and_its_numbers_have_the_tolerance() {
    let list = |items: &[f64]| -> Vec<Named> {
        let lists = [Some(items.iter().copied().map(Some).collect::<Vec<_>>()), None, Some(vec![])];
        vec![id(&[1, 2, 3]), ("xs", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists)))]
    };
    let compared = |items: &[f64]| {
        let (left, right) = files(list(&[1.0, 2.0]), list(items));
        diff(left, right, &["id"])
    };
    assert!(compared(&[1.0, 2.0 + 1e-12]).is_equal());
    let other = compared(&[2.0, 1.0]);
    assert_eq!(other.columns[0].rows, 1);
    assert_eq!(other.columns[0].examples[0].left, "[1.0, 2.0]");
    assert!(!compared(&[1.0]).is_equal());
}

#[test]
fn files_after_the_last_wanted_row_are_not_read() {
    let root = tempfile::tempdir().unwrap();
    let side = side(root.path(), "sail", vec![("a.parquet", vec![id(&[1, 2])]), ("b.parquet", vec![id(&[3])])]);
    fs_err::remove_file(root.path().join("sail/b.parquet")).unwrap();
    let columns = [Arc::new(Field::new("id", DataType::Int64, true))];
    assert_eq!(block_on(side.pick(&columns, &[1])).unwrap().num_rows(), 1);
    assert!(block_on(side.pick(&columns, &[2])).is_err());
}

#[test]
fn repeated_keys_are_told_and_paired_by_value() {
    let columns = |ids: &[i64], n: &[Option<i64>]| vec![id(ids), ints("n", n)];
    let (left, right) = files(
        columns(&[1, 1, 1, 2], &[Some(5), Some(6), Some(7), Some(1)]),
        columns(&[1, 2, 1], &[Some(7), Some(1), Some(5)]),
    );
    let diff = diff(left, right, &["id"]);
    assert_eq!((diff.repeated_left.count, diff.repeated_right.count), (1, 1));
    assert_eq!((diff.only_left.count, diff.only_right.count, diff.columns.len()), (1, 0, 0));
    assert!(describe("t", &diff).contains("  1 key has more than one row in sail\n    id 1\n"));
}

#[test]
fn without_a_key_rows_are_a_multiset() {
    let columns = |tags: &[Option<&str>], xs: &[Option<f64>]| vec![texts("tag", tags), floats("x", xs)];
    let (a, b) = (Some("a"), Some("b"));
    let left = || columns(&[a, a, b, None], &[Some(1.0), Some(2.0), Some(f64::NAN), None]);
    let (one, two) = files(left(), columns(&[None, b, a, a], &[None, Some(f64::NAN), Some(2.0 + 1e-12), Some(1.0)]));
    let same = diff(one, two, &[]);
    assert!(same.is_equal(), "{same:?}");
    let (one, two) = files(left(), columns(&[None, b, a, b], &[None, Some(f64::NAN), Some(2.0), Some(1.0)]));
    let other = diff(one, two, &[]);
    assert_eq!(other.only_left.examples, ["a, 1.0"]);
    assert_eq!((other.only_right.count, other.columns.len()), (1, 0));
    let (one, two) = files(vec![id(&[1, 1, 2])], vec![id(&[1, 2, 2])]);
    let counted = diff(one, two, &[]);
    assert_eq!((counted.only_left.examples, counted.only_right.examples), (vec!["1".into()], vec!["2".into()]));
}

#[test]
fn single_precision_is_compared_too() {
    let column = |x: f32| -> Vec<Named> { vec![id(&[1]), ("x", Arc::new(Float32Array::from(vec![x])))] };
    let (left, right) = files(column(0.0), column(-0.0));
    assert!(diff(left, right, &["id"]).is_equal());
    let (left, right) = files(column(1.0), column(1.5));
    assert_eq!(diff(left, right, &["id"]).columns[0].rows, 1);
}

#[test]
fn a_row_in_another_partition_differs_there_and_is_still_compared() {
    let row = |ids: &[i64], n: &[i64]| vec![id(ids), ints("n", &n.iter().copied().map(Some).collect::<Vec<_>>())];
    let left = || vec![("m=1/a.parquet", row(&[1, 2], &[10, 20])), ("m=2/a.parquet", row(&[3], &[30]))];
    let right = || vec![("m=1/a.parquet", row(&[1], &[10])), ("m=2/b.parquet", row(&[3, 2, 4], &[30, 21, 40]))];
    let moved = diff(left(), right(), &["id"]);
    assert_eq!((moved.only_left.count, moved.only_right.examples.as_slice()), (0, ["4".to_string()].as_slice()));
    let told: Vec<_> = moved.columns.iter().map(|column| (column.column.as_str(), &column.examples[0])).collect();
    let example = |left: &str, right: &str| Example { key: "2".into(), left: left.into(), right: right.into() };
    assert_eq!(told, [("n", &example("20", "21")), ("m", &example("1", "2"))]);
    // With the partition in the key it is another row.
    let apart = diff(left(), right(), &["m", "id"]);
    assert_eq!((apart.only_left.examples, apart.only_right.count), (vec!["1, 2".to_string()], 2));
    let ignored = try_diff(left(), right(), &["id"], &["m"]).unwrap();
    assert_eq!(ignored.columns.iter().map(|column| column.column.as_str()).collect::<Vec<_>>(), ["n"]);
}

#[test]
fn partitioning_may_differ_between_the_sides() {
    let left = vec![("m=1/a.parquet", vec![id(&[1])]), ("m=2/a.parquet", vec![id(&[2])])];
    let right = vec![("a.parquet", vec![id(&[2, 1]), texts("m", &[Some("2"), Some("3")])])];
    let diff = diff(left, right, &["id"]);
    assert_eq!((diff.only_left.count, diff.schema.len()), (0, 0));
    assert_eq!((diff.columns[0].column.as_str(), diff.columns[0].rows), ("m", 1));
}

#[test]
fn a_side_without_files_lacks_rows_and_not_columns() {
    let diff = diff(vec![("a.parquet", vec![id(&[1, 2])])], vec![], &["id"]);
    assert_eq!((diff.only_left.count, diff.schema.len(), diff.rows_right), (2, 0, 0));
    assert!(try_diff(vec![], vec![], &["id"], &[]).unwrap().is_equal());
}

#[test]
fn tables_without_a_column_in_common_are_counted() {
    let (left, right) = files(vec![ints("a", &[Some(1), Some(2)])], vec![ints("b", &[Some(1)])]);
    let diff = diff(left, right, &[]);
    assert_eq!((diff.rows_left, diff.rows_right, diff.only_left.count), (2, 1, 1));
    assert_eq!(diff.schema.len(), 2);
}

#[test]
fn a_key_that_is_not_there_is_an_error() {
    let (left, right) = files(vec![id(&[1])], vec![ints("other", &[Some(1)])]);
    assert_eq!(try_diff(left, right, &["id"], &[]).unwrap_err().kind, Kind::Usage);
}

/// A row: key, number, text.
type Row = (i64, Option<f64>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let number = proptest::option::of(prop_oneof![-1e6..1e6, Just(f64::NAN), Just(0.0)]);
    let row = (number, proptest::option::of("[a-c]{0,2}"));
    proptest::collection::vec(row, 1..40)
        .prop_map(|rows| rows.into_iter().enumerate().map(|(key, (x, t))| (key as i64, x, t)).collect())
}

fn columns(rows: &[Row]) -> Vec<Named> {
    vec![
        id(&rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        floats("x", &rows.iter().map(|row| row.1).collect::<Vec<_>>()),
        texts("t", &rows.iter().map(|row| row.2.as_deref()).collect::<Vec<_>>()),
    ]
}

fn saved(root: &Path, name: &'static str, rows: &[Row]) -> Side<'static> {
    of(name, vec![(write(root, &format!("{name}/a.parquet"), columns(rows)), PartitionValues::new())])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_rows_is_no_difference((rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))) {
        let root = tempfile::tempdir().unwrap();
        let (left, right) = (saved(root.path(), "left", &rows), saved(root.path(), "right", &shuffled));
        for key in [vec![], vec!["id".to_string()]] {
            let diff = block_on(compare(&left, &right, &key, &[], 1e-9)).unwrap();
            prop_assert!(diff.is_equal(), "{:?}", diff);
        }
    }

    #[test]
    fn a_changed_cell_is_always_found(rows in rows(), at in any::<prop::sample::Index>(), cell in 0_usize..3) {
        let mut changed = rows.clone();
        let row = at.get(&rows).0 as usize;
        match cell {
            0 => changed[row].0 = -1,
            1 => changed[row].1 = match rows[row].1 { Some(x) if x.is_finite() => Some(x + 0.5 + x.abs() * 1e-6), _ => Some(1.0) },
            _ => changed[row].2 = Some("other".into()),
        }
        let root = tempfile::tempdir().unwrap();
        let (left, right) = (saved(root.path(), "left", &rows), saved(root.path(), "right", &changed));
        for key in [vec![], vec!["id".to_string()]] {
            let diff = block_on(compare(&left, &right, &key, &[], 1e-9)).unwrap();
            prop_assert!(!diff.is_equal());
            if cell > 0 && !key.is_empty() {
                let name = ["id", "x", "t"][cell];
                prop_assert_eq!((diff.columns.len(), diff.columns[0].column.as_str(), diff.columns[0].rows), (1, name, 1));
                prop_assert_eq!(&diff.columns[0].examples[0].key, &row.to_string());
            }
        }
    }
}
