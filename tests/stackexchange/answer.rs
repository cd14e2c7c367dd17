//! Answers, from items to bytes.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Map, Value, json};

use super::Encoding;
use super::refusal::Refusal;
use super::shape::{Features, Filter};

/// What a request was answered with, without what the wrapper says about the one who asked.
#[derive(Clone, Debug)]
pub struct Page {
    pub items: Vec<Value>,
    pub has_more: bool,
    pub total: usize,
    pub filter: Filter,
}

impl Page {
    /// Returns the answer of a method that has one item and no filter.
    pub fn of(items: Vec<Value>) -> Self {
        Self { total: items.len(), items, has_more: false, filter: Filter::Items(Features::default()) }
    }

    /// Returns the page in its wrapper.
    pub fn wrapped(&self, backoff: Option<i64>, quota_max: i64, quota_remaining: i64) -> Value {
        let features = match self.filter {
            Filter::Items(features) => features,
            Filter::Total => return json!({ "total": self.total }),
            Filter::Nothing => return json!({}),
        };
        let mut wrapper = Map::new();
        wrapper.insert("items".into(), Value::Array(self.items.clone()));
        wrapper.insert("has_more".into(), json!(self.has_more));
        if let Some(backoff) = backoff {
            wrapper.insert("backoff".into(), json!(backoff));
        }
        wrapper.insert("quota_max".into(), json!(quota_max));
        wrapper.insert("quota_remaining".into(), json!(quota_remaining));
        if features.total {
            wrapper.insert("total".into(), json!(self.total));
        }
        Value::Object(wrapper)
    }
}

/// An answer before it is sent.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub kind: &'static str,
    /// The value of `Content-Encoding`.
    pub encoding: Option<&'static str>,
    pub location: Option<String>,
    pub body: Payload,
}

/// What comes after the head.
#[derive(Debug)]
pub enum Payload {
    /// All of it.
    Whole(Vec<u8>),
    /// This much of it, then the connection breaks.
    Broken(Vec<u8>),
    /// This many bytes, then nothing more, and no end.
    Endless(usize),
}

impl Answer {
    /// Returns JSON as the options say, on one line.
    pub fn json(status: u16, value: &Value, encoding: Encoding) -> Self {
        let plain = value.to_string().into_bytes();
        let (encoding, body) = match encoding {
            Encoding::Gzip => (Some("gzip"), gzip(&plain)),
            Encoding::Unnamed => (None, gzip(&plain)),
            Encoding::Deflate => (Some("deflate"), deflate(&plain)),
            Encoding::Plain => (None, plain),
        };
        let kind = "application/json; charset=utf-8";
        Self { status, kind, encoding, location: None, body: Payload::Whole(body) }
    }

    /// Returns an error of the API: HTTP 400, whichever it is.
    pub fn refusal(refusal: &Refusal, encoding: Encoding) -> Self {
        let encoding = if refusal.early() { Encoding::Plain } else { encoding };
        Self::json(400, &refusal.json(), encoding)
    }

    /// Returns what the edge in front of the API says: a page for people.
    pub fn edge(status: u16) -> Self {
        let text = format!(
            "<!DOCTYPE html>\n<html><head><title>Stack Exchange</title></head>\
             <body><h1>{status}</h1><p>This IP address has been blocked or the site is not available.</p></body></html>\n"
        );
        let kind = "text/html; charset=utf-8";
        Self { status, kind, encoding: None, location: None, body: Payload::Whole(text.into_bytes()) }
    }

    /// Returns an answer that says where else to ask.
    pub fn redirect(location: &str) -> Self {
        Self { location: Some(location.to_string()), body: Payload::Whole(Vec::new()), ..Self::edge(302) }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}
