//! What an answer of the API says, or why it is none.

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::cursor::{ItemKey, ListItem};
use super::endpoint::Sort;
use crate::ingest::page::{GZIP, whole};

/// What a question wants to know; the answer must have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A page of a list, and whether the list goes on.
    Items,
    /// How many items there are.
    Total,
}

/// A page, as far as it is understood. What reading on does not need may be missing or odd.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiPage {
    /// Its items.
    pub items: Vec<Value>,
    /// Whether the list goes on.
    pub has_more: bool,
    /// Requests left until the quota is filled up again; the API does send negative ones.
    pub quota_remaining: Option<i64>,
    /// Requests of a whole quota.
    pub quota_max: Option<i64>,
    /// Seconds in which the same method must not be asked again.
    pub backoff: Option<i64>,
    /// How many items there are, when the filter asks for nothing else.
    pub total: Option<i64>,
}

impl ApiPage {
    /// Returns the items as reading on needs them; without those that have no id.
    pub fn rows(&self, id: &str, sort: Sort) -> Vec<ListItem> {
        let row =
            |item: &Value| Some(ListItem { id: key(item.get(id)?)?, value: item.get(sort.field()).and_then(key) });
        self.items.iter().filter_map(row).collect()
    }

    /// Returns the other endpoints whose items stand inside these.
    pub fn holds(&self) -> Vec<String> {
        let lists = |items: &[Value], key: &str| items.iter().any(|item| item.get(key).is_some_and(Value::is_array));
        let nested: Vec<Value> =
            self.items.iter().filter_map(|item| item.get("answers")?.as_array()).flatten().cloned().collect();
        let answers = lists(&self.items, "answers").then_some("answers");
        let comments = (lists(&self.items, "comments") || lists(&nested, "comments")).then_some("comments");
        answers.into_iter().chain(comments).map(String::from).collect()
    }
}

fn key(value: &Value) -> Option<ItemKey> {
    match value {
        Value::Number(number) => number.as_i64().map(ItemKey::Number),
        Value::String(text) => Some(ItemKey::Text(text.clone())),
        _ => None,
    }
}

