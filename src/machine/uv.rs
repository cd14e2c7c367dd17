//! uv, which makes virtual environments and fills them from locks: the one on `PATH`, else one that pip installs once.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use super::{Host, python};
use crate::error::{Error, Kind, Result};
use crate::mask;
use crate::names::Digest;

/// uv, pinned by its hashes.
const LOCK: &str = include_str!("../../engine/installer.lock");

/// Runs pip and uv with the person's way to the index, and ends them with us.
const INSTALLER: &str = include_str!("installer.py");

/// What pip and uv say when they reached no index.
const NETWORK: &[&str] = &[
    "Failed to fetch",
    "error sending request",
    "NewConnectionError",
    "NameResolutionError",
    "timed out",
    "ProxyError",
];

/// The most lines of a failure that are shown.
const SHOWN: usize = 8;

/// What to do about a failure, by what pip or uv says of it; the first that is said counts.
const HINTS: &[(&[&str], &str)] = &[
    (
        &["invalid peer certificate", "CERTIFICATE_VERIFY_FAILED"],
        "the index's certificate is not trusted: name its authority, `export AWS_CA_BUNDLE=FILE`",
    ),
    (&["pip's settings cannot be read"], "mend that file, or leave it out: `PIP_CONFIG_FILE=/dev/null`"),
    (NETWORK, NO_INDEX),
    (&["was not found in", "No matching distribution"], NO_INDEX),
];

const NO_INDEX: &str =
    "the first time downloads packages: connect to the network, or set `PIP_INDEX_URL` to a mirror, and run it again";

/// How pip or uv ended when it did not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    /// All it wrote on standard error, without secrets.
    pub text: String,
}

impl Failure {
    /// Returns what it says of the error: at most eight lines.
    pub fn excerpt(&self) -> String {
        let lines: Vec<&str> = self.text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let first = lines.iter().position(|line| line.starts_with("error") || line.contains("ERROR")).unwrap_or(0);
        lines[first..].iter().take(SHOWN).copied().collect::<Vec<_>>().join("\n")
    }

    /// Returns whether it did not reach the index.
    pub fn no_network(&self) -> bool {
        NETWORK.iter().any(|sign| self.text.contains(sign))
    }

    /// Returns the error for people: `what` says what could not be done.
    pub fn error(&self, what: impl Into<String>) -> Error {
        let said = |(signs, _): &&(&[&str], &str)| signs.iter().any(|sign| self.text.contains(sign));
        let hint = HINTS.iter().find(said).map_or("run it again; what was downloaded is kept", |(_, hint)| hint);
        Error::new(Kind::Machine, what).detail(self.excerpt()).hint(hint)
    }
}

/// uv, and the folder it works in.
#[derive(Clone, Debug)]
pub struct Uv {
    program: PathBuf,
    python: PathBuf,
    work: PathBuf,
}

impl Uv {
    /// Returns the uv of `host`, if that is as new as the one we pin; else the one in the folder `home`, put there by
    /// pip unless it is there already. `python` runs pip and reads the person's settings. Of all who work in `home`,
    /// `name` is ours: what was downloaded under it is found again until `finish`.
    ///
    /// # Errors
    /// `Machine` when pip cannot get it.
    pub fn get(host: &Host, python: &Path, home: &Path, name: &str) -> Result<Self> {
        // Beside what is made, so that files are linked instead of copied. Not the person's own cache: a file that is
        // changed there or in an environment would be changed in all of them.
        let work = std::path::absolute(home.join(format!(".work-{name}")))?;
        fs::create_dir_all(&work)?;
        let uv = |program: PathBuf| Self { program, python: python.into(), work: work.clone() };
        if let Some(program) = host.program("uv").filter(|program| version(program) >= Some(wanted())) {
            return Ok(uv(program));
        }
        let kept = home.join(format!("uv-{}", Digest::of([LOCK]).short()));
        if !kept.is_file() {
            let (venv, lock) = (work.join("pip"), work.join("installer.lock"));
            if venv.exists() {
                fs::remove_dir_all(&venv)?;
            }
            python::make_venv(python, &venv)?;
            fs::write(&lock, LOCK)?;
            let pip = Self { python: venv.join("bin/python"), ..uv("pip".into()) };
            let options = ["install", "--require-hashes", "--no-deps", "--only-binary=:all:", "--no-input"];
            let options = options.into_iter().chain(["--disable-pip-version-check", "-r"]).map(OsStr::new);
            pip.run(options.chain([lock.as_os_str()]), &mut |_| ())?.map_err(|failure| {
                let (major, minor, patch) = wanted();
                failure.error("pip cannot install uv, which gets all other packages").hint(format!(
                    "or install uv {major}.{minor}.{patch} or newer in another way: one on PATH is used as it is"
                ))
            })?;
            // One file that needs nothing beside it. Whoever comes second replaces it with the same.
            fs::rename(venv.join("bin/uv"), &kept)?;
        }
        Ok(uv(kept))
    }

