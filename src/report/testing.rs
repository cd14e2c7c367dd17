//! What the tests of this folder share.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::sink::Clock;
use crate::event::{Event, PlannedStep, RunState, StepState};

/// A `Write` whose bytes can be read while a sink owns it.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader is gone; counts the attempts.
#[derive(Clone, Default)]
pub(super) struct Closed(pub(super) Arc<Mutex<usize>>);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        *self.0.lock().unwrap() += 1;
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A clock that is one second later each time.
pub(super) fn clock() -> Clock {
    let second = Mutex::new("2026-11-23T09:59:57Z".parse::<Timestamp>().unwrap());
    Arc::new(move || {
        let mut second = second.lock().unwrap();
        let now = *second;
        *second += jiff::SignedDuration::from_secs(1);
        now
    })
}

/// What a first run emits: an engine is installed, one step succeeds, one is up to date, everything is published.
pub(super) fn story() -> Vec<Event> {
    let planned = |name: &str, action: &str| PlannedStep { name: name.into(), action: action.into() };
    let step = |step: &str, state, rows, seconds| Event::StepChanged { step: step.into(), state, rows, seconds };
    let package = |name: &str, done| Event::EnginePackage { name: name.into(), done };
    let run: crate::names::RunId = "daily.2026-11-22.1".parse().unwrap();
    vec![
        Event::Ingested { pages: vec![("questions".into(), 2), ("tags".into(), 1)], location: "file:///r".into() },
        Event::EngineInstall { engine: "sail".into(), bytes: 142_000_000, packages: 34 },
        package("numpy", 20_000_000),
        package("pyarrow", 80_000_000),
        package("pandas", 120_000_000),
        package("", 142_000_000),
        Event::EngineReady { engine: "sail".into(), path: ".soflow/engine/ab12".into() },
        Event::RunStarted {
            run: run.clone(),
            target: "local".into(),
            engine: "sail".into(),
            steps: vec![planned("questions", "run"), planned("tags", "up-to-date"), planned("trends", "reuse")],
        },
        step("questions", StepState::Pending, 0, 0.0),
        step("tags", StepState::UpToDate, 65_000, 0.0),
        step("trends", StepState::Reused, 1, 0.0),
        step("questions", StepState::Running, 0, 0.0),
        Event::StepProgress { step: "questions".into(), rows: 700, seconds: 1.0 },
        step("questions", StepState::Completed, 1234, 2.46),
        Event::Quarantined { step: "questions".into(), rows: 3 },
        Event::Note { text: "The data is\u{1b}[2J a sample.".into() },
        Event::Warning { text: "tag `rust` has no page".into() },
        Event::Auditing { tables: 3, checks: 1 },
        Event::CheckFailed { table: "tags".into(), check: "rows-at-least: 9".into(), found: "8 rows".into() },
        Event::Published { run: run.clone(), tables: vec!["questions".into(), "trends".into()] },
        Event::RunFinished { run, state: RunState::Succeeded, seconds: 63.0 },
    ]
}

/// What is told of clusters: a busy one is waited for, a new one is made, is lost, and is followed by another.
pub(super) fn clusters() -> Vec<Event> {
    let changed = |state: &str, reason: &str| Event::ClusterChanged {
        cluster: "j-1".into(),
        state: state.into(),
        reason: reason.into(),
    };
    let chosen = |cluster: &str, reused, reason: &str| Event::ClusterChosen {
        cluster: cluster.into(),
        reused,
        reason: reason.into(),
    };
    let queued = Event::StepChanged { step: "questions".into(), state: StepState::Queued, rows: 0, seconds: 0.0 };
    let holders = "daily.2026-11-21.1 by anna@laptop until 2026-11-23T10:05:00Z".to_string();
    vec![
        Event::InLine { cluster: "j-0".into(), position: 1, holders },
        Event::Uploading { what: "code".into(), done: 20_000, total: 40_000 },
        Event::Uploading { what: "code".into(), done: 40_000, total: 40_000 },
        chosen("j-1", false, "none that fits was there"),
        queued.clone(),
        changed("STARTING", ""),
        changed("RUNNING", "Running step"),
        Event::ClusterLost { cluster: "j-1".into(), reason: "the primary node was lost".into() },
        chosen("j-2", true, "idle"),
        queued,
    ]
}

/// What is told while the dependencies of a job are packaged for a cluster.
pub(super) fn packaging() -> Vec<Event> {
    let what = || "dependencies for Python 3.11 on Linux x86_64".to_string();
    let item = |name: &str| Event::PackagingItem { name: name.into() };
    vec![
        Event::Packaging { what: what(), packages: 12 },
        item("numpy"),
        item("pyarrow"),
        item(""),
        Event::Packaged { what: what(), bytes: 84_000_000 },
    ]
}

/// What is told while two files of a dump are read.
pub(super) fn reading() -> Vec<Event> {
    let of = |what: &str, done, total, rows| Event::Reading { what: what.into(), done, total, rows };
    vec![
        of("so.7z/Posts.xml", 0, 100_000_000, 0),
        of("so.7z/Posts.xml", 30_000_000, 100_000_000, 17_000),
        of("so.7z/Posts.xml", 80_000_000, 100_000_000, 45_000),
        of("so.7z/Posts.xml", 99_999_999, 100_000_000, 56_000),
        of("so.7z/Posts.xml", 100_000_000, 100_000_000, 56_000),
        of("so.7z/Tags.xml", 0, 1_000, 0),
        of("so.7z/Tags.xml", 1_000, 1_000, 1),
    ]
}

/// What is told while a page of a cluster is open.
pub(super) fn tunnel() -> Vec<Event> {
    let of = |open, ended| Event::Tunnel { open, connections: 3, bytes: 3_145_728, ended };
    vec![of(2, false), of(0, true)]
}

/// What is told while an endpoint of the API is read.
pub(super) fn fetching() -> Vec<Event> {
    let of =
        |pages, items, ended| Event::Fetched { endpoint: "questions".into(), pages, items, left: Some(9_987), ended };
    vec![
        of(12, 1_188, false),
        Event::Waiting { seconds: 12.0, reason: "the API wants `/questions` to rest".into() },
        of(13, 1_250, true),
    ]
}
