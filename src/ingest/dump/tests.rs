use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::civil::date;
use sevenz_rust2::{ArchiveEntry, ArchiveWriter};

use super::*;
use crate::error::{Kind, Result};
use crate::event::Event;
use crate::ingest::page::{self, compress};
use crate::ingest::raw::{self, Folder};
use crate::ingest::summary::{Skipped, Summary};
use crate::ingest::{Line, manifest};
use crate::names::Uri;
use crate::store::{FileStore, Store};

mod again;
mod errors;
mod real;

const DAY: Date = date(2026, 11, 22);

/// A folder with a dump and a raw location beside it.
struct Home(tempfile::TempDir);

impl Home {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.folder()).unwrap();
        files.iter().for_each(|(name, content)| fs::write(home.folder().join(name), content).unwrap());
        home
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("stackoverflow.com")
    }

    /// Parts of 100 bytes: two or three rows.
    fn request(&self) -> DumpRequest {
        DumpRequest {
            input: self.folder(),
            raw: Uri::from_path(&self.0.path().join("raw")),
            site: None,
            date: DAY,
            only: Vec::new(),
            taken: None,
            replace: false,
            now: Timestamp::now(),
            threads: 2,
            part_bytes: 100,
        }
    }

    async fn ingest(&self) -> Result<Summary> {
        ingest(&FileStore, &self.request(), &mut Vec::new()).await
    }

    /// Returns the rows that readers of raw see of an endpoint, in order.
    async fn seen(&self, endpoint: &str) -> Vec<String> {
        let pages = raw::list(&FileStore, &self.request().raw, "stackoverflow", &[endpoint], DAY).await.unwrap();
        let mut rows = Vec::new();
        for page in &pages[endpoint] {
            let stored = FileStore.get(&page.uri).await.unwrap().unwrap();
            let mut text = String::new();
            flate2::read::GzDecoder::new(&stored[..]).read_to_string(&mut text).unwrap();
            assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
            assert_eq!(page.line.sha256.as_deref(), Some(page::sha256(text.as_bytes()).as_str()));
            rows.extend(text.lines().map(String::from));
        }
        rows
    }

    async fn lines(&self, written: &crate::ingest::Written) -> BTreeMap<String, Line> {
        let (endpoint, run) = (written.endpoint.clone(), written.run.clone().unwrap());
        let folder = Folder { site: "stackoverflow".into(), endpoint, date: DAY, run };
        let text = FileStore.get(&folder.manifest(&self.request().raw)).await.unwrap().unwrap();
        manifest::parse(&text).into_iter().collect()
    }

    /// Returns all files in raw with their content.
    fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
            let Ok(entries) = fs::read_dir(folder) else { return };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    walk(&path, into)
                } else {
                    drop(into.insert(path.clone(), fs::read(&path).unwrap()))
                }
            }
        }
        let mut tree = BTreeMap::new();
        walk(&self.0.path().join("raw"), &mut tree);
        tree
    }
}

fn row(table: &str, id: usize) -> String {
    format!("<row Id=\"{id}\" CreationDate=\"2010-08-25T19:50:{:02}.187\" X=\"{table} ä\" />", id % 60)
}

/// Returns a table's file as it is published: with a byte order mark, CRLF, no line end in the end.
fn xml(table: &str, rows: usize) -> Vec<u8> {
    let rows: String = (1..=rows).map(|id| format!("  {}\r\n", row(table, id))).collect();
    format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<{table}>\r\n{rows}</{table}>").into_bytes()
}

/// Returns the rows of such a file.
fn expected(table: &str, rows: usize) -> Vec<String> {
    (1..=rows).map(|id| row(table, id)).collect()
}

