//! `soflow sql`: statements, one after the other, and commands that begin with a backslash, as in psql.

use std::io::{BufRead, BufReader, Cursor, IsTerminal as _, stdin};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::engine::SqlEngine;
use super::input::{Assistant, StatementInput};
use super::output::Destination;
use super::{RowOptions, SqlArgs};
use crate::cli::app::App;
use crate::cli::tables;
use crate::cli::workspace::Workspace;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::query::statement;
use crate::report::plural;
use crate::yaml::did_you_mean;

/// After which time a person at a terminal is told how to end a statement.
const PATIENCE: Duration = Duration::from_secs(2);

/// The commands, and what they do.
const COMMANDS: [(&str, &str, &str); 8] = [
    ("\\d", "", "list the tables"),
    ("\\d", "TABLE", "show a table's columns"),
    ("\\limit", "N", "print at most so many rows; 0: all"),
    ("\\csv", "", "print CSV instead of aligned tables, or no longer"),
    ("\\to", "FILE", "write the next answer to FILE: .csv, .json or .parquet"),
    ("\\timing", "", "tell how long statements take, or no longer"),
    ("\\?", "", "show this help"),
    ("\\q", "", "leave"),
];

/// Runs statements until there are no more.
///
/// # Errors
/// Those of a statement that nobody typed: the statements after it are not run.
pub async fn sql(app: &App, args: &SqlArgs) -> Result<u8> {
    let text: Option<Box<dyn BufRead + Send>> = match (&args.command, &args.file) {
        (Some(command), _) => Some(Box::new(Cursor::new(command.clone()))),
        (_, Some(file)) => Some(Box::new(BufReader::new(fs_err::File::open(file)?))),
        _ if stdin().is_terminal() => None,
        _ => Some(Box::new(BufReader::new(stdin()))),
    };
    let work = app.workspace().await?;
    let mut shell = Shell::new(&work, &args.rows)?;
    let mut input = match text {
        Some(text) => StatementInput::lines(text),
        None => shell.terminal().await?,
    };
    let target = &work.project.settings.target;
    let prompt = format!("{target}> ");
    if input.is_terminal() {
        let text = format!("Tables of `{target}`. Statements end with a semicolon; \\? shows help, \\q leaves.");
        app.tell(Event::Note { text });
        shell.patience = Some(PATIENCE);
    }
    while !shell.has_left {
        let (is_typed, Shell { engine, interrupts, .. }) = (input.is_terminal(), &mut shell);
        let read = async {
            tokio::select! {
                next = input.next(&prompt) => next,
                // At a terminal it is the line editor's.
                _ = interrupts.recv(), if !is_typed => Err(Error::new(Kind::Interrupted, "interrupted")),
            }
        };
        let next = if is_typed {
            // While somebody types, the engine starts. What goes wrong then is told by the statement that needs it.
            tokio::join!(read, engine.start()).0
        } else {
            read.await
        };
        shell.go(next?, &input).await?;
    }
    Ok(0)
}

/// Statements of one session and how their answers are wanted.
pub struct Shell<'a> {
    work: &'a Workspace<'a>,
    engine: SqlEngine,
    limit: u64,
    csv: bool,
    to: Option<PathBuf>,
    timing: bool,
    has_left: bool,
    /// Ctrl-C. From the beginning, so that none is lost between two statements.
    interrupts: Signal,
    /// After which time somebody who waits is told that they do; `None` where nobody types.
    patience: Option<Duration>,
}

impl<'a> Shell<'a> {
    /// Returns a shell that has run nothing yet. From now on Ctrl-C is its business.
    ///
    /// # Errors
    /// Those of the settings and of making an engine.
    pub fn new(work: &'a Workspace<'a>, rows: &RowOptions) -> Result<Self> {
        Ok(Self {
            work,
            engine: SqlEngine::of(work)?,
            limit: rows.limit,
            csv: rows.csv,
            to: None,
            timing: false,
            has_left: false,
            interrupts: signal(SignalKind::interrupt())?,
            patience: None,
        })
    }

    async fn terminal(&self) -> Result<StatementInput> {
        let index = self.work.catalog.index().await?;
        let mut columns = Vec::new();
        for name in index.tables.keys() {
            let version = self.work.catalog.current(&index, name).await?;
            let of = version.map_or_else(Vec::new, |version| {
                version.schema.into_iter().map(|column| column.name).chain(version.partition_by).collect()
            });
            columns.push((name.clone(), of));
        }
        let commands = COMMANDS.iter().map(|(name, ..)| (*name).to_string()).collect();
        let history = self.work.project.settings.root.join(".soflow/sql-history");
        StatementInput::terminal(Assistant::new(columns, commands), history)
    }