/// An answer that is no page.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What is to be done about it.
    pub class: FaultClass,
    /// The HTTP status; `None` when there was no answer.
    pub status: Option<u16>,
    /// The API's own number and name of it, `502 throttle_violation`.
    pub error: Option<String>,
    /// What was said, a fragment.
    pub message: String,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl Fault {
    /// Returns what was said, with the API's own name of it.
    pub fn said(&self) -> String {
        self.error.iter().chain([&self.message]).map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

/// What is to be done about an answer that is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// Ask again soon.
    Transient,
    /// Too fast, or a `backoff` was not kept to: ask again after it, and a minute at least.
    Backoff,
    /// No requests are left for so many seconds.
    Quota(i64),
    /// Something before the API keeps us out: ask again after minutes, and few times.
    Blocked,
    /// Never ask again: the question is wrong.
    BadRequest,
    /// Never ask again with the same filter: it leaves this field out, without which the rest would be lost.
    MissingField(&'static str),
    /// Never ask again: the key or token is wrong, or missing.
    Credentials,
}

/// Returns the page in `body` with what is `wanted`, or why it is none.
///
/// All errors of the API have the HTTP status 400: what counts is `error_id` in the body, if that is JSON. Source:
/// api.stackexchange.com/docs/error-handling.
///
/// # Errors
/// The fault, with its class.
pub fn read(status: u16, body: Vec<u8>, wanted: Expected) -> Result<ApiPage, Fault> {
    let parsed: Option<Value> = serde_json::from_slice(&body).ok();
    let fault = |class, error, message: String, body| Fault { class, status: Some(status), error, message, body };
    let Some(Value::Object(wrapper)) = parsed else {
        let class = match status {
            403 | 429 => FaultClass::Blocked,
            400..=499 => FaultClass::BadRequest,
            _ => FaultClass::Transient,
        };
        let message = format!("HTTP {status} and no JSON: {}", beginning(&body));
        return Err(fault(class, None, message, body));
    };
    let number = |key: &str| wrapper.get(key).and_then(lenient);
    if let Some(id) = number("error_id") {
        let text = |key: &str| wrapper.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, message) = (text("error_name"), text("error_message"));
        let error = format!("{id} {name}").trim().to_string();
        return Err(fault(class_of(id, message), Some(error), message.to_string(), body));
    }
    let items = wrapper.get("items").and_then(Value::as_array);
    let has_more = wrapper.get("has_more").and_then(Value::as_bool);
    let lacks = match wanted {
        Expected::Items if items.is_none() => Some("items"),
        Expected::Items if has_more.is_none() => Some("has_more"),
        Expected::Total if number("total").is_none() => Some("total"),
        _ => None,
    };
    if let Some(field) = lacks {
        let class = if status == 200 { FaultClass::MissingField(field) } else { FaultClass::Transient };
        let message = format!("HTTP {status} and JSON without `{field}`: {}", beginning(&body));
        return Err(fault(class, None, message, body));
    }
    Ok(ApiPage {
        items: items.cloned().unwrap_or_default(),
        has_more: has_more.unwrap_or_default(),
        quota_remaining: number("quota_remaining"),
        quota_max: number("quota_max"),
        backoff: number("backoff").filter(|seconds| *seconds > 0),
        total: number("total"),
    })
}

/// Returns the class of an error by its number. Source: api.stackexchange.com/docs/error-handling.
fn class_of(id: i64, message: &str) -> FaultClass {
    match id {
        500 | 503 => FaultClass::Transient,
        502 => seconds_in(message).map_or(FaultClass::Backoff, FaultClass::Quota),
        401..=403 | 405 | 406 => FaultClass::Credentials,
        _ => FaultClass::BadRequest,
    }
}

/// Returns the number before the word `seconds`, as in "more requests available in 46472 seconds".
fn seconds_in(message: &str) -> Option<i64> {
    let words: Vec<&str> = message.split_whitespace().collect();
    words.windows(2).find(|pair| pair[1].starts_with("second")).and_then(|pair| pair[0].parse().ok())
}

/// Returns a whole number, also one written as text or with a fraction, which is rounded up.
fn lenient(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(ceil)),
        Value::String(text) => text.trim().parse::<f64>().ok().map(ceil),
        _ => None,
    };
    number.filter(|number| number.abs() < i64::from(u32::MAX))
}

#[expect(clippy::cast_possible_truncation, reason = "a float too large becomes the largest integer, which is left out")]
fn ceil(number: f64) -> i64 {
    number.ceil() as i64
}

/// Returns the first words of what cannot be understood, for people.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(400)]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let words: String = words.join(" ").chars().filter(|c| !c.is_control()).take(80).collect();
    if words.is_empty() { "nothing".into() } else { format!("`{words}`") }
}

