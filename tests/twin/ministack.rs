//! A ministack, the second stand-in for AWS: its CloudFormation has change sets, rollbacks and drift, which moto's has not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;

use super::{moto, tools};

const LOCK: &str = include_str!("ministack.lock");
const SERVER: &str = include_str!("ministack_server.py");

/// A running ministack. Ends when dropped, or when this process ends: the server watches its standard input.
#[derive(Debug)]
pub struct Ministack {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    process: Child,
}

impl Ministack {
    /// Starts a ministack on a free port.
    ///
    /// # Panics
    /// When it cannot be installed (the first time downloads its packages), or does not start.
    pub fn start() -> Self {
        let (process, port) = tools::serve(tools::python("ministack", LOCK).args(["-u", "-c", SERVER]));
        Self { port, process }
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
