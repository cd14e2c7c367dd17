use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parquet::file::properties::WriterProperties;

use super::*;
use crate::audit::parquet_file::ParquetFile;
use crate::audit::testing::{Named, block_on, ints, texts, upload, write, write_with};
use crate::audit::{Finding, Opened, Subject, check, read};
use crate::job::{Check, Table, Update};
use crate::store::FileStore;
use crate::store::testing::{BUCKET, Bucket};

fn there() -> Uri {
    Uri::in_bucket(BUCKET, "t")
}

async fn open(bucket: &Bucket, objects: &[Object]) -> Result<Opened> {
    read(&Reader::new(bucket.store.clone()), &there(), &[], &[], objects).await
}

async fn checked(opened: Opened, checks: Vec<Check>) -> Result<Vec<Finding>> {
    let table = Table { description: String::new(), key: vec![], partition_by: vec![], update: Update::Merge, checks };
    let date = jiff::civil::date(2026, 11, 22);
    check(Subject { table, opened, before: None, after: 0, date }).await
}

fn unique(columns: &[&str]) -> Vec<Check> {
    vec![Check::Unique(columns.iter().map(ToString::to_string).collect())]
}

/// Writes columns as they are, a row group for every two rows.
fn plain(root: &Path, name: &str, columns: Vec<Named>) -> Object {
    let plain = WriterProperties::builder().set_dictionary_enabled(false).set_max_row_group_row_count(Some(2));
    write_with(root, name, columns, plain.build())
}

/// Two row groups; the column in their middle takes 1.2 MiB in each.
fn wide(root: &Path, name: &str) -> Object {
    let long = "x".repeat(600 << 10);
    let few = [Some(1), Some(2), Some(3), Some(4)];
    let columns = vec![ints("a", &few), ints("b", &few), texts("long", &[Some(long.as_str()); 4]), ints("z", &few)];
    plain(root, name, columns)
}

fn ranges(bucket: &Bucket) -> Vec<Range<u64>> {
    bucket.reads().into_iter().map(|(_, range)| range).collect()
}

#[test]
fn a_footer_is_read_at_once_from_the_end() {
    let root = tempfile::tempdir().unwrap();
    let objects: Vec<Object> = (0..3).map(|n| wide(root.path(), &format!("{n}.parquet"))).collect();
    block_on(async {
        let bucket = Bucket::start().await;
        let opened = open(&bucket, &upload(&bucket, root.path(), &objects)).await.unwrap();
        assert_eq!((opened.landed.rows, opened.landed.files), (12, 3));
        let mut reads = bucket.reads();
        reads.sort_by(|a, b| a.0.cmp(&b.0));
        let tail = |(n, object): (usize, &Object)| (format!("t/{n}.parquet"), object.bytes - TAIL..object.bytes);
        assert_eq!(reads, objects.iter().enumerate().map(tail).collect::<Vec<_>>());
    });
}

#[test]
fn a_long_footer_takes_a_second_read() {
    let root = tempfile::tempdir().unwrap();
    let names: Vec<&'static str> = (0..900).map(|n| &*format!("column_{n}").leak()).collect();
    let object = write(root.path(), "a.parquet", names.iter().map(|name| ints(name, &[Some(1)])).collect());
    let body = fs_err::read(root.path().join("a.parquet")).unwrap();
    let length = u32::from_le_bytes(body[body.len() - 8..body.len() - 4].try_into().unwrap());
    let footer = body.len() as u64 - 8 - u64::from(length);
    block_on(async {
        let bucket = Bucket::start().await;
        let opened = open(&bucket, &upload(&bucket, root.path(), &[object])).await.unwrap();
        assert_eq!(opened.landed.schema.len(), 900);
        let tail = body.len() as u64 - TAIL;
        assert!(footer < tail);
        assert_eq!(ranges(&bucket), [tail..body.len() as u64, footer..body.len() as u64 - 8]);
    });
}