/// Returns the body that `sent` is, compressed or not; `None` when it is cut short, damaged or too large.
///
/// The API compresses everything, with gzip unless it is asked for something else; early errors may be plain. Source:
/// api.stackexchange.com/docs/compression.
pub fn decoded(sent: Vec<u8>) -> Option<Vec<u8>> {
    if sent.starts_with(&GZIP) { whole(MultiGzDecoder::new(sent.as_slice())).ok() } else { Some(sent) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::ingest::page::MOST;

    const TEXT: &[u8] = b"{\"items\":[]}";

    #[test]
    fn a_body_is_unpacked_when_it_is_packed() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(TEXT).unwrap();
        let gzip = gzip.finish().unwrap();
        assert_eq!(decoded(gzip.clone()).unwrap(), TEXT);
        assert_eq!(decoded(TEXT.to_vec()).unwrap(), TEXT);
        assert_eq!(decoded(gzip[..gzip.len() - 4].to_vec()), None);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(&vec![b' '; MOST + 1]).unwrap();
        assert_eq!(decoded(bomb.finish().unwrap()), None);
    }

    fn fault(status: u16, body: &str) -> Fault {
        read(status, body.as_bytes().to_vec(), Expected::Items).unwrap_err()
    }

    #[test]
    fn every_error_of_the_api_has_its_class() {
        let class = |id: i64, message: &str| {
            fault(400, &format!(r#"{{"error_id":{id},"error_message":"{message}","error_name":"n"}}"#)).class
        };
        for (id, expected) in [
            (400, FaultClass::BadRequest),
            (401, FaultClass::Credentials),
            (402, FaultClass::Credentials),
            (403, FaultClass::Credentials),
            (404, FaultClass::BadRequest),
            (405, FaultClass::Credentials),
            (406, FaultClass::Credentials),
            (407, FaultClass::BadRequest),
            (409, FaultClass::BadRequest),
            (500, FaultClass::Transient),
            (503, FaultClass::Transient),
            (999, FaultClass::BadRequest),
        ] {
            assert_eq!(class(id, "words"), expected, "{id}");
        }
        assert_eq!(class(502, "Violation of backoff parameter"), FaultClass::Backoff);
        assert_eq!(
            class(502, "too many requests from this IP, more requests available in 46472 seconds"),
            FaultClass::Quota(46_472)
        );
        assert_eq!(class(502, "too many requests"), FaultClass::Backoff);
    }

    #[test]
    fn what_comes_from_the_edge_is_not_from_the_api() {
        for (status, expected) in [
            (403, FaultClass::Blocked),
            (429, FaultClass::Blocked),
            (404, FaultClass::BadRequest),
            (500, FaultClass::Transient),
            (502, FaultClass::Transient),
            (200, FaultClass::Transient),
            (301, FaultClass::Transient),
        ] {
            assert_eq!(fault(status, "<html>\n <b>no</b>").class, expected, "{status}");
        }
        assert_eq!(fault(200, "<html>\n <b>no</b>").message, "HTTP 200 and no JSON: `<html> <b>no</b>`");
        assert_eq!(fault(200, "").message, "HTTP 200 and no JSON: nothing");
        assert_eq!(fault(503, "{\"items\":5}").class, FaultClass::Transient);
        assert_eq!(fault(200, "{\"items\":[\"\u{0}").class, FaultClass::Transient);
    }

    #[test]
    fn what_reading_on_needs_has_no_default() {
        for (body, field) in [
            (r#"{"items":5,"has_more":true}"#, "items"),
            (r#"{"total":12}"#, "items"),
            ("{}", "items"),
            (r#"{"items":[]}"#, "has_more"),
            (r#"{"items":[],"has_more":"yes"}"#, "has_more"),
            (r#"{"items":[],"has_more":null}"#, "has_more"),
        ] {
            assert_eq!(fault(200, body).class, FaultClass::MissingField(field), "{body}");
        }
        let total = |body: &str| read(200, body.into(), Expected::Total);
        assert_eq!(total(r#"{"items":[],"has_more":true}"#).unwrap_err().class, FaultClass::MissingField("total"));
        assert_eq!(total(r#"{"total":12}"#).unwrap().total, Some(12));
    }

    #[test]
    fn an_odd_wrapper_loses_no_page() {
        let body =
            r#"{"items":[{"question_id":1}],"quota_remaining":-1,"quota_max":"300","backoff":9.2,"has_more":true}"#;
        let page = read(200, body.into(), Expected::Items).unwrap();
        assert_eq!((page.quota_remaining, page.quota_max, page.backoff), (Some(-1), Some(300), Some(10)));
        assert!(page.has_more);
        let bare = r#"{"items":[],"has_more":false,"quota_remaining":"many","backoff":0}"#;
        assert_eq!(read(200, bare.into(), Expected::Items).unwrap(), ApiPage::default());
    }

    #[test]
    fn nested_items_are_noticed() {
        let page = |items: Value| ApiPage { items: vec![items], ..ApiPage::default() };
        assert_eq!(page(serde_json::json!({"answers": [{"comments": []}]})).holds(), ["answers", "comments"]);
        assert_eq!(page(serde_json::json!({"comments": []})).holds(), ["comments"]);
        assert!(page(serde_json::json!({"answers": 3})).holds().is_empty());
    }
}
