//! The digest of a step's code: its file, everything of the project that it imports, directly or not, and the files
//! beside the code that these name.

mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use fs_err as fs;

use self::names::{Module, Names};
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::names::Digest;
use crate::package::StepSource;

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
        job.steps.iter().map(|step| Ok((step.name.clone(), reader.digest(step.code.path())?))).collect()
    };
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("python".into()).stack_size(STACK).spawn_scoped(scope, digests)?;
        thread.join().unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the reader of Python code has panicked")))
    })
}

/// Reads the code folder `root`. All paths are below it; the folder itself is the empty path.
struct CodeReader<'a> {
    root: &'a Path,
    /// What is in the folders that were looked at.
    listed: HashMap<PathBuf, Rc<Listing>>,
    /// What has been read: a module of ten steps is parsed once.
    read: HashMap<PathBuf, Rc<File>>,
    /// What each file reaches, by the folder of the script: a module of ten steps is followed once.
    reached: HashMap<(PathBuf, PathBuf), Rc<[PathBuf]>>,
}

/// The names in a folder, and what they are.
type Listing = BTreeMap<String, Entry>;

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    File,
    Folder,
    /// A link to a folder.
    Link,
}

/// A file of the code folder.
struct File {
    content: Vec<u8>,
    /// What it names; nothing unless it is Python.
    names: Names,
}

impl<'a> CodeReader<'a> {
    fn new(root: &'a Path) -> Self {
        Self { root, listed: HashMap::new(), read: HashMap::new(), reached: HashMap::new() }
    }

    fn digest(&mut self, script: &Path) -> Result<Digest> {
        let mut reached = BTreeSet::from([script.to_path_buf()]);
        let mut waiting = VecDeque::from([script.to_path_buf()]);
        while let Some(path) = waiting.pop_front() {
            for next in self.reach(&path, parent(script))?.iter() {
                if reached.insert(next.clone()) {
                    waiting.push_back(next.clone());
                }
            }
        }
        let files = reached.iter().map(|path| self.file(path)).collect::<Result<Vec<_>>>()?;
        let names: Vec<_> = reached.iter().map(|path| path.to_string_lossy()).collect();
        let parts = names.iter().zip(&files).flat_map(|(name, file)| [name.as_bytes(), &file.content]);
        Ok(Digest::of(parts))
    }

    /// Returns a file; one that is not there is as an empty one.
    fn file(&mut self, path: &Path) -> Result<Rc<File>> {
        if let Some(known) = self.read.get(path) {
            return Ok(known.clone());
        }
        let whole = self.root.join(path);
        let mut content = if whole.is_file() { fs::read(whole)? } else { Vec::new() };
        let python = path.extension().is_some_and(|extension| extension == "py");
        let mut names = if python { Names::of(&String::from_utf8_lossy(&content)) } else { Names::default() };
        // What running a notebook leaves in it is no code. A file that is neither is data of a script.
        if let Some(source) = StepSource::is_one(path).then(|| StepSource::parse(path, &content).ok()).flatten() {
            names = Names::of(&source.python());
            content = source.identity();
        }
        let file = Rc::new(File { content, names });
        self.read.insert(path.to_path_buf(), file.clone());
        Ok(file)
    }

    /// Returns the files that one file reaches in a step whose script is in the folder `beside`. Names that no file has
    /// cost nothing.
    fn reach(&mut self, path: &Path, beside: &Path) -> Result<Rc<[PathBuf]>> {
        let key = (path.to_path_buf(), beside.to_path_buf());
        if let Some(known) = self.reached.get(&key) {
            return Ok(known.clone());
        }
        let (file, here) = (self.file(path)?, parent(path));
        let names = &file.names;
        let mut found = Vec::new();
        if names.computed {
            found.extend(self.below(Path::new(""), &is_module)?);
        }
        // A text may be a path from any folder above the file, from the script's, and from a package it imports.
        let mut bases: BTreeSet<PathBuf> = here.ancestors().map(Path::to_path_buf).collect();
        bases.insert(beside.to_path_buf());
        for module in &names.modules {
            // Python looks beside the script first, then in the code folder.
            let folders = match module.level {
                0 => BTreeSet::from([beside.to_path_buf(), PathBuf::new()]),
                level => here.ancestors().nth(level - 1).map(Path::to_path_buf).into_iter().collect(),
            };
            for folder in folders {
                bases.extend(self.import(folder, module, &mut found)?);
            }
        }
        let bases: Vec<_> = bases.into_iter().map(|base| Ok((self.entries(&base)?, base))).collect::<Result<_>>()?;
        for text in &names.texts {
            self.named(text, &bases, &mut found)?;
        }
        let found: Rc<[PathBuf]> = found.into();
        self.reached.insert(key, found.clone());
        Ok(found)
    }