    /// Runs what was read; `None` is the end. Errors of what was typed are told, and it goes on.
    async fn go(&mut self, text: Option<String>, input: &StatementInput) -> Result<()> {
        let Some(text) = text else {
            self.has_left = true;
            return Ok(());
        };
        match self.run(&text, input.is_terminal()).await {
            Err(error) if input.is_terminal() => {
                if error.kind == Kind::Interrupted {
                    // The terminal has shown `^C`.
                    self.work.app.print_err("\n");
                }
                self.work.app.show_error(&error);
                Ok(())
            }
            done => done,
        }
    }

    async fn run(&mut self, text: &str, is_typed: bool) -> Result<()> {
        let text = text.trim();
        match text.trim_end_matches(';') {
            "quit" | "exit" => self.has_left = true,
            "help" => self.help()?,
            command if command.starts_with('\\') => self.command(command).await?,
            _ => {
                let script = statement::split(text);
                for sql in
                    script.statements.into_iter().chain([script.rest].into_iter().filter(|rest| !rest.is_empty()))
                {
                    let began = Instant::now();
                    let destination = Destination { csv: self.csv, file: self.to.take() };
                    let rows = self.answer(sql, &destination).await?;
                    if is_typed && destination.file.is_none() && !self.work.app.json {
                        self.work.app.print_err(&format!("({})\n", plural(rows as u64, "row")));
                    }
                    if self.timing {
                        let text = format!("Time: {} ms", began.elapsed().as_millis());
                        self.work.app.tell(Event::Note { text });
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs a statement and writes its rows; returns how many. Ctrl-C ends it.
    ///
    /// # Errors
    /// As [`SqlEngine::answer`], and those of writing.
    pub async fn answer(&mut self, sql: &str, to: &Destination) -> Result<usize> {
        if self.work.session.is_some() {
            // Athena reads Glue: a publication that was cut short is shown there first.
            self.work.settle().await?;
        }
        let app = self.work.app;
        let (mut output, mut rows) = (to.open(app)?, 0);
        let (tell, stop) = watch::channel(false);
        let told = {
            let mut see = |batch: RecordBatch| {
                rows += batch.num_rows();
                output.batch(batch)
            };
            let answer = self.engine.answer(sql, self.limit, stop, &mut see);
            tokio::pin!(answer);
            let mut patience = self.patience;
            loop {
                tokio::select! {
                    told = &mut answer => break told,
                    _ = self.interrupts.recv() => drop(tell.send(true)),
                    () = tokio::time::sleep(patience.unwrap_or_default()), if patience.is_some() => {
                        app.tell(Event::Note { text: "It is still running; Ctrl-C ends it.".into() });
                        patience = None;
                    }
                }
            }
        };
        let all = if self.patience.is_some() { "\\limit 0" } else { "--limit 0" };
        output.end(app, self.limit, all, told?)?;
        Ok(rows)
    }

    async fn command(&mut self, text: &str) -> Result<()> {
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (name, argument.trim()) {
            ("\\q", _) => self.has_left = true,
            ("\\?", _) => self.help()?,
            ("\\d", "") => drop(tables::list(self.work).await?),
            ("\\d", table) => drop(tables::describe(self.work, table).await?),
            ("\\timing", _) => {
                self.timing = !self.timing;
                self.tell(if self.timing { "Timing is on." } else { "Timing is off." });
            }
            ("\\csv", _) => {
                self.csv = !self.csv;
                self.tell(if self.csv { "Rows are printed as CSV." } else { "Rows are printed as tables." });
            }
            ("\\limit", rows) => {
                let wrong = || Error::new(Kind::Usage, format!("`{rows}` is not a number of rows")).hint("\\limit 100");
                self.limit = rows.parse().map_err(|_| wrong())?;
            }
            ("\\to", file) => {
                let destination = Destination { file: Some(file.into()), csv: false };
                destination.check()?;
                self.to = destination.file;
            }
            (name, _) => {
                let close = did_you_mean(name, COMMANDS.iter().map(|(name, ..)| *name));
                let error = Error::new(Kind::Usage, format!("there is no command `{name}`"));
                return Err(close.into_iter().fold(error, Error::hint).hint("\\? shows the commands"));
            }
        }
        Ok(())
    }

    fn help(&self) -> Result<()> {
        let line =
            |(name, argument, what): &(&str, &str, &str)| format!("  {:<14}{what}\n", format!("{name} {argument}"));
        let lines: String = COMMANDS.iter().map(line).collect();
        let words = "  select … ;    a Spark SQL statement, on as many lines as it needs\n";
        self.work.app.print(&format!("{words}{lines}Ctrl-C ends a statement, Ctrl-D leaves.\n")).map(drop)
    }

    fn tell(&self, text: &str) {
        self.work.app.tell(Event::Note { text: text.into() });
    }
}
