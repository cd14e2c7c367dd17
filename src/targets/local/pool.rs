//! The launcher's processes: children of one Python that has imported the engine's packages. See `soflow_launch/pool.py`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use super::environment::EngineEnvironment;
use super::process;
use crate::error::{Error, Kind, Result};

/// A pool, which ends, with all that runs in it, when it is dropped or soflow ends, however that happens.
#[derive(Debug)]
pub struct Pool {
    requests: mpsc::UnboundedSender<Request>,
    started: AtomicU64,
}

/// A process of a pool. It is asked to end when nobody waits for it any more.
#[derive(Debug)]
pub struct Pooled {
    name: u64,
    requests: mpsc::UnboundedSender<Request>,
    ended: oneshot::Receiver<ExitStatus>,
}

#[derive(Debug)]
struct Request {
    fields: Vec<OsString>,
    /// For a start: the process's name, and who waits for its end.
    starts: Option<(u64, oneshot::Sender<ExitStatus>)>,
}

impl Pool {
    /// Starts a pool. It imports the packages while nothing runs yet.
    ///
    /// # Errors
    /// `Machine` when Python cannot be started.
    pub fn start(environment: &EngineEnvironment) -> Result<Self> {
        let mut command = Command::from(process::launch(environment, "pool"));
        // Elsewhere system libraries are not made for processes that fork and go on.
        if !cfg!(target_os = "linux") {
            command.arg("--fresh");
        }
        command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            Error::new(Kind::Machine, "the local engine cannot be started").caused_by(error).hint(process::MAKE_AGAIN)
        })?;
        let (requests, asked) = mpsc::unbounded_channel();
        tokio::spawn(serve(child, asked));
        Ok(Self { requests, started: AtomicU64::new(0) })
    }

    /// Returns whether it has ended: killed, as it ends by itself only with soflow.
    pub fn has_ended(&self) -> bool {
        self.requests.is_closed()
    }

    /// Starts a process with the launcher's arguments; its output goes to the end of two files, which exist.
    pub fn run(&self, arguments: &[OsString], stdout: &Path, stderr: &Path) -> Pooled {
        let name = self.started.fetch_add(1, Ordering::Relaxed);
        let (ends, ended) = oneshot::channel();
        let files = [stdout.as_os_str().to_owned(), stderr.as_os_str().to_owned()];
        let fields = ["start".into(), name.to_string().into()].into_iter().chain(files).chain(arguments.to_vec());
        // Nobody to ask is as good as one that has ended: the process's end is told either way.
        let _ = self.requests.send(Request { fields: fields.collect(), starts: Some((name, ends)) });
        Pooled { name, requests: self.requests.clone(), ended }
    }
}

impl Pooled {
    /// Waits for its end. A pool that was killed takes its processes along: they end as it did.
    ///
    /// # Errors
    /// `Machine` when nobody knows how it ended.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let unknown = |_| Error::new(Kind::Machine, "the local engine ended unexpectedly").hint(process::MAKE_AGAIN);
        (&mut self.ended).await.map_err(unknown)
    }

    /// Asks it to end, as it does when soflow is gone.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Ends it.
    pub fn kill(&self) {
        self.tell("kill");
    }

    fn tell(&self, verb: &str) {
        let _ = self.requests.send(Request { fields: vec![verb.into(), self.name.to_string().into()], starts: None });
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // Of one that has ended the pool knows nothing any more.
        self.stop();
    }
}

/// Passes requests on and answers back until either side ends.
async fn serve(mut child: Child, mut asked: mpsc::UnboundedReceiver<Request>) {
    let mut waiting = HashMap::new();
    if let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) {
        let mut answers = BufReader::new(stdout).lines();
        loop {
            tokio::select! {
                request = asked.recv() => {
                    let Some(Request { fields, starts }) = request else { break };
                    waiting.extend(starts);
                    if stdin.write_all(&encoded(&fields)).await.is_err() {
                        break;
                    }
                }
                answer = answers.next_line() => {
                    let Ok(Some(line)) = answer else { break };
                    let Some((name, status)) = line.split_once(' ') else { continue };
                    let ends = name.parse().ok().and_then(|name: u64| waiting.remove(&name));
                    if let (Some(ends), Ok(status)) = (ends, status.parse()) {
                        let _: std::result::Result<(), ExitStatus> = ends.send(ExitStatus::from_raw(status));
                    }
                }
            }
        }
    }
    // Before anybody hears of the end: a start from now on takes another pool.
    asked.close();
    while let Some(Request { starts, .. }) = asked.recv().await {
        waiting.extend(starts);
    }
    if let Ok(status) = child.wait().await {
        for (_, ends) in waiting {
            let _ = ends.send(status);
        }
    }
}

/// Returns a request as bytes: the number of its fields and the fields, a zero byte behind each.
fn encoded(fields: &[OsString]) -> Vec<u8> {
    let count = fields.len().to_string();
    let parts = std::iter::once(OsStr::new(&count)).chain(fields.iter().map(OsString::as_os_str));
    parts.flat_map(|part| part.as_bytes().iter().copied().chain([0])).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use fs_err as fs;

    use super::*;
    use crate::config::{Engine, Local, Network};
    use crate::machine::Host;

    /// In place of the environment's Python: says that process 1 has ended with code 3 once process 0 is asked to end.
    const PYTHON: &str = r#"#!/usr/bin/env python3
import os
asked = b""
while data := os.read(0, 4096):
    asked += data
    if b"2\0stop\x000\0" in asked:
        os.write(1, b"1 768\n")
"#;

    #[tokio::test]
    async fn a_process_that_nobody_waits_for_is_asked_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let (engine_dir, network) = (folder.path().to_path_buf(), Network::Host);
        let local = Local { engine: Engine::Sail, parallel: None, memory: None, python: None, engine_dir, network };
        let environment = EngineEnvironment::new(&local, &Host::default());
        fs::create_dir_all(environment.interpreter().parent().unwrap()).unwrap();
        fs::write(environment.interpreter(), PYTHON).unwrap();
        fs::set_permissions(environment.interpreter(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let pool = Pool::start(&environment).unwrap();
        let [first, mut second] = ["first", "second"].map(|name| pool.run(&[], Path::new(name), Path::new(name)));
        drop(first);
        let ended = tokio::time::timeout(Duration::from_secs(60), second.wait()).await;
        assert_eq!(ended.expect("the first was asked to end").unwrap().code(), Some(3));
    }
}
