//! A step that says when it has started and then waits to be let go, without anybody sleeping.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use super::project::Project;

/// Far longer than anything a test waits for takes; only a broken test gets here.
const TOO_LONG: Duration = Duration::from_secs(300);

/// Two named pipes between the test and a step.
pub struct Gate {
    started: PathBuf,
    go: PathBuf,
}

impl Gate {
    /// Makes the script of a step that waits at the gate before it does what `then` says.
    pub fn before(project: &Project, step: &str, then: &str) -> Self {
        let pipe = |name: &str| project.path().join(format!("{name}.pipe"));
        let gate = Self { started: pipe("started"), go: pipe("go") };
        for pipe in [&gate.started, &gate.go] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let (started, go) = (gate.started.display(), gate.go.display());
        project.step(
            step,
            &format!("with open('{started}', 'w') as pipe:\n    pipe.write('.')\nopen('{go}').read()\n{then}"),
        );
        gate
    }

    /// Waits until the step has started.
    pub fn wait_for_step(&self) {
        let path = self.started.clone();
        within(move || {
            let mut text = String::new();
            fs_err::File::open(path).unwrap().read_to_string(&mut text).unwrap();
        });
    }

    /// Lets the step go on.
    pub fn open(&self) {
        let path = self.go.clone();
        within(move || fs_err::OpenOptions::new().write(true).open(path).unwrap().write_all(b".").unwrap());
    }
}

/// Returns what `wait` returns, and fails the test instead of hanging when it does not.
fn within<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, waited) = mpsc::channel();
    std::thread::spawn(move || done.send(wait()));
    waited.recv_timeout(TOO_LONG).expect("what the test waited for did not happen")
}
