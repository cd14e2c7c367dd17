//! The engine's Python environment: where it is, whether it is whole, and how it comes to be.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::UNIX_EPOCH;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::launcher::{self, Contents};
use super::process;
use crate::config::{Engine, Local, Network};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::{Host, Uv, python, unfinished};
use crate::names::Digest;

/// The Java that Spark 3.5 is run with here. Source: Spark 3.5's documentation, which names 8, 11 and 17.
const JAVA: u32 = 17;

/// Written last when an environment is made: without it there is none.
const READY: &str = "ready.json";

/// What to do about a folder in which no environment can be.
const CHOOSE_ANOTHER: &str = "choose another: `engine-dir` in config/soflow.yaml, or `SOFLOW_ENGINE_DIR=FOLDER`";

/// Where an environment above another one names the folders below: Python reads it at its start. Source: site, of
/// Python's library.
const LAYER: &str = "soflow-engine.pth";

/// An engine's Python environment, or one above it.
#[derive(Clone, Debug)]
pub struct EngineEnvironment {
    /// The engine.
    pub engine: Engine,
    /// Its folder, named after the lock.
    pub folder: PathBuf,
    /// What it sees of the network.
    pub network: Network,
    contents: Contents,
    /// The engine's environment, of one that is above it.
    below: Option<PathBuf>,
    python: Option<PathBuf>,
    host: Host,
}

/// Keeps an environment as it is while steps run in it. The kernel takes it back when the process ends.
#[derive(Debug)]
pub struct InUse {
    /// `None` in a folder that we may not write to and whose maker left no lock: an image, a read-only file system.
    _lock: Option<fs::File>,
}

/// The content of [`READY`].
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    /// Of the names, sizes and modification times of all files.
    files: Digest,
    /// The Python it was made with, for people.
    python: String,
}

impl EngineEnvironment {
    /// Returns the environment of `engine` under the settings' engine folder; makes nothing.
    pub fn new(local: &Local, host: &Host) -> Self {
        let with_jre = local.engine == Engine::Spark && java(host).is_none();
        let contents = Contents::Engine { engine: local.engine, with_jre };
        let folder = local.engine_dir.join(format!("{}-{}", contents.name(), contents.digest().short()));
        Self {
            engine: local.engine,
            folder,
            network: local.network,
            contents,
            below: None,
            python: local.python.clone(),
            host: host.clone(),
        }
    }

    /// Returns the environment of notebooks above this one; makes nothing. It is used while this one is in use, too.
    pub fn notebook(&self) -> Self {
        let contents = Contents::Notebook;
        let below = self.folder.file_name().unwrap_or_default().to_string_lossy();
        let digest = Digest::of([contents.digest().short(), &below]);
        Self {
            folder: self.home().join(format!("{}-{}", contents.name(), digest.short())),
            contents,
            below: Some(self.folder.clone()),
            // Packages that are compiled fit one version of Python.
            python: Some(self.interpreter()),
            ..self.clone()
        }
    }

