use std::cell::RefCell;

use super::*;

thread_local! {
    /// What this thread has made survive a power cut.
    pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

#[tokio::test]
async fn what_is_written_survives_a_power_cut_with_all_folders_made_for_it() {
    let home = tempfile::tempdir().unwrap();
    let root = Uri::from_path(home.path());
    let synced = || {
        let below = |path: PathBuf| path.strip_prefix(home.path()).ok().map(|path| path.display().to_string());
        SYNCED.take().into_iter().filter_map(below).collect::<BTreeSet<_>>()
    };
    FileStore.put(&root.join("raw/dt=1/run=1/page"), b"1").await.unwrap();
    let first = synced();
    assert!(first.iter().any(|path| path.starts_with("raw/dt=1/run=1/.soflow-unfinished-")), "{first:?}");
    assert!(["", "raw", "raw/dt=1", "raw/dt=1/run=1"].iter().all(|path| first.contains(*path)), "{first:?}");
    FileStore.put(&root.join("raw/dt=1/run=1/page"), b"2").await.unwrap();
    assert_eq!(synced().len(), 2, "the file and its folder");
    // What an engine writes.
    let curated = root.join("curated");
    fs::create_dir_all(home.path().join("curated/t/run=1/month=1")).unwrap();
    fs::write(home.path().join("curated/t/run=1/month=1/a.parquet"), "x").unwrap();
    let written = FileStore.list(&curated).await.unwrap();
    FileStore.sync(&curated, &written).await.unwrap();
    let places =
        ["", "curated", "curated/t", "curated/t/run=1", "curated/t/run=1/month=1", "curated/t/run=1/month=1/a.parquet"];
    assert_eq!(synced(), places.map(String::from).into());
}

#[tokio::test]
async fn an_inventory_does_not_follow_links() {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = Uri::from_path(home.path());
    for (folder, name) in [(&home, "a"), (&home, "_hidden/.b"), (&elsewhere, "c"), (&elsewhere, ".soflow-unfinished-d")]
    {
        FileStore.put(&Uri::from_path(folder.path()).join(name), b"1").await.unwrap();
    }
    std::os::unix::fs::symlink(elsewhere.path(), home.path().join("linked")).unwrap();
    let names = |objects: &[Object]| -> Vec<String> {
        objects.iter().map(|object| object.uri.below(&root).unwrap().to_string()).collect()
    };
    let there = FileStore.inventory(&root).await.unwrap();
    assert_eq!(
        (names(&there.objects), there.links),
        (vec!["_hidden/.b".into(), "a".into()], vec![root.join("linked")])
    );
    assert!(!there.objects.iter().any(is_unfinished));
    assert_eq!(names(&FileStore.list(&root).await.unwrap()), ["a", "linked/c"]);
}

#[tokio::test]
async fn only_the_first_of_two_claims_wins() {
    let folder = tempfile::tempdir().unwrap();
    let uri = Uri::from_path(folder.path()).join("runs/1/run.json");
    assert!(FileStore.put_if_absent(&uri, b"mine").await.unwrap().is_some());
    assert!(FileStore.put_if_absent(&uri, b"theirs").await.unwrap().is_none());
    assert_eq!(FileStore.get(&uri).await.unwrap().as_deref(), Some(&b"mine"[..]));
}

#[tokio::test]
async fn listings_pass_over_hidden_names_and_missing_prefixes() {
    let folder = tempfile::tempdir().unwrap();
    let root = Uri::from_path(folder.path());
    for name in ["b/2.json", "a/1.json", "_temporary/x", "a/.crc", "a/_SUCCESS"] {
        FileStore.put(&root.join(name), b"x").await.unwrap();
    }
    let names: Vec<_> =
        FileStore.list(&root).await.unwrap().iter().map(|o| o.uri.below(&root).unwrap().to_string()).collect();
    assert_eq!(names, ["a/1.json", "b/2.json"]);
    assert_eq!(FileStore.list(&root.join("missing")).await.unwrap(), []);
}

#[tokio::test]
async fn removing_is_idempotent() {
    let folder = tempfile::tempdir().unwrap();
    let root = Uri::from_path(folder.path());
    FileStore.put(&root.join("x/y"), b"1").await.unwrap();
    FileStore.remove(&root.join("x")).await.unwrap();
    FileStore.remove(&root.join("x")).await.unwrap();
    assert_eq!(FileStore.get(&root.join("x/y")).await.unwrap(), None);
    FileStore.put(&root.join("table/run=1/month=1/a"), b"1").await.unwrap();
    FileStore.put(&root.join("table/run=1/month=2/a"), b"1").await.unwrap();
    FileStore.remove(&root.join("table/run=1/month=1/a")).await.unwrap();
    assert!(!folder.path().join("table/run=1/month=1").exists() && folder.path().join("table/run=1/month=2").exists());
    FileStore.remove(&root.join("table/run=1/month=2/a")).await.unwrap();
    assert!(!folder.path().join("table/run=1").exists() && folder.path().join("table").exists());
}
