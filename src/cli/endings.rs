//! YAML files that are not read because of how their names end.

use std::path::{Path, PathBuf};

use fs_err as fs;

/// The one ending that is read.
const ENDING: &str = "yaml";

/// Endings that people give such files, in lower case; the last ones are an editor's that hides the true one.
const LOOK_ALIKE: [&str; 5] = ["yaml", "yml", "json", "yaml.txt", "yml.txt"];

/// A file that somebody may have meant to be read.
pub struct Misnamed {
    /// The name without its ending.
    pub stem: String,
    /// The file.
    pub path: PathBuf,
}

impl Misnamed {
    /// Returns the command that makes it one that is read, for someone in the folder `root`.
    pub fn rename(&self, root: &Path) -> String {
        let right = self.path.with_file_name(format!("{}.{ENDING}", self.stem));
        let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        format!("mv {} {}", shown(&self.path), shown(&right))
    }

    /// Returns what to say of it.
    pub fn told(&self, root: &Path) -> String {
        let shown = self.path.strip_prefix(root).unwrap_or(&self.path).display();
        format!("`{shown}` is not read: its name must end in `.{ENDING}`: `{}`", self.rename(root))
    }
}

/// Returns the files of `folder` that look like YAML and have another ending, sorted; none when it cannot be read.
pub fn misnamed(folder: &Path) -> Vec<Misnamed> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<Misnamed> = entries.filter_map(|entry| of_file(entry.ok()?.path())).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn of_file(path: PathBuf) -> Option<Misnamed> {
    let name = path.file_name()?.to_str()?;
    let (stem, ending) = name.split_once('.').filter(|(stem, _)| !stem.is_empty())?;
    let meant = ending != ENDING && LOOK_ALIKE.contains(&ending.to_lowercase().as_str());
    let stem = stem.to_string();
    meant.then_some(Misnamed { stem, path })
}
