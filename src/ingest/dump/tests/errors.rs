use super::*;

/// Returns what is said of a folder with these files, of which nothing may have come into raw.
async fn refusal(files: &[(&str, &[u8])]) -> String {
    let home = Home::new(files);
    let error = home.ingest().await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage, "{error}");
    assert!(!error.hints.is_empty(), "{error}");
    let visible = home.tree().keys().filter(|path| path.ends_with("_manifest.jsonl")).count();
    assert_eq!(visible, 0);
    error.message.replace(&home.folder().display().to_string(), "[folder]")
}

#[tokio::test]
async fn what_is_no_dump_is_told_before_anything_is_written() {
    let nothing = "there is no file of the data dump in `[folder]`";
    assert_eq!(refusal(&[]).await, nothing);
    assert_eq!(refusal(&[("notes.txt", b"x"), ("Sites.xml", b"<sites/>")]).await, nothing);
    assert_eq!(refusal(&[("Posts.xml", b"")]).await, "`Posts.xml` is empty");
    assert_eq!(refusal(&[("x.7z", b"")]).await, "`x.7z` is empty");
    assert_eq!(refusal(&[("x.7z", b"PK\x03\x04")]).await, "`x.7z` is not a 7z archive");
    assert_eq!(refusal(&[("x.7z", &seven_zip(&[("Posts.xml", b"")], false))]).await, "`x.7z/Posts.xml` is empty");
    let twice: [(&str, &[u8]); 2] = [("Posts.xml", &xml("posts", 1)), ("posts.xml.gz", &compress(b"").unwrap())];
    assert_eq!(refusal(&twice).await, "two files have rows of `posts`, nothing was written");
    let home = Home::new(&[]);
    let missing = DumpRequest { input: home.folder().join("gone.7z"), ..home.request() };
    let error = ingest(&FileStore, &missing, &mut Vec::new()).await.unwrap_err();
    assert!(error.message.starts_with("there is no file or folder "), "{error}");
}

#[tokio::test]
async fn the_site_must_be_told_by_a_name_or_by_the_person() {
    let home = Home::new(&[("Posts.xml", &xml("posts", 1)), ("superuser.com-Users.xml", &xml("users", 1))]);
    let input = home.0.path().join("dump");
    fs::rename(home.folder(), &input).unwrap();
    let posts = DumpRequest { input: input.join("Posts.xml"), ..home.request() };
    let error = ingest(&FileStore, &posts, &mut Vec::new()).await.unwrap_err();
    assert!(error.message.starts_with("cannot tell which site "), "{error}");
    let wrong = DumpRequest { site: Some("Stack Overflow".into()), ..posts.clone() };
    assert_eq!(
        ingest(&FileStore, &wrong, &mut Vec::new()).await.unwrap_err().message,
        "`Stack Overflow` is not a site"
    );
    let told = DumpRequest { site: Some("stackoverflow".into()), ..posts };
    ingest(&FileStore, &told, &mut Vec::new()).await.unwrap();
    let by_name = DumpRequest { input: input.clone(), ..home.request() };
    ingest(&FileStore, &by_name, &mut Vec::new()).await.unwrap();
    assert!(home.0.path().join("raw/site=superuser/endpoint=posts").is_dir());
    fs::write(input.join("askubuntu.com-Votes.xml"), xml("votes", 1)).unwrap();
    let error = ingest(&FileStore, &by_name, &mut Vec::new()).await.unwrap_err();
    assert_eq!(error.detail.as_deref(), Some("askubuntu\nsuperuser"));
}

