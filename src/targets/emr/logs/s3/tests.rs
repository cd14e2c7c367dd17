//! Logs as EMR lays them out in a store: found, ordered, unpacked, explained.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::*;
use crate::diagnose::Class;
use crate::store::FileStore;

const APPLICATION: &str = "containers/application_1700000000000_12345/container_e01_1700000000000_12345";

fn packed(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

/// A folder of a cluster's logs.
struct Lake {
    _folder: tempfile::TempDir,
    root: Uri,
}

impl Lake {
    async fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Uri::from_path(folder.path()).join("j-1");
        for (name, body) in files {
            FileStore.put(&root.join(name), body).await.unwrap();
        }
        Self { _folder: folder, root }
    }

    fn step(&self) -> StepLogs<'_> {
        StepLogs { store: &FileStore, root: self.root.clone(), step: "s-1", applications: &[], section: None }
    }
}

fn a_step() -> Vec<(String, Vec<u8>)> {
    let traceback = |error: &str| format!("Traceback (most recent call last):\n  File \"q.py\", line 1\n{error}\n");
    let client = "INFO Client: Submitting application application_1700000000000_12345 to ResourceManager\n";
    let mut files = vec![
        ("steps/s-1/stderr.gz".to_string(), packed(client)),
        ("steps/s-1/controller.gz".into(), packed("INFO startExec\n")),
        ("steps/s-2/stderr.gz".into(), packed("application_1700000000000_0001")),
        (format!("{APPLICATION}_01_000001/stderr.gz"), packed(&traceback("KeyError: 'first try'"))),
        (format!("{APPLICATION}_02_000001/stderr.txt.gz"), packed(&traceback("KeyError: 'second try'"))),
        (format!("{APPLICATION}_02_000001/stdout.gz"), packed("rows: 3\n")),
        (format!("{APPLICATION}_02_000001/prelaunch.out.gz"), packed("Setting up env variables\n")),
        (format!("{APPLICATION}_02_000002/stderr.2026-11-23-01.gz"), packed("older\n")),
        (format!("{APPLICATION}_02_000002/stderr.2026-11-23-02.gz"), packed("old\n")),
        (format!("{APPLICATION}_02_000002/stderr"), b"new\n".to_vec()),
    ];
    files.reverse();
    files
}

async fn lake(files: Vec<(String, Vec<u8>)>) -> Lake {
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, body)| (name.as_str(), body.clone())).collect();
    Lake::with(&files).await
}

#[tokio::test]
async fn logs_are_found_in_the_order_they_are_best_read() {
    let lake = lake(a_step()).await;
    let found = super::find(&lake.step()).await.unwrap();
    assert_eq!(found.applications, ["application_1700000000000_12345"]);
    let names: Vec<_> =
        found.files.iter().map(|file| file.uri.below(&lake.root).unwrap().replace(APPLICATION, "…")).collect();
    assert_eq!(
        names,
        [
            "…_02_000001/stderr.txt.gz",
            "…_02_000001/stdout.gz",
            "…_01_000001/stderr.gz",
            "steps/s-1/stderr.gz",
            "steps/s-1/controller.gz",
            "…_02_000002/stderr.2026-11-23-01.gz",
            "…_02_000002/stderr.2026-11-23-02.gz",
            "…_02_000002/stderr",
        ]
    );
    assert_eq!((found.files[0].name.what, found.files[7].name.what), (LogOrigin::Driver, LogOrigin::Executor(2)));
}

#[tokio::test]
async fn the_newest_attempt_of_the_driver_tells_why() {
    let lake = lake(a_step()).await;
    let (finding, found) = super::investigate(&lake.step()).await.unwrap();
    assert_eq!((finding.summary.as_str(), finding.class), ("KeyError: 'second try'", Class::Code));
    assert_eq!(finding.excerpt.file, found.files[0].uri.as_str());
}

#[tokio::test]
async fn without_the_drivers_log_the_executors_tell() {
    let failed = "26/11/23 02:20:11 ERROR Executor: Exception in task\njava.io.IOException: No space left on device\n\tat a.B.c(D.java:1)\n";
    let mut files = a_step();
    files.retain(|(name, _)| !name.contains("_000001/"));
    files.push((format!("{APPLICATION}_01_000009/stderr.gz"), packed(failed)));
    let (finding, _) = super::investigate(&lake(files).await.step()).await.unwrap();
    assert_eq!((finding.class, finding.summary.as_str()), (Class::Capacity, "IOException: No space left on device"));
}

#[tokio::test]
async fn nothing_pushed_yet_is_nothing_found() {
    let lake = Lake::with(&[]).await;
    let (finding, found) = super::investigate(&lake.step()).await.unwrap();
    assert_eq!((finding, found.files.len()), (Finding::default(), 0));
    let ended: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
    assert_eq!(super::expected_at(ended).to_string(), "2026-11-23T02:05:00Z");
}

#[tokio::test]
async fn an_upload_cut_short_is_read_as_far_as_it_goes() {
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let whole = [packed("first push\n"), packed(&text)].concat();
    let lake = Lake::with(&[("steps/s-1/stderr.gz", whole[..whole.len() / 2].to_vec())]).await;
    let found = super::find(&lake.step()).await.unwrap();
    let mut start = [0; 24];
    let mut log = open(&FileStore, &found.files[0]).await.unwrap().unwrap();
    log.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"first push\nline 0\nline 1");
    let (finding, _) = super::investigate(&lake.step()).await.unwrap();
    assert!(finding.summary.starts_with("line "), "{}", finding.summary);
}

#[test]
fn applications_are_found_wherever_they_are_named() {
    let log = "x application_1700000000000_0007/y application_1700000000000_10023.\napplication_1700000000000_0007 application_ application_x_1 application_1_";
    assert_eq!(
        super::applications(log.as_bytes()),
        ["application_1700000000000_0007", "application_1700000000000_10023"]
    );
}

#[test]
fn the_folder_of_a_clusters_logs() {
    for uri in ["s3n://b/logs/", "s3://b/logs", "s3a://b/logs/"] {
        assert_eq!(super::root(uri, "j-1").unwrap().as_str(), "s3://b/logs/j-1");
    }
    assert!(super::root("logs", "j-1").is_err());
}
