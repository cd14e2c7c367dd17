use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::event::Event;
use crate::ingest::page::compress;
use crate::ingest::testing::Failing;
use crate::store::FileStore;

const DAY: Date = date(2026, 11, 22);

/// A folder of pages and a raw location beside it.
struct Home(tempfile::TempDir);

impl Home {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.folder()).unwrap();
        files.iter().for_each(|(name, content)| home.add(name, content));
        home
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("downloads")
    }

    fn add(&self, name: &str, content: &[u8]) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn request(&self) -> PagesRequest {
        PagesRequest {
            folder: self.folder(),
            raw: Uri::from_path(&self.0.path().join("raw")),
            site: "stackoverflow".into(),
            date: DAY,
            endpoint: None,
            now: Timestamp::now(),
        }
    }

    async fn ingest(&self) -> Result<Summary> {
        ingest(&FileStore, &self.request(), &mut Vec::new()).await
    }

    /// Returns what readers of raw see, decompressed where that works, sorted.
    async fn seen(&self, endpoint: &str) -> Vec<Vec<u8>> {
        let pages = raw::list(&FileStore, &self.request().raw, "stackoverflow", &[endpoint], DAY).await.unwrap();
        let mut bodies = Vec::new();
        for page in &pages[endpoint] {
            let stored = FileStore.get(&page.uri).await.unwrap().unwrap();
            let mut body = Vec::new();
            let whole = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&stored[..]), &mut body).is_ok();
            bodies.push(if whole { body } else { stored });
        }
        bodies.sort();
        bodies
    }
}

fn page(id: &str, number: u64) -> Vec<u8> {
    format!("{{\"items\":[{{\"{id}\":{number}}}],\"has_more\":true}}").into_bytes()
}

#[tokio::test]
async fn pages_arrive_untouched_and_nothing_is_lost() {
    let damaged = &compress(&page("question_id", 9)).unwrap()[..20];
    let home = Home::new(&[
        ("questions/10.json", &page("question_id", 10)),
        ("questions/2.json.gz", &compress(&page("question_id", 2)).unwrap()),
        ("questions/3.json", b"<html><body>503 Service Unavailable</body></html>"),
        ("questions/4.json", b""),
        ("questions/5.json.gz", damaged),
        ("questions/6.json.gz", br#"{"error_id":502,"error_name":"throttle_violation"}"#),
        ("Antworten/ä.json", &page("answer_id", 1)),
        ("comments_7.json", b"<html>"),
        ("README.md", b"#"),
    ]);
    let mut events = Vec::new();
    let summary = ingest(&FileStore, &home.request(), &mut events).await.unwrap();
    let counts: Vec<_> = summary.endpoints.iter().map(|w| (w.endpoint.as_str(), w.pages, w.items)).collect();
    assert_eq!(counts, [("answers", 1, 1), ("comments", 1, 0), ("questions", 6, 2)]);
    let reason = "not a `.json` or `.json.gz` file".to_string();
    assert_eq!(summary.skipped, [Skipped { path: "README.md".into(), reason }]);
    let mut expected = vec![
        page("question_id", 10),
        page("question_id", 2),
        b"<html><body>503 Service Unavailable</body></html>".to_vec(),
        Vec::new(),
        damaged.to_vec(),
        br#"{"error_id":502,"error_name":"throttle_violation"}"#.to_vec(),
    ];
    expected.sort();
    assert_eq!(home.seen("questions").await, expected);
    let pages = vec![("answers".into(), 1), ("comments".into(), 1), ("questions".into(), 6)];
    assert_eq!(events, [Event::Ingested { pages, location: home.request().raw.to_string() }]);
}

#[tokio::test]
async fn the_manifest_says_where_a_page_comes_from_and_when_it_was_fetched() {
    let home = Home::new(&[("questions/10.json", &page("question_id", 10)), ("questions/9.json", b"")]);
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_790_000_000_700);
    let file = fs::File::options().write(true).open(home.folder().join("questions/10.json")).unwrap();
    file.set_modified(old).unwrap();
    let file = fs::File::options().write(true).open(home.folder().join("questions/9.json")).unwrap();
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(1_000_000)).unwrap();
    let request = PagesRequest { now: "2026-11-23T10:00:00.9Z".parse().unwrap(), ..home.request() };
    let summary = ingest(&FileStore, &request, &mut Vec::new()).await.unwrap();
    let run = summary.endpoints[0].run.clone().unwrap();
    let folder = Folder { site: "stackoverflow".into(), endpoint: "questions".into(), date: DAY, run };
    let manifest = FileStore.get(&folder.manifest(&request.raw)).await.unwrap().unwrap();
    let lines = crate::ingest::manifest::parse(&manifest);
    let (first, second) = (&lines["000001.json.gz"], &lines["000002.json.gz"]);
    assert_eq!(first.source.as_deref(), Some("questions/9.json"));
    assert_eq!(first.fetched_at.unwrap().to_string(), "2026-11-23T10:00:00Z");
    assert_eq!(second.fetched_at.unwrap().as_second(), 1_790_000_000);
    assert_eq!(second.fetched_at.unwrap().subsec_nanosecond(), 0);
    assert_eq!((second.bytes, second.n_items, second.has_more), (Some(46), Some(1), Some(true)));
    assert!(second.stored_bytes.is_some_and(|bytes| bytes > 20));
}

