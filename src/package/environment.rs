//! The packages that steps import, as an archive that is a virtual environment wherever it is unpacked.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::archive::TarGz;
use super::{Architecture, Platform};
use crate::encoding;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::{Host, Uv, python, unfinished, uv};
use crate::names::Digest;

/// The interpreter in the unpacked archive: the value of `spark.pyspark.python` is `./environment/` and this.
pub const INTERPRETER: &str = "bin/python";

/// Raised when the same packages give another archive.
const LAYOUT: &str = "environment 2";

/// Where Python is on the nodes. Source: Amazon Linux 2023's packages `python3.X`.
const NODE_PROGRAMS: &str = "/usr/bin";

/// What uv says of a package that the folder `wheels` does not have.
const NOT_HERE: [&str; 2] = ["was not found in the provided package locations", "there is no version of"];

/// The packages of a lock for the nodes of a cluster.
#[derive(Clone, Debug)]
pub struct Environment {
    platform: Platform,
    /// The lock's requirements, for all platforms.
    pins: Vec<String>,
    /// Artifacts that no index has.
    wheels: PathBuf,
    /// The lock, as named in errors.
    lock: String,
}

impl Environment {
    /// Returns what the lock at `path` pins for `platform`; builds nothing. Wheels that no index has lie in the folder
    /// `wheels` beside the lock.
    ///
    /// # Errors
    /// `Usage` when a line is no package: what options name would not be part of the archive's name.
    pub fn read(path: &Path, platform: Platform) -> Result<Self> {
        let lock = path.display().to_string();
        let bytes = fs::read(path)?;
        let text = encoding::text(&bytes).map_err(|foreign| foreign.error(&lock))?;
        let pins = pins(&lock, &encoding::plain(text))?;
        Ok(Self { platform, pins, wheels: path.with_file_name("wheels"), lock })
    }

    /// Returns the name of the archive, known before it is built: of the lock's requirements and the platform.
    pub fn key(&self) -> Digest {
        let head = [LAYOUT.to_string(), self.platform.to_string()];
        Digest::of(head.iter().chain(&self.pins))
    }

    /// Returns the archive in the folder `into`, `<key>.tar.gz`, building it on `host` unless it is there.
    /// Other soflow processes wait for the one that builds; one killed half-way leaves a folder that the next removes.
    ///
    /// # Errors
    /// `Machine` when Python or a package cannot be had; `Usage` when it has no wheel for the platform or another hash.
    pub fn build(&self, host: &Host, into: &Path, sink: &mut dyn Sink) -> Result<PathBuf> {
        let archive = into.join(format!("{}.tar.gz", self.key().as_str()));
        if archive.is_file() {
            return Ok(archive);
        }
        fs::create_dir_all(into)?;
        let lock =
            fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(into.join(".lock"))?;
        if lock.file().try_lock().is_err() {
            sink.emit(Event::Note { text: "Waiting for another soflow that packages dependencies.".into() });
            lock.file().lock()?;
        }
        if !archive.is_file() {
            let making = unfinished(into, "dependencies")?;
            let packages = making.path().join("packages");
            sink.emit(Event::Packaging { what: self.what(), packages: self.pins.len() as u64 });
            fs::create_dir_all(&packages)?;
            if !self.pins.is_empty() {
                self.fetch(host, into, &packages, sink)?;
            }
            sink.emit(Event::PackagingItem { name: String::new() });
            let finished = making.path().join("environment.tar.gz");
            self.pack(&packages, &finished)?;
            fs::rename(&finished, &archive)?;
            let (what, bytes) = (self.what(), fs::metadata(&archive)?.len());
            sink.emit(Event::Packaged { what, bytes });
        }
        Ok(archive)
    }

    fn what(&self) -> String {
        format!("dependencies for {}", self.platform)
    }

    fn fetch(&self, host: &Host, into: &Path, packages: &Path, sink: &mut dyn Sink) -> Result<()> {
        let python = python::find(host, None, "packaging the dependencies of steps")?;
        let uv = Uv::get(host, &python, into, "dependencies")?;
        let filled = self.fill(packages, &uv, sink);
        // What was downloaded is of use to whoever tries again as it is.
        if filled.as_ref().err().is_none_or(|error| error.kind == Kind::Usage) {
            uv.finish()?;
        }
        filled
    }

