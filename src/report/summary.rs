//! The answer of a run: what it left behind, for people and for programs.

use std::path::PathBuf;

use serde::Serialize;

use super::format::{bytes, count, plural, seconds};
use super::style::paint;
use super::table::{Layout, TextCell};
use super::text;
use crate::event::RunState;
use crate::names::RunId;

/// What a run left behind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The target's name.
    pub target: String,
    /// `sail` or `spark`.
    pub engine: String,
    /// How the run ended.
    pub state: RunState,
    /// Seconds since it was claimed.
    pub seconds: f64,
    /// Its tables, in the order of the plan.
    pub tables: Vec<TableLine>,
    /// Steps that set input aside.
    pub quarantined: Vec<SetAside>,
    /// What the data says.
    pub insights: Vec<InsightLines>,
    /// The page about the job that was written.
    pub report: Option<PathBuf>,
    /// Commands that show more.
    pub next: Vec<String>,
}

/// One table after a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableLine {
    /// The table.
    pub name: String,
    /// Rows it has now.
    pub rows: u64,
    /// Rows readers saw before, when there was a table.
    pub rows_before: Option<u64>,
    /// Partitions this run wrote.
    pub partitions_written: u64,
    /// Bytes this run wrote.
    pub bytes: u64,
    /// What became of it.
    pub state: TableState,
}

/// What became of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableState {
    /// Readers see what this run wrote.
    Published,
    /// Nothing had changed; readers see what they saw before.
    UpToDate,
}

/// Rows a step could not use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetAside {
    /// The step.
    pub step: String,
    /// Rows in its quarantine.
    pub rows: u64,
}

/// A few lines of what the data says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InsightLines {
    /// What the lines are about.
    pub title: String,
    /// One finding each.
    pub lines: Vec<String>,
}

/// In fewer columns than these, what was written is left out of the listing.
const NARROW: usize = 72;

/// Columns that lines are broken to when there is no terminal.
const USUAL: usize = 100;

impl RunSummary {
    /// Returns the summary for people.
    pub fn text(&self, layout: &Layout) -> String {
        let (style, columns) = (&layout.style, layout.width.unwrap_or(USUAL));
        let layout = Layout { width: Some(columns), ..*layout };
        let mut shown = self.headline(&layout, columns);
        if !self.tables.is_empty() {
            let names = ["table", "rows", "change", "partitions", "written", ""];
            let rows = self.tables.iter().map(|table| table.cells(columns >= NARROW));
            shown.push_str(&format!("\n{}", layout.table(names, rows)));
        }
        if !self.quarantined.is_empty() {
            let total = self.quarantined.iter().map(|aside| aside.rows).sum();
            let steps = self.quarantined.iter().map(|aside| format!("{} {}", aside.step, count(aside.rows)));
            let said = format!("{} set aside: {}", plural(total, "row"), steps.collect::<Vec<_>>().join(", "));
            shown.push('\n');
            shown.extend(text::wrap(&text::line(&said), columns).iter().map(|line| paint(style.warning, line) + "\n"));
        }
        for insight in &self.insights {
            shown.push_str(&format!("\n{}\n", paint(style.strong, &text::line(&insight.title))));
            if insight.lines.is_empty() {
                shown.push_str(&format!("  {}\n", paint(style.dim, "none")));
            }
            for line in &insight.lines {
                let lines = text::wrap(&text::line(line), columns.saturating_sub(4));
                shown.push_str(&format!("  • {}\n", lines.join("\n    ")));
            }
        }
        if let Some(page) = &self.report {
            let page = text::line(&page.display().to_string());
            shown.push_str(&format!("\n{}\n  {page}\n", paint(style.strong, "Report")));
        }
        if !self.next.is_empty() {
            shown.push_str(&format!("\n{}\n", paint(style.strong, "Where to look next")));
            for command in &self.next {
                shown.push_str(&format!("  {}\n", paint(style.command, &text::line(command))));
            }
        }
        shown
    }

    /// Returns the run, what became of its tables, and where it was, in as many lines as it takes.
    fn headline(&self, layout: &Layout, columns: usize) -> String {
        let of = |state| self.tables.iter().filter(|table| table.state == state).count() as u64;
        let mut said = format!("{} published", plural(of(TableState::Published), "table"));
        if of(TableState::UpToDate) > 0 {
            said.push_str(&format!(", {} up to date", of(TableState::UpToDate)));
        }
        let place = text::line(&format!("({}, {}, {})", self.target, self.engine, seconds(self.seconds)));
        let run = self.run.to_string();
        let mut line = paint(layout.style.strong, &run);
        let mut used = console::measure_text_width(&run);
        for (part, colour) in [(said, layout.style.good), (place, layout.style.dim)] {
            let fits = used + 2 + console::measure_text_width(&part) <= columns;
            used = console::measure_text_width(&part) + 2 + if fits { used } else { 0 };
            line.push_str(&format!("{}  {}", if fits { "" } else { "\n" }, paint(colour, &part)));
        }
        line + "\n"
    }
}

