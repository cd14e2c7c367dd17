//! What soflow knows of the machine it runs on.

use std::path::PathBuf;

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
