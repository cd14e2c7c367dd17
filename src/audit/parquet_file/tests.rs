use std::path::Path;

use fs_err as fs;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::audit::testing::{block_on, floats, ints, listed, texts, upload, write_with};
use crate::audit::{Subject, check, read};
use crate::job::{Check, Table, Update};
use crate::store::FileStore;
use crate::store::testing::{BUCKET, Bucket};

const COLUMNS: [&str; 3] = ["id", "tag", "score"];

/// Reads all of a file.
fn decoded(path: &Path) -> Result<()> {
    block_on(async {
        let file = ParquetFile::open(&listed(path), &Reader::new(Arc::new(FileStore))).await?;
        file.read(&COLUMNS.map(str::to_string), &PartitionValues::new(), |_| Ok(())).await
    })
}

/// Three columns with nulls and repeated values, as engines write them: dictionaries, levels, bit-packed indices.
fn sound(root: &Path) -> Vec<u8> {
    let ids: Vec<_> = (0..40).map(|id| (id % 7 > 0).then_some(id)).collect();
    let tags: Vec<_> = (0..40).map(|at| [Some("rust"), Some("python"), None, Some("c++")][at % 4]).collect();
    let scores: Vec<_> = (0..40).map(|at| (at % 3 > 0).then_some(f64::from(at) / 2.0)).collect();
    let columns = vec![ints("id", &ids), texts("tag", &tags), floats("score", &scores)];
    write_with(root, "sound.parquet", columns, WriterProperties::builder().build());
    fs::read(root.join("sound.parquet")).unwrap()
}

#[test]
fn a_file_damaged_inside_a_page_is_told_with_its_column() {
    let root = tempfile::tempdir().unwrap();
    let (sound, path) = (sound(root.path()), root.path().join("damaged.parquet"));
    let tail: [u8; 4] = sound[sound.len() - 8..sound.len() - 4].try_into().unwrap();
    let pages = 4..sound.len() - 8 - u32::from_le_bytes(tail) as usize;
    let mut refused = 0;
    for at in pages {
        for damage in [0x00, 0xff, 0x7f] {
            let mut body = sound.clone();
            body[at] = damage;
            fs::write(&path, &body).unwrap();
            let Err(error) = decoded(&path) else { continue };
            refused += 1;
            let named = |column| error.message.starts_with(&format!("column `{column}` of `file:///"));
            assert_eq!(error.kind, Kind::Audit, "byte {at}: {error}");
            assert!(COLUMNS.into_iter().any(named), "byte {at}: {error}");
        }
    }
    assert!(refused > 50, "{refused} damages were noticed");
}

#[test]
fn a_damaged_footer_is_refused_whatever_its_bytes_say() {
    let root = tempfile::tempdir().unwrap();
    let (sound, path) = (sound(root.path()), root.path().join("damaged.parquet"));
    let tail: [u8; 4] = sound[sound.len() - 8..sound.len() - 4].try_into().unwrap();
    let start = sound.len() - 8 - u32::from_le_bytes(tail) as usize;
    for at in start..sound.len() {
        let mut body = sound.clone();
        body[at] ^= 0x15;
        fs::write(&path, &body).unwrap();
        if let Err(error) = decoded(&path) {
            assert_eq!(error.kind, Kind::Audit, "byte {at}: {error}");
        }
    }
}

#[test]
fn a_check_of_a_damaged_object_refuses_it_and_names_the_column() {
    let root = tempfile::tempdir().unwrap();
    let mut body = sound(root.path());
    let at = body.windows(6).position(|bytes| bytes == b"python").unwrap();
    // The length before the text.
    body[at - 4..at].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    fs::write(root.path().join("sound.parquet"), &body).unwrap();
    let object = listed(&root.path().join("sound.parquet"));
    let error = block_on(async {
        let bucket = Bucket::start().await;
        let (there, objects) = (Uri::in_bucket(BUCKET, "t"), upload(&bucket, root.path(), &[object]));
        let opened = read(&Reader::new(bucket.store.clone()), &there, &[], &[], &objects).await.unwrap();
        let columns = COLUMNS.map(str::to_string).to_vec();
        let table = Table {
            description: String::new(),
            key: vec![],
            partition_by: vec![],
            update: Update::Merge,
            checks: vec![Check::Unique(columns)],
        };
        let date = jiff::civil::date(2026, 11, 22);
        check(Subject { table, opened, before: None, after: 0, date }).await.unwrap_err()
    });
    assert_eq!(error.kind, Kind::Audit);
    assert_eq!(error.message, format!("column `tag` of `s3://{BUCKET}/t/sound.parquet` cannot be read as Parquet"));
}
