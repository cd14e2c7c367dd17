//! Who tells the story: the listeners, of which one is chosen.

use std::io::Write;
use std::sync::Arc;

use indicatif::ProgressDrawTarget;
use jiff::Timestamp;
use serde::Serialize;

use super::plain::Plain;
use super::style::Style;
use super::terminal::Terminal;
use crate::event::{EVENT_VERSION, Event, Sink};
use crate::mask;

/// Tells the time. Passed in, so that tests decide what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Returns the listener that draws bars on `screen`, the terminal that `out` is. It must be dropped before anything else
/// writes there. As all of them it never fails: when `out` is closed, the run goes on untold.
pub fn live(screen: ProgressDrawTarget, style: Style, out: Box<dyn Write + Send>) -> Box<dyn Sink> {
    Box::new(Terminal::new(screen, style, Outlet(Some(out))))
}

/// Returns the listener that writes one line per change of state, for CI logs and pipes; only warnings when it is `quiet`.
pub fn plain(style: Style, clock: Clock, out: Box<dyn Write + Send>, quiet: bool) -> Box<dyn Sink> {
    Box::new(Plain::new(style, clock, Outlet(Some(out)), quiet))
}

/// Returns the listener that writes one JSON object per event and line, as `docs/events.md` has them.
pub fn ndjson(clock: Clock, out: Box<dyn Write + Send>) -> Box<dyn Sink> {
    Box::new(Ndjson { clock, out: Outlet(Some(out)) })
}

/// An `out` that may go away: after the first failure nothing more is written.
pub(super) struct Outlet(pub(super) Option<Box<dyn Write + Send>>);

impl Outlet {
    /// Writes `text` at once. A closed pipe is no reason to fail a run.
    pub(super) fn write(&mut self, text: &str) {
        if let Some(out) = &mut self.0
            && out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err()
        {
            self.0 = None;
        }
    }
}

/// Writes NDJSON, flushed after each line.
struct Ndjson {
    clock: Clock,
    out: Outlet,
}