#[tokio::test]
async fn a_damaged_file_leaves_nothing_that_counts() {
    let whole = compress(&xml("posts", 50)).unwrap();
    let cut = refusal(&[("Posts.xml.gz", &whole[..whole.len() - 20])]).await;
    assert_eq!(cut, "`Posts.xml.gz` is cut short: the compressed data end before they are complete");
    let mut flipped = whole.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    assert_eq!(refusal(&[("Posts.xml.gz", &flipped)]).await, "`Posts.xml.gz` is damaged");
    let behind = [&whole[..], b"trailing garbage"].concat();
    assert_eq!(refusal(&[("Posts.xml.gz", &behind)]).await, "`Posts.xml.gz` is damaged");

    let broken = compress(&xml("posts", 50)[..900]).unwrap();
    let message = refusal(&[("Posts.xml.gz", &broken)]).await;
    assert_eq!(message, "`Posts.xml.gz` is cut short after 12 rows: `</posts>` is missing at its end");
}

#[tokio::test]
async fn a_damaged_archive_leaves_nothing_that_counts() {
    let posts = xml("posts", 500);
    let whole = seven_zip(&[("Posts.xml", &posts)], false);
    assert_eq!(
        refusal(&[("x.7z", &whole[..20])]).await,
        "`x.7z` is cut short: the compressed data end before they are complete"
    );
    let cut = refusal(&[("x.7z", &whole[..whole.len() - 10])]).await;
    assert!(cut.starts_with("`x.7z` is "), "{cut}");
    // Anywhere in the packed rows: the checksum of the content finds what the decoder does not.
    for at in (40..whole.len() - 200).step_by(97) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        let message = refusal(&[("stackoverflow.com.7z", &flipped)]).await;
        assert!(message.contains("`stackoverflow.com.7z/Posts.xml`"), "{at}: {message}");
    }
    // Not packed at all, so that nothing but the checksum can tell.
    let mut copied = COPY.to_vec();
    let at = copied.windows(4).position(|bytes| bytes == b"rust").unwrap();
    copied[at] = b'd';
    let home = Home::new(&[("stackoverflow.com.7z", &copied)]);
    let error = home.ingest().await.unwrap_err();
    assert_eq!(error.message, "`stackoverflow.com.7z/Tags.xml` is damaged after 1 row");
    assert_eq!(error.causes(), ["the checksum does not fit the content"]);
    assert_eq!(home.seen("tags").await, [""; 0]);
}

/// Returns an archive with other bytes in its header, made to fit again.
fn with_header(archive: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let number = |at: usize| usize::try_from(u64::from_le_bytes(archive[at..at + 8].try_into().unwrap())).unwrap();
    // Source of the places: 7zFormat.txt of the LZMA SDK, "SignatureHeader".
    let (start, size) = (32 + number(12), number(20));
    let mut header = archive[start..start + size].to_vec();
    change(&mut header);
    let mut changed = [&archive[..start], &header].concat();
    changed[20..28].copy_from_slice(&(header.len() as u64).to_le_bytes());
    changed[28..32].copy_from_slice(&crc32fast::hash(&header).to_le_bytes());
    let check = crc32fast::hash(&changed[12..32]);
    changed[8..12].copy_from_slice(&check.to_le_bytes());
    changed
}

#[tokio::test]
async fn an_archive_that_lacks_a_checksum_is_refused_when_that_table_is_wanted() {
    let (badges, comments) = (xml("badges", 3), xml("comments", 2));
    let archive = seven_zip(&[("Badges.xml", &badges), ("Comments.xml", &comments)], true);
    let archive = with_header(&archive, |header| {
        let [first, second] = [&badges, &comments].map(|content| crc32fast::hash(content).to_le_bytes());
        let all = [&[1], &first[..], &second].concat();
        let at = header.windows(all.len()).position(|bytes| bytes == all).unwrap();
        // Not all are defined, of two the first is. Source: 7zFormat.txt, "Digests (CRCs)".
        header.splice(at..at + all.len(), [&[0, 0b1000_0000], &first[..]].concat());
    });
    let home = Home::new(&[("stackoverflow.com.7z", &archive)]);
    let error = home.ingest().await.unwrap_err();
    assert_eq!(error.message, "`stackoverflow.com.7z` has no checksum of `stackoverflow.com.7z/Comments.xml`");
    assert_eq!(error.hints, ["unpack it and give the folder: `7z x stackoverflow.com.7z -odump`"]);
    let request = DumpRequest { only: vec!["badges"], ..home.request() };
    assert_eq!(counts(&ingest(&FileStore, &request, &mut Vec::new()).await.unwrap()), [("badges", 3, 3, 0)]);
}

