//! The machine soflow runs on: its programs, its Pythons and their environment, and uv.

mod environment;
pub mod python;
pub mod uv;

use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;

use crate::error::Result;

pub use uv::Uv;

/// What soflow knows of the machine it runs on; read once, at the start.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// The folders of `PATH`.
    pub path: Vec<PathBuf>,
    /// `JAVA_HOME`, if set.
    pub java_home: Option<PathBuf>,
}

impl Host {
    /// Returns the program of that name on `PATH`.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }
}

/// Returns a new folder in `home` for something that is renamed when it is complete, and removes those that were left
/// by processes that were killed. `name` says what: only one process at a time may make it.
///
/// # Errors
/// Those of the disk.
pub fn unfinished(home: &Path, name: &str) -> Result<TempDir> {
    let start = format!(".making-{name}-");
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&start) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(tempfile::Builder::new().prefix(&start).tempdir_in(home)?)
}