/// Returns a 7z archive, in which the files are packed together or each by itself.
pub(super) fn seven_zip(files: &[(&str, &[u8])], together: bool) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
    let entry = |name: &str| {
        let mut entry = ArchiveEntry::new_file(name);
        entry.has_last_modified_date = true;
        entry.last_modified_date = std::time::SystemTime::UNIX_EPOCH
            .checked_add(std::time::Duration::from_secs(1_700_000_000))
            .unwrap()
            .try_into()
            .unwrap();
        entry
    };
    if together {
        let entries = files.iter().map(|(name, _)| entry(name)).collect();
        let contents = files.iter().map(|(_, content)| sevenz_rust2::SourceReader::new(*content)).collect();
        writer.push_archive_entries(entries, contents).unwrap();
    } else {
        for (name, content) in files {
            writer.push_archive_entry(entry(name), Some(*content)).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn counts(summary: &Summary) -> Vec<(&str, u64, u64, u64)> {
    summary.endpoints.iter().map(|w| (w.endpoint.as_str(), w.pages, w.items, w.already)).collect()
}

#[tokio::test]
async fn rows_arrive_untouched_in_order_from_every_packing() {
    let (posts, users, votes) = (xml("posts", 7), xml("users", 2), xml("votes", 40));
    let two_members = [compress(&votes[..50]).unwrap(), compress(&votes[50..]).unwrap()].concat();
    let archive = seven_zip(&[("Badges.xml", &xml("badges", 3)), ("Comments.xml", &xml("comments", 3))], true);
    let home = Home::new(&[
        ("posts.XML", &posts),
        ("stackoverflow.com-Users.xml.gz", &compress(&users).unwrap()),
        ("Votes.xml.gz", &two_members),
        ("stackoverflow.com-more.7z", &archive),
        ("stackoverflow.com-PostHistory.7z", &seven_zip(&[("PostHistory.xml", &xml("posthistory", 1))], false)),
        ("Tags.xml", b"<tags />"),
        ("Sites.xml", b"<sites/>"),
        ("readme.txt", b"CC BY-SA"),
        (".hidden.xml", b""),
    ]);
    let mut events = Vec::new();
    let summary = ingest(&FileStore, &home.request(), &mut events).await.unwrap();
    let written = [
        ("badges", 3, 3, 0),
        ("comments", 3, 3, 0),
        ("posthistory", 1, 1, 0),
        ("posts", 7, 7, 0),
        ("tags", 0, 0, 0),
        ("users", 2, 2, 0),
        ("votes", 40, 40, 0),
    ];
    assert_eq!(counts(&summary), written);
    let skipped = |path: &str, reason: &str| Skipped { path: path.into(), reason: reason.into() };
    let reason = "not a `.7z`, `.xml` or `.xml.gz` file";
    let no_table = "not a table of the data dump";
    assert_eq!(summary.skipped, [skipped("Sites.xml", no_table), skipped("readme.txt", reason)]);
    for (table, rows) in [("posts", 7), ("users", 2), ("votes", 40), ("badges", 3), ("comments", 3), ("posthistory", 1)]
    {
        assert_eq!(home.seen(table).await, expected(table, rows), "{table}");
    }
    // The job asks for questions and answers, and the posts are both.
    assert_eq!(home.seen("questions").await, home.seen("answers").await);
    assert_eq!(home.seen("questions").await.len(), 7);
    let Some(Event::Ingested { pages, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(pages.iter().map(|(_, pages)| pages).sum::<u64>(), 56);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_nothing_beside_the_dump_is_left_alone() {
    let home = Home::new(&[("Posts.xml", &xml("posts", 1))]);
    std::os::unix::fs::symlink("gone", home.folder().join("notes")).unwrap();
    let summary = home.ingest().await.unwrap();
    assert_eq!((summary.pages(), summary.skipped[0].path.as_str()), (1, "notes"));
    std::os::unix::fs::symlink("gone", home.folder().join("Users.xml")).unwrap();
    assert_eq!(home.ingest().await.unwrap_err().kind, Kind::Machine);
}

#[tokio::test]
async fn the_manifest_says_where_rows_come_from_and_when_the_dump_was_taken() {
    let archive = seven_zip(&[("dump/Posts.xml", &xml("posts", 3))], false);
    let home = Home::new(&[("stackoverflow.com.7z", &archive)]);
    let request = DumpRequest { part_bytes: 150, ..home.request() };
    let summary = ingest(&FileStore, &request, &mut Vec::new()).await.unwrap();
    let lines = home.lines(&summary.endpoints[0]).await;
    assert_eq!(lines.keys().collect::<Vec<_>>(), ["000001.xml.gz", "000002.xml.gz"]);
    let line = &lines["000001.xml.gz"];
    assert_eq!(line.source.as_deref(), Some("stackoverflow.com.7z/dump/Posts.xml"));
    assert_eq!(line.endpoint.as_deref(), Some("posts"));
    assert_eq!(line.holds, ["questions", "answers"]);
    assert_eq!(line.fetched_at.unwrap().as_second(), 1_700_000_000);
    assert_eq!((line.n_items, line.bytes), (Some(2), Some(134)));
    assert!(line.stored_bytes.is_some_and(|bytes| bytes > 20));
    assert_eq!(lines["000002.xml.gz"].n_items, Some(1));

    let home = Home::new(&[("Users.xml", &xml("users", 1))]);
    let taken: Timestamp = "2026-06-30T00:00:00Z".parse().unwrap();
    let request = DumpRequest { taken: Some(taken), ..home.request() };
    let summary = ingest(&FileStore, &request, &mut Vec::new()).await.unwrap();
    let line = &home.lines(&summary.endpoints[0]).await["000001.xml.gz"];
    assert_eq!((line.fetched_at, line.holds.len()), (Some(taken), 0));
}

#[tokio::test]
async fn only_what_is_asked_for_is_taken() {
    let files: [(&str, &[u8]); 3] =
        [("Badges.xml", &xml("badges", 3)), ("Comments.xml", &xml("comments", 2)), ("Votes.xml", &xml("votes", 1))];
    for together in [true, false] {
        let home = Home::new(&[("stackoverflow.com.7z", &seven_zip(&files, together))]);
        let request = DumpRequest { only: vec!["votes", "comments"], ..home.request() };
        let mut events = Vec::new();
        let summary = ingest(&FileStore, &request, &mut events).await.unwrap();
        assert_eq!(counts(&summary), [("comments", 2, 2, 0), ("votes", 1, 1, 0)]);
        // Packed together, the badges have to be unpacked to get to the comments.
        let (what, total) = ("stackoverflow.com.7z/Badges.xml to pass it over".into(), xml("badges", 3).len() as u64);
        let passed = Event::Reading { what, done: total, total, rows: 0 };
        assert_eq!(events.contains(&passed), together, "{events:?}");
        assert_eq!(home.seen("comments").await, expected("comments", 2));
        let missing = DumpRequest { only: vec!["posts"], ..home.request() };
        let error = ingest(&FileStore, &missing, &mut Vec::new()).await.unwrap_err();
        assert!(error.message.starts_with("there is no `posts` in "), "{error}");
        assert_eq!(error.hints, ["there are `badges`, `comments`, `votes`"]);
    }
}

#[tokio::test]
async fn progress_is_told_in_bytes_and_rows() {
    let home = Home::new(&[("Posts.xml", &xml("posts", 3))]);
    let mut events = Vec::new();
    ingest(&FileStore, &DumpRequest { threads: 1, ..home.request() }, &mut events).await.unwrap();
    let told: Vec<(u64, u64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Reading { what, done, total, rows } => {
                assert_eq!((what.as_str(), *total), ("Posts.xml", xml("posts", 3).len() as u64));
                Some((*done, *rows))
            }
            _ => None,
        })
        .collect();
    let total = xml("posts", 3).len() as u64;
    // The whole file fits into the first read.
    assert_eq!(told, [(0, 0), (total, 3)]);
}
