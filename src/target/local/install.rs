//! Making an environment: a Python that is new enough, a venv, and pip with every artifact pinned by its hash.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fs_err as fs;

use super::environment::Host;
use super::launcher::{self, Phase};
use crate::config::Engine;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};

/// Sail has no wheels for older Pythons. Source: the package's metadata on PyPI.
const OLDEST_PYTHON: (u32, u32) = (3, 10);

/// Names under which a suitable Python may hide when `python3` is an old one.
const PYTHONS: &[&str] = &["python3", "python3.13", "python3.12", "python3.11", "python3.10"];

/// The Java that Spark 3.5 is run with here. Source: Spark 3.5's documentation, which names 8, 11 and 17.
const JAVA: u32 = 17;

/// Runs pip, and ends it when standard input closes: soflow is gone then, however that happened.
const PIP: &str = "\
import os, runpy, threading

def watch():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=watch, daemon=True).start()
runpy.run_module('pip', run_name='__main__', alter_sys=True)
";

/// Returns a Python of at least 3.10: `wanted`, else the first one on `PATH`.
///
/// # Errors
/// `Machine`, with the versions that were found and how to get one.
pub fn find_python(host: &Host, wanted: Option<&Path>) -> Result<PathBuf> {
    let candidates: Vec<PathBuf> = match wanted {
        Some(path) => vec![path.to_path_buf()],
        None => PYTHONS.iter().filter_map(|name| host.program(name)).collect(),
    };
    let mut seen = Vec::new();
    for candidate in candidates {
        match python_version(&candidate) {
            Some(version) if version >= OLDEST_PYTHON => return Ok(candidate),
            Some((major, minor)) => seen.push(format!("`{}` is Python {major}.{minor}", candidate.display())),
            None => seen.push(format!("`{}` does not run", candidate.display())),
        }
    }
    let why = if seen.is_empty() { "there is no `python3` on PATH".to_string() } else { seen.join(", ") };
    Err(Error::new(Kind::Machine, format!("the local engine needs Python 3.10 or newer: {why}"))
        .hint("install it (Debian, Ubuntu: `apt install python3 python3-venv`; macOS: `brew install python`)")
        .hint("or name one: `SOFLOW_PYTHON=/path/to/python3`"))
}