    /// Returns what it is called: `sail`, `spark` or `notebook`.
    pub const fn name(&self) -> &'static str {
        self.contents.name()
    }

    /// Returns the environment's interpreter.
    pub fn interpreter(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    /// Returns the launcher script in it.
    pub fn launcher(&self) -> PathBuf {
        self.folder.join("launcher/launch.py")
    }

    fn called(&self) -> String {
        match self.contents {
            Contents::Engine { engine, .. } => format!("the {} engine", engine.name()),
            Contents::Notebook => "JupyterLab".into(),
        }
    }

    /// Returns whether the environment is there and every file is as it was made.
    pub fn is_whole(&self) -> bool {
        let ready = fs::read(self.folder.join(READY)).ok().and_then(|body| serde_json::from_slice::<Ready>(&body).ok());
        ready.is_some_and(|ready| fingerprint(&self.folder).is_ok_and(|files| files == ready.files))
            && self.is_above_its_engine()
    }

    /// Returns whether what is below has stayed where it was, and is of the same Python.
    fn is_above_its_engine(&self) -> bool {
        let layer = || fs::read_to_string(packages(&self.folder).ok()?.join(LAYER)).ok();
        self.below
            .as_ref()
            .is_none_or(|below| layer().is_some_and(|text| self.layer(below).is_ok_and(|now| now == text)))
    }

    /// Returns the folders from which it imports besides its own packages.
    fn layer(&self, below: &Path) -> Result<String> {
        let folders = [self.folder.join("launcher"), packages(below)?, below.join("launcher")];
        let folders = folders.map(|folder| Ok(std::path::absolute(folder)?.display().to_string()));
        Ok(folders.into_iter().collect::<Result<Vec<_>>>()?.join("\n") + "\n")
    }

    /// Makes the environment unless it is whole, and keeps it from being made anew for as long as the result lives.
    /// Other soflow processes wait for the one that makes it; one killed half-way leaves a folder that the next removes.
    /// One that somebody else has made is used as it is, where its folder cannot be written to.
    ///
    /// # Errors
    /// `Usage` for a folder in which there can be none; `Machine` when Python is missing or too old, or a package cannot
    /// be had.
    pub fn ensure(&self, sink: &mut dyn Sink) -> Result<InUse> {
        self.check_name()?;
        let lock = match self.lock() {
            Ok(lock) => lock,
            Err(error) if is_refused(&error) => {
                // The lock first: its owner may be making the environment now.
                let lock = self.shared()?;
                return if self.is_whole() { Ok(InUse { _lock: lock }) } else { Err(self.unusable(error)) };
            }
            Err(error) => return Err(self.unusable(error)),
        };
        lock.file().lock_shared()?;
        while !self.is_whole() {
            lock.file().unlock()?;
            if lock.file().try_lock().is_err() {
                let text = "Waiting for another soflow that uses or makes the engine environment.".to_string();
                sink.emit(Event::Note { text });
                lock.file().lock()?;
            }
            if !self.is_whole() {
                self.make(sink)?;
            }
            lock.file().unlock()?;
            lock.file().lock_shared()?;
        }
        Ok(InUse { _lock: Some(lock) })
    }

    /// Refuses a folder whose name Python or Java split into two.
    fn check_name(&self) -> Result<()> {
        let home = self.home().display().to_string();
        if !home.contains([':', '\n']) {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, format!("`{home}` cannot hold an engine environment: its name has a colon"))
            .detail("Python and Java take the colon for the end of a folder's name.")
            .hint(CHOOSE_ANOTHER))
    }

    /// Returns the folder of all environments.
    pub fn home(&self) -> &Path {
        self.folder.parent().unwrap_or(Path::new("."))
    }

    fn unusable(&self, error: std::io::Error) -> Error {
        let what = format!("the folder of engine environments, `{}`, cannot be used", self.home().display());
        let error = match is_refused(&error) {
            true => Error::new(Kind::Machine, what).detail(format!(
                "It cannot be written to, and there is no whole environment of this soflow in it, `{}`.",
                self.folder.display()
            )),
            false => Error::new(Kind::Machine, what).caused_by(error),
        };
        error.hint(CHOOSE_ANOTHER)
    }

    /// Removes the environment.
    ///
    /// # Errors
    /// `Held` when steps are running in it.
    pub fn remove(&self) -> Result<()> {
        let lock = self.lock()?;
        if lock.file().try_lock().is_err() {
            return Err(Error::new(Kind::Held, "the engine environment is in use by another soflow")
                .hint("`soflow runs` shows what runs; try again when it has ended"));
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    fn lock(&self) -> std::io::Result<fs::File> {
        fs::create_dir_all(self.home())?;
        fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(self.lock_file())
    }

    fn lock_file(&self) -> String {
        format!("{}.lock", self.folder.display())
    }

    /// Takes the lock of an environment that is another user's, if there is one that we may read.
    fn shared(&self) -> Result<Option<fs::File>> {
        match fs::File::open(self.lock_file()) {
            Ok(lock) => {
                lock.file().lock_shared()?;
                Ok(Some(lock))
            }
            Err(error) if is_refused(&error) || error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn make(&self, sink: &mut dyn Sink) -> Result<()> {
        let home = self.home();
        if self.folder.exists() {
            sink.emit(Event::Warning {
                text: format!(
                    "the engine environment `{}` is damaged or unfinished: making it again",
                    self.folder.display()
                ),
            });
            fs::remove_dir_all(&self.folder)?;
        }
        // The lock is held, so nobody else is making one of this name.
        let making = unfinished(home, self.name())?;
        let python = python::find(&self.host, self.python.as_deref(), "the local engine")?;
        let venv = making.path().join("venv");
        let uv = self.install(&python, &venv, sink)?;
        self.contents.write(&making.path().join("launcher"))?;
        if let Some(below) = &self.below {
            fs::write(packages(making.path())?.join(LAYER), self.layer(below)?)?;
        }
        let ready = Ready { files: fingerprint(making.path())?, python: python.display().to_string() };
        let body = serde_json::to_vec(&ready)
            .map_err(|error| Error::new(Kind::Internal, "cannot write JSON").caused_by(error))?;
        fs::write(making.path().join(READY), body)?;
        uv.finish()?;
        // Python finds its packages relative to the interpreter, so the finished folder may be renamed.
        fs::rename(making.keep(), &self.folder)?;
        self.try_out(sink)?;
        let path = self.folder.display().to_string();
        sink.emit(Event::EngineReady { engine: self.name().into(), path });
        Ok(())
    }

    /// Makes a venv with all packages, each pinned by its hash; returns the uv that did.
    fn install(&self, python: &Path, venv: &Path, sink: &mut dyn Sink) -> Result<Uv> {
        let (downloads, mut done) = (self.contents.downloads()?, 0);
        sink.emit(Event::EngineInstall {
            engine: self.name().into(),
            bytes: downloads.values().sum(),
            packages: downloads.len() as u64,
        });
        let uv = Uv::get(&self.host, python, self.home(), self.name())?;
        uv.venv(venv)?;
        let mut options: Vec<OsString> = vec!["--python".into(), venv.join("bin/python").into()];
        options.extend(self.contents.source_only().into_iter().flat_map(|name| ["--no-binary".into(), name.into()]));
        for lock in self.contents.locks() {
            let file = venv.join(format!("{}.lock", lock.name));
            fs::write(&file, lock.text)?;
            if lock.name == launcher::BUILD.name {
                options.extend(["--build-constraints".into(), file.clone().into()]);
            }
            options.extend(["-r".into(), file.into()]);
        }
        let installed = uv.install(options, &mut |name| {
            done += downloads.get(name).copied().unwrap_or(0);
            sink.emit(Event::EnginePackage { name: name.into(), done });
        })?;
        installed.map_err(|failure| failure.error(format!("the packages of {} cannot be installed", self.called())))?;
        Ok(uv)
    }

    /// Runs a small step that touches what real steps touch, and keeps what it loads: compiled Python and, on Spark, the
    /// archive of loaded classes save every later step seconds. Both hold paths, so they are made in the final place.
    fn try_out(&self, sink: &mut dyn Sink) -> Result<()> {
        sink.emit(Event::Note { text: format!("Trying out {}.", self.called()) });
        let launcher = self.folder.join("launcher");
        let mut command = match self.contents {
            Contents::Engine { .. } => {
                let mut command = process::launch(self, "step");
                command.args(["--archive", "--script"]).arg(launcher.join("soflow_launch/warm.py"));
                command
            }
            Contents::Notebook => {
                let mut command = python::command(&self.interpreter());
                command.arg(launcher.join("soflow_notebook/warm.py")).stdin(Stdio::piped());
                command
            }
        };
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let ended = process::output(command)?;
        if ended.status.success() {
            return Ok(());
        }
        let cause = process::probable_cause(ended.stderr.as_slice(), "stderr", "it printed nothing");
        fs::remove_dir_all(&self.folder)?;
        Err(Error::new(Kind::Machine, format!("{} does not work on this machine", self.called()))
            .detail(cause.excerpt)
            .hint("please report this with the lines above, the operating system and the Python version"))
    }
}

/// Returns the home of a Java 17 on this machine, or `None` when one must be brought along. Reads the `release` file of each:
/// starting `java -version` would cost a quarter of a second.
fn java(host: &Host) -> Option<PathBuf> {
    let on_path = || Some(fs::canonicalize(host.program("java")?).ok()?.parent()?.parent()?.to_path_buf());
    let is_fitting = |home: &PathBuf| {
        let release = fs::read_to_string(home.join("release")).unwrap_or_default();
        let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="));
        version.and_then(|version| version.trim_matches('"').split('.').next()?.parse().ok()) == Some(JAVA)
    };
    host.java_home.clone().filter(is_fitting).or_else(|| on_path().filter(is_fitting))
}

/// Returns whether a file could not be opened because it is another user's, or on a read-only file system.
fn is_refused(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Returns the folder of an environment's packages, whose name tells the version of Python.
fn packages(folder: &Path) -> Result<PathBuf> {
    let library = folder.join("venv/lib");
    for entry in fs::read_dir(&library)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python")) {
            return Ok(path.join("site-packages"));
        }
    }
    Err(Error::new(Kind::Machine, format!("`{}` has no Python in it", library.display())))
}

/// Returns a digest over the names, sizes and times of all files: 10,000 `stat` calls, no reading.
fn fingerprint(folder: &Path) -> Result<Digest> {
    let mut files = BTreeMap::new();
    walk(folder, folder, &mut files)?;
    Ok(Digest::of(files.into_iter().map(|(name, about)| format!("{name} {about}"))))
}

fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // Compiled files and the JVM's class archive come and go with use.
        if name == "__pycache__" || name == READY || name.to_string_lossy().ends_with(".jsa") {
            continue;
        }
        let about = entry.metadata()?;
        if about.is_dir() {
            walk(root, &entry.path(), files)?;
        } else {
            // In seconds, which is all that the layers of a container image keep.
            let age = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let below = entry.path().strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
            files.insert(below, format!("{} {age}", about.len()));
        }
    }
    Ok(())
}
