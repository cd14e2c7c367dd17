//! What can be learnt from a downloaded page without changing it. Pages may be damaged, or no pages at all.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use fs_err as fs;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::manifest::Line;
use crate::encoding::{self, MARK};
use crate::error::Result;

/// Most bytes of a page, unpacked: what the PySpark side reads of one. 100 posts of 30,000 characters are 3 MB.
pub const MOST: usize = 64 << 20;

/// The first bytes of a gzip member. Source: RFC 1952, section 2.3.1.
pub const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is read at a time of a file that is too large for memory.
const HASHED_AT_ONCE: usize = 1 << 18;

/// The ids that tell an endpoint, the most telling first: an answer has a `question_id` too.
const IDS: [(&str, &str); 3] = [("comment_id", "comments"), ("answer_id", "answers"), ("question_id", "questions")];

/// What a page says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageFacts {
    /// The endpoint all its items agree on.
    pub endpoint: Option<&'static str>,
    /// The start of a manifest line.
    pub line: Line,
    /// Why it is no readable page, a fragment; `None` when it is one.
    pub unreadable: Option<String>,
}

impl PageFacts {
    /// Returns what is known of a file with this digest that is not unpacked, because of `why`.
    pub fn sealed(digest: String, why: String) -> Self {
        let line = Line { sha256: Some(digest), ..Line::default() };
        Self { line, unreadable: Some(why), endpoint: None }
    }
}

/// Returns what `file`, the bytes as downloaded, says about itself.
pub fn inspect(file: &[u8]) -> PageFacts {
    let body = match unpacked(file) {
        Ok(body) => body,
        Err(why) => return PageFacts::sealed(sha256(file), why),
    };
    let line = Line { sha256: Some(sha256(&body)), bytes: Some(body.len() as u64), ..Line::default() };
    let wrapper = match wrapper_of(&body) {
        Ok(wrapper) => wrapper,
        Err(why) => return PageFacts { line, unreadable: Some(why), endpoint: None },
    };
    let number = |key: &str| wrapper.get(key).and_then(Value::as_i64);
    let items = wrapper.get("items").and_then(Value::as_array);
    let unreadable = match (number("error_id"), items) {
        (Some(id), _) => {
            let name = wrapper.get("error_name").and_then(Value::as_str).unwrap_or_default();
            Some(format!("an error of the API: {id} {name}"))
        }
        (None, None) => Some(NO_ITEMS.into()),
        (None, Some(_)) => None,
    };
    PageFacts {
        endpoint: items.and_then(|items| endpoint_of(items)),
        unreadable,
        line: Line {
            n_items: items.map(|items| items.len() as u64),
            has_more: wrapper.get("has_more").and_then(Value::as_bool),
            quota_remaining: number("quota_remaining"),
            backoff: number("backoff"),
            error_id: number("error_id"),
            ..line
        },
    }
}

/// Returns why a page is not unpacked that would be larger than [`MOST`].
pub fn too_large() -> String {
    format!("larger than {} MiB unpacked", MOST >> 20)
}

/// Returns all that there is, unless it is more than [`MOST`] bytes.
///
/// # Errors
/// Those of `reader`; `FileTooLarge` when there is more.
pub fn whole(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    reader.take(MOST as u64 + 1).read_to_end(&mut body)?;
    if body.len() > MOST { Err(ErrorKind::FileTooLarge.into()) } else { Ok(body) }
}

/// Returns the digest of a file and its bytes, without these when they are more than [`MOST`].
pub fn read(path: &Path) -> Result<(String, Option<Vec<u8>>)> {
    let mut file = fs::File::open(path)?;
    match whole(&mut file) {
        Ok(bytes) => return Ok((sha256(&bytes), Some(bytes))),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => file.rewind()?,
        Err(error) => return Err(error.into()),
    }
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; HASHED_AT_ONCE]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex(&hasher.finalize()), None)),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Returns the bytes to store: a gzip file stays as it is, damaged or not, and anything else is compressed.
///
/// The same input gives the same bytes: the header has no time and no name.
pub fn to_stored(file: Vec<u8>) -> Result<Vec<u8>> {
    if file.starts_with(&GZIP) { Ok(file) } else { compress(&file) }
}

/// Returns what [`to_stored`] does of a file that is too large for memory: `None` when that is the file itself.
pub fn to_stored_file(path: &Path) -> Result<Option<NamedTempFile>> {
    let mut start = [0; GZIP.len()];
    let mut file = fs::File::open(path)?;
    file.read_exact(&mut start)?;
    if start == GZIP {
        return Ok(None);
    }
    file.rewind()?;
    let mut encoder = GzBuilder::new().mtime(0).write(NamedTempFile::new()?, Compression::default());
    io::copy(&mut file, &mut encoder)?;
    Ok(Some(encoder.finish()?))
}

/// Returns `body` as gzip, the same bytes every time.
pub fn compress(body: &[u8]) -> Result<Vec<u8>> {
    compress_with(body, Compression::default())
}

