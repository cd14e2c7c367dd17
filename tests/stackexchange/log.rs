//! What a double was asked, and how it answered.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use hyper::http::request::Parts;

use super::methods;
use percent_encoding::percent_decode_str;

/// A request as the double saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its place among the requests, from 1.
    pub number: u64,
    /// The method's template, such as `/questions/{ids}/answers`; the path itself when there is no such method.
    pub method: String,
    /// The path: `/2.3/questions`.
    pub path: String,
    /// The parameters in the order they were sent.
    pub params: Vec<(String, String)>,
    /// The headers: names in lower case, values as they were sent.
    pub headers: Vec<(String, String)>,
    /// The world's time, in seconds since 1970.
    pub at: i64,
    /// When it arrived, since the double started.
    pub since: Duration,
    /// The HTTP status of the answer; 0 when the connection was closed without one, or none was sent yet.
    pub status: u16,
    /// How many items the answer holds, as the world had them: a spoilt answer may bring fewer.
    pub items: usize,
    /// The `error_id` of the answer.
    pub error: Option<i64>,
    /// A fault has spoilt the answer.
    pub spoilt: bool,
}

impl Asked {
    /// Returns the value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The list of requests.
#[derive(Debug)]
pub struct Log {
    started: Instant,
    asked: Mutex<(usize, Vec<Asked>)>,
}

impl Log {
    pub fn new() -> Self {
        Self { started: Instant::now(), asked: Mutex::default() }
    }

    /// Returns how long the double has been there.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().1.clone()
    }

    pub fn forget(&self) {
        let mut asked = self.asked.lock().unwrap();
        asked.0 += 1;
        asked.1.clear();
    }

    /// Notes a request that has arrived; returns it, and the age of the list it is in.
    pub fn arrived(&self, parts: &Parts) -> (usize, Asked) {
        let mut asked = self.asked.lock().unwrap();
        let text = |value: &hyper::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy().trim_end_matches('/').to_string();
        let request = Asked {
            number: asked.1.len() as u64 + 1,
            method: methods::template(&path).unwrap_or(&path).to_string(),
            path,
            params: pairs(parts.uri.query().unwrap_or_default()),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            at: 0,
            since: self.age(),
            status: 0,
            items: 0,
            error: None,
            spoilt: false,
        };
        asked.1.push(request.clone());
        (asked.0, request)
    }

    /// Notes how a request went, unless the list was forgotten since.
    pub fn ended(&self, age: usize, ended: &Asked) {
        let mut asked = self.asked.lock().unwrap();
        if asked.0 == age {
            asked.1[ended.number as usize - 1] = ended.clone();
        }
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}