#[test]
fn only_the_chunks_of_the_columns_are_read_neighbours_together() {
    let root = tempfile::tempdir().unwrap();
    let object = wide(root.path(), "a.parquet");
    let local = block_on(ParquetFile::open(&object, &Reader::new(Arc::new(FileStore)))).unwrap();
    let chunk = |group: usize, column: usize| {
        let (start, length) = local.metadata().row_group(group).column(column).byte_range();
        start..start + length
    };
    block_on(async {
        let bucket = Bucket::start().await;
        let objects = upload(&bucket, root.path(), &[object]);
        for (columns, expected) in [
            (&["a", "b"][..], vec![chunk(0, 0).start..chunk(0, 1).end, chunk(1, 0).start..chunk(1, 1).end]),
            (&["z"], vec![chunk(0, 3), chunk(1, 3)]),
            (&["z", "a"], vec![chunk(0, 0), chunk(0, 3), chunk(1, 0), chunk(1, 3)]),
        ] {
            let opened = open(&bucket, &objects).await.unwrap();
            bucket.reads();
            assert!(checked(opened, unique(columns)).await.unwrap()[0].passed);
            let mut read = ranges(&bucket);
            read.sort_by_key(|range| range.start);
            assert_eq!(read, expected, "{columns:?}");
        }
        let opened = open(&bucket, &objects).await.unwrap();
        bucket.reads();
        let not_null = Check::NotNull(vec!["a".into(), "long".into()]);
        assert!(checked(opened, vec![not_null]).await.unwrap()[0].passed);
        assert_eq!(ranges(&bucket), [], "the footers tell");
    });
}

#[test]
fn a_small_file_takes_one_read_for_all_checks() {
    let root = tempfile::tempdir().unwrap();
    let file = |n: i64| write(root.path(), &format!("{n:02}.parquet"), vec![ints("id", &[Some(n), Some(-1 - n)])]);
    let objects: Vec<Object> = (0..50).map(file).collect();
    block_on(async {
        let bucket = Bucket::start().await;
        let opened = open(&bucket, &upload(&bucket, root.path(), &objects)).await.unwrap();
        let checks = [unique(&["id"]), unique(&["id"])].concat();
        assert!(checked(opened, checks).await.unwrap().iter().all(|finding| finding.passed));
        assert_eq!(bucket.reads().len(), 50);
    });
}

#[test]
fn sixteen_objects_are_asked_for_at_once() {
    let root = tempfile::tempdir().unwrap();
    let file = |n: i64| write(root.path(), &format!("{n:02}.parquet"), vec![ints("id", &[Some(n)])]);
    let objects: Vec<Object> = (0..32).map(file).collect();
    block_on(async {
        let bucket = Bucket::start().await;
        let objects = upload(&bucket, root.path(), &objects);
        bucket.answer_together(REQUESTS);
        let opened = tokio::time::timeout(Duration::from_secs(60), open(&bucket, &objects)).await;
        assert_eq!(opened.unwrap().unwrap().landed.files, 32);
    });
}

#[test]
fn others_go_on_during_an_audit() {
    let root = tempfile::tempdir().unwrap();
    let ids: Vec<_> = (0..50_000).map(Some).collect();
    let few = |n: i64| write(root.path(), &format!("{n}.parquet"), vec![ints("id", &[Some(-1 - n)])]);
    let mut objects: Vec<Object> = (0..300).map(few).collect();
    objects.push(write(root.path(), "a.parquet", vec![ints("id", &ids)]));
    block_on(async {
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = ticks.clone();
        tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let here = Uri::from_path(root.path());
        let opened = read(&Reader::new(Arc::new(FileStore)), &here, &[], &[], &objects).await.unwrap();
        let before = ticks.load(Ordering::Relaxed);
        // Reads that are over when they are asked for wait for nobody; of more than 128 tokio lets others run in between.
        assert!(before > 0, "while footers are read");
        assert!(checked(opened, unique(&["id"])).await.unwrap()[0].passed);
        let batches = ids.len() / 8192;
        assert!(ticks.load(Ordering::Relaxed) >= before + batches, "after each batch");
    });
}

#[test]
fn an_object_replaced_or_removed_after_it_was_listed_is_named() {
    let root = tempfile::tempdir().unwrap();
    let objects = [wide(root.path(), "a.parquet"), wide(root.path(), "b.parquet")];
    let told = |name: &Uri, error: Error| {
        let expected = format!("`{name}` was removed or replaced while it was audited");
        assert_eq!((error.kind, error.message), (Kind::Audit, expected));
    };
    block_on(async {
        let bucket = Bucket::start().await;
        let uploaded = upload(&bucket, root.path(), &objects);
        let opened = open(&bucket, &uploaded).await.unwrap();
        let mut other = fs_err::read(root.path().join("b.parquet")).unwrap();
        other[4] ^= 1;
        bucket.put("t/b.parquet", other);
        told(&uploaded[1].uri, checked(opened, unique(&["z"])).await.unwrap_err());
        told(&uploaded[1].uri, open(&bucket, &uploaded).await.map(|_| ()).unwrap_err());
        bucket.remove(&uploaded[0]);
        told(&uploaded[0].uri, open(&bucket, &uploaded).await.map(|_| ()).unwrap_err());
    });
    let here = Uri::from_path(root.path());
    let open_here = async |objects: &[Object]| read(&Reader::new(Arc::new(FileStore)), &here, &[], &[], objects).await;
    let opened = block_on(open_here(&objects)).unwrap();
    plain(root.path(), "b.parquet", vec![ints("z", &[Some(1)])]);
    told(&objects[1].uri, block_on(checked(opened, unique(&["z"]))).unwrap_err());
    fs_err::remove_file(root.path().join("a.parquet")).unwrap();
    told(&objects[0].uri, block_on(open_here(&objects)).map(|_| ()).unwrap_err());
}

