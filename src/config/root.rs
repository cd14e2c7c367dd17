//! Where a project begins.

use std::path::{Path, PathBuf};

/// Returns the nearest of `from` and the folders above it that has `config/soflow.yaml` or `jobs/`.
pub fn find_root(from: &Path, exists: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let marked = |folder: &&Path| exists(&folder.join("config/soflow.yaml")) || exists(&folder.join("jobs"));
    from.ancestors().find(marked).map(Path::to_path_buf)
}
