//! What can be learnt from a downloaded page without changing it. Pages may be damaged, or no pages at all.

use std::io::{Read as _, Write as _};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::manifest::Line;
use crate::error::Result;

/// The first bytes of a gzip member. Source: RFC 1952, section 2.3.1.
pub const GZIP: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The ids that tell an endpoint, the most telling first: an answer has a `question_id` too.
const IDS: [(&str, &str); 3] = [("comment_id", "comments"), ("answer_id", "answers"), ("question_id", "questions")];

/// What a page says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The endpoint all its items agree on.
    pub endpoint: Option<&'static str>,
    /// The start of a manifest line.
    pub line: Line,
}

/// Returns what `file`, the bytes as downloaded, says about itself.
pub fn inspect(file: &[u8]) -> Facts {
    let Some(body) = body_of(file) else {
        return Facts { endpoint: None, line: Line { sha256: Some(sha256(file)), ..Line::default() } };
    };
    let line = Line { sha256: Some(sha256(&body)), bytes: Some(body.len() as u64), ..Line::default() };
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
    let Ok(Value::Object(wrapper)) = serde_json::from_slice(text) else { return Facts { endpoint: None, line } };
    let number = |key: &str| wrapper.get(key).and_then(Value::as_i64);
    let items = wrapper.get("items").and_then(Value::as_array);
    Facts {
        endpoint: items.and_then(|items| endpoint_of(items)),
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

/// Returns the bytes to store: a gzip file stays as it is, damaged or not, and anything else is compressed.
///
/// The same input gives the same bytes: the header has no time and no name.
pub fn to_stored(file: Vec<u8>) -> Result<Vec<u8>> {
    if file.starts_with(&GZIP) { Ok(file) } else { compress(&file) }
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
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the body as the API sent it, or `None` when the file is gzip and damaged.
fn body_of(file: &[u8]) -> Option<Vec<u8>> {
    if !file.starts_with(&GZIP) {
        return Some(file.to_vec());
    }
    let mut body = Vec::new();
    MultiGzDecoder::new(file).read_to_end(&mut body).ok().map(|_| body)
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
        assert_eq!(facts.endpoint, Some("answers"));
        assert_eq!((facts.line.n_items, facts.line.has_more), (Some(1), Some(false)));
        assert_eq!((facts.line.backoff, facts.line.quota_remaining), (Some(10), Some(-1)));
        assert_eq!(inspect(&compress(PAGE).unwrap()), facts);
        let marked = [BYTE_ORDER_MARK, PAGE].concat();
        assert_eq!(inspect(&marked).endpoint, Some("answers"));
    }

    #[test]
    fn what_is_no_page_has_a_digest_and_nothing_else() {
        let whole = compress(PAGE).unwrap();
        for damaged in [&whole[..whole.len() - 9], &whole[..2]] {
            let facts = inspect(damaged);
            assert_eq!((facts.endpoint, facts.line.bytes, facts.line.n_items), (None, None, None));
            assert_eq!(facts.line.sha256.unwrap(), sha256(damaged));
        }
        for text in ["", "<html>", "[]", "{\"items\":5}", "{\"items\":[7,null,{\"id\":1}]}", "{\"items\":[]}"] {
            assert_eq!(inspect(text.as_bytes()).endpoint, None, "{text}");
        }
        let error = br#"{"error_id":502,"error_message":"too many requests","error_name":"throttle_violation"}"#;
        assert_eq!(inspect(error).line.error_id, Some(502));
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
        assert_eq!(body_of(&stored).unwrap(), PAGE);
    }
}
