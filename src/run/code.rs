//! The digest of a step's code: its script, everything of the project that it imports, directly or not, and the files
//! beside the code that these name.

mod names;
mod tree;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use fs_err as fs;

use self::names::{Module, Names};
use self::tree::{Tree, is_data, is_module};
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::names::Digest;

/// The stack of the thread that parses, in bytes. Python itself gives up at some thousand nested expressions, each of
/// which takes the parser a few kilobytes.
const STACK: usize = 64 << 20;

/// Returns the digest of each step's code, by step. A step's digest changes only when a file it can reach changes:
/// editing one step's module does not make the others run again.
///
/// # Errors
/// `Machine` for a file of the code folder that cannot be read.
pub fn code_digests(root: &Path, job: &Job) -> Result<BTreeMap<String, Digest>> {
    let digests = || {
        let mut reader = CodeReader::new(root);
        job.steps.iter().map(|step| Ok((step.name.clone(), reader.digest(&step.script)?))).collect()
    };
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("python".into()).stack_size(STACK).spawn_scoped(scope, digests)?;
        thread.join().unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the reader of Python code has panicked")))
    })
}

struct CodeReader<'a> {
    tree: Tree<'a>,
    /// What has been read, by its path below the code folder: a module of ten steps is parsed once.
    read: BTreeMap<PathBuf, Rc<File>>,
}

/// A file of the code folder.
struct File {
    content: Vec<u8>,
    /// What it names; nothing unless it is Python.
    names: Names,
}

impl<'a> CodeReader<'a> {
    fn new(root: &'a Path) -> Self {
        Self { tree: Tree::new(root), read: BTreeMap::new() }
    }

    fn digest(&mut self, script: &Path) -> Result<Digest> {
        let mut reached = BTreeSet::from([script.to_path_buf()]);
        let mut waiting = VecDeque::from([script.to_path_buf()]);
        while let Some(path) = waiting.pop_front() {
            let file = self.file(&path)?;
            for next in self.reach(&path, &file.names, script)? {
                if reached.insert(next.clone()) {
                    waiting.push_back(next);
                }
            }
        }
        let mut parts = Vec::new();
        for path in reached {
            parts.push(path.to_string_lossy().into_owned().into_bytes());
            parts.push(self.file(&path)?.content.clone());
        }
        Ok(Digest::of(parts))
    }

    /// Returns a file; one that is not there is as an empty one.
    fn file(&mut self, path: &Path) -> Result<Rc<File>> {
        if let Some(known) = self.read.get(path) {
            return Ok(known.clone());
        }
        let whole = self.tree.root.join(path);
        let content = if whole.is_file() { fs::read(whole)? } else { Vec::new() };
        let python = path.extension().is_some_and(|extension| extension == "py");
        let names = if python { Names::of(&String::from_utf8_lossy(&content)) } else { Names::default() };
        let file = Rc::new(File { content, names });
        self.read.insert(path.to_path_buf(), file.clone());
        Ok(file)
    }

    /// Returns the files that one that names these reaches. Names that no file has cost nothing.
    fn reach(&mut self, path: &Path, names: &Names, script: &Path) -> Result<Vec<PathBuf>> {
        let folder = |path: &Path| path.parent().unwrap_or(Path::new("")).to_path_buf();
        let (here, beside) = (folder(path), folder(script));
        let mut found = Vec::new();
        if names.computed {
            found.extend(self.tree.below(Path::new(""), &is_module)?);
        }
        // A text may be a path from any folder above the file, from the script's, and from a package it imports.
        let mut bases: BTreeSet<PathBuf> = here.ancestors().map(Path::to_path_buf).collect();
        bases.insert(beside.clone());
        for module in &names.modules {
            // Python looks beside the script first, then in the code folder.
            let folders = match module.level {
                0 => BTreeSet::from([beside.clone(), PathBuf::new()]),
                level => here.ancestors().nth(level - 1).map(Path::to_path_buf).into_iter().collect(),
            };
            for folder in folders {
                bases.extend(self.import(folder, module, &mut found)?);
            }
        }
        for text in &names.texts {
            self.named(text, &bases, &mut found)?;
        }
        Ok(found)
    }

    /// Adds the files that importing `module` from `folder` reads; returns its own folder when it is a package.
    fn import(&mut self, folder: PathBuf, module: &Module, found: &mut Vec<PathBuf>) -> Result<Option<PathBuf>> {
        let mut at = folder;
        for part in &module.parts {
            for (name, kind) in self.tree.entries(&at)? {
                let fits = part == names::ALL || name.split('.').next() == Some(part.as_str());
                if fits && !kind.is_folder() && is_module(name) {
                    found.push(at.join(name));
                }
            }
            if part == names::ALL || !self.tree.is_folder(&at.join(part))? {
                return Ok(None);
            }
            at.push(part);
            found.extend(self.tree.existing(at.join("__init__.py"))?);
        }
        Ok(Some(at))
    }

    /// Adds the files that a text means as a path from one of `bases`: the file; all data in the folder; all data with
    /// an ending, when the rest of the name is computed.
    fn named(&mut self, text: &str, bases: &BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) -> Result<()> {
        if let Some(ending) = names::ending(text) {
            found.extend(self.tree.below(Path::new(""), &|name| name.ends_with(ending) && is_data(name))?);
        }
        let fixed = names::fixed(text);
        // A package named by its dots, as `importlib.resources` takes it.
        for text in BTreeSet::from([fixed.to_string(), fixed.replace('.', "/")]) {
            for base in bases {
                let Some(path) = tree::join(base, &text) else { continue };
                if self.tree.is_folder(&path)? {
                    found.extend(self.tree.below(&path, &is_data)?);
                } else {
                    found.extend(self.tree.existing(path)?);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
