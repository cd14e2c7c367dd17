//! One call of pip: every artifact is pinned by its hash, nothing is chosen.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::python;
use crate::error::Result;

/// Runs pip with the person's way to the index, and with none of their other settings.
const PIP: &str = include_str!("pip.py");

/// What pip says when it reached no index.
const NETWORK: &[&str] =
    &["NewConnectionError", "NameResolutionError", "timed out", "Temporary failure", "Connection", "ProxyError"];

/// The most lines of pip's complaints that are shown.
const SHOWN: usize = 6;

/// How pip ended when it did not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    /// All it wrote on standard error.
    pub text: String,
}

impl Failure {
    /// Returns its last complaints: at most six lines.
    pub fn excerpt(&self) -> String {
        let mut lines: Vec<&str> =
            self.text.lines().filter(|line| line.contains("ERROR") || line.contains("rror:")).collect();
        if lines.is_empty() {
            lines = self.text.lines().collect();
        }
        lines.split_off(lines.len().saturating_sub(SHOWN)).join("\n")
    }

    /// Returns whether it did not reach the index.
    pub fn no_network(&self) -> bool {
        NETWORK.iter().any(|sign| self.text.contains(sign))
    }
}

/// Installs what `lock`, a file of hash-pinned requirements, names: with the pip of the virtual environment `venv`, and
/// with further `options`. `told` hears the name of each package when its turn comes.
pub fn install<T: AsRef<OsStr>>(
    venv: &Path,
    lock: &Path,
    options: impl IntoIterator<Item = T>,
    told: &mut dyn FnMut(&str),
) -> Result<Result<(), Failure>> {
    let mut command = python::command(&venv.join("bin/python"));
    command.args(["-I", "-c", PIP, "install", "--require-hashes", "--no-deps", "--no-input"]);
    command.args(["--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]);
    command.args(options).arg("-r").arg(lock);
    // On the same disk as what is installed, so that pip moves instead of copying; and gone with it when cut short.
    command.env("TMPDIR", std::path::absolute(venv)?);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // `wait` would close it.
    let lifeline = child.stdin.take();
    let errors = child.stderr.take().map(|stderr| std::thread::spawn(move || std::io::read_to_string(stderr)));
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            if let Some(name) = package_of(&line?) {
                told(&name);
            }
        }
    }
    let succeeded = child.wait()?.success();
    drop(lifeline);
    if succeeded {
        return Ok(Ok(()));
    }
    let text = errors.and_then(|thread| thread.join().ok()).and_then(std::io::Result::ok).unwrap_or_default();
    Ok(Err(Failure { text }))
}

/// Returns the package whose artifact pip is getting, from a line of its output.
fn package_of(line: &str) -> Option<String> {
    let line = line.trim_start();
    let artifact = ["Downloading ", "Using cached ", "Processing "].iter().find_map(|verb| line.strip_prefix(verb))?;
    let artifact = artifact.split(" (from ").next()?;
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
        assert_eq!(
            package_of("Processing ./wheels/tiny-1.0-py3-none-any.whl (from -r /x/r.lock (line 1))").as_deref(),
            Some("tiny")
        );
        assert_eq!(package_of("Collecting pysail==0.7.2"), None);
    }

    #[test]
    fn a_failure_shows_the_last_complaints() {
        let many: String = (0..9).map(|n| format!("noise\nERROR: {n}\n")).collect();
        let failure = Failure { text: many };
        assert_eq!(failure.excerpt().lines().collect::<Vec<_>>()[..2], ["ERROR: 3", "ERROR: 4"]);
        assert!(!failure.no_network());
        assert!(Failure { text: "<pip.NewConnectionError object>".into() }.no_network());
    }
}
