//! Where statements come from: a terminal, with history and completion, or lines of a pipe or a file.

use std::io::BufRead;
use std::path::PathBuf;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use tokio::sync::oneshot;

use crate::error::{Error, Kind, Result};
use crate::query::statement;

/// How many statements the history keeps.
const HISTORY: usize = 1000;

/// What is completed besides tables and columns.
const KEYWORDS: [&str; 44] = [
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "count",
    "cross",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "right",
    "select",
    "show",
    "then",
    "union",
    "when",
    "where",
];

/// A source of statements.
pub enum StatementInput {
    /// A person.
    Terminal(Option<Box<LineEditor>>),
    /// A program.
    Lines(Option<Box<dyn BufRead + Send>>),
}

/// A line editor and where its history is kept.
pub struct LineEditor {
    editor: Editor<Assistant, FileHistory>,
    history: PathBuf,
}

impl StatementInput {
    /// Returns what reads statements from lines.
    pub fn lines(text: Box<dyn BufRead + Send>) -> Self {
        Self::Lines(Some(text))
    }

    /// Returns what reads statements that somebody types.
    ///
    /// # Errors
    /// `Machine` when the terminal cannot be driven.
    pub fn terminal(assistant: Assistant, history: PathBuf) -> Result<Self> {
        let config = Config::builder().completion_type(CompletionType::List).max_history_size(HISTORY);
        let mut editor = config.and_then(|config| Editor::with_config(config.build())).map_err(broken)?;
        editor.set_helper(Some(assistant));
        // The first time there is none; one that cannot be read is no reason not to work.
        let _ = editor.load_history(&history);
        if let Some(folder) = history.parent() {
            // Where every run is on a cluster nothing else is kept there.
            let _ = fs_err::create_dir_all(folder);
        }
        Ok(Self::Terminal(Some(Box::new(LineEditor { editor, history }))))
    }

    /// Returns whether a person types.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Returns the next text that holds statements or a command whole, or `None` at the end.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn next(&mut self, prompt: &str) -> Result<Option<String>> {
        let gone = || Error::new(Kind::Internal, "statements are read from nowhere");
        match self {
            Self::Terminal(slot) => {
                let (mut terminal, prompt) = (slot.take().ok_or_else(gone)?, prompt.to_string());
                let read = apart(move || (terminal.read(&prompt), terminal)).await;
                let (read, terminal) = read.map_err(|error| gone().caused_by(error))?;
                *slot = Some(terminal);
                read
            }
            Self::Lines(slot) => {
                let mut lines = slot.take().ok_or_else(gone)?;
                let read = apart(move || (read_whole(lines.as_mut()), lines)).await;
                let (read, lines) = read.map_err(|error| gone().caused_by(error))?;
                *slot = Some(lines);
                read
            }
        }
    }
}

/// Does what may wait for ever on a thread of its own. For one of the runtime's the program would wait when it ends.
fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, waited) = oneshot::channel();
    std::thread::spawn(move || done.send(work()));
    waited
}

/// Reads lines until the statements in them are whole, or there are no more.
fn read_whole(lines: &mut dyn BufRead) -> Result<Option<String>> {
    let mut text = String::new();
    loop {
        if lines.read_line(&mut text)? == 0 {
            return Ok(Some(text).filter(|text| !text.trim().is_empty()));
        }
        if text.trim().is_empty() {
            text.clear();
        } else if is_whole(&text) {
            return Ok(Some(text));
        }
    }
}

/// Returns whether nothing more has to follow: a command, or statements each with its semicolon.
fn is_whole(text: &str) -> bool {
    let script = statement::split(text);
    let is_word = ["help", "quit", "exit"].contains(&text.trim());
    text.trim_start().starts_with('\\') || is_word || (script.rest.is_empty() && !script.is_open)
}

impl LineEditor {
    fn read(&mut self, prompt: &str) -> Result<Option<String>> {
        loop {
            match self.editor.readline(prompt) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    let _ = self.editor.add_history_entry(&text);
                    // What cannot be kept for later is no reason not to run it.
                    let _ = self.editor.save_history(&self.history);
                    return Ok(Some(text));
                }
                // Ctrl-C clears the line.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(broken(error)),
            }
        }
    }
}

