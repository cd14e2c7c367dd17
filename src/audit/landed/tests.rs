use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, ListArray, StructArray, TimestampNanosecondArray};
use arrow::datatypes::{Field, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;

use super::*;
use crate::audit::testing::{
    Named, block_on, floats, ints, listed, moments, object, texts, upload, write, write_blind, write_int96, write_with,
};
use crate::store::testing::{BUCKET, Bucket};
use crate::store::{FileStore, Store};

/// Reads the files twice, on this machine and in a bucket: wherever they are, they say the same.
fn land(root: &Path, partition_by: &[&str], objects: &[Object]) -> Result<Landed> {
    let by: Vec<String> = partition_by.iter().map(ToString::to_string).collect();
    let (here, there) = (Uri::from_path(root), Uri::in_bucket(BUCKET, "t"));
    block_on(async {
        let bucket = Bucket::start().await;
        let uploaded = upload(&bucket, root, objects);
        let files: Arc<dyn Store> = Arc::new(FileStore);
        let found = read(&Reader::new(files), &here, &by, &[], objects).await.map(|opened| opened.landed);
        let remote =
            read(&Reader::new(bucket.store.clone()), &there, &by, &[], &uploaded).await.map(|opened| opened.landed);
        match (&found, &remote) {
            (Ok(found), Ok(remote)) => assert_eq!(found, remote),
            (Err(found), Err(remote)) => {
                assert_eq!(found.message.replace(here.as_str(), there.as_str()), remote.message);
                assert_eq!(found.kind, remote.kind);
            }
            _ => panic!("{found:?} on this machine, {remote:?} in a bucket"),
        }
        found
    })
}

fn one(columns: Vec<Named>) -> Landed {
    let root = tempfile::tempdir().unwrap();
    let objects = [write(root.path(), "a.parquet", columns)];
    land(root.path(), &[], &objects).unwrap()
}

fn kinds(landed: &Landed) -> Vec<(&str, &str)> {
    landed.schema.iter().map(|column| (column.name.as_str(), column.kind.as_str())).collect()
}

#[test]
fn rows_bytes_and_files_are_counted_by_partition() {
    let root = tempfile::tempdir().unwrap();
    let objects = [
        write(root.path(), "m=2026-10/a.parquet", vec![ints("id", &[Some(1), Some(2)])]),
        write(root.path(), "m=2026-09/a.parquet", vec![ints("id", &[Some(3)])]),
        write(root.path(), "m=2026-10/b.parquet", vec![ints("id", &[None])]),
    ];
    let landed = land(root.path(), &["m"], &objects).unwrap();
    assert_eq!((landed.rows, landed.files), (4, 3));
    assert_eq!(landed.bytes, objects.iter().map(|object| object.bytes).sum::<u64>());
    let parts: Vec<_> =
        landed.partitions.iter().map(|part| (part.values["m"].as_str(), part.rows, part.files)).collect();
    assert_eq!(parts, [("2026-09", 1, 1), ("2026-10", 3, 2)]);
    let id = &landed.schema[0];
    assert_eq!((id.nulls, &id.min, &id.max), (Some(1), &Some(Bound::Int(1)), &Some(Bound::Int(3))));
    assert_eq!(serde_json::from_str::<Landed>(&serde_json::to_string(&landed).unwrap()).unwrap(), landed);
}

#[test]
fn nothing_landed_is_empty() {
    assert_eq!(land(Path::new("/lake"), &["m"], &[]).unwrap(), Landed::default());
    let nothing = one(vec![ints("id", &[])]);
    assert_eq!((nothing.rows, nothing.files, nothing.partitions.len(), nothing.schema.len()), (0, 1, 1, 1));
}

#[test]
fn moments_are_timestamps_whoever_wrote_them() {
    let root = tempfile::tempdir().unwrap();
    let nanos: ArrayRef =
        Arc::new(TimestampNanosecondArray::from(vec![1_763_000_000_000_000_000]).with_timezone("UTC"));
    let objects = [
        write(root.path(), "sail.parquet", vec![moments("at", &["2026-11-22T00:00:00Z"])]),
        write_int96(root.path(), "spark.parquet", "at", &["1600-01-01T00:00:00Z"]),
        write(root.path(), "other.parquet", vec![("at", nanos)]),
    ];
    let landed = land(root.path(), &[], &objects).unwrap();
    assert_eq!(kinds(&landed), [("at", "timestamp")]);
    let local: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![0]));
    assert_eq!(kinds(&one(vec![("at", local)])), [("at", "timestamp_ntz")]);
}

