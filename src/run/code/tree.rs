//! The code folder as a tree, each of its folders listed once, and only when it is asked for.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;

use crate::error::Result;

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link to a folder.
    Link,
}

impl EntryKind {
    /// Returns whether it is a folder, directly or by a link.
    pub const fn is_folder(self) -> bool {
        matches!(self, Self::Folder | Self::Link)
    }
}

/// The code folder. Paths are below it; the folder itself is the empty path.
pub struct Tree<'a> {
    /// Where it is.
    pub root: &'a Path,
    listed: BTreeMap<PathBuf, BTreeMap<String, EntryKind>>,
}

impl<'a> Tree<'a> {
    /// Returns the tree of a folder; looks at nothing yet.
    pub const fn new(root: &'a Path) -> Self {
        Self { root, listed: BTreeMap::new() }
    }

    /// Returns what is in a folder; nothing when it is not there or is a file.
    pub fn entries(&mut self, folder: &Path) -> Result<&BTreeMap<String, EntryKind>> {
        if !self.listed.contains_key(folder) {
            let found = list(&self.root.join(folder))?;
            self.listed.insert(folder.to_path_buf(), found);
        }
        Ok(&self.listed[folder])
    }

    fn entry(&mut self, path: &Path) -> Result<Option<EntryKind>> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
        Ok(self.entries(path.parent().unwrap_or(Path::new("")))?.get(name).copied())
    }

    /// Returns whether there is a folder.
    pub fn is_folder(&mut self, path: &Path) -> Result<bool> {
        Ok(self.entry(path)?.is_some_and(EntryKind::is_folder))
    }

    /// Returns the path when there is a file.
    pub fn existing(&mut self, path: PathBuf) -> Result<Option<PathBuf>> {
        Ok((self.entry(&path)? == Some(EntryKind::File)).then_some(path))
    }

    /// Returns the files below a folder whose names are wanted; what is hidden, compiled or a virtual environment is
    /// passed over, and links to folders are not followed: they may lead back.
    pub fn below(&mut self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let entries = self.entries(folder)?.clone();
        let mut found = Vec::new();
        if entries.contains_key("pyvenv.cfg") {
            return Ok(found);
        }
        for (name, entry) in entries {
            if name.starts_with('.') || name == "__pycache__" {
                continue;
            }
            let path = folder.join(&name);
            match entry {
                EntryKind::Folder => found.extend(self.below(&path, wanted)?),
                EntryKind::File if wanted(&name) => found.push(path),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn list(folder: &Path) -> Result<BTreeMap<String, EntryKind>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(BTreeMap::new());
        }
        Err(error) => return Err(error.into()),
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let kind = match kind.is_symlink() {
            true if entry.path().is_dir() => EntryKind::Link,
            _ if kind.is_dir() => EntryKind::Folder,
            _ => EntryKind::File,
        };
        // Python code in UTF-8 can name no other.
        found.extend(entry.file_name().into_string().ok().map(|name| (name, kind)));
    }
    Ok(found)
}

/// Returns whether importing may read a file of that name: source, compiled without source, or an extension module.
pub fn is_module(name: &str) -> bool {
    [".py", ".pyc", ".so"].iter().any(|ending| name.ends_with(ending))
}

/// Returns whether a file of that name is no code, so that a step reads it only when it opens it.
pub fn is_data(name: &str) -> bool {
    !is_module(name)
}

/// Returns the path that `text` means from `base`, or `None` when it names nothing below the code folder.
pub fn join(base: &Path, text: &str) -> Option<PathBuf> {
    let mut path = base.to_path_buf();
    let mut named = false;
    for part in Path::new(text).components() {
        match part {
            Component::Normal(name) => {
                path.push(name);
                named = true;
            }
            Component::ParentDir => {
                path.pop().then_some(())?;
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    named.then_some(path)
}
