//! A log cut into blocks: a Python traceback with all it is chained to, a record of Spark's log with its stack trace, or
//! a single line that looks like trouble. One pass, and no block grows without bound.

use std::collections::VecDeque;

use super::finding::LogLine;
use super::rules;
use crate::mask;

/// How a Python traceback begins.
pub const HEADER: &str = "Traceback (most recent call last):";

/// What Python prints between an exception and the one raised `from` it. One that only came up while another was handled
/// is a story of its own.
pub const RAISED_FROM: &str = "The above exception was the direct cause";

/// Most lines kept of the beginning of a block, and of its end.
const KEPT: usize = 60;

/// How loud a record of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Python's.
    Traceback,
    /// A line of Spark's or YARN's log with what belongs to it.
    Record(Level),
    /// A Java exception outside of a record.
    Java,
    /// One line that a rule may know.
    Words,
}

/// A finished block. Java's stack frames are counted, not kept: they say nothing to who wrote the step.
#[derive(Debug)]
pub struct Block {
    pub kind: BlockKind,
    pub lines: Vec<LogLine>,
    pub length: usize,
}

/// Where in a block the reading is.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Among the frames of a traceback: the next line that is not indented is the exception.
    Frames,
    /// In an exception's text, or after the first line of a record.
    Message,
    /// After an empty line.
    Gap,
    /// After the line that chains two exceptions.
    Chain,
}

struct OpenBlock {
    kind: BlockKind,
    stage: Stage,
    head: Vec<LogLine>,
    tail: VecDeque<LogLine>,
    length: usize,
}

/// Cuts a log into blocks.
#[derive(Default)]
pub struct Blocks {
    open: Option<OpenBlock>,
}

impl Blocks {
    /// Takes the next line; returns the block that it ends.
    pub fn feed(&mut self, line: &LogLine) -> Option<Block> {
        if let Some(open) = &mut self.open
            && open.takes(&line.text)
        {
            open.keep(line);
            return None;
        }
        let ended = self.finish();
        self.open = begin(line);
        ended
    }

    /// Returns the last block.
    pub fn finish(&mut self) -> Option<Block> {
        let open = self.open.take()?;
        let mut lines = open.head;
        lines.extend(open.tail);
        while lines.last().is_some_and(|line| line.text.is_empty()) {
            lines.pop();
        }
        Some(Block { kind: open.kind, lines, length: open.length })
    }
}

fn begin(line: &LogLine) -> Option<OpenBlock> {
    let text = line.text.as_str();
    let (kind, stage) = if let Some(level) = level(text) {
        if level == Level::Info && !rules::suspicious(text) {
            return None;
        }
        (BlockKind::Record(level), if text.contains(HEADER) { Stage::Frames } else { Stage::Message })
    } else if text.contains(HEADER) || is_frame(text) {
        (BlockKind::Traceback, Stage::Frames)
    } else if is_java(text) {
        (BlockKind::Java, Stage::Message)
    } else if rules::suspicious(text) {
        (BlockKind::Words, Stage::Message)
    } else {
        return None;
    };
    let mut open = OpenBlock { kind, stage, head: Vec::new(), tail: VecDeque::new(), length: 0 };
    open.keep(line);
    Some(open)
}

impl OpenBlock {
    fn keep(&mut self, line: &LogLine) {
        self.length += 1;
        if is_java_frame(&line.text) {
            return;
        }
        let line = LogLine { number: line.number, text: mask::text(&line.text) };
        if self.head.len() < KEPT {
            return self.head.push(line);
        }
        if self.tail.len() == KEPT {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// Returns whether the line belongs to the block.
    fn takes(&mut self, text: &str) -> bool {
        if self.kind == BlockKind::Words || level(text).is_some() || text.starts_with("@soflow") {
            return false;
        }
        let next = match self.stage {
            Stage::Frames => Some(self.among_frames(text)),
            Stage::Message => self.in_message(text),
            Stage::Gap => after_gap(text),
            Stage::Chain if text.is_empty() => Some(Stage::Chain),
            Stage::Chain => text.contains(HEADER).then_some(Stage::Frames),
        };
        if let Some(next) = next {
            self.stage = next;
        }
        next.is_some()
    }

    fn among_frames(&self, text: &str) -> Stage {
        let still = text.is_empty() || text.starts_with([' ', '\t']) || text.contains(HEADER);
        if still { Stage::Frames } else { Stage::Message }
    }

    fn in_message(&self, text: &str) -> Option<Stage> {
        if text.is_empty() {
            return Some(Stage::Gap);
        }
        if self.kind == BlockKind::Traceback {
            return Some(if text.contains(HEADER) { Stage::Frames } else { Stage::Message });
        }
        // The traceback of the step itself is a block of its own, also right after a record.
        if text.starts_with(HEADER) {
            return None;
        }
        let ours = text.starts_with([' ', '\t', ':']) || is_exception(text) || goes_on(text);
        let next = if text.contains(HEADER) { Stage::Frames } else { Stage::Message };
        ours.then_some(next)
    }
}

fn after_gap(text: &str) -> Option<Stage> {
    if text.is_empty() {
        Some(Stage::Gap)
    } else if text.starts_with(RAISED_FROM) {
        Some(Stage::Chain)
    } else if goes_on(text) {
        Some(if text.contains(HEADER) { Stage::Frames } else { Stage::Message })
    } else {
        None
    }
}

/// Returns whether only a Java stack trace goes on like this.
fn goes_on(text: &str) -> bool {
    is_java_frame(text) || text.starts_with("Caused by:") || text.starts_with("Driver stacktrace")
}

/// Returns whether this is a frame of a Java stack trace.
pub fn is_java_frame(text: &str) -> bool {
    let frame = text.trim_start();
    text.starts_with(['\t', ' '])
        && (frame.starts_with("at ") && frame.ends_with(')') || frame.starts_with("... ") && frame.ends_with(" more"))
}

/// Returns whether this is a frame of a Python traceback.
pub fn is_frame(text: &str) -> bool {
    text.starts_with("  File \"") && text.contains("\", line ")
}

fn is_java(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    text.starts_with("Exception in thread \"")
        || text.starts_with("Caused by:")
        || name.contains('.') && is_exception(text)
}

/// Returns whether the line is an exception's name, alone or with its message.
pub fn is_exception(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    let last = name.rsplit(['.', '$']).next().unwrap_or_default();
    name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
        && last.starts_with(|c: char| c.is_uppercase())
        && ["Error", "Exception", "Failure", "Interrupt"].iter().any(|end| last.ends_with(end))
}

/// Returns how loud a record is, or `None` when the line does not begin one: log4j's `26/11/23 15:27:42 ERROR …`,
/// Python's `ERROR:root:…`.
pub fn level(text: &str) -> Option<Level> {
    let of = |word: &str| match word {
        "TRACE" | "DEBUG" | "INFO" => Some(Level::Info),
        "WARN" | "WARNING" => Some(Level::Warning),
        "ERROR" | "FATAL" | "CRITICAL" => Some(Level::Error),
        _ => None,
    };
    if text.trim_start_matches('[').starts_with(|c: char| c.is_ascii_digit()) {
        return text.split_ascii_whitespace().take(5).find_map(of);
    }
    text.split_once(':').and_then(|(word, _)| of(word))
}
