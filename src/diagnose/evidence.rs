//! Which lines of a block to show: the step's own frames and the error, not the engine's way there.

use super::blocks::{Block, is_frame, is_java_frame};
use super::finding::LogLine;
use super::story::Story;

/// Most lines shown of a block: the end is where the error is.
pub const MOST_LINES: usize = 14;

/// How many of them are from its beginning: that is where the step's own code is.
const HEAD: usize = 5;

/// Longest line shown, in characters.
const LONGEST_LINE: usize = 300;

/// How many of them are its beginning.
const BEGINNING: usize = 160;

/// Most lines of a message that goes on after the exception's line.
const MORE: usize = 3;

/// Where the engine's own Python is, as parts of paths.
const ENGINE: [&str; 6] =
    ["/pyspark/sql/", "/pyspark/errors/", "/pyspark/traceback_utils", "/py4j/", "pyspark.zip/", "py4j-"];

/// Returns the lines that show what the story tells.
pub fn evidence(block: &Block, story: &Story) -> Vec<LogLine> {
    let end = (story.at + 1..block.lines.len().min(story.at + 1 + MORE)).take_while(|at| {
        let text = block.lines[*at].text.as_str();
        !text.is_empty() && !text.starts_with("Caused by:") && !text.starts_with("Driver stacktrace")
    });
    let end = end.last().unwrap_or(story.at);
    let lines = block.lines.get(..=end.min(block.lines.len().saturating_sub(1))).unwrap_or_default();
    trimmed(&own(lines))
}

/// Leaves out the engine's frames, with the source lines below them, unless there would be no frame left.
fn own(lines: &[LogLine]) -> Vec<LogLine> {
    let engine = |text: &str| is_frame(text) && ENGINE.iter().any(|part| text.contains(part));
    if !lines.iter().any(|line| is_frame(&line.text) && !engine(&line.text)) {
        return lines.to_vec();
    }
    let mut skipping = false;
    let mut kept = Vec::new();
    for line in lines {
        skipping = engine(&line.text) || skipping && line.text.starts_with("    ");
        if !skipping && !is_java_frame(&line.text) {
            kept.push(line.clone());
        }
    }
    kept
}

/// Keeps the beginning and the end, and no line longer than a screen is wide a few times over.
fn trimmed(lines: &[LogLine]) -> Vec<LogLine> {
    let cut = |line: &LogLine| LogLine { number: line.number, text: folded(&line.text) };
    if lines.len() <= MOST_LINES {
        return lines.iter().map(cut).collect();
    }
    let tail = lines.len() - (MOST_LINES - HEAD - 1);
    lines[..HEAD].iter().chain(&lines[tail..]).map(cut).collect()
}

/// Returns the beginning of a line that is longer than anyone reads.
pub fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_string(),
    }
}

/// Returns the beginning and the end of a line that is longer than anyone reads: Spark puts the cause at the end.
pub fn folded(line: &str) -> String {
    let length = line.chars().count();
    if length <= LONGEST_LINE {
        return line.to_string();
    }
    let tail = line.chars().skip(length - (LONGEST_LINE - BEGINNING));
    line.chars().take(BEGINNING).chain(" … ".chars()).chain(tail).collect()
}
