//! Python processes of the environment of notebooks: JupyterLab and its kernels. What they need to know they ask, a line of
//! JSON each: see `engine/soflow_notebook/link.py`.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use super::engine::LocalEngine;
use super::environment::{EngineEnvironment, InUse};
use super::neighbours;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::python;

/// How long JupyterLab gets to end its kernels and itself. It gives a kernel 5 seconds. Source: jupyter_client,
/// `KernelManager.shutdown_wait_time`.
const GRACE: Duration = Duration::from_secs(10);

/// The environment of notebooks, kept as it is while this lives.
#[derive(Debug)]
pub struct Notebooks {
    environment: EngineEnvironment,
    _in_use: [InUse; 2],
}

/// What a process asks or tells.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Question {
    /// Which tables are published, and how they are read.
    Tables,
    /// What people are told when the engine refuses a statement.
    Refused {
        /// What it says.
        message: String,
        /// The statement.
        sql: String,
    },
    /// What JupyterLab is to be started with.
    Settings,
    /// JupyterLab listens.
    Ready {
        /// On this port of 127.0.0.1.
        port: u16,
    },
    /// A cell of a notebook that was executed failed.
    Failed {
        /// Its number, from 1.
        cell: u64,
        /// The error's name and message.
        error: String,
    },
}

#[derive(Deserialize)]
struct Asked {
    id: u64,
    #[serde(flatten)]
    question: Question,
}

impl LocalEngine {
    /// Makes the environment of notebooks, and the engine's below it, unless they are there. Warns of other people on this
    /// machine, from whom a notebook's engine cannot be kept apart: cells may want the network.
    ///
    /// # Errors
    /// Those of [`EngineEnvironment::ensure`].
    pub fn prepare_notebooks(&self, sink: &mut dyn Sink) -> Result<Notebooks> {
        let engine = self.environment.ensure(sink)?;
        let environment = self.environment.notebook();
        let notebooks = environment.ensure(sink)?;
        if let Some(text) = neighbours::notebook_warning() {
            sink.emit(Event::Warning { text });
        }
        Ok(Notebooks { environment, _in_use: [engine, notebooks] })
    }
}

impl Notebooks {
    /// Starts a module of `soflow_notebook`, with variables besides those that every Python of ours has.
    ///
    /// # Errors
    /// `Machine` when Python cannot be started.
    pub fn start(
        &self,
        module: &str,
        arguments: &[OsString],
        environment: &[(&str, OsString)],
    ) -> Result<NotebookProcess> {
        let mut command = python::command(&self.environment.interpreter());
        command.args(["-m", &format!("soflow_notebook.{module}")]).args(arguments).envs(environment.iter().cloned());
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        command.stdin(OwnedFd::from(theirs));
        let child = Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::new(Kind::Machine, "the Python of notebooks cannot be started").caused_by(error))?;
        Ok(NotebookProcess { child, link: tokio::net::UnixStream::from_std(ours)? })
    }
}

/// A process that asks.
#[derive(Debug)]
pub struct NotebookProcess {
    child: Child,
    link: tokio::net::UnixStream,
}

impl NotebookProcess {
    /// Answers what the process asks until it ends or `stop` does, after which it is given some seconds.
    ///
    /// # Errors
    /// Those of `stop`, which end it at once.
    pub async fn end(
        self,
        stop: impl Future<Output = Result<()>>,
        mut answer: impl AsyncFnMut(Question) -> Result<Value>,
    ) -> Result<ExitStatus> {
        let Self { mut child, link } = self;
        let (questions, mut answers) = link.into_split();
        let mut questions = BufReader::new(questions).lines();
        let (mut stop, mut is_open) = (pin!(stop), true);
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                line = questions.next_line(), if is_open => match line? {
                    Some(line) => {
                        let asked: Asked = serde_json::from_str(&line).map_err(|error| {
                            Error::new(Kind::Internal, "a notebook's process asks what is not known").caused_by(error)
                        })?;
                        let mut said = answer(asked.question).await.unwrap_or_else(|error| told(&error));
                        said["id"] = asked.id.into();
                        // One that is gone is told by its end.
                        is_open = answers.write_all(format!("{said}\n").as_bytes()).await.is_ok();
                    }
                    None => is_open = false,
                },
                stopped = &mut stop => {
                    stopped?;
                    break;
                }
            }
        }
        // It ends when its standard input does.
        drop(answers);
        match tokio::time::timeout(GRACE, child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => {
                child.kill().await?;
                Ok(child.wait().await?)
            }
        }
    }
}

/// Returns an error as an answer: one line.
fn told(error: &Error) -> Value {
    let why = error.detail.iter().cloned().chain(error.causes()).chain(error.hints.iter().cloned());
    let line: Vec<String> = std::iter::once(error.message.clone()).chain(why).collect();
    json!({ "error": line.join("; ").split_whitespace().collect::<Vec<_>>().join(" ") })
}