#[test]
fn types_are_those_of_spark() {
    let dictionary: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)]), None, Some(vec![])]);
    let columns: Vec<Named> = vec![("tag", Arc::new(dictionary)), ("ids", Arc::new(list)), floats("x", &[None; 3])];
    let landed = one(columns);
    assert_eq!(kinds(&landed), [("tag", "string"), ("ids", "array<bigint>"), ("x", "double")]);
    assert_eq!(landed.schema[1].nulls, None, "a footer counts the nulls of the items, not of the list");
    assert_eq!((landed.schema[2].nulls, &landed.schema[2].min), (Some(3), &None));
}

#[test]
fn bounds_cover_all_row_groups_and_files_or_are_unknown() {
    let root = tempfile::tempdir().unwrap();
    let small = || WriterProperties::builder().set_max_row_group_row_count(Some(1)).build();
    let at = |at: &[&str]| vec![moments("at", at)];
    let a = write_with(root.path(), "a.parquet", at(&["2026-11-22T00:00:00.5Z", "2026-11-22T00:00:00Z"]), small());
    let b = write(root.path(), "b.parquet", at(&["2026-11-21T00:00:00Z"]));
    let c = write_blind(root.path(), "c.parquet", at(&["2026-11-30T00:00:00Z"]));
    let landed = land(root.path(), &[], &[a.clone(), b.clone()]).unwrap();
    assert_eq!(landed.schema[0].min, Some(Bound::Text("2026-11-21T00:00:00.000000Z".into())));
    assert_eq!(landed.schema[0].max, Some(Bound::Text("2026-11-22T00:00:00.500000Z".into())));
    for objects in [[c.clone(), a.clone()], [a, c]] {
        let blind = land(root.path(), &[], &objects).unwrap();
        assert_eq!((&blind.schema[0].max, blind.schema[0].nulls), (&None, None));
    }
}

#[test]
fn a_file_of_nulls_leaves_the_bounds_of_the_others() {
    let root = tempfile::tempdir().unwrap();
    let a = write(root.path(), "a.parquet", vec![texts("t", &[None, None])]);
    let b = write(root.path(), "b.parquet", vec![texts("t", &[Some("x"), Some("é"), None])]);
    for objects in [[a.clone(), b.clone()], [b, a]] {
        let column = land(root.path(), &[], &objects).unwrap().schema.remove(0);
        assert_eq!(
            (column.nulls, column.min, column.max),
            (Some(3), Some(Bound::Text("x".into())), Some(Bound::Text("é".into())))
        );
    }
}

#[test]
fn bounds_of_fractions_have_no_negative_zero_and_no_nan() {
    let column = one(vec![floats("x", &[Some(0.0), Some(f64::NAN), Some(2.5)])]).schema.remove(0);
    assert_eq!(serde_json::to_string(&(column.min, column.max)).unwrap(), "[0.0,2.5]");
}

#[test]
fn long_texts_are_not_recorded() {
    let long = "x".repeat(100);
    assert_eq!(one(vec![texts("body", &[Some(long.as_str())])]).schema[0].max, None);
}

#[test]
fn files_with_different_columns_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let int: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let a = write(root.path(), "a.parquet", vec![ints("id", &[Some(1)]), ints("n", &[Some(1)])]);
    for (columns, expected) in [
        (vec![ints("id", &[Some(1)]), ("n", int)], "`n` is `bigint` in `{a}`, but `int` in `{b}`"),
        (vec![ints("id", &[Some(1)])], "`{a}` has a column `n`, `{b}` has not"),
        (
            vec![ints("id", &[Some(1)]), ints("n", &[Some(1)]), ints("z", &[Some(1)])],
            "`{b}` has a column `z`, `{a}` has not",
        ),
        (vec![ints("n", &[Some(1)]), ints("id", &[Some(1)])], "where `{a}` has the column `id`, `{b}` has `n`"),
    ] {
        let b = write(root.path(), "b.parquet", columns);
        let error = land(root.path(), &[], &[a.clone(), b]).unwrap_err();
        let path = |name: &str| Uri::from_path(&root.path().join(name)).to_string();
        let expected = expected.replace("{a}", &path("a.parquet")).replace("{b}", &path("b.parquet"));
        assert_eq!((error.kind, error.message), (Kind::Audit, format!("the files of one table differ: {expected}")));
    }
}

