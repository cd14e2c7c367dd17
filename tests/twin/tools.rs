//! Environments for the programs of others that tests need: each is made once, below `SOFLOW_ENGINE_DIR` or `target/`, by one
//! process; the others wait.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use fs_err as fs;
use soflow::names::Digest;

/// How long a second lasts that a state machine waits.
const SECOND: &str = "0.02";

/// Returns an environment of Python with the packages of a lock file.
pub fn python(name: &str, lock: &str) -> Command {
    let folder = made(name, lock, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let file = folder.join("packages.lock");
        fs::write(&file, lock).unwrap();
        let mut pip = Command::new(folder.join("bin/python"));
        // Most of it is never imported: Python compiles what is.
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]);
        run(pip.args(["--only-binary=:all:", "--require-hashes", "-r"]).arg(file));
    });
    let mut python = Command::new(folder.join("bin/python"));
    python.env("PYTHONNOUSERSITE", "1");
    // What is compiled must be kept: compiling moto anew takes longer than most tests.
    for variable in ["PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "AWS_ENDPOINT_URL"] {
        python.env_remove(variable);
    }
    python
}

/// Returns the folder of an environment that is the same as long as what it is made of is, and makes it when there is none.
pub fn made(name: &str, of: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let target = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let home = std::env::var_os("SOFLOW_ENGINE_DIR").map_or_else(target, PathBuf::from);
    fs::create_dir_all(&home).unwrap();
    let folder = home.join(format!("{name}-{}", Digest::of([of]).short()));
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.file().lock().unwrap();
    if !folder.exists() {
        let making = tempfile::Builder::new().prefix(&format!(".making-{name}-")).tempdir_in(&home).unwrap();
        make(making.path());
        // Nothing in it knows its own place, so the finished folder may be renamed.
        fs::rename(making.keep(), &folder).unwrap();
    }
    folder
}

/// Starts a server in Python with the packages of a lock, and with arguments after the length of a second; returns its port on
/// 127.0.0.1, and what else it says on standard output. It ends when its standard input closes.
///
/// # Panics
/// When it cannot be installed (the first time downloads its packages), or does not start.
pub fn serve(name: &str, lock: &str, script: &str, arguments: &[&str]) -> (u16, Child, BufReader<ChildStdout>) {
    let mut command = python(name, lock);
    command.args(["-u", "-c", script, SECOND]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap_or_else(|error| panic!("the Python of {name} does not start: {error}"));
    let mut line = String::new();
    let mut said = BufReader::new(process.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap_or_else(|_| panic!("{name} did not start: it says why above"));
    (port, process, said)
}

/// Runs a program that must succeed.
pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a program that reads `input`.
pub fn fed(command: &mut Command, input: &str) -> Output {
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

/// Returns what a program printed as JSON.
pub fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        panic!("{error}\n{out}\n{err}")
    })
}
