use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::*;

/// Gives as many bytes at a time as it is told to, over and over.
struct Chunks<'a> {
    left: &'a [u8],
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl<'a> Chunks<'a> {
    fn new(left: &'a [u8], sizes: Vec<usize>) -> Self {
        Self { left, sizes: sizes.into_iter().cycle() }
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes.next().unwrap().min(self.left.len()).min(buffer.len());
        buffer[..size].copy_from_slice(&self.left[..size]);
        self.left = &self.left[size..];
        Ok(size)
    }
}

fn rows_of(input: impl BufRead, table: &'static str) -> Result<Vec<String>> {
    let mut rows = RowReader::new(input, table, "Posts.xml");
    let mut all = Vec::new();
    while rows.advance()? {
        all.push(String::from_utf8(rows.row().to_vec()).unwrap());
    }
    Ok(all)
}

fn rows(text: &str) -> Result<Vec<String>> {
    rows_of(text.as_bytes(), "posts")
}

/// Returns message and detail of what is wrong with `bytes`.
fn wrong(bytes: &[u8]) -> String {
    let error = rows_of(bytes, "posts").unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert!(!error.hints.is_empty(), "{error}");
    match error.detail {
        Some(detail) => format!("{}\n{detail}", error.message),
        None => error.message,
    }
}

#[test]
fn rows_are_what_is_between_the_tags_whatever_the_line_ends() {
    let expected = ["<row Id=\"1\" Body=\"a &lt;b&gt; > ä\" />", "<row Id=\"2\"/>", "<row/>"];
    let text = |end: &str, mark: &str| {
        let lines = ["<?xml version=\"1.0\" encoding=\"utf-8\"?>", "<posts>"];
        let rows = expected.iter().map(|row| format!("  {row}")).collect::<Vec<_>>();
        let lines = lines.map(String::from).into_iter().chain(rows).chain(["</posts>".into()]);
        format!("{mark}{}", lines.collect::<Vec<_>>().join(end))
    };
    for (end, mark) in [("\r\n", "\u{feff}"), ("\n", ""), ("\r\n\r\n", ""), ("\n  \n", "\u{feff}")] {
        assert_eq!(rows(&text(end, mark)).unwrap(), expected, "{end:?} {mark:?}");
        assert_eq!(rows(&format!("{}{end}", text(end, mark))).unwrap(), expected);
    }
}

#[test]
fn a_table_may_have_no_rows() {
    for text in
        ["<posts>\n</posts>", "<posts />", "\u{feff}<?xml version='1.0'?>\r\n<Posts/>\r\n", "<posts>\n</posts >\n\n"]
    {
        assert_eq!(rows(text).unwrap(), [""; 0], "{text}");
    }
}

#[test]
fn what_is_no_file_of_the_dump_is_told_with_its_first_line() {
    let text = "`Posts.xml` is not a file of the data dump\nline 1: PK\u{3}";
    assert_eq!(wrong(b"PK\x03"), text);
    assert_eq!(wrong(b"<?xml version=\"1.0\"?>\n<html>"), "`Posts.xml` is not a file of the data dump\nline 2: <html>");
    assert_eq!(
        wrong(b"<posts><row Id=\"1\" /></posts>"),
        format!("{}<posts><row Id=\"1\" /></posts>", &text[..text.len() - 3])
    );
    assert_eq!(wrong(b"<users>\n"), "`Posts.xml` is not a file of the data dump\nline 1: <users>");
    assert_eq!(wrong(b""), "`Posts.xml` is empty");
    assert_eq!(wrong(&[0xff, 0xfe, b'<', 0]), "line 1 of `Posts.xml` is UTF-16 text");
}

#[test]
fn a_file_that_is_cut_anywhere_is_cut_short() {
    let text = "<posts>\n  <row Id=\"1\" Body=\"ä\" />\n  <row Id=\"2\" />\n</posts>";
    for at in "<posts>".len()..text.len() {
        let rows = text.as_bytes()[..at].windows(2).filter(|pair| pair == b"/>").count();
        let after = ["", " after 1 row", " after 2 rows"][rows];
        let message = format!("`Posts.xml` is cut short{after}: `</posts>` is missing at its end");
        assert_eq!(wrong(&text.as_bytes()[..at]), message, "{at}");
    }
    assert_eq!(rows(text).unwrap().len(), 2);
}

#[test]
fn a_line_that_is_no_row_is_told_with_its_number() {
    let how = "is neither one whole row nor the end of the table";
    for line in
        ["<row Id=\"1\" Body=\"one", "<row Id=\"1\" /><row Id=\"2\" />", "<rows />", "</users>", "<!-- a note -->"]
    {
        let text = format!("<posts>\n<row />\n  {line}\r\n</posts>");
        assert_eq!(wrong(text.as_bytes()), format!("line 3 of `Posts.xml` {how}\n{line}"));
    }
    let after = "line 3 of `Posts.xml` comes after the end of the table\n<row />";
    assert_eq!(wrong(b"<posts>\n</posts>\n<row />\n"), after);
    let message = wrong(b"<posts>\n<row Body=\"a\xffb\" />\n</posts>");
    assert_eq!(message, "line 2 of `Posts.xml` is text in Latin-1 or Windows-1252");
    let long = format!("<posts>\n<row Body=\"{}\" />\n</posts>", "ä".repeat(200));
    assert_eq!(rows(&long).unwrap().len(), 1);
    let shown = wrong(long.replace(" />", "").as_bytes());
    assert!(shown.ends_with(&format!("{}…", "ä".repeat(SHOWN - "<row Body=\"".len()))), "{shown}");
}

#[test]
fn a_line_without_end_is_not_read_into_memory() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += buffer.len() as u64;
            assert!(self.0 < LONGEST_LINE * 2, "it is read on and on");
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let error = rows_of(BufReader::new(Endless(0)), "posts").unwrap_err();
    assert_eq!(error.message, "line 1 of `Posts.xml` is longer than 16 MiB");
    let one_line = b"<?xml version=\"1.0\"?>\r<posts>\r".chain(Endless(0));
    let error = rows_of(BufReader::new(one_line), "posts").unwrap_err();
    assert_eq!(error.message, "`Posts.xml` ends its lines with carriage returns alone");
}

#[test]
fn what_the_system_says_is_not_damage() {
    struct Denied;
    impl Read for Denied {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
    let error = rows_of(BufReader::new(Denied), "posts").unwrap_err();
    assert_eq!(error.kind, Kind::Machine);
    let error = archive::while_reading("x.7z", 0, std::io::ErrorKind::OutOfMemory.into());
    assert_eq!((error.kind, &*error.message), (Kind::Machine, "`x.7z` needs more memory to unpack than there is"));
}

proptest! {
    #[test]
    fn however_a_file_arrives_its_rows_are_the_same(
        bodies in proptest::collection::vec("[a-zäß漢🦀 &;=/>\t]{0,40}", 0..20),
        sizes in proptest::collection::vec(1_usize..30, 1..9),
        capacity in 1_usize..50,
        crlf: bool,
        mark: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let expected: Vec<String> = bodies.iter().map(|body| format!("<row Body=\"{body}\" />")).collect();
        let mut text = if mark { "\u{feff}".to_string() } else { String::new() };
        text.push_str(&format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{end}<posts>{end}"));
        expected.iter().for_each(|row| text.push_str(&format!("  {row}{end}")));
        text.push_str("</posts>");
        let input = BufReader::with_capacity(capacity, Chunks::new(text.as_bytes(), sizes));
        prop_assert_eq!(rows_of(input, "posts").unwrap(), expected);
    }
}
