use super::*;
use crate::ingest::testing::Failing;

#[tokio::test]
async fn the_same_rows_are_known_however_they_are_packed() {
    let home = Home::new(&[("Posts.xml", &xml("posts", 9))]);
    home.ingest().await.unwrap();
    let tree = home.tree();
    let pieces = xml("posts", 9);
    let members: Vec<u8> = pieces.chunks(100).chain([&b""[..]]).flat_map(|piece| compress(piece).unwrap()).collect();
    let packed: [(&str, Vec<u8>); 4] = [
        ("Posts.xml", xml("posts", 9)),
        ("Posts.xml.gz", compress(&xml("posts", 9)).unwrap()),
        ("posts.xml.gz", members),
        ("stackoverflow.com-Posts.7z", seven_zip(&[("Posts.xml", &xml("posts", 9))], true)),
    ];
    for (name, content) in packed {
        fs::remove_dir_all(home.folder()).unwrap();
        fs::create_dir_all(home.folder()).unwrap();
        fs::write(home.folder().join(name), content).unwrap();
        let mut events = Vec::new();
        let again = ingest(&FileStore, &home.request(), &mut events).await.unwrap();
        assert_eq!(counts(&again), [("posts", 0, 0, 9)], "{name}");
        let text = "All 9 pages are in raw already: nothing to write.".into();
        assert_eq!(events, [Event::Note { text }]);
        assert_eq!(home.tree(), tree);
    }
}

#[tokio::test]
async fn another_dump_of_the_same_date_is_refused_or_takes_the_place() {
    let home = Home::new(&[("Posts.xml", &xml("posts", 3)), ("Users.xml", &xml("users", 1))]);
    home.ingest().await.unwrap();
    let tree = home.tree();
    fs::write(home.folder().join("Posts.xml"), xml("posts", 4)).unwrap();
    fs::write(home.folder().join("Votes.xml"), xml("votes", 1)).unwrap();
    let error = home.ingest().await.unwrap_err();
    assert_eq!(error.message, "raw holds another dump of posts of stackoverflow for 2026-11-22, nothing was written");
    assert!(error.hints.iter().any(|hint| hint.contains("--replace")));
    assert_eq!(home.tree(), tree);
    let replace = DumpRequest { replace: true, ..home.request() };
    let summary = ingest(&FileStore, &replace, &mut Vec::new()).await.unwrap();
    assert_eq!(counts(&summary), [("posts", 4, 4, 0), ("users", 0, 0, 1), ("votes", 1, 1, 0)]);
    assert_eq!(home.seen("posts").await, expected("posts", 4));
    assert!(home.tree().keys().all(|path| !tree.contains_key(path) || path.to_string_lossy().contains("users")));
    let other_day = DumpRequest { date: date(2026, 11, 23), ..home.request() };
    assert_eq!(ingest(&FileStore, &other_day, &mut Vec::new()).await.unwrap().pages(), 6);
}

/// However many writes succeed before the store fails: readers see whole tables, and the same command goes on.
#[tokio::test]
async fn an_ingest_that_fails_anywhere_is_completed_by_the_same_command() {
    let archive = seven_zip(&[("Posts.xml", &xml("posts", 5)), ("Tags.xml", &xml("tags", 2))], true);
    let files: [(&str, &[u8]); 2] = [("stackoverflow.com.7z", &archive), ("Users.xml", &xml("users", 3))];
    let whole = Home::new(&files);
    whole.ingest().await.unwrap();
    // Ten parts and three manifests.
    for puts in 0..=13 {
        let home = Home::new(&files);
        let failed = ingest(&Failing::after(puts), &home.request(), &mut Vec::new()).await;
        assert_eq!(failed.is_ok(), puts == 13, "{puts}");
        for (table, rows) in [("posts", 5), ("tags", 2), ("users", 3)] {
            let seen = home.seen(table).await;
            assert!(seen.is_empty() || seen == expected(table, rows), "{puts} {table}: {seen:?}");
        }
        // What is left of parts that were cut elsewhere does not stay among the new ones.
        for (path, _) in home.tree().iter().filter(|(path, _)| path.ends_with("000001.xml.gz")) {
            if !path.with_file_name("_manifest.jsonl").exists() {
                fs::write(path.with_file_name("000099.xml.gz"), b"stale").unwrap();
            }
        }
        home.ingest().await.unwrap();
        let relative = |home: &Home| -> Vec<(PathBuf, Vec<u8>)> {
            let tree = home.tree().into_iter().filter(|(path, _)| !path.ends_with("_manifest.jsonl"));
            tree.map(|(path, body)| (path.strip_prefix(home.0.path()).unwrap().to_path_buf(), body)).collect()
        };
        assert_eq!(relative(&home), relative(&whole), "{puts}");
    }
}

#[tokio::test]
async fn a_replacement_that_fails_never_shows_both() {
    for puts in 0..=4 {
        let home = Home::new(&[("Posts.xml", &xml("posts", 2))]);
        home.ingest().await.unwrap();
        fs::write(home.folder().join("Posts.xml"), xml("posts", 3)).unwrap();
        let replace = DumpRequest { replace: true, ..home.request() };
        let failed = ingest(&Failing::after(puts), &replace, &mut Vec::new()).await.is_err();
        assert_eq!(failed, puts < 4);
        let seen = home.seen("posts").await;
        // While parts are written the old ones count; the last write is the manifest.
        let rows = [2, 2, 2, 0, 3][puts];
        assert_eq!(seen, expected("posts", rows), "{puts}");
        ingest(&FileStore, &replace, &mut Vec::new()).await.unwrap();
        assert_eq!(home.seen("posts").await, expected("posts", 3), "{puts}");
        assert_eq!(home.tree().len(), 4);
    }
}

/// Packed by programs that cut what they pack into gzip members: the last one says nothing of the others.
#[tokio::test]
async fn dumps_that_end_in_the_same_gzip_member_are_two() {
    let members = |of: &[&[u8]]| -> Vec<u8> { of.iter().flat_map(|part| compress(part).unwrap()).collect() };
    let (three, nine) = (xml("posts", 3), xml("posts", 9));
    let (end, bgzip_end) = (three.len() - 8, b"".as_slice());
    assert_eq!(three[end..], nine[nine.len() - 8..]);
    for (ending, last) in [("the same end", &three[end..]), ("bgzip's empty block", bgzip_end)] {
        let home = Home::new(&[("Posts.xml.gz", &members(&[&three[..three.len() - last.len()], last]))]);
        home.ingest().await.unwrap();
        fs::write(home.folder().join("Posts.xml.gz"), members(&[&nine[..nine.len() - last.len()], last])).unwrap();
        let error = home.ingest().await.unwrap_err();
        assert!(error.message.starts_with("raw holds another dump of posts"), "{ending}: {error}");
    }
}