#[tokio::test]
async fn the_second_time_only_what_is_new_is_written() {
    let home =
        Home::new(&[("questions/1.json", &page("question_id", 1)), ("questions/2.json", &page("question_id", 2))]);
    home.ingest().await.unwrap();
    let mut events = Vec::new();
    let again = ingest(&FileStore, &home.request(), &mut events).await.unwrap();
    assert_eq!((again.pages(), again.already(), again.endpoints[0].run.as_deref()), (0, 2, None));
    assert_eq!(events, [Event::Note { text: "All 2 pages are in raw already: nothing to write.".into() }]);
    home.add("questions/3.json", &page("question_id", 3));
    home.add("questions/4.json", &page("question_id", 1));
    let more = home.ingest().await.unwrap();
    assert_eq!((more.pages(), more.already()), (1, 2));
    assert_eq!(more.skipped[0].reason, "the same page as `questions/1.json`");
    assert_eq!(home.seen("questions").await.len(), 3);
    let other = PagesRequest { date: date(2026, 11, 23), ..home.request() };
    assert_eq!(ingest(&FileStore, &other, &mut Vec::new()).await.unwrap().pages(), 3);
}

#[tokio::test]
async fn a_page_of_an_unknown_endpoint_stops_everything_before_anything_is_written() {
    let home = Home::new(&[
        ("x/1.json", &page("question_id", 1)),
        ("x/2.json", b"{\"items\":[]}"),
        ("answers/3.json", &page("question_id", 3)),
    ]);
    let error = home.ingest().await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.message, "cannot tell the endpoint of 2 pages, nothing was written");
    let detail = "answers/3.json: its folder says `answers` and its items say `questions`\n\
                  x/2.json: neither its folder nor its items tell the endpoint";
    assert_eq!(error.detail.as_deref(), Some(detail));
    assert!(error.hints[0].contains("--endpoint"));
    assert!(!home.0.path().join("raw").exists());
    let told = PagesRequest { endpoint: Some("questions".into()), ..home.request() };
    let summary = ingest(&FileStore, &told, &mut Vec::new()).await.unwrap();
    assert_eq!((summary.endpoints.len(), summary.pages()), (1, 3));
    let outside = PagesRequest { endpoint: Some("../x".into()), ..home.request() };
    assert_eq!(ingest(&FileStore, &outside, &mut Vec::new()).await.unwrap_err().kind, Kind::Usage);
}

