//! The story for logs: one line per change of state, with its time (UTC), no cursor movements.

use super::format::{bytes, plural};
use super::sink::{Clock, Outlet};
use super::story;
use super::style::{Style, paint};
use super::text;
use crate::event::{Event, Sink};

/// Writes the plain story.
pub(super) struct Plain {
    style: Style,
    clock: Clock,
    out: Outlet,
    /// Whether only warnings are told.
    quiet: bool,
    /// The size of the engine that is being downloaded.
    engine: u64,
    /// How many quarters were told of what is being downloaded or read.
    quarters: u64,
}

impl Plain {
    pub(super) fn new(style: Style, clock: Clock, out: Outlet, quiet: bool) -> Self {
        Self { style, clock, out, quiet, engine: 0, quarters: 0 }
    }

    fn line(&mut self, said: &str) {
        let time = (self.clock)().strftime("%H:%M:%SZ").to_string();
        self.out.write(&format!("{} {said}\n", paint(self.style.dim, &time)));
    }

    /// Tells 25, 50 and 75 percent, each once; of a jump over several the last.
    fn progress(&mut self, verb: &str, what: &str, (done, total): (u64, u64)) {
        let quarters = (done.saturating_mul(4) / total.max(1)).min(3);
        if quarters > self.quarters {
            self.quarters = quarters;
            self.line(&format!("{verb} {} % of {}", quarters * 25, text::line(what)));
        }
    }
}

impl Sink for Plain {
    fn emit(&mut self, event: Event) {
        if self.quiet && !matches!(event, Event::Warning { .. }) {
            return;
        }
        match &event {
            Event::EngineInstall { bytes, .. } => (self.engine, self.quarters) = (*bytes, 0),
            Event::EnginePackage { name, done } => {
                let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
                self.progress("downloaded", &format!("{}{name}", bytes(self.engine)), (*done, self.engine));
            }
            // Files are read one after the other; the end of each has a line of its own.
            Event::Reading { done, total, .. } if *done == 0 || done == total => self.quarters = 0,
            Event::Reading { what, done, total, rows } => {
                self.progress("read", &format!("{what}, {}, {}", bytes(*total), plural(*rows, "row")), (*done, *total));
            }
            _ => {}
        }
        if let Some(said) = story::sentence(&event, &self.style) {
            self.line(&said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Shared, clock, clusters, packaging, reading, story};
    use super::*;

    fn plain(out: &Shared) -> Plain {
        Plain::new(Style::default(), clock(), Outlet(Some(Box::new(out.clone()))), false)
    }

    #[test]
    fn a_log_has_one_line_per_change() {
        let out = Shared::default();
        let mut plain = plain(&out);
        story().into_iter().for_each(|event| plain.emit(event));
        assert!(!out.text().contains(|c: char| c.is_control() && c != '\n'));
        insta::assert_snapshot!(out.text(), @r"
        09:59:57Z ingested 3 pages (questions 2, tags 1) into file:///r
        09:59:58Z engine sail: downloading 34 packages, 142.0 MB
        09:59:59Z downloaded 50 % of 142.0 MB (pyarrow)
        10:00:00Z downloaded 75 % of 142.0 MB (pandas)
        10:00:01Z engine sail is ready in .soflow/engine/ab12
        10:00:02Z run daily.2026-11-22.1 started on local (sail): 3 steps, 1 reused, 1 up to date
        10:00:03Z step tags up to date
        10:00:04Z step trends reused: 1 row from an earlier run
        10:00:05Z step questions running
        10:00:06Z step questions completed: 1,234 rows in 2.5 s
        10:00:07Z step questions set 3 rows aside
        10:00:08Z The data is\u{1b}[2J a sample.
        10:00:09Z warning: tag `rust` has no page
        10:00:10Z auditing 3 tables, 1 check
        10:00:11Z check failed: table tags, `rows-at-least: 9`, found 8 rows
        10:00:12Z published 2 tables: questions, trends
        10:00:13Z run daily.2026-11-22.1 succeeded in 1 m 03 s
        ");
    }

    #[test]
    fn packaging_has_a_first_and_a_last_line() {
        let out = Shared::default();
        let mut plain = plain(&out);
        packaging().into_iter().for_each(|event| plain.emit(event));
        insta::assert_snapshot!(out.text(), @r"
        09:59:57Z packaging dependencies for Python 3.11 on Linux x86_64: 12 packages
        09:59:58Z packaged dependencies for Python 3.11 on Linux x86_64: 84.0 MB
        ");
    }

    #[test]
    fn a_cluster_has_one_line_per_change() {
        let out = Shared::default();
        let mut plain = plain(&out);
        clusters().into_iter().for_each(|event| plain.emit(event));
        insta::assert_snapshot!(out.text(), @r"
        09:59:57Z waiting for cluster j-0, number 1 in line: daily.2026-11-21.1 by anna@laptop until 2026-11-23T10:05:00Z
        09:59:58Z uploaded code, 40.0 kB
        09:59:59Z cluster j-1 is being made: none that fits was there
        10:00:00Z step questions queued
        10:00:01Z cluster j-1 is STARTING
        10:00:02Z cluster j-1 is RUNNING: Running step
        10:00:03Z warning: cluster j-1 ended: the primary node was lost
        10:00:04Z cluster j-2 is used: idle
        10:00:05Z step questions queued
        ");
    }

    #[test]
    fn a_file_has_a_line_for_each_quarter_and_one_in_the_end() {
        let out = Shared::default();
        let mut plain = plain(&out);
        reading().into_iter().for_each(|event| plain.emit(event));
        insta::assert_snapshot!(out.text(), @r"
        09:59:57Z read 25 % of so.7z/Posts.xml, 100.0 MB, 17,000 rows
        09:59:58Z read 75 % of so.7z/Posts.xml, 100.0 MB, 45,000 rows
        09:59:59Z read so.7z/Posts.xml, 56,000 rows
        10:00:00Z read so.7z/Tags.xml, 1 row
        ");
    }

    #[test]
    fn ticks_do_not_fill_the_log() {
        let out = Shared::default();
        let mut plain = plain(&out);
        plain.emit(Event::EngineInstall { engine: "sail".into(), bytes: 1000, packages: 1 });
        (0..=1000).for_each(|done| plain.emit(Event::EnginePackage { name: "pysail".into(), done }));
        (0..1000).for_each(|rows| plain.emit(Event::StepProgress { step: "s".into(), rows, seconds: 0.1 }));
        assert_eq!(out.text().lines().count(), 4);
    }
}
