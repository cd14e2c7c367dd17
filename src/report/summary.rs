//! The answer of a run: one value, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::OUTPUT_VERSION;
use crate::event::RunState;
use crate::names::RunId;

/// What a run left behind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
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
    pub insights: Vec<Insight>,
    /// Commands that show more.
    pub next: Vec<String>,
}

/// One table after a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableLine {
    /// The table.
    pub name: String,
    /// Rows it has now; for an unpublished one, rows that landed.
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
    /// It landed and was not published, because of another table or step.
    Unpublished,
    /// The audit refused it.
    Refused,
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
pub struct Insight {
    /// What the lines are about.
    pub title: String,
    /// One finding each.
    pub lines: Vec<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    #[serde(flatten)]
    summary: &'a Summary,
}

impl Summary {
    /// Writes the summary as the one JSON document of `--output json`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &Document { v: OUTPUT_VERSION, summary: self })?;
        writeln!(out)?;
        out.flush()
    }
}