    /// Adds the files that importing `module` from `folder` reads; returns its own folder when it is a package.
    fn import(&mut self, folder: PathBuf, module: &Module, found: &mut Vec<PathBuf>) -> Result<Option<PathBuf>> {
        let mut at = folder;
        for part in &module.parts {
            for (name, entry) in self.entries(&at)?.as_ref() {
                let fits = part == names::ALL || name.split('.').next() == Some(part.as_str());
                if fits && *entry == Entry::File && is_module(name) {
                    found.push(at.join(name));
                }
            }
            at.push(part);
            if part == names::ALL || !matches!(self.entry(&at)?, Some(Entry::Folder | Entry::Link)) {
                return Ok(None);
            }
            let init = at.join("__init__.py");
            if self.entry(&init)? == Some(Entry::File) {
                found.push(init);
            }
        }
        Ok(Some(at))
    }

    /// Adds the files that a text means as a path from one of `bases`: the file; all data in the folder; all data with
    /// an ending, when the rest of the name is computed.
    fn named(&mut self, text: &str, bases: &[(Rc<Listing>, PathBuf)], found: &mut Vec<PathBuf>) -> Result<()> {
        if let Some(ending) = names::ending(text) {
            found.extend(self.below(Path::new(""), &|name| name.ends_with(ending) && is_data(name))?);
        }
        let fixed = names::fixed(text);
        // A package named by its dots, as `importlib.resources` takes it.
        for text in BTreeSet::from([fixed.to_string(), fixed.replace('.', "/")]) {
            for (listing, base) in bases {
                if begins_nowhere(&text, listing) {
                    continue;
                }
                let Some(path) = join(base, &text) else { continue };
                match self.entry(&path)? {
                    Some(Entry::Folder | Entry::Link) => found.extend(self.below(&path, &is_data)?),
                    Some(Entry::File) => found.push(path),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Returns what has that path; `None` when there is nothing.
    fn entry(&mut self, path: &Path) -> Result<Option<Entry>> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
        Ok(self.entries(parent(path))?.get(name).copied())
    }

    /// Returns what is in a folder; nothing when it is not there or is a file.
    fn entries(&mut self, folder: &Path) -> Result<Rc<Listing>> {
        if let Some(known) = self.listed.get(folder) {
            return Ok(known.clone());
        }
        let mut found = Listing::new();
        match fs::read_dir(self.root.join(folder)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            entries => {
                for entry in entries? {
                    let entry = entry?;
                    let kind = match entry.file_type()? {
                        kind if kind.is_dir() => Entry::Folder,
                        kind if kind.is_symlink() && entry.path().is_dir() => Entry::Link,
                        _ => Entry::File,
                    };
                    // Python code in UTF-8 can name no other.
                    found.extend(entry.file_name().into_string().ok().map(|name| (name, kind)));
                }
            }
        }
        let found = Rc::new(found);
        self.listed.insert(folder.to_path_buf(), found.clone());
        Ok(found)
    }

    /// Returns the files below a folder whose names are wanted; what is hidden, compiled or a virtual environment is
    /// passed over, and links to folders are not followed: they may lead back.
    fn below(&mut self, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
        let entries = self.entries(folder)?;
        let mut found = Vec::new();
        if entries.contains_key("pyvenv.cfg") {
            return Ok(found);
        }
        for (name, entry) in entries.iter().filter(|(name, _)| !name.starts_with('.') && *name != "__pycache__") {
            match entry {
                Entry::File if wanted(name) => found.push(folder.join(name)),
                Entry::Folder => found.extend(self.below(&folder.join(name), wanted)?),
                Entry::File | Entry::Link => {}
            }
        }
        Ok(found)
    }
}

/// Returns the folder that a path is in.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Returns whether a folder has nothing with which the path `text` could begin: most texts in code are no paths.
fn begins_nowhere(text: &str, folder: &Listing) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    !text.split('/').any(|part| matches!(part, "" | "." | "..")) && !folder.contains_key(first)
}

/// Returns whether importing may read a file of that name: source, compiled without source, or an extension module.
fn is_module(name: &str) -> bool {
    [".py", ".pyc", ".so"].iter().any(|ending| name.ends_with(ending))
}

/// Returns whether a file of that name is no code, so that a step reads it only when it opens it.
fn is_data(name: &str) -> bool {
    !is_module(name)
}

/// Returns the path that `text` means from `base`, or `None` when it names nothing below the code folder.
fn join(base: &Path, text: &str) -> Option<PathBuf> {
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

#[cfg(test)]
mod tests;
