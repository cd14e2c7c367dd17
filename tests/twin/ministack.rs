//! A ministack server: another interpreter of state machines, with Lambda and EventBridge of its own, whose functions call a
//! twin; and a CloudFormation with change sets, rollbacks and drift, which moto's has not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout};
use std::sync::{Mutex, OnceLock};

use jiff::Timestamp;
use serde_json::Value;

use super::forward::Forward;
use super::moto::{self, PERSON};
use super::{Twin, tools};

const LOCK: &str = include_str!("ministack.lock");
const SERVER: &str = include_str!("ministack_server.py");

/// A running ministack. Ends when dropped, or when this process ends: the server watches its standard input.
#[derive(Debug)]
pub struct Ministack {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    client: Forward,
    process: Child,
    said: Mutex<BufReader<ChildStdout>>,
}

fn shared() -> &'static Ministack {
    static SHARED: OnceLock<Ministack> = OnceLock::new();
    SHARED.get_or_init(Ministack::start)
}

impl Ministack {
    /// Starts a ministack.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a ministack whose functions find AWS at `url`.
    pub fn behind(url: &str) -> Self {
        Self::with(&[url])
    }

    fn with(arguments: &[&str]) -> Self {
        let (port, process, said) = tools::serve("ministack", LOCK, SERVER, arguments);
        Self { port, client: Forward::new(port, PERSON), process, said: Mutex::new(said) }
    }

    /// Moves the clock that schedules go by, and starts what is due by then; returns when that is started.
    pub fn clock(&self, time: Timestamp) {
        let mut said = self.said.lock().unwrap();
        writeln!(self.process.stdin.as_ref().unwrap(), "{}", time.as_second()).unwrap();
        said.read_line(&mut String::new()).unwrap();
    }

    /// Returns the variables that point an AWS client here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        moto::environment(&format!("http://127.0.0.1:{}", self.port))
    }

    /// Sends a request as no AWS client would, without a signature; returns the status and the body.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_string()).unwrap_or_default())
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Twin {
    /// Returns the answer of a JSON service in ministack, such as `("states", "AWSStepFunctions.ListStateMachines")`.
    pub fn ask_ministack(&self, service: &'static str, target: &'static str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let (status, body) = self.wait(|_| shared().client.json(service, target, body));
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Makes a function in ministack, by Lambda's `CreateFunction`.
    pub fn function_in_ministack(&self, request: &Value) {
        let body = request.to_string().into_bytes();
        let (status, body) = self.wait(|_| shared().client.rest("lambda", "POST", "/2015-03-31/functions", body));
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
    }
}