#[test]
fn a_broken_file_is_named() {
    let root = tempfile::tempdir().unwrap();
    let whole = write(root.path(), "whole.parquet", vec![ints("id", &[Some(1)])]);
    let bytes = fs_err::read(root.path().join("whole.parquet")).unwrap();
    for (name, content) in
        [("cut.parquet", &bytes[..bytes.len() - 5]), ("empty.parquet", &[]), ("text.parquet", b"not parquet at all")]
    {
        let path = root.path().join(name);
        fs_err::write(&path, content).unwrap();
        let error = land(root.path(), &[], &[whole.clone(), listed(&path)]).unwrap_err();
        let expected = format!("`{}` cannot be read as Parquet", Uri::from_path(&path));
        assert_eq!((error.kind, error.message), (Kind::Audit, expected));
    }
    let gone = object(root.path().join("gone.parquet").to_str().unwrap(), 100);
    let error = land(root.path(), &[], &[gone]).unwrap_err();
    assert_eq!(error.kind, Kind::Audit);
    assert!(error.message.ends_with("gone.parquet` was removed or replaced while it was audited"), "{error}");
}

#[test]
fn a_partition_column_inside_a_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let objects = [write(root.path(), "m=1/a.parquet", vec![ints("id", &[Some(1)]), texts("m", &[Some("1")])])];
    let error = land(root.path(), &["m"], &objects).unwrap_err();
    assert!(error.message.ends_with("has the partition column `m` inside"), "{error}");
}

#[test]
fn names_that_a_catalog_cannot_tell_apart_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let struct_of = |names: [&'static str; 2]| -> ArrayRef {
        let field = |name| (Arc::new(Field::new(name, DataType::Int64, true)), ints("x", &[Some(1)]).1);
        Arc::new(StructArray::from(names.map(field).to_vec()))
    };
    let refused = |below: &str, by: &[&str], columns: Vec<Named>| {
        let object = write(root.path(), below, columns);
        land(root.path(), by, &[object]).map(drop)
    };
    for (below, by, columns, names) in [
        ("a.parquet", &[][..], vec![ints("id", &[Some(1)]), ints("Id", &[Some(1)])], "`id` and `Id` in"),
        ("Tag=x/b.parquet", &["Tag"], vec![ints("tag", &[Some(1)])], "`tag` and `Tag` in"),
        ("c.parquet", &[], vec![("s", struct_of(["a", "A"]))], "`a` and `A` in"),
    ] {
        let error = refused(below, by, columns).unwrap_err();
        assert!(error.kind == Kind::Audit && error.message.starts_with(names), "{error}");
    }
    refused("d.parquet", &[], vec![ints("a", &[Some(1)]), ("s", struct_of(["a", "b"]))]).unwrap();
}

#[test]
fn a_table_without_rows_has_the_columns_that_its_step_left() {
    let root = tempfile::tempdir().unwrap();
    let left = write(root.path(), "m=1/_schema/columns.parquet", vec![ints("id", &[None]), texts("m", &[None])]);
    let landed = land(root.path(), &["m"], std::slice::from_ref(&left)).unwrap();
    assert_eq!((kinds(&landed), landed.rows, landed.files), (vec![("id", "bigint")], 0, 0));
    // Where there are rows, their files say more.
    let file = write(root.path(), "m=1/a.parquet", vec![ints("n", &[Some(1)])]);
    let landed = land(root.path(), &["m"], &[left, file]).unwrap();
    assert_eq!((kinds(&landed), landed.rows, landed.files), (vec![("n", "bigint")], 1, 1));
}