impl TableLine {
    fn cells(&self, wide: bool) -> [TextCell; 6] {
        let unchanged = self.state == TableState::UpToDate;
        let change = match self.rows_before {
            _ if unchanged => String::new(),
            None => "new".into(),
            Some(before) if before > self.rows => format!("-{}", count(before - self.rows)),
            Some(before) => format!("+{}", count(self.rows - before)),
        };
        let wrote =
            |text: String| TextCell::number(if wide && self.partitions_written > 0 { text } else { String::new() });
        [
            self.name.as_str().into(),
            TextCell::number(count(self.rows)),
            TextCell::number(change),
            wrote(count(self.partitions_written)),
            wrote(bytes(self.bytes)),
            if unchanged { "up to date" } else { "" }.into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, rows: u64, rows_before: Option<u64>) -> TableLine {
        let state = TableState::Published;
        TableLine { name: name.into(), rows, rows_before, partitions_written: 2, bytes: 1_834_000, state }
    }

    fn daily() -> RunSummary {
        let aside = |step: &str, rows| SetAside { step: step.into(), rows };
        RunSummary {
            run: "daily.2026-11-22.3".parse().unwrap(),
            target: "local".into(),
            engine: "sail".into(),
            state: RunState::Succeeded,
            seconds: 12.34,
            tables: vec![
                line("questions", 1_234_567, Some(1_230_000)),
                line("tag_sentiment_weekly", 812, Some(815)),
                line("tag_trends_weekly", 40, None),
                TableLine { state: TableState::UpToDate, partitions_written: 0, ..line("tags_dim", 65_000, Some(65_000)) },
            ],
            quarantined: vec![aside("questions", 1200), aside("answers", 34)],
            insights: vec![InsightLines {
                title: "Tags on the rise".into(),
                lines: vec![
                    "rust: 340 questions in the week, 21 % more than in the four weeks before, and fewer of them stay unanswered".into(),
                    "c++\u{1b}[2J: 90 questions".into(),
                ],
            }],
            report: Some(".soflow/report/daily.html".into()),
            next: vec!["soflow show tag_trends_weekly".into(), "soflow runs daily".into()],
        }
    }

    fn text(summary: &RunSummary, columns: usize) -> String {
        summary.text(&Layout { width: Some(columns), ..Layout::default() })
    }

    #[test]
    fn a_run_ends_with_tables_findings_and_commands() {
        insta::assert_snapshot!(text(&daily(), 80), @r"
        daily.2026-11-22.3  3 tables published, 1 up to date  (local, sail, 12.3 s)

        table                      rows  change  partitions  written
        ────────────────────────────────────────────────────────────────────────
        questions             1,234,567  +4,567           2   1.8 MB
        tag_sentiment_weekly        812      -3           2   1.8 MB
        tag_trends_weekly            40     new           2   1.8 MB
        tags_dim                 65,000                               up to date

        1,234 rows set aside: questions 1,200, answers 34

        Tags on the rise
          • rust: 340 questions in the week, 21 % more than in the four weeks before,
            and fewer of them stay unanswered
          • c++\u{1b}[2J: 90 questions

        Report
          .soflow/report/daily.html

        Where to look next
          soflow show tag_trends_weekly
          soflow runs daily
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_less() {
        let shown = text(&daily(), 40);
        assert!(shown.lines().all(|line| console::measure_text_width(line) <= 40), "{shown}");
        insta::assert_snapshot!(shown, @r"
        daily.2026-11-22.3
          3 tables published, 1 up to date
          (local, sail, 12.3 s)

        table            rows  change
        ────────────────────────────────────────
        questions   1,234,567  +4,567
        tag_senti…        812      -3
        tag_trend…         40     new
        tags_dim       65,000          up to da…

        1,234 rows set aside: questions 1,200,
        answers 34

        Tags on the rise
          • rust: 340 questions in the week, 21
            % more than in the four weeks
            before, and fewer of them stay
            unanswered
          • c++\u{1b}[2J: 90 questions

        Report
          .soflow/report/daily.html

        Where to look next
          soflow show tag_trends_weekly
          soflow runs daily
        ");
    }

    #[test]
    fn programs_get_the_same_as_json() {
        let mut summary = daily();
        summary.tables.truncate(1);
        insta::assert_snapshot!(serde_json::to_string_pretty(&summary).unwrap(), @r#"
        {
          "run": "daily.2026-11-22.3",
          "target": "local",
          "engine": "sail",
          "state": "succeeded",
          "seconds": 12.34,
          "tables": [
            {
              "name": "questions",
              "rows": 1234567,
              "rows_before": 1230000,
              "partitions_written": 2,
              "bytes": 1834000,
              "state": "published"
            }
          ],
          "quarantined": [
            {
              "step": "questions",
              "rows": 1200
            },
            {
              "step": "answers",
              "rows": 34
            }
          ],
          "insights": [
            {
              "title": "Tags on the rise",
              "lines": [
                "rust: 340 questions in the week, 21 % more than in the four weeks before, and fewer of them stay unanswered",
                "c++\u001b[2J: 90 questions"
              ]
            }
          ],
          "report": ".soflow/report/daily.html",
          "next": [
            "soflow show tag_trends_weekly",
            "soflow runs daily"
          ]
        }
        "#);
    }
}
