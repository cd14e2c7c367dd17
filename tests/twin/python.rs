//! Servers in Python: the packages of each are installed once, it runs once a process, and it ends with the process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use soflow::names::Digest;

/// How long a second lasts that a state machine waits.
const SECOND: &str = "0.02";

/// Starts a server with the packages of a lock; returns its port on 127.0.0.1. It ends when its standard input closes.
///
/// # Panics
/// When it cannot be installed (the first time downloads its packages), or does not start.
pub fn serve(name: &str, lock: &str, script: &str) -> (u16, Child) {
    let mut command = Command::new(environment_folder(name, lock).join("bin/python"));
    command.args(["-u", "-c", script, SECOND]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("PYTHONNOUSERSITE", "1");
    for variable in ["PYTHONPATH", "PYTHONHOME", "AWS_ENDPOINT_URL"] {
        command.env_remove(variable);
    }
    let mut process = command.spawn().unwrap_or_else(|error| panic!("the Python of {name} does not start: {error}"));
    let mut line = String::new();
    let stdout = process.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let port = line.trim().parse().unwrap_or_else(|_| panic!("{name} did not start: it says why above"));
    (port, process)
}

/// Returns the folder of a server's packages, made when it is not there. One process makes it, the others wait.
fn environment_folder(name: &str, lock: &str) -> PathBuf {
    let target = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let home = std::env::var_os("SOFLOW_ENGINE_DIR").map_or_else(target, PathBuf::from);
    fs::create_dir_all(&home).unwrap();
    let folder = home.join(format!("{name}-{}", Digest::of([lock]).short()));
    let guard = fs::File::create(folder.with_extension("lock")).unwrap();
    guard.file().lock().unwrap();
    if !folder.exists() {
        let making = tempfile::Builder::new().prefix(&format!(".making-{name}-")).tempdir_in(&home).unwrap();
        install(making.path(), lock);
        // Python finds its packages relative to the interpreter, so the finished folder may be renamed.
        fs::rename(making.keep(), &folder).unwrap();
    }
    folder
}

fn install(folder: &Path, lock: &str) {
    let file = folder.join("packages.lock");
    run(Command::new("python3").args(["-m", "venv"]).arg(folder));
    fs::write(&file, lock).unwrap();
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]);
    run(pip.arg("--require-hashes").arg("-r").arg(file));
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("Python is needed");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
