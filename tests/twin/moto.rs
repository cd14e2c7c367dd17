//! A moto server: its environment is made once, it runs once a process, and it ends with the process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use fs_err as fs;
use soflow::names::Digest;

/// The region of everything in the twin.
pub const REGION: &str = "us-east-1";
/// The account of everything in moto, and so in the twin.
pub const ACCOUNT: &str = "123456789012";

const LOCK: &str = include_str!("moto.lock");
const SERVER: &str = include_str!("moto_server.py");

/// How long a second lasts that a state machine waits.
const SECOND: &str = "0.02";

/// A running moto. Ends when dropped, or when this process ends: the server watches its standard input.
#[derive(Debug)]
pub struct Moto {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    process: Child,
}

impl Moto {
    /// Returns the moto of this process, and starts it when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a moto on a free port.
    ///
    /// # Panics
    /// When it cannot be installed (the first time downloads its packages), or does not start.
    pub fn start() -> Self {
        let mut command = Command::new(environment_folder().join("bin/python"));
        command.args(["-u", "-c", SERVER, SECOND]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("PYTHONNOUSERSITE", "1").env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        let mut process = command.spawn().expect("moto's Python does not start");
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).expect("moto says nothing");
        let port = line.trim().parse().expect("moto did not start: it says why above");
        Self { port, process }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Returns the variables that point an AWS client at `url`.
pub fn environment(url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", url.to_string()),
        ("AWS_REGION", REGION.to_string()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_string()),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_string()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_string()),
    ]
}

/// Returns the folder of moto's packages, made when it is not there. One process makes it, the others wait.
fn environment_folder() -> PathBuf {
    let target = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let home = std::env::var_os("SOFLOW_ENGINE_DIR").map_or_else(target, PathBuf::from);
    fs::create_dir_all(&home).unwrap();
    let folder = home.join(format!("moto-{}", Digest::of([LOCK]).short()));
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.file().lock().unwrap();
    if !folder.exists() {
        let making = tempfile::Builder::new().prefix(".making-moto-").tempdir_in(&home).unwrap();
        install(making.path());
        // Python finds its packages relative to the interpreter, so the finished folder may be renamed.
        fs::rename(making.keep(), &folder).unwrap();
    }
    folder
}

fn install(folder: &Path) {
    let lock = folder.join("moto.lock");
    run(Command::new("python3").args(["-m", "venv"]).arg(folder));
    fs::write(&lock, LOCK).unwrap();
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]);
    run(pip.arg("--require-hashes").arg("-r").arg(lock));
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("Python is needed for moto");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