fn broken(error: ReadlineError) -> Error {
    Error::new(Kind::Machine, "this terminal cannot be read from")
        .caused_by(error)
        .hint("pass statements as an option: `soflow sql -c \"select 1\"`")
}

/// Completes words and sees where statements end.
#[derive(Debug)]
pub struct Assistant {
    tables: Vec<(String, Vec<String>)>,
    commands: Vec<String>,
}

impl Assistant {
    /// Returns one that knows these tables, each with its columns, and commands.
    pub fn new(tables: Vec<(String, Vec<String>)>, mut commands: Vec<String>) -> Self {
        commands.dedup();
        Self { tables, commands }
    }

    /// Returns where the word at the end of `text` begins, and the words that it may become.
    fn candidates(&self, text: &str) -> (usize, Vec<String>) {
        let start = text.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let (before, typed) = (text[..start].to_lowercase(), text[start..].to_lowercase());
        let tables = || self.tables.iter().map(|(name, _)| name.as_str());
        let words: Vec<&str> = match before.split_whitespace().next_back() {
            _ if before == "\\" => return self.command(&text[start..]),
            Some("\\d" | "from" | "join") => tables().collect(),
            _ if typed.is_empty() => Vec::new(),
            _ => tables().chain(self.columns(text)).chain(KEYWORDS).collect(),
        };
        let mut found: Vec<String> =
            words.into_iter().filter(|word| word.to_lowercase().starts_with(&typed)).map(String::from).collect();
        found.sort();
        found.dedup();
        (start, found)
    }

    fn command(&self, typed: &str) -> (usize, Vec<String>) {
        let typed = format!("\\{typed}");
        (0, self.commands.iter().filter(|name| name.starts_with(&typed)).cloned().collect())
    }

    /// Returns the columns of the tables that a statement names, of all when it names none yet.
    fn columns(&self, text: &str) -> impl Iterator<Item = &str> {
        let words: Vec<String> = super::engine::words(text).collect();
        let is_named = move |name: &String| words.contains(name);
        let any = self.tables.iter().any(|(name, _)| is_named(name));
        let of = self.tables.iter().filter(move |(name, _)| !any || is_named(name));
        of.flat_map(|(_, columns)| columns.iter().map(String::as_str))
    }
}

impl Helper for Assistant {}
impl Highlighter for Assistant {}
impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_whole = context.input().trim().is_empty() || is_whole(context.input());
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = self.candidates(&line[..at]);
        Ok((start, words.into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assistant() -> Assistant {
        let table = |name: &str, columns: [&str; 2]| (name.to_string(), columns.map(String::from).to_vec());
        let tables = vec![table("questions", ["question_id", "title"]), table("answers", ["answer_id", "body"])];
        Assistant::new(tables, ["\\d", "\\d", "\\timing"].map(String::from).to_vec())
    }

    #[test]
    fn tables_columns_keywords_and_commands_are_completed_where_they_may_stand() {
        for (text, start, words) in [
            ("sel", 0, &["select"][..]),
            ("select * from ", 14, &["answers", "questions"]),
            ("select * from q", 14, &["questions"]),
            ("select * from questions where QUEST", 30, &["question_id", "questions"]),
            ("select answer", 7, &["answer_id", "answers"]),
            ("select * from questions where answer", 30, &["answers"]),
            ("select x, ", 10, &[]),
            ("\\t", 0, &["\\timing"]),
            ("\\d an", 3, &["answers"]),
        ] {
            assert_eq!(
                assistant().candidates(text),
                (start, words.iter().map(|word| word.to_string()).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn lines_are_read_until_a_statement_is_whole() {
        let mut lines = "\n\\timing\nselect 1,\n 2; select 3;\nselect ';\n';\nhelp\n select 4".as_bytes();
        let mut read = || read_whole(&mut lines).unwrap();
        for text in ["\\timing\n", "select 1,\n 2; select 3;\n", "select ';\n';\n", "help\n", " select 4"] {
            assert_eq!(read().as_deref(), Some(text));
        }
        assert_eq!(read(), None);
    }
}