#[tokio::test]
async fn a_folder_without_pages_is_refused_with_advice() {
    let home = Home::new(&[("notes.txt", b"x")]);
    let error = home.ingest().await.unwrap_err();
    assert_eq!((error.kind, error.hints.len()), (Kind::Usage, 1));
    assert!(error.message.ends_with("downloads`, only 1 other file"), "{}", error.message);
    let missing = PagesRequest { folder: home.folder().join("gone"), ..home.request() };
    assert_eq!(ingest(&FileStore, &missing, &mut Vec::new()).await.unwrap_err().kind, Kind::Usage);
}

#[tokio::test]
async fn the_folder_itself_or_a_single_page_may_be_named() {
    let home = Home::new(&[("comments/1.json", b"<html>"), ("comments/2.json", &page("comment_id", 2))]);
    let folder = PagesRequest { folder: home.folder().join("comments"), ..home.request() };
    assert_eq!(ingest(&FileStore, &folder, &mut Vec::new()).await.unwrap().pages(), 2);
    let home = Home::new(&[("comments/1.json", b"<html>")]);
    let single = PagesRequest { folder: home.folder().join("comments/1.json"), ..home.request() };
    assert_eq!(ingest(&FileStore, &single, &mut Vec::new()).await.unwrap().endpoints[0].endpoint, "comments");
}

#[tokio::test]
async fn a_large_page_passes() {
    let body = format!("{{\"items\":[{{\"question_id\":1,\"body\":\"{}\"}}]}}", "ä".repeat(4_000_000));
    let home = Home::new(&[("1.json", body.as_bytes())]);
    assert_eq!(home.ingest().await.unwrap().pages(), 1);
    assert_eq!(home.seen("questions").await, [body.into_bytes()]);
}

#[tokio::test]
async fn a_file_too_large_for_memory_is_stored_as_it_is_whether_in_a_folder_or_named_itself() {
    let large = |name: &str, start: &[u8]| {
        let home = Home::new(&[(name, start)]);
        let file = fs::File::options().write(true).open(home.folder().join(name)).unwrap();
        file.set_len(page::MOST as u64 + 1).unwrap();
        home
    };
    for (name, start) in [("questions/1.json", &b"{}"[..]), ("questions/2.json.gz", &page::GZIP)] {
        let home = large(name, start);
        let summary = home.ingest().await.unwrap();
        assert_eq!((summary.pages(), summary.skipped.len()), (1, 0), "{name}");
        let reason = "larger than 64 MiB unpacked".into();
        assert_eq!(summary.unreadable, [Skipped { path: name.into(), reason }]);
        assert!(home.seen("questions").await == [fs::read(home.folder().join(name)).unwrap()], "{name}");
        let single = PagesRequest { folder: home.folder().join(name), ..home.request() };
        let summary = ingest(&FileStore, &single, &mut Vec::new()).await.unwrap();
        assert_eq!((summary.pages(), summary.already(), summary.unreadable.len()), (0, 1, 1), "{name}");
    }
}

