//! A cluster with an agent, a server where its pages would be, and the program that opens them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use soflow::names::Digest;

use super::agent::{Agent, Faults};
use crate::emr::lab::{Lab, Said, ended, signal};

/// A lab with a cluster that takes steps; `settings`: more lines of config/soflow.yaml.
pub fn with_cluster(settings: &str) -> (Lab, String) {
    let lab = Lab::with(settings, |options| options);
    let up = lab.run(&["cluster", "up"]);
    assert_eq!(up.code, Some(0), "{up}");
    let id = lab.clusters().remove(0);
    (lab, id)
}

/// A lab with a cluster, an agent on it, and a server behind the agent.
pub fn with_agent(faults: Faults) -> (Lab, String, Agent) {
    let (lab, id) = with_cluster("");
    let agent = Agent::start(serve(), faults);
    lab.twin.connect_agent(&agent.url);
    (lab, id, agent)
}

/// Serves `GET /BYTES` for as long as the tests run; returns its port.
pub fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    reader.read_line(&mut line).unwrap();
    let Some(size) = line.split([' ', '/']).nth(2).and_then(|size| size.parse().ok()) else { return };
    while reader.read_line(&mut line).unwrap() > 2 {}
    let body = body(size);
    // Whoever goes away misses it.
    drop(write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"));
    drop(stream.write_all(&body));
}

/// Returns bytes that do not repeat, the same each time.
fn body(size: usize) -> Vec<u8> {
    let mut state = size as u64 | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// Downloads a page of that size; returns whether it is what was served.
pub fn downloads(url: &str, size: usize) -> bool {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://").trim_end_matches('/')).unwrap();
    write!(stream, "GET /{size} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let start = all.windows(4).position(|four| four == b"\r\n\r\n").map_or(all.len(), |at| at + 4);
    Digest::of([&all[start..]]) == Digest::of([&body(size)[..]])
}

/// The program with a page open.
pub struct Open {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it said first.
    pub said: Value,
}

impl Open {
    /// Opens a page; returns once it is open.
    pub fn begin(lab: &Lab, args: &[&str]) -> Self {
        Self::of(lab.command(&[&["--output", "json", "open"], args].concat()))
    }

    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let said = serde_json::Deserializer::from_reader(&mut stdout).into_iter().next();
        let said: Value = said.unwrap_or(Ok(Value::Null)).unwrap();
        assert!(said["url"].is_string(), "it is not open: {said}");
        Self { child, stdout, said }
    }

    pub fn url(&self) -> &str {
        self.said["url"].as_str().unwrap()
    }

    /// Presses Ctrl-C; returns how it ended.
    pub fn interrupt(self) -> Said {
        signal(self.child.id(), "-INT");
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Said {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        Said { stdout: rest, ..ended(self.child) }
    }
}