    fn fill(&self, packages: &Path, uv: &Uv, sink: &mut dyn Sink) -> Result<()> {
        let lock = packages.with_file_name("requirements.lock");
        fs::write(&lock, self.pins.join("\n"))?;
        let mut install = |more: &[&OsStr]| {
            let mut options: Vec<OsString> = self.platform.uv_options().map(Into::into).into();
            options.extend(["--target".into(), packages.into(), "-r".into(), lock.clone().into()]);
            options.extend(more.iter().map(OsString::from));
            uv.install(options, &mut |name| sink.emit(Event::PackagingItem { name: name.into() }))
        };
        let links = [OsStr::new("--find-links"), self.wheels.as_os_str()];
        let installed = match self.wheels.is_dir() {
            false => install(&[])?,
            // A project that carries all its packages builds without a network.
            true => match install(&[&links[..], &[OsStr::new("--no-index")]].concat())? {
                Err(failure) if NOT_HERE.iter().any(|sign| failure.text.contains(sign)) => install(&links)?,
                done => done,
            },
        };
        installed.map_err(|failure| self.failed(&failure))
    }

    /// A virtual environment is a folder with `pyvenv.cfg` above the interpreter's; Python finds the packages from
    /// there, so that the folder can be anywhere. The cluster's own packages stay out of sight: PySpark comes by
    /// PYTHONPATH, and a package that the lock forgot is missed in the first test instead of on another release.
    fn pack(&self, packages: &Path, archive: &Path) -> Result<()> {
        let python = format!("python{}", self.platform.python);
        let mut tar = TarGz::create(archive)?;
        tar.link(INTERPRETER, &format!("{NODE_PROGRAMS}/{python}"))?;
        // Scripts in `bin` name the interpreter of the machine they were made on, and RECORD lists their hashes; `.lock`
        // is uv's own.
        let keep = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            path != Path::new("bin")
                && path != Path::new(".lock")
                && name != "RECORD"
                && name != "__pycache__"
                && !name.to_string_lossy().ends_with(".pyc")
        };
        tar.tree(&format!("lib/{python}/site-packages"), packages, &keep)?;
        let config = format!(
            "home = {NODE_PROGRAMS}\ninclude-system-site-packages = false\nversion = {}\n",
            self.platform.python
        );
        tar.text("pyvenv.cfg", &config)?;
        Ok(tar.finish()?)
    }

    fn failed(&self, failure: &uv::Failure) -> Error {
        let (lock, platform) = (&self.lock, &self.platform);
        if failure.no_network() {
            return failure.error(format!("the packages of `{lock}` cannot be downloaded"));
        }
        // That it has wheels for others only, has no such version, or is unknown to the index.
        let missing = |package: &&str| {
            let name = package.split("==").next().unwrap_or_default();
            let signs =
                [format!("{package} has no "), format!("no version of {package} "), format!("{name} was not found")];
            signs.iter().any(|sign| failure.text.contains(sign))
        };
        if let Some(package) = self.pins.iter().map(|pin| pinned(pin)).find(missing) {
            let wheels = self.wheels.display();
            let mut error = Error::new(Kind::Usage, format!("`{package}` has no wheel for {platform}"))
                .detail(format!("{lock} pins it; on a cluster nothing is compiled"))
                .hint(format!(
                    "if it is published as source: `pip wheel --no-deps --wheel-dir {wheels} {package}` on such a \
                     machine, and add the wheel's hash (`pip hash FILE`) to the lock"
                ))
                .hint("or pin a version that has a wheel");
            if platform.architecture == Architecture::Aarch64 {
                error = error.hint("or choose instance types with Intel or AMD processors, such as `m5.xlarge`");
            }
            return error;
        }
        if failure.text.contains("Hash mismatch") {
            return Error::new(Kind::Usage, format!("an artifact is not the one that `{lock}` pins"))
                .detail(failure.excerpt())
                .hint("if a version was published anew or a wheel was built anew, add its hash to the lock");
        }
        Error::new(Kind::Machine, format!("the packages of `{lock}` cannot be installed")).detail(failure.excerpt())
    }
}

/// Returns the requirements of `lock`, each on one line, sorted; those for other platforms too: uv reads the markers, and
/// refuses what is not pinned with hashes. `shown` is what the file is called in errors.
fn pins(shown: &str, lock: &str) -> Result<Vec<String>> {
    let mut pins = Vec::new();
    for (number, line) in logical_lines(lock) {
        if line.starts_with('-') {
            return Err(Error::new(Kind::Usage, format!("{shown}:{number}: a lock has packages only, no options"))
                .hint("name indexes in the environment: `PIP_INDEX_URL`, `PIP_FIND_LINKS`"));
        }
        pins.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    pins.sort();
    Ok(pins)
}

/// Returns the package and version that a requirement names.
fn pinned(requirement: &str) -> &str {
    requirement.split([' ', ';']).next().unwrap_or_default()
}

/// Returns the lines with what they continue on, without comments and blank ones, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (at, line) in text.lines().enumerate() {
        let line = if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
        let (line, more) = line.trim().strip_suffix('\\').map_or((line.trim(), false), |line| (line.trim(), true));
        match lines.last_mut() {
            Some((_, whole)) if continues => *whole = format!("{whole} {line}"),
            _ => lines.push((at + 1, line.to_string())),
        }
        continues = more;
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

#[cfg(test)]
mod tests;
