//! The embedded engine as a server that soflow itself speaks to: see `engine/soflow_launch/serve.py`.

use std::io::Cursor;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use arrow::array::RecordBatch;
use fs_err as fs;
use tokio::process::{Child, Command};

use super::engine::LocalEngine;
use super::{launcher, process};
use crate::error::{Error, Kind, Result};
use crate::spark_connect::{Relation, SparkSession, StatementError};

/// What a step may rely on with either engine, and so may a query: `CONF` of `engine/soflow_launch/sail.py`.
const PROPERTIES: [(&str, &str); 2] = [("spark.sql.session.timeZone", "UTC"), ("spark.sql.ansi.enabled", "false")];

/// How long a process whose connection has ended may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Longest message of the engine that is shown, in characters: some hold the whole plan.
const LONGEST_MESSAGE: usize = 2000;

/// A server with one session. It ends when this is dropped, and when soflow ends, however that happens.
#[derive(Debug)]
pub struct SqlServer {
    session: SparkSession,
    child: Child,
    printed: fs::File,
}

impl LocalEngine {
    /// Starts a server of the embedded engine.
    ///
    /// # Errors
    /// `Machine` when Python or the engine cannot be started.
    pub async fn serve(&self) -> Result<SqlServer> {
        let cannot = |error: std::io::Error| {
            Error::new(Kind::Machine, "the local engine cannot be started").caused_by(error).hint(process::MAKE_AGAIN)
        };
        let mut command = process::launch(&self.environment, "serve");
        command.args(["--network", self.environment.network.name()]);
        command.args(self.memory.into_iter().flat_map(launcher::memory));
        let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
        ours.set_nonblocking(true)?;
        let printed = tempfile::tempfile()?;
        // In a process group of its own: Ctrl-C is for soflow, which decides what it means.
        command.stdin(OwnedFd::from(theirs)).process_group(0);
        command.stdout(printed.try_clone()?).stderr(printed.try_clone()?);
        let child = Command::from(command).kill_on_drop(true).spawn().map_err(cannot)?;
        let session = SparkSession::begin(tokio::net::UnixStream::from_std(ours)?).await;
        let session = session.map_err(|error| cannot(std::io::Error::other(format!("{error:?}"))))?;
        let mut server = SqlServer { session, child, printed: fs::File::from_parts(printed, "stderr") };
        match server.session.set(&PROPERTIES).await {
            Ok(()) => Ok(server),
            Err(error) => Err(server.failure(error).await),
        }
    }
}

impl SqlServer {
    /// Gives rows a name for later statements.
    ///
    /// # Errors
    /// `Usage` with the engine's words as detail; `Machine` when it has ended.
    pub async fn create_view(&mut self, name: &str, rows: Relation) -> Result<()> {
        match self.session.create_view(name, rows).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failure(error).await),
        }
    }

    /// Hands the rows to `see`, batch by batch, until it says that it wants no more. Those without a row are one batch.
    ///
    /// # Errors
    /// As [`Self::create_view`], and those of `see`.
    pub async fn read(
        &mut self,
        rows: Relation,
        see: &mut (dyn FnMut(RecordBatch) -> Result<bool> + Send),
    ) -> Result<()> {
        let mut rows = match self.session.read(rows).await {
            Ok(rows) => rows,
            Err(error) => return Err(self.failure(error).await),
        };
        loop {
            match rows.next().await {
                Ok(Some(batch)) => {
                    if !see(batch)? {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.failure(error).await),
            }
        }
    }

    async fn failure(&mut self, error: StatementError) -> Error {
        match error {
            StatementError::Refused(message) => {
                Error::new(Kind::Usage, "the query cannot be run").detail(clean(&message))
            }
            StatementError::Lost(message) => self.lost(message).await,
        }
    }

    /// Returns why the server is gone, as far as its process tells.
    async fn lost(&mut self, message: String) -> Error {
        let ended = tokio::time::timeout(LAST_WORDS, self.child.wait()).await;
        match ended {
            Ok(_) => process::no_answer(&self.printed),
            Err(_) => process::no_answer(Cursor::new(message)),
        }
    }
}

/// Returns the engine's message in as many words as a person wants to read.
fn clean(message: &str) -> String {
    message.trim().chars().take(LONGEST_MESSAGE).collect()
}