/// Returns `body` as gzip of some level, the same bytes every time.
pub fn compress_with(body: &[u8], level: Compression) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::with_capacity(body.len() / 4), level);
    encoder.write_all(body)?;
    Ok(encoder.finish()?)
}

/// Returns the SHA-256 of `bytes` in lowercase hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const NO_ITEMS: &str = "no response of the API: JSON without `items`";

/// Returns the body as the API sent it, or why the file cannot be unpacked.
fn unpacked(file: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if !file.starts_with(&GZIP) {
        return Ok(file.into());
    }
    whole(MultiGzDecoder::new(file)).map(Cow::from).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => too_large(),
        ErrorKind::UnexpectedEof => "cut short: the compressed data end before they are complete".into(),
        _ => format!("damaged: {error}"),
    })
}

/// Returns the JSON object that `body` is, or what it is instead.
fn wrapper_of(body: &[u8]) -> Result<Map<String, Value>, String> {
    let text = encoding::text(body).map_err(|foreign| foreign.to_string())?;
    let text = text.strip_prefix(MARK).unwrap_or(text).trim();
    if text.is_empty() {
        return Err("empty".into());
    }
    if text.starts_with('<') {
        return Err("a web page, as one that says what went wrong".into());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(wrapper)) => Ok(wrapper),
        Ok(_) => Err(NO_ITEMS.into()),
        Err(error) if error.is_eof() => Err(format!("JSON that ends early: {error}")),
        Err(error) => Err(format!("no JSON: {error}")),
    }
}

/// Returns the endpoint that every item with a known id names, or `None` when there is none or they differ.
fn endpoint_of(items: &[Value]) -> Option<&'static str> {
    let of = |item: &Value| IDS.iter().find(|(id, _)| item.get(id).is_some()).map(|(_, endpoint)| *endpoint);
    let mut told = items.iter().filter_map(of);
    let first = told.next()?;
    told.all(|endpoint| endpoint == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] =
        br#"{"items":[{"answer_id":2,"question_id":1}],"has_more":false,"backoff":10,"quota_remaining":-1}"#;

    #[test]
    fn a_page_is_known_by_its_content_compressed_or_not() {
        let facts = inspect(PAGE);
        assert_eq!((facts.endpoint, facts.unreadable.as_deref()), (Some("answers"), None));
        assert_eq!((facts.line.n_items, facts.line.has_more), (Some(1), Some(false)));
        assert_eq!((facts.line.backoff, facts.line.quota_remaining), (Some(10), Some(-1)));
        assert_eq!(inspect(&compress(PAGE).unwrap()), facts);
        let marked = [MARK.as_bytes(), PAGE].concat();
        assert_eq!(inspect(&marked).endpoint, Some("answers"));
    }

    #[test]
    fn what_is_no_page_has_a_digest_and_nothing_else() {
        let whole = compress(PAGE).unwrap();
        for damaged in [&whole[..whole.len() - 9], &whole[..2]] {
            let facts = inspect(damaged);
            assert_eq!((facts.endpoint, facts.line.bytes, facts.line.n_items), (None, None, None));
            assert_eq!(facts.line.sha256, Some(sha256(damaged)));
        }
        for text in ["", "<html>", "[]", "{\"items\":5}", "{\"items\":[7,null,{\"id\":1}]}", "{\"items\":[]}"] {
            assert_eq!(inspect(text.as_bytes()).endpoint, None, "{text}");
        }
        let error = br#"{"error_id":502,"error_message":"too many requests","error_name":"throttle_violation"}"#;
        assert_eq!(inspect(error).line.error_id, Some(502));
    }

    #[test]
    fn a_page_that_unpacks_to_more_than_is_read_is_not_unpacked() {
        let bomb = compress(&vec![b' '; MOST + 1]).unwrap();
        let facts = inspect(&bomb);
        assert_eq!((facts.line.bytes, facts.line.sha256), (None, Some(sha256(&bomb))));
        assert_eq!(facts.unreadable.as_deref(), Some("larger than 64 MiB unpacked"));
    }

    #[test]
    fn items_of_two_kinds_tell_nothing() {
        assert_eq!(inspect(br#"{"items":[{"question_id":1},{"comment_id":1}]}"#).endpoint, None);
        assert_eq!(inspect(br#"{"items":[{"title":"no id"},{"question_id":1}]}"#).endpoint, Some("questions"));
    }

    #[test]
    fn gzip_is_stored_as_it_is_and_the_rest_without_a_time() {
        let broken = vec![0x1f, 0x8b, 1, 2, 3];
        assert_eq!(to_stored(broken.clone()).unwrap(), broken);
        let stored = to_stored(PAGE.to_vec()).unwrap();
        assert_eq!(stored[4..8], [0, 0, 0, 0]);
        assert_eq!(unpacked(&stored).unwrap(), PAGE);
    }
}
