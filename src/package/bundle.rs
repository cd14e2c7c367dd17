//! The code folder as what `spark-submit` takes: one zip of all that a script can import, and the scripts.

use std::collections::BTreeSet;
use std::path::Path;

use fs_err as fs;

use super::archive::Zip;
use super::notebook;
use super::script::{StepSource, script_path};
use crate::error::{Error, Kind, Result};
use crate::names::Digest;

/// The name of the zip for `--py-files`.
pub const CODE_ARCHIVE: &str = "soflow_code.zip";

/// The name of the driver that runs several steps in one application.
pub const CHAIN_DRIVER: &str = "soflow_chain.py";

const CHAIN: &str = include_str!("../../engine/chain.py");

/// Raised when the same files give another bundle.
const LAYOUT: &str = "code 3";

/// The most a file of the code folder may have: what is larger is data, and data belongs into the lake. Every
/// executor of every step copies the zip.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// Top folders that no step imports.
const NO_CODE: &[&str] = &["tests", "wheels"];

/// The code of a job, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Of the names and contents of all files: the same code has the same digest on every machine.
    pub digest: Digest,
    /// `soflow_code.zip` first, then the scripts and the driver of chains.
    pub files: Vec<BundleFile>,
}

/// A file to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// Its path below the bundle's place: `soflow_code.zip`, `steps/questions.py`, `made/steps/trends.sql.py`.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Bundle {
    /// Returns the bundle of the code folder.
    ///
    /// The zip has what a script can import on a laptop, where the folder is on Python's path: every folder with all
    /// its files, and the modules beside them. Left out are `tests` and `wheels` at the top, virtual environments, and
    /// everywhere notebooks, hidden files, compiled files and `__pycache__`. Beside it are the scripts: all Python files
    /// that are in no package, and one for each SQL file and notebook that can be run.
    ///
    /// # Errors
    /// `Usage` for a file above 64 MB, for a link that leaves the folder or leads to a folder, and for a name that is
    /// not UTF-8.
    pub fn read(code: &Path) -> Result<Self> {
        let mut reader = CodeReader { root: fs::canonicalize(code)?, entries: Vec::new() };
        reader.walk("")?;
        let mut zip = Zip::new();
        let mut parts = vec![LAYOUT.as_bytes().to_vec()];
        for entry in reader.entries.iter().filter(|entry| !is_notebook(&entry.name)) {
            match &entry.bytes {
                Some(bytes) => zip.file(&entry.name, bytes)?,
                None => zip.folder(&entry.name)?,
            }
            parts.extend([entry.name.as_bytes().to_vec(), entry.bytes.clone().unwrap_or_default()]);
        }
        let mut files = vec![BundleFile { name: CODE_ARCHIVE.into(), bytes: zip.finish()? }];
        for script in reader.scripts()? {
            parts.extend([script.name.as_bytes().to_vec(), script.bytes.clone()]);
            files.push(script);
        }
        parts.push(CHAIN.into());
        files.push(BundleFile { name: CHAIN_DRIVER.into(), bytes: CHAIN.into() });
        Ok(Self { digest: Digest::of(parts), files })
    }

    /// Returns the files that [`Self::read`] makes bundles from, by their paths below the code folder.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn sources(code: &Path) -> Result<Vec<(String, Vec<u8>)>> {
        let mut reader = CodeReader { root: fs::canonicalize(code)?, entries: Vec::new() };
        reader.walk("")?;
        let file = |entry: CodeEntry| {
            let bytes = entry.bytes?;
            let bytes = if is_notebook(&entry.name) { notebook::stripped(&bytes) } else { bytes };
            Some((entry.name, bytes))
        };
        Ok(reader.entries.into_iter().filter_map(file).collect())
    }
}

struct CodeReader {
    root: std::path::PathBuf,
    entries: Vec<CodeEntry>,
}

/// A file, or a folder when it has no bytes.
struct CodeEntry {
    name: String,
    bytes: Option<Vec<u8>>,
}

impl CodeReader {
    /// Adds what is below a folder, sorted by name; `folder` is empty or ends in `/`.
    fn walk(&mut self, folder: &str) -> Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                refused(&format!("{folder}{}", name.to_string_lossy()), "has a name that is not UTF-8")
            })?;
            found.push((name, fs::metadata(entry.path()).is_ok_and(|about| about.is_dir())));
        }
        found.sort();
        for (name, is_folder) in found {
            let path = format!("{folder}{name}");
            if !self.is_code(folder, &name, is_folder) {
                continue;
            }
            if !is_folder {
                let bytes = Some(self.content(&path)?);
                self.entries.push(CodeEntry { name: path, bytes });
            } else if fs::symlink_metadata(self.root.join(&path))?.is_symlink() {
                return Err(refused(&path, "is a link to a folder").hint("put the folder itself there"));
            } else {
                self.entries.push(CodeEntry { name: format!("{path}/"), bytes: None });
                self.walk(&format!("{path}/"))?;
            }
        }
        Ok(())
    }

    /// Returns the files that steps run, sorted by name.
    fn scripts(&self) -> Result<Vec<BundleFile>> {
        let packages: BTreeSet<&str> =
            self.entries.iter().filter_map(|entry| entry.name.strip_suffix("/__init__.py")).collect();
        let mut scripts = Vec::new();
        for entry in &self.entries {
            let (Some(bytes), path) = (&entry.bytes, Path::new(&entry.name)) else { continue };
            let in_package =
                path.ancestors().skip(1).any(|folder| folder.to_str().is_some_and(|f| packages.contains(f)));
            if path.extension().is_some_and(|extension| extension == "py") && !in_package {
                scripts.push(BundleFile { name: entry.name.clone(), bytes: bytes.clone() });
            // One that cannot be run is told of by the job that names it.
            } else if StepSource::is_one(path)
                && let Ok(source) = StepSource::parse(path, bytes)
            {
                let name = script_path(path).to_string_lossy().into_owned();
                scripts.push(BundleFile { name, bytes: source.script()?.into_bytes() });
            }
        }
        scripts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(scripts)
    }

    fn is_code(&self, folder: &str, name: &str, is_folder: bool) -> bool {
        let top = folder.is_empty();
        if name.starts_with('.') || name == "__pycache__" || name.ends_with(".pyc") {
            return false;
        }
        if is_folder {
            return !(top && (NO_CODE.contains(&name) || self.root.join(name).join("pyvenv.cfg").exists()));
        }
        // Beside the packages there are settings of tools and locks; only modules can be imported.
        !top || name.ends_with(".py") || StepSource::is_one(Path::new(name))
    }

    fn content(&self, name: &str) -> Result<Vec<u8>> {
        let real =
            fs::canonicalize(self.root.join(name)).map_err(|error| refused(name, "cannot be read").caused_by(error))?;
        if !real.starts_with(&self.root) {
            return Err(refused(name, "is a link that leaves the code folder").detail(format!("to {}", real.display())));
        }
        let size = fs::metadata(&real)?.len();
        if size > LARGEST_FILE {
            let megabytes = size.div_ceil(1024 * 1024);
            return Err(refused(
                name,
                &format!("has {megabytes} MB, more than the 64 MB that a file of code may have"),
            )
            .hint("put data into the lake, and let the step read it from there"));
        }
        Ok(fs::read(real)?)
    }
}

fn is_notebook(name: &str) -> bool {
    name.ends_with(".ipynb")
}

fn refused(name: &str, what: &str) -> Error {
    Error::new(Kind::Usage, format!("`{name}` in the code folder {what}"))
}

#[cfg(test)]
mod tests;