#[derive(Serialize)]
struct EventLine<'a> {
    v: u32,
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Sink for Ndjson {
    fn emit(&mut self, event: Event) {
        // Milliseconds: enough to order events of several runs, and every language parses them.
        let time = format!("{:.3}", (self.clock)());
        // An event is strings and numbers under string keys: serializing it cannot fail.
        if let Ok(mut line) = serde_json::to_value(EventLine { v: EVENT_VERSION, time, event: &event }) {
            mask::json(&mut line);
            self.out.write(&format!("{line}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Closed, Shared, clock, clusters, fetching, packaging, reading, story, tunnel};
    use super::*;

    #[test]
    fn quiet_still_warns() {
        let out = Shared::default();
        let mut sink = plain(Style::default(), clock(), Box::new(out.clone()), true);
        story().into_iter().for_each(|event| sink.emit(event));
        assert_eq!(out.text(), "09:59:57Z warning: tag `rust` has no page\n");
    }

    #[test]
    fn a_closed_pipe_is_tried_once_and_fails_nothing() {
        let closed: [Closed; 3] = Default::default();
        let [first, second, third] = closed.clone().map(Box::new);
        let style = Style::default();
        for mut sink in [
            plain(style, clock(), first, false),
            ndjson(clock(), second),
            live(ProgressDrawTarget::hidden(), style, third),
        ] {
            story().into_iter().for_each(|event| sink.emit(event));
        }
        assert!(closed.iter().all(|closed| *closed.0.lock().unwrap() == 1));
    }

    fn lines() -> String {
        let out = Shared::default();
        let mut sink = ndjson(clock(), Box::new(out.clone()));
        story()
            .into_iter()
            .chain(packaging())
            .chain(clusters())
            .chain(reading().into_iter().take(1))
            .chain(fetching().into_iter().take(2))
            .chain(tunnel())
            .for_each(|event| sink.emit(event));
        out.text()
    }

    #[test]
    fn every_event_is_one_line() {
        insta::assert_snapshot!(lines(), @r#"
        {"v":1,"time":"2026-11-23T09:59:57.000Z","event":"ingested","pages":[["questions",2],["tags",1]],"location":"file:///r"}
        {"v":1,"time":"2026-11-23T09:59:58.000Z","event":"engine-install","engine":"sail","bytes":142000000,"packages":34}
        {"v":1,"time":"2026-11-23T09:59:59.000Z","event":"engine-package","name":"numpy","done":20000000}
        {"v":1,"time":"2026-11-23T10:00:00.000Z","event":"engine-package","name":"pyarrow","done":80000000}
        {"v":1,"time":"2026-11-23T10:00:01.000Z","event":"engine-package","name":"pandas","done":120000000}
        {"v":1,"time":"2026-11-23T10:00:02.000Z","event":"engine-package","name":"","done":142000000}
        {"v":1,"time":"2026-11-23T10:00:03.000Z","event":"engine-ready","engine":"sail","path":".soflow/engine/ab12"}
        {"v":1,"time":"2026-11-23T10:00:04.000Z","event":"run-started","run":"daily.2026-11-22.1","target":"local","engine":"sail","steps":[{"name":"questions","action":"run"},{"name":"tags","action":"up-to-date"},{"name":"trends","action":"reuse"}]}
        {"v":1,"time":"2026-11-23T10:00:05.000Z","event":"step-changed","step":"questions","state":"pending","rows":0,"seconds":0.0}
        {"v":1,"time":"2026-11-23T10:00:06.000Z","event":"step-changed","step":"tags","state":"up-to-date","rows":65000,"seconds":0.0}
        {"v":1,"time":"2026-11-23T10:00:07.000Z","event":"step-changed","step":"trends","state":"reused","rows":1,"seconds":0.0}
        {"v":1,"time":"2026-11-23T10:00:08.000Z","event":"step-changed","step":"questions","state":"running","rows":0,"seconds":0.0}
        {"v":1,"time":"2026-11-23T10:00:09.000Z","event":"step-progress","step":"questions","rows":700,"seconds":1.0}
        {"v":1,"time":"2026-11-23T10:00:10.000Z","event":"step-changed","step":"questions","state":"completed","rows":1234,"seconds":2.46}
        {"v":1,"time":"2026-11-23T10:00:11.000Z","event":"quarantined","step":"questions","rows":3}
        {"v":1,"time":"2026-11-23T10:00:12.000Z","event":"note","text":"The data is\u001b[2J a sample."}
        {"v":1,"time":"2026-11-23T10:00:13.000Z","event":"warning","text":"tag `rust` has no page"}
        {"v":1,"time":"2026-11-23T10:00:14.000Z","event":"auditing","tables":3,"checks":1}
        {"v":1,"time":"2026-11-23T10:00:15.000Z","event":"check-failed","table":"tags","check":"rows-at-least: 9","found":"8 rows"}
        {"v":1,"time":"2026-11-23T10:00:16.000Z","event":"published","run":"daily.2026-11-22.1","tables":["questions","trends"]}
        {"v":1,"time":"2026-11-23T10:00:17.000Z","event":"run-finished","run":"daily.2026-11-22.1","state":"succeeded","seconds":63.0}
        {"v":1,"time":"2026-11-23T10:00:18.000Z","event":"packaging","what":"dependencies for Python 3.11 on Linux x86_64","packages":12}
        {"v":1,"time":"2026-11-23T10:00:19.000Z","event":"packaging-item","name":"numpy"}
        {"v":1,"time":"2026-11-23T10:00:20.000Z","event":"packaging-item","name":"pyarrow"}
        {"v":1,"time":"2026-11-23T10:00:21.000Z","event":"packaging-item","name":""}
        {"v":1,"time":"2026-11-23T10:00:22.000Z","event":"packaged","what":"dependencies for Python 3.11 on Linux x86_64","bytes":84000000}
        {"v":1,"time":"2026-11-23T10:00:23.000Z","event":"in-line","cluster":"j-0","position":1,"holders":"daily.2026-11-21.1 by anna@laptop until 2026-11-23T10:05:00Z"}
        {"v":1,"time":"2026-11-23T10:00:24.000Z","event":"uploading","what":"code","done":20000,"total":40000}
        {"v":1,"time":"2026-11-23T10:00:25.000Z","event":"uploading","what":"code","done":40000,"total":40000}
        {"v":1,"time":"2026-11-23T10:00:26.000Z","event":"cluster-chosen","cluster":"j-1","reused":false,"reason":"none that fits was there"}
        {"v":1,"time":"2026-11-23T10:00:27.000Z","event":"step-changed","step":"questions","state":"queued","rows":0,"seconds":0.0}
        {"v":1,"time":"2026-11-23T10:00:28.000Z","event":"cluster-changed","cluster":"j-1","state":"STARTING","reason":""}
        {"v":1,"time":"2026-11-23T10:00:29.000Z","event":"cluster-changed","cluster":"j-1","state":"RUNNING","reason":"Running step"}
        {"v":1,"time":"2026-11-23T10:00:30.000Z","event":"cluster-lost","cluster":"j-1","reason":"the primary node was lost"}
        {"v":1,"time":"2026-11-23T10:00:31.000Z","event":"cluster-chosen","cluster":"j-2","reused":true,"reason":"idle"}
        {"v":1,"time":"2026-11-23T10:00:32.000Z","event":"step-changed","step":"questions","state":"queued","rows":0,"seconds":0.0}
        {"v":1,"time":"2026-11-23T10:00:33.000Z","event":"reading","what":"so.7z/Posts.xml","done":0,"total":100000000,"rows":0}
        {"v":1,"time":"2026-11-23T10:00:34.000Z","event":"fetched","endpoint":"questions","pages":12,"items":1188,"left":9987,"ended":false}
        {"v":1,"time":"2026-11-23T10:00:35.000Z","event":"waiting","seconds":12.0,"reason":"the API wants `/questions` to rest"}
        {"v":1,"time":"2026-11-23T10:00:36.000Z","event":"tunnel","open":2,"connections":3,"bytes":3145728,"ended":false}
        {"v":1,"time":"2026-11-23T10:00:37.000Z","event":"tunnel","open":0,"connections":3,"bytes":3145728,"ended":true}
        "#);
    }

    #[test]
    fn every_event_and_field_is_in_the_documentation() {
        let page = include_str!("../../docs/events.md");
        for line in lines().lines() {
            let event: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            let name = event["event"].as_str().unwrap();
            let heading = format!("### `{name}`\n");
            let section = page.split_once(&heading).unwrap_or_else(|| panic!("{name} is missing")).1;
            let section = section.split("\n### ").next().unwrap();
            for field in event.keys().filter(|key| !["v", "time", "event"].contains(&key.as_str())) {
                assert!(section.contains(&format!("| `{field}` |")), "{name}.{field}");
            }
        }
    }
}