#[test]
fn answers_that_break_off_are_no_verdict_on_the_data() {
    let root = tempfile::tempdir().unwrap();
    let object = wide(root.path(), "a.parquet");
    block_on(async {
        let bucket = Bucket::start().await;
        let objects = upload(&bucket, root.path(), &[object]);
        bucket.cut(1);
        let opened = open(&bucket, &objects).await.unwrap();
        bucket.cut(usize::MAX);
        assert_eq!(checked(opened, unique(&["long"])).await.unwrap_err().kind, Kind::Machine);
    });
}

#[test]
fn a_footer_that_points_outside_of_its_file_is_broken() {
    let root = tempfile::tempdir().unwrap();
    wide(root.path(), "a.parquet");
    let body = fs_err::read(root.path().join("a.parquet")).unwrap();
    block_on(async {
        let bucket = Bucket::start().await;
        let objects = [bucket.put("t/a.parquet", body[body.len() / 2..].to_vec())];
        let error = open(&bucket, &objects).await.map(|_| ()).unwrap_err();
        assert_eq!((error.kind, &*error.message), (Kind::Audit, "`s3://lake/t/a.parquet` cannot be read as Parquet"));
        assert_eq!(bucket.reads().len(), 1);
    });
}

#[test]
fn bytes_in_memory_are_counted_until_their_row_group_is_done() {
    let root = tempfile::tempdir().unwrap();
    let object = wide(root.path(), "a.parquet");
    block_on(async {
        let reader = Reader::new(Arc::new(FileStore));
        let left = || reader.in_memory.available_permits() as u64 * UNIT;
        assert_eq!(left(), IN_MEMORY);
        let file = ParquetFile::open(&object, &reader).await.unwrap();
        let mut seen = 0;
        let see = |batch: arrow::array::RecordBatch| {
            seen += batch.num_rows();
            assert!((1200 << 10..1300 << 10).contains(&(IN_MEMORY - left())), "{} left", left());
            Ok(())
        };
        file.read(&["long".into()], &Default::default(), see).await.unwrap();
        assert_eq!((seen, left()), (4, IN_MEMORY));
        // What is between two columns is in memory as well when they are read together.
        let text = "x".repeat(200 << 10);
        let few = [Some(1), Some(2)];
        let columns = vec![ints("a", &few), texts("text", &[Some(text.as_str()); 2]), ints("z", &few)];
        let file = ParquetFile::open(&plain(root.path(), "b.parquet", columns), &reader).await.unwrap();
        let see = |_| {
            assert!((400 << 10..500 << 10).contains(&(IN_MEMORY - left())), "{} left", left());
            Ok(())
        };
        file.read(&["a".into(), "z".into()], &Default::default(), see).await.unwrap();
        let most = reader.room(u64::MAX).await.unwrap();
        assert_eq!(left(), 0);
        drop(most);
    });
}

#[test]
fn only_so_many_small_files_are_kept_and_no_longer_than_they_are_open() {
    let root = tempfile::tempdir().unwrap();
    let object = write(root.path(), "a.parquet", vec![ints("id", &[Some(1)])]);
    block_on(async {
        let reader = Reader::new(Arc::new(FileStore));
        let left = || reader.kept.available_permits() as u64 * UNIT;
        let file = ParquetFile::open(&object, &reader).await.unwrap();
        assert_eq!(left(), KEPT - UNIT);
        drop(file);
        assert_eq!(left(), KEPT);
        let _all = reader.kept.clone().try_acquire_many_owned(units(KEPT)).unwrap();
        let file = ParquetFile::open(&object, &reader).await.unwrap();
        file.read(&["id".into()], &Default::default(), |_| Ok(())).await.unwrap();
    });
}

#[test]
fn neighbours_are_read_together_and_others_apart() {
    let apart = 20 + GAP + 1..40 + GAP;
    assert_eq!(coalesced(&[30..40, 10..20, apart.clone(), 15..18]), vec![10..40 + GAP]);
    assert_eq!(coalesced(&[apart.clone(), 10..20]), [10..20, apart]);
    assert_eq!(coalesced(&[]), []);
}
