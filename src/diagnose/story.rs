//! What a block tells: the exception that matters among all that wrap it, and the lines to show for it: the step's own
//! frames and the error, not the engine's way there.

use super::blocks::{Block, BlockKind, HEADER, RAISED_FROM, is_exception, is_frame, is_java_frame, level};
use super::finding::LogLine;

/// Exceptions that only carry another one.
const WRAPPERS: [&str; 12] = [
    "Py4JJavaError",
    "api.python.PythonException",
    "captured.PythonException",
    "Job aborted due to stage failure: Task ",
    "SparkException: Job aborted.",
    "Task failed while writing rows",
    "TASK_WRITE_FAILED",
    "Exception thrown in awaitResult",
    "InvocationTargetException",
    "UndeclaredThrowableException",
    "java.util.concurrent.ExecutionException",
    "java.security.PrivilegedActionException",
];

/// What a block tells: one of the exceptions it names, or a line of it.
#[derive(Clone, Debug)]
pub struct Story {
    /// The exception that matters, or the line that does.
    pub summary: String,
    /// Which of the block's lines it is.
    pub at: usize,
    /// Whether Python raised it.
    pub python: bool,
}

/// Returns what the block tells.
pub fn story(block: &Block) -> Story {
    let named = exceptions(block);
    let real = |one: &&Story| !WRAPPERS.iter().any(|wrapper| one.summary.contains(wrapper) || one.summary.is_empty());
    // What Python says is nearer to the step's code than what Java says about it.
    let chosen = named.iter().filter(real).rfind(|one| one.python);
    let Some(one) = chosen.or_else(|| named.iter().rfind(real)).or(named.last()) else {
        let at = if block.kind == BlockKind::Traceback { block.lines.len().saturating_sub(1) } else { 0 };
        let text = block.lines.get(at).map_or("", |line| line.text.as_str());
        return Story { summary: message(text).trim().to_string(), at, python: false };
    };
    // The same exception is often told again, by Java and by the driver: the first place is the nearest.
    let at = named.iter().find(|other| other.summary == one.summary).map_or(one.at, |first| first.at);
    Story { at, ..one.clone() }
}

/// Returns the exceptions named, in order.
fn exceptions(block: &Block) -> Vec<Story> {
    let mut found = Vec::new();
    let mut frames = block.kind == BlockKind::Traceback;
    for (at, line) in block.lines.iter().enumerate() {
        let text = line.text.as_str();
        if let Some((before, _)) = text.split_once(HEADER) {
            let before = java(message(before)).trim_end_matches([' ', ':']);
            if is_exception(before) {
                found.push(Story { at, summary: before.to_string(), python: false });
            }
            frames = true;
        } else if frames && !text.is_empty() && !text.starts_with([' ', '\t']) {
            frames = false;
            if !text.starts_with(RAISED_FROM) {
                found.push(Story { at, summary: unwrapped(text).to_string(), python: true });
            }
        } else if !frames && !text.starts_with(' ') {
            let whole = java(message(text));
            let inner = unwrapped(whole);
            if is_exception(inner) || inner.len() < whole.len() {
                found.push(Story { at, summary: inner.to_string(), python: false });
            }
        }
    }
    found
}

/// Returns a record's text without time, level and logger.
pub fn message(text: &str) -> &str {
    match level(text) {
        Some(_) => text.split_once(": ").map_or(text, |(_, message)| message),
        None => text,
    }
}

/// Returns a Java exception without what comes before its name.
fn java(text: &str) -> &str {
    let text = text.trim_start_matches("Caused by: ").trim_start_matches(": ");
    match text.strip_prefix("Exception in thread \"") {
        Some(rest) => rest.split_once("\" ").map_or(rest, |(_, exception)| exception),
        None => text,
    }
}

/// Returns what Spark says was the matter when a task failed too often: it puts it all into one line.
fn unwrapped(text: &str) -> &str {
    let Some((_, reason)) = text.split_once("Job aborted due to stage failure: ") else { return text };
    let Some((_, last)) = reason.split_once("most recent failure: ") else { return reason };
    let inner = last.find("executor ").and_then(|at| last[at..].split_once("): ")).map(|(_, inner)| inner);
    inner.filter(|inner| !inner.is_empty()).unwrap_or(text)
}

/// Returns an exception without the packages before its name: `java.lang.Error: no` is `Error: no`.
pub fn unqualified(text: &str) -> &str {
    let name = &text[..text.find(':').unwrap_or(text.len())];
    match name.rfind(['.', '$']) {
        Some(dot) if is_exception(name) => &text[dot + 1..],
        _ => text,
    }
}

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