/// An archive that asks for a dictionary of 4 GiB, which no content of it needs.
#[tokio::test]
async fn an_archive_that_asks_for_more_memory_than_is_taken_is_refused() {
    let whole = seven_zip(&[("Posts.xml", &xml("posts", 50))], false);
    let greedy = with_header(&whole, |header| {
        // LZMA2 with one byte of properties, of which 40 is the largest dictionary there is.
        let coder = header.windows(3).position(|bytes| bytes == [0x21, 0x21, 0x01]).unwrap();
        header[coder + 3] = 40;
    });
    let message = refusal(&[("x.7z", &greedy)]).await;
    assert!(message.starts_with("`x.7z` needs 40"), "{message}");
    assert!(message.ends_with("MiB of memory to be unpacked, at most 2048 are taken"), "{message}");
}

#[tokio::test]
async fn whichever_byte_of_an_archive_is_wrong_no_wrong_row_counts() {
    let whole = seven_zip(&[("Users.xml", &xml("users", 2)), ("Tags.xml", &xml("tags", 1))], true);
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x08;
        let home = Home::new(&[("stackoverflow.com.7z", &flipped)]);
        match home.ingest().await {
            Ok(_) => assert_eq!(home.seen("users").await, expected("users", 2), "{at}"),
            Err(error) => {
                assert_eq!(error.kind, Kind::Usage, "{at}: {error}");
                let seen = home.seen("users").await;
                assert!(seen.is_empty() || seen == expected("users", 2), "{at}");
                refused += 1;
            }
        }
    }
    assert!(refused > whole.len() / 2, "{refused} of {}", whole.len());
}

/// Archives of one row, made with py7zr 1.1.4; the password is `secret`.
const ENCRYPTED: &[u8] = include_bytes!("packed/encrypted.7z");
const ENCRYPTED_NAMES: &[u8] = include_bytes!("packed/encrypted-names.7z");
const BZIP2: &[u8] = include_bytes!("packed/bzip2.7z");
const PPMD: &[u8] = include_bytes!("packed/ppmd.7z");
const COPY: &[u8] = include_bytes!("packed/copy.7z");
const ZSTD: &[u8] = include_bytes!("packed/zstd.7z");

#[tokio::test]
async fn archives_of_other_programs_are_read_or_it_is_said_why_not() {
    for archive in [BZIP2, PPMD, COPY] {
        let home = Home::new(&[("stackoverflow.com.7z", archive)]);
        home.ingest().await.unwrap();
        assert_eq!(home.seen("tags").await, ["<row Id=\"1\" TagName=\"rust\" />"]);
    }
    for archive in [ENCRYPTED, ENCRYPTED_NAMES] {
        assert_eq!(refusal(&[("x.7z", archive)]).await, "`x.7z` is encrypted");
    }
    assert_eq!(refusal(&[("x.7z", ZSTD)]).await, "`x.7z` is packed with `ZSTD`, which soflow cannot unpack");
}

#[tokio::test]
async fn the_made_up_sample_is_no_place_for_a_dump() {
    let home = Home::new(&[("Posts.xml", &xml("posts", 1))]);
    let page = "site=stackoverflow/endpoint=questions/dt=2026-01-01/run=sample-7-x1/000001.json.gz";
    FileStore.put(&home.request().raw.join(page), b"x").await.unwrap();
    let error = home.ingest().await.unwrap_err();
    assert!(error.message.starts_with("raw holds the made-up sample"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_cannot_be_read_is_a_matter_of_the_machine() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new(&[("Posts.xml", &xml("posts", 1))]);
    let path = home.folder().join("Posts.xml");
    fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        println!("not run: this user may read everything");
        return;
    }
    assert_eq!(home.ingest().await.unwrap_err().kind, Kind::Machine);
}