fn python_version(python: &Path) -> Option<(u32, u32)> {
    let script = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let output = Command::new(python).args(["-I", "-c", script]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Returns the home of a Java 17 on this machine, or `None` when one must be brought along.
pub fn java(host: &Host) -> Option<PathBuf> {
    let on_path = || host.program("java").and_then(|java| fs::canonicalize(java).ok()).and_then(|java| home_of(&java));
    let candidates = [host.java_home.clone(), on_path()];
    candidates.into_iter().flatten().find(|home| java_version(home) == Some(JAVA))
}

fn home_of(java: &Path) -> Option<PathBuf> {
    Some(java.parent()?.parent()?.to_path_buf())
}

/// Reads the `release` file every JDK and JRE carries; starting `java -version` would cost a quarter of a second.
fn java_version(home: &Path) -> Option<u32> {
    let release = fs::read_to_string(home.join("release")).ok()?;
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    version.trim_matches('"').split('.').next()?.parse().ok()
}

/// Makes a venv with all packages of an engine below `folder`.
pub fn install(engine: Engine, with_jre: bool, python: &Path, folder: &Path, sink: &mut dyn Sink) -> Result<()> {
    let downloads = launcher::downloads(engine, with_jre)?;
    sink.emit(Event::EngineInstall {
        engine: engine.name().into(),
        bytes: downloads.values().sum(),
        packages: downloads.len() as u64,
    });
    let venv = folder.join("venv");
    let made = Command::new(python).args(["-I", "-m", "venv"]).arg(&venv).stdin(Stdio::null()).output()?;
    if !made.status.success() {
        return Err(no_venv(python, &made));
    }
    let mut done = 0;
    for phase in launcher::phases(engine, with_jre) {
        pip(&venv, &phase, &downloads, &mut done, sink)?;
    }
    Ok(())
}

fn no_venv(python: &Path, output: &Output) -> Error {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Error::new(Kind::Machine, format!("`{} -m venv` failed", python.display()))
        .detail(String::from_utf8_lossy(&text).trim().to_string())
        .hint("Debian and Ubuntu have it in a package of its own: `apt install python3-venv`")
}

fn pip(
    venv: &Path,
    phase: &Phase,
    downloads: &BTreeMap<String, u64>,
    done: &mut u64,
    sink: &mut dyn Sink,
) -> Result<()> {
    let lock = venv.join(format!("{}.lock", phase.name));
    fs::write(&lock, phase.lock)?;
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["-I", "-c", PIP, "install", "--require-hashes", "--no-deps", "--no-input"]);
    command.args(["--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]);
    command.args(phase.options).arg("-r").arg(&lock);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // `wait` would close it.
    let lifeline = child.stdin.take();
    let errors = child.stderr.take().map(|stderr| std::thread::spawn(move || std::io::read_to_string(stderr)));
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            if let Some(name) = package_of(&line?) {
                sink.emit(Event::EnginePackage { name: name.clone(), done: *done });
                *done += downloads.get(&name).copied().unwrap_or(0);
            }
        }
    }
    sink.emit(Event::EnginePackage { name: String::new(), done: *done });
    let succeeded = child.wait()?.success();
    drop(lifeline);
    if succeeded {
        return Ok(());
    }
    let errors = errors.and_then(|thread| thread.join().ok()).and_then(Result::ok).unwrap_or_default();
    Err(pip_failed(&errors))
}

fn pip_failed(stderr: &str) -> Error {
    let mut lines: Vec<&str> = stderr.lines().filter(|line| line.contains("ERROR") || line.contains("rror:")).collect();
    if lines.is_empty() {
        lines = stderr.lines().collect();
    }
    let last = lines.split_off(lines.len().saturating_sub(6));
    let network = ["NewConnectionError", "Could not find a version", "timed out", "Temporary failure", "Connection"];
    let hint = if network.iter().any(|sign| stderr.contains(sign)) {
        "the first run downloads the engine: connect to the network, or set `PIP_INDEX_URL` to a mirror, and run it again"
    } else {
        "run the same command again; what was downloaded is kept"
    };
    Error::new(Kind::Machine, "the engine's packages cannot be installed").detail(last.join("\n")).hint(hint)
}

/// Returns the package whose artifact pip is getting, from a line of its output.
fn package_of(line: &str) -> Option<String> {
    let line = line.trim_start();
    let artifact = line.strip_prefix("Downloading ").or_else(|| line.strip_prefix("Using cached "))?;
    let name = artifact.rsplit('/').next()?.split('-').next()?;
    Some(name.to_lowercase().replace(['_', '.'], "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_tells_which_package_it_gets() {
        let line = "  Downloading pyarrow-22.0.0-cp311-cp311-manylinux_2_28_x86_64.whl (47.7 MB)";
        assert_eq!(package_of(line).as_deref(), Some("pyarrow"));
        assert_eq!(
            package_of("Using cached python_dateutil-2.9.0-py2.py3-none-any.whl").as_deref(),
            Some("python-dateutil")
        );
        assert_eq!(package_of("Collecting pysail==0.7.2"), None);
    }

    #[test]
    fn a_missing_python_is_told_with_what_to_install() {
        let error = find_python(&Host::default(), None).unwrap_err();
        assert!(error.message.contains("no `python3` on PATH") && error.hints[0].contains("apt install"));
    }

    #[test]
    fn a_python_that_does_not_run_is_named() {
        let error = find_python(&Host::default(), Some(Path::new("/nowhere/python3"))).unwrap_err();
        assert!(error.message.contains("`/nowhere/python3` does not run"), "{}", error.message);
    }
}
