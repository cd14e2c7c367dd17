//! A Python that is new enough, and virtual environments made with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Host, environment};
use crate::error::{Error, Kind, Result};

/// Sail has no wheels for older Pythons. Source: the package's metadata on PyPI.
const OLDEST: (u32, u32) = (3, 10);

/// Names under which a suitable Python may hide when `python3` is an old one.
const NAMES: &[&str] = &["python3", "python3.13", "python3.12", "python3.11", "python3.10"];

/// Returns a Python of at least 3.10: `wanted`, else the first one on `PATH`. `what` needs it, for the error.
///
/// # Errors
/// `Machine`, with the versions that were found and how to get one.
pub fn find(host: &Host, wanted: Option<&Path>, what: &str) -> Result<PathBuf> {
    let candidates: Vec<PathBuf> = match wanted {
        Some(path) => vec![path.to_path_buf()],
        None => NAMES.iter().filter_map(|name| host.program(name)).collect(),
    };
    let mut seen = Vec::new();
    for candidate in candidates {
        match version(&candidate) {
            Some(version) if version >= OLDEST => return Ok(candidate),
            Some((major, minor)) => seen.push(format!("`{}` is Python {major}.{minor}", candidate.display())),
            None => seen.push(format!("`{}` does not run", candidate.display())),
        }
    }
    let why = if seen.is_empty() { "there is no `python3` on PATH".to_string() } else { seen.join(", ") };
    Err(Error::new(Kind::Machine, format!("{what} needs Python 3.10 or newer: {why}"))
        .hint("install it (Debian, Ubuntu: `apt install python3 python3-venv`; macOS: `brew install python`)")
        .hint("or name one: `SOFLOW_PYTHON=/path/to/python3`"))
}

/// Returns the command line that starts this Python, with the environment that all our Pythons have.
pub fn command(python: &Path) -> Command {
    let mut command = Command::new(python);
    environment::give(&mut command);
    command
}

fn version(python: &Path) -> Option<(u32, u32)> {
    let script = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let output = command(python).args(["-I", "-c", script]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Makes a virtual environment with pip in `folder`, which is what gets uv.
///
/// # Errors
/// `Machine` when this Python cannot make one.
pub fn make_venv(python: &Path, folder: &Path) -> Result<()> {
    let made = command(python).args(["-I", "-m", "venv"]).arg(folder).stdin(Stdio::null()).output()?;
    if made.status.success() { Ok(()) } else { Err(no_venv(python, &made)) }
}

fn no_venv(python: &Path, output: &Output) -> Error {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Error::new(Kind::Machine, format!("`{} -m venv` failed", python.display()))
        .detail(String::from_utf8_lossy(&text).trim().to_string())
        .hint("Debian and Ubuntu have it in a package of its own: `apt install python3-venv`")
        .hint("or install uv, so that it is on PATH: it needs none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_python_is_told_with_what_to_install() {
        let error = find(&Host::default(), None, "it").unwrap_err();
        assert!(error.message.contains("no `python3` on PATH") && error.hints[0].contains("apt install"));
    }

    #[test]
    fn a_python_that_does_not_run_is_named() {
        let error = find(&Host::default(), Some(Path::new("/nowhere/python3")), "it").unwrap_err();
        assert_eq!(error.message, "it needs Python 3.10 or newer: `/nowhere/python3` does not run");
    }
}