#[test]
fn pages_are_counted_as_people_count() {
    let mut names = ["day10/1.json", "day2/1.json", "b2.json", "a10.json", "a/3.json", "a02.json", "a2.json", "é.json"];
    names.sort_by(|a, b| natural(a, b));
    assert_eq!(
        names,
        ["a/3.json", "a02.json", "a2.json", "a10.json", "b2.json", "day2/1.json", "day10/1.json", "é.json"]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_page_that_cannot_be_looked_at_is_not_left_out_unsaid() {
    let home = Home::new(&[("questions/1.json", &page("question_id", 1))]);
    std::os::unix::fs::symlink("2.json", home.folder().join("questions/2.json")).unwrap();
    assert_eq!(home.ingest().await.unwrap_err().kind, Kind::Machine);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_but_not_in_circles_and_not_into_raw() {
    let home = Home::new(&[]);
    for name in ["1.JSON", "ünïcode 🦀/2.json.gz", "10.json", ".3.json", "README.md"] {
        home.add(&format!("questions/{name}"), name.as_bytes());
    }
    let link = |to: PathBuf, name: &str| std::os::unix::fs::symlink(to, home.folder().join(name)).unwrap();
    let request = PagesRequest { raw: Uri::from_path(&home.folder().join("lake/raw")), ..home.request() };
    home.add("lake/raw/000001.json.gz", b"{}");
    link(home.folder().join("questions"), "questions/loop");
    link(home.folder().join("questions/1.JSON"), "questions/4.json");
    link(home.folder().join("gone"), "5.json");
    let (found, skipped) = find(&request).unwrap();
    let names: Vec<_> = found.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["questions/1.JSON", "questions/4.json", "questions/10.json", "questions/ünïcode 🦀/2.json.gz"]);
    let skipped: Vec<_> = skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!(skipped, ["5.json", "lake/raw", "questions/README.md", "questions/loop"]);
}

/// Returns the raw location's files with their content.
fn tree(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { tree(&path, into) } else { drop(into.insert(path.clone(), fs::read(&path).unwrap())) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_every_page_is_in_raw_exactly_once_in_the_end(
        contents in proptest::collection::btree_set(proptest::collection::vec(any::<u8>(), 0..40), 1..7),
        failures in proptest::collection::vec(0_usize..9, 0..4),
        late in proptest::option::of(any::<u64>()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let home = Home::new(&[]);
        for (number, content) in contents.iter().enumerate() {
            home.add(&format!("{}/{number}.json", ["questions", "answers"][number % 2]), content);
        }
        let mut expected = contents.into_iter().collect::<Vec<_>>();
        for puts in failures {
            let store = Failing::after(puts);
            let before = runtime.block_on(home.seen("questions")).len();
            let failed = runtime.block_on(ingest(&store, &home.request(), &mut Vec::new())).is_err();
            let after = runtime.block_on(home.seen("questions")).len();
            // Either none of an endpoint's pages count or all of them.
            prop_assert!(before == after || before == 0);
            prop_assert!(failed || puts > 0 || after > 0 || expected.len() < 2);
        }
        if let Some(id) = late {
            home.add("questions/late.json", &page("question_id", id));
            expected.push(page("question_id", id));
        }
        runtime.block_on(home.ingest()).unwrap();
        let mut seen = runtime.block_on(home.seen("questions"));
        seen.extend(runtime.block_on(home.seen("answers")));
        seen.sort();
        expected.sort();
        prop_assert_eq!(&seen, &expected);
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        tree(&home.0.path().join("raw"), &mut before);
        runtime.block_on(home.ingest()).unwrap();
        tree(&home.0.path().join("raw"), &mut after);
        prop_assert_eq!(before, after);
    }
}

#[tokio::test]
async fn real_pages_arrive_whole() {
    let Some(real) = std::env::var_os("SOFLOW_REAL_DATA") else {
        println!("not run: SOFLOW_REAL_DATA does not name a folder with `stackoverflow-pages`");
        return;
    };
    let home = Home::new(&[]);
    let request = PagesRequest { folder: PathBuf::from(real).join("stackoverflow-pages"), ..home.request() };
    let summary = ingest(&FileStore, &request, &mut Vec::new()).await.unwrap();
    let counts: Vec<_> = summary.endpoints.iter().map(|w| (w.endpoint.as_str(), w.pages, w.items)).collect();
    assert_eq!(counts, [("answers", 20, 1956), ("comments", 54, 5381), ("questions", 13, 1238)]);
    let pages = raw::list(&FileStore, &request.raw, "stackoverflow", &["questions"], DAY).await.unwrap();
    let stored = FileStore.get(&pages["questions"][12].uri).await.unwrap();
    assert_eq!(stored, Some(fs::read(request.folder.join("questions/013.json.gz")).unwrap()));
    assert_eq!(ingest(&FileStore, &request, &mut Vec::new()).await.unwrap().already(), 87);
}
