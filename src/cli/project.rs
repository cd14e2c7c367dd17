//! A project: its settings in force, and YAML files in it that are not read because of how their names end.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::config::{Emr, Local, Resolved, Target, TargetKind};
use crate::error::{Error, Kind, Result};

/// The settings in force, and the folder they were found from.
pub struct Project {
    /// The settings and where each is from.
    pub resolved: Resolved,
    /// The folder the person is in.
    pub cwd: PathBuf,
}

impl Project {
    /// Returns the target in use.
    pub fn target(&self) -> Result<&Target> {
        let settings = &self.resolved.settings;
        settings
            .targets
            .get(&settings.target)
            .ok_or_else(|| Error::new(Kind::Internal, "the target in use is not a target"))
    }

    /// Returns the settings of the local target in use.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub fn local(&self) -> Result<&Local> {
        match &self.target()?.kind {
            TargetKind::Local(local) => Ok(local),
            TargetKind::Emr(_) => Err(self.other_kind("local", "emr", "--target local")),
        }
    }

    /// Returns the settings of the EMR target in use.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub fn emr(&self) -> Result<&Emr> {
        match &self.target()?.kind {
            TargetKind::Emr(emr) => Ok(emr),
            TargetKind::Local(_) => Err(self.other_kind("EMR", "local", "--target NAME")),
        }
    }

    fn other_kind(&self, needed: &str, found: &str, flag: &str) -> Error {
        let target = &self.resolved.settings.target;
        let names: Vec<&String> = self.resolved.settings.targets.keys().collect();
        let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Error::new(Kind::Usage, format!("this needs a target of kind {needed}, and `{target}` is of kind {found}"))
            .hint(format!("add `{flag}`; the targets are {known}"))
    }
}

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
