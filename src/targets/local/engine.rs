//! The local engine: an environment, and the processes that run in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::environment::{EngineEnvironment, InUse};
use super::neighbours;
use super::pool::{Pool, Pooled};
use crate::config::Local;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::machine::Host;

/// The engine of a local target. Its clones share the pool of processes.
#[derive(Clone, Debug)]
pub struct LocalEngine {
    /// Its packages.
    pub environment: EngineEnvironment,
    /// The folder with the Python of the jobs.
    pub code: PathBuf,
    /// How many bytes of memory all that runs at once may take together.
    pub memory: Option<u64>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    in_use: Option<InUse>,
    pool: Option<Pool>,
}

impl LocalEngine {
    /// Returns the engine for these settings; starts nothing.
    pub fn new(local: &Local, host: &Host, code: &Path) -> Self {
        let environment = EngineEnvironment::new(local, host);
        Self { environment, code: code.to_path_buf(), memory: local.memory, shared: Arc::default() }
    }

    /// Makes the environment unless it is there, and keeps it from being made anew. Warns of other people on this machine
    /// who could reach the engine.
    ///
    /// # Errors
    /// Those of [`EngineEnvironment::ensure`].
    pub fn prepare(&self, sink: &mut dyn Sink) -> Result<()> {
        let in_use = self.environment.ensure(sink)?;
        if let Some(text) = neighbours::warning(&self.environment)? {
            sink.emit(Event::Warning { text });
        }
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).in_use = Some(in_use);
        Ok(())
    }

    /// Starts the pool, which loads packages while soflow goes on.
    ///
    /// # Errors
    /// `Machine` when Python cannot be started.
    pub fn start_pool(&self) -> Result<()> {
        self.pool(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner)).map(drop)
    }

    /// Runs `verb` of the launcher with the job's code on its path. Its output goes to the end of two files.
    ///
    /// # Errors
    /// `Machine` when Python cannot be started.
    pub fn run(&self, verb: &str, arguments: &[OsString], stdout: &Path, stderr: &Path) -> Result<Pooled> {
        let network = self.environment.network.name();
        // Not as PYTHONPATH, in which a colon in the folder's name would end it.
        let code = self.code.as_os_str();
        let mut command: Vec<OsString> = vec![verb.into(), "--engine".into(), self.environment.engine.name().into()];
        command.extend(["--network".into(), network.into(), "--code".into(), code.into()]);
        command.extend_from_slice(arguments);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.pool(&mut shared)?.run(&command, stdout, stderr))
    }

    /// Returns the pool, another one when the one before was killed.
    fn pool<'a>(&self, shared: &'a mut Shared) -> Result<&'a Pool> {
        let pool = match shared.pool.take() {
            Some(pool) if !pool.has_ended() => pool,
            _ => Pool::start(&self.environment)?,
        };
        Ok(shared.pool.insert(pool))
    }
}
