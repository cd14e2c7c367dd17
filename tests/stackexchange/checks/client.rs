//! A client that knows HTTP and nothing else, so that every answer is seen as it is on the wire.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::stackexchange::Double;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the body's JSON, unpacked when it is gzip; null when there is none.
    pub fn json(&self) -> Value {
        let mut text = Vec::new();
        if self.body.starts_with(&[0x1f, 0x8b]) {
            if GzDecoder::new(self.body.as_slice()).read_to_end(&mut text).is_err() {
                return Value::Null;
            }
        } else {
            text.clone_from(&self.body);
        }
        serde_json::from_slice(&text).unwrap_or(Value::Null)
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the items' values of a field.
    pub fn all(&self, field: &str) -> Vec<i64> {
        let json = self.json();
        json["items"].as_array().unwrap().iter().map(|item| item[field].as_i64().unwrap()).collect()
    }
}

/// Returns the answer to a request, or nothing when the connection closed without one.
pub fn send(double: &Double, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let (host, base) = double.url().trim_start_matches("http://").split_once('/').map(owned).unwrap();
    let mut stream = TcpStream::connect(&host).unwrap();
    let mut head = format!("GET /{base}{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => {}
    }
    let end = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head, body: all[end + 4..].to_vec() })
}

fn owned((host, base): (&str, &str)) -> (String, String) {
    (host.to_string(), base.to_string())
}

/// Returns the answer to a request of the site the double knows.
pub fn get(double: &Double, path: &str) -> Answer {
    let joint = if path.contains('?') { '&' } else { '?' };
    send(double, &format!("{path}{joint}site=stackoverflow"), &[]).unwrap()
}
