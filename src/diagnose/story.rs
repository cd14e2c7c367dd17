//! What a block tells: the exception that matters among all that wrap it.

use super::blocks::{Block, BlockKind, HEADER, RAISED_FROM, is_exception, level};

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

/// An exception named in a block.
struct NamedException {
    at: usize,
    text: String,
    python: bool,
}

/// What a block tells.
#[derive(Debug)]
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
    let text = |at: usize| block.lines.get(at).map_or("", |line| line.text.as_str());
    let named = exceptions(block);
    let real =
        |one: &&NamedException| !one.text.is_empty() && !WRAPPERS.iter().any(|wrapper| one.text.contains(wrapper));
    // What Python says is nearer to the step's code than what Java says about it.
    let chosen = named.iter().filter(real).rfind(|one| one.python);
    let chosen = chosen.or_else(|| named.iter().rfind(real)).or(named.last());
    match chosen {
        Some(one) => {
            // The same exception is often told again, by Java and by the driver: the first place is the nearest.
            let at = named.iter().find(|other| other.text == one.text).map_or(one.at, |first| first.at);
            Story { summary: one.text.clone(), at, python: one.python }
        }
        None => {
            let at = if block.kind == BlockKind::Traceback { block.lines.len().saturating_sub(1) } else { 0 };
            Story { summary: message(text(at)).trim().to_string(), at, python: false }
        }
    }
}

/// Returns the exceptions named, in order.
fn exceptions(block: &Block) -> Vec<NamedException> {
    let mut found = Vec::new();
    let mut frames = block.kind == BlockKind::Traceback;
    for (at, line) in block.lines.iter().enumerate() {
        let text = line.text.as_str();
        if let Some((before, _)) = text.split_once(HEADER) {
            let before = java(message(before)).trim_end_matches([' ', ':']);
            if is_exception(before) {
                found.push(NamedException { at, text: before.to_string(), python: false });
            }
            frames = true;
        } else if frames && !text.is_empty() && !text.starts_with([' ', '\t']) {
            frames = false;
            if !text.starts_with(RAISED_FROM) {
                found.push(NamedException { at, text: unwrapped(text).to_string(), python: true });
            }
        } else if !frames && !text.starts_with(' ') {
            let whole = java(message(text));
            let inner = unwrapped(whole);
            if is_exception(inner) || inner.len() < whole.len() {
                found.push(NamedException { at, text: inner.to_string(), python: false });
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