    /// Returns the program.
    #[cfg(test)]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Makes a virtual environment without packages in `folder`, which may be moved afterwards.
    ///
    /// # Errors
    /// `Machine` when this Python cannot have one.
    pub fn venv(&self, folder: &Path) -> Result<()> {
        let options = ["venv", "--no-config", "--relocatable", "--cache-dir"].map(OsStr::new);
        let (cache, python) = (self.cache(), self.python.as_os_str());
        let places = [cache.as_os_str(), OsStr::new("--python"), python, folder.as_os_str()];
        let made = self.run(options.into_iter().chain(places), &mut |_| ())?;
        made.map_err(|failure| failure.error(format!("no environment can be made with `{}`", self.python.display())))
    }

    /// Installs what locks pin by hash, nothing else: `options` name them and say where to. `told` hears the name of
    /// each package once, when it is there.
    ///
    /// # Errors
    /// Those of starting it; how it failed is the inner result.
    pub fn install<T: AsRef<OsStr>>(
        &self,
        options: impl IntoIterator<Item = T>,
        told: &mut dyn FnMut(&str),
    ) -> Result<Result<(), Failure>> {
        let fixed = ["pip", "install", "--no-config", "--require-hashes", "--no-deps", "--only-binary=:all:"];
        // An artifact is what its hash says, whichever index has it: all are asked, as pip does.
        let fixed = fixed.into_iter().chain(["--index-strategy=unsafe-best-match", "--cache-dir"]);
        let mut arguments: Vec<OsString> = fixed.map(Into::into).collect();
        arguments.push(self.cache().into());
        arguments.extend(options.into_iter().map(|option| option.as_ref().to_os_string()));
        self.run(arguments, told)
    }

    /// Removes what was downloaded, when all that it was for is made.
    ///
    /// # Errors
    /// Those of removing it.
    pub fn finish(self) -> Result<()> {
        Ok(fs::remove_dir_all(self.work)?)
    }

    fn cache(&self) -> PathBuf {
        self.work.join("cache")
    }

    fn run<T: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = T>,
        told: &mut dyn FnMut(&str),
    ) -> Result<Result<(), Failure>> {
        let mut command = python::command(&self.python);
        command.args(["-I", "-c", INSTALLER]).arg(&self.program).args(arguments);
        command.env("TMPDIR", &self.work).env("NO_COLOR", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // `wait` would close it.
        let lifeline = child.stdin.take();
        let (mut seen, mut text) = (BTreeSet::new(), String::new());
        for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).split(b'\n')) {
            let line = String::from_utf8_lossy(&line?).into_owned();
            if let Some(name) = package_of(&line).filter(|name| seen.insert(name.to_string())) {
                told(name);
            }
            text.push_str(&line);
            text.push('\n');
        }
        let succeeded = child.wait()?.success();
        drop(lifeline);
        Ok(if succeeded { Ok(()) } else { Err(Failure { text: mask::text(&text) }) })
    }
}

/// Returns the package that uv has, from a line of its output. Those of less than a megabyte it names when all are
/// installed.
fn package_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let package = ["Downloaded ", "Built ", "+ "].iter().find_map(|verb| line.strip_prefix(verb))?;
    package.split("==").next()
}

type Version = (u32, u32, u32);

fn parse(version: &str) -> Option<Version> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some((next()?, next()?, next()?))
}

/// Returns the version that is pinned.
fn wanted() -> Version {
    LOCK.strip_prefix("uv==").and_then(parse).unwrap_or_else(|| unreachable!("the lock begins with `uv==`"))
}

fn version(program: &Path) -> Option<Version> {
    let said = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    parse(std::str::from_utf8(&said.stdout).ok()?.strip_prefix("uv ")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uv_tells_which_packages_it_has() {
        for line in [" Downloaded pyarrow", "      Built pyarrow==3.5.9", " + pyarrow==26.0.1"] {
            assert_eq!(package_of(line), Some("pyarrow"), "{line}");
        }
        for line in ["Downloading pyarrow (52.5MiB)", "Resolved 25 packages in 777ms", ""] {
            assert_eq!(package_of(line), None, "{line}");
        }
    }

    #[test]
    fn a_uv_is_fitting_by_its_version() {
        assert!(wanted() >= (0, 13, 9));
        assert_eq!(parse("0.13.9 (x86_64-unknown-linux-gnu)"), Some((0, 13, 9)));
        assert_eq!(parse("0.14.0rc1\n"), Some((0, 14, 0)));
        assert_eq!(parse("0.x"), None);
        assert_eq!(version(Path::new("/nowhere/uv")), None);
    }

    #[test]
    fn a_failure_shows_what_is_said_of_the_error() {
        let failure = Failure { text: "noise\nerror: Failed to fetch: `x`\n\n  cause: y\n".into() };
        assert_eq!(failure.excerpt(), "error: Failed to fetch: `x`\n  cause: y");
        assert!(failure.no_network());
        let of_pip = Failure { text: "WARNING: a\nERROR: No matching distribution found for uv==1\n".into() };
        assert_eq!(of_pip.excerpt(), "ERROR: No matching distribution found for uv==1");
        assert!(of_pip.error("x").hints[0].contains("PIP_INDEX_URL"));
    }
}
