use super::*;

/// Rows of the real dump. Counted by hand with `zcat … | grep -c '<row '`.
const ROWS: [(&str, u64); 6] =
    [("comments", 2448), ("postlinks", 189), ("posts", 1446), ("tags", 94), ("users", 2551), ("votes", 5671)];

#[tokio::test]
async fn a_real_dump_arrives_whole() {
    let Some(real) = std::env::var_os("SOFLOW_REAL_DATA") else {
        println!("not run: SOFLOW_REAL_DATA does not name a folder with `bicycles-meta-dump`");
        return;
    };
    let home = Home::new(&[]);
    let input = PathBuf::from(real).join("bicycles-meta-dump");
    let site = Some("stackoverflow".to_string());
    let request = DumpRequest { input: input.clone(), site, part_bytes: 1 << 18, ..home.request() };
    let summary = ingest(&FileStore, &request, &mut Vec::new()).await.unwrap();
    let rows: Vec<_> = summary.endpoints.iter().map(|w| (w.endpoint.as_str(), w.items)).collect();
    assert_eq!(rows, ROWS);
    assert!(summary.endpoints.iter().any(|written| written.pages > 3));

    // Every row is what the file has, byte for byte, and the same from an archive.
    let mut packed = Vec::new();
    for (file, table) in [("Posts", "posts"), ("Users", "users")] {
        let mut text = String::new();
        let file = fs::File::open(input.join(format!("{file}.xml.gz"))).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let rows: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("<row ")).collect();
        assert_eq!(home.seen(table).await, rows);
        packed.push((format!("{table}.xml"), text));
    }
    let files: Vec<_> = packed.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let archive = Home::new(&[("stackoverflow.com.7z", &seven_zip(&files, true))]);
    let request = DumpRequest { part_bytes: 1 << 18, ..archive.request() };
    ingest(&FileStore, &request, &mut Vec::new()).await.unwrap();
    assert_eq!(archive.seen("posts").await, home.seen("posts").await);
    fs::copy(input.join("Posts.xml.gz"), archive.folder().join("Posts.xml.gz")).unwrap();
    let again = DumpRequest { input: archive.folder().join("Posts.xml.gz"), ..request };
    assert_eq!(ingest(&FileStore, &again, &mut Vec::new()).await.unwrap().pages(), 0);
}
