//! Steps run for real: the script and its files fetched from S3, and given to the local engine's launcher.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use fs_err as fs;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;

use super::emr::{Outcome, Step};
use super::logs::{self, CloudWatch};
use super::server::{NODES, Shared};
use super::submission::{self, Submission};
use super::{Exec, forward, moto};

/// Returns the newest finished environment of the embedded engine, with the launcher of this checkout.
pub fn find() -> Option<Exec> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = std::env::var_os("SOFLOW_ENGINE_DIR").map_or_else(|| root.join(".soflow/engine"), PathBuf::from);
    let made = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.ok().filter(|entry| entry.file_name().to_string_lossy().starts_with("sail-"))?;
        let ready = fs::metadata(entry.path().join("ready.json")).ok()?.modified().ok()?;
        Some((ready, entry.path()))
    };
    let (_, newest) = fs::read_dir(home).ok()?.filter_map(made).max()?;
    Some(Exec { python: newest.join("venv/bin/python"), options: &[], launcher: root.join("engine/launch.py") })
}

/// Runs a step to its end, or until `stopped` fires or its other end is dropped.
pub async fn run(shared: Arc<Shared>, cluster: String, step: String, stopped: oneshot::Receiver<()>) {
    let found = shared
        .emr()
        .find(&cluster, &step)
        .map(|(cluster, step)| (step.clone(), CloudWatch::of(cluster), logs::folder(cluster, Some(step))));
    let Some((asked, place, folder)) = found else { return };
    let printed = Printed { shared: shared.clone(), place, step: asked.clone(), texts: Arc::default() };
    let ended = match submission::parse(&asked.arguments()) {
        Ok(submission) => submit(&shared, &submission, &printed, stopped).await,
        Err(complaint) => Err(complaint),
    };
    let (stdout, mut stderr) = printed.texts.lock().unwrap().clone();
    if let Err(complaint) = &ended {
        stderr = format!("{stderr}{complaint}\n");
    }
    let log_file = folder.map(|folder| format!("{folder}/steps/{step}/stderr.gz"));
    let outcome = Outcome { succeeded: ended == Ok(true), stdout, stderr, log_file };
    shared.emr().finished(&step, outcome);
}

/// Returns whether the script ended with 0; an error is a text that the driver would have printed.
async fn submit(
    shared: &Arc<Shared>,
    submission: &Submission,
    printed: &Printed,
    stopped: oneshot::Receiver<()>,
) -> Result<bool, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = fetch(shared, &submission.script, folder.path()).await?;
    let mut path = Vec::new();
    for uri in &submission.py_files {
        let file = fetch(shared, uri, &folder.path().join(format!("py-{}", path.len()))).await?;
        // A module is found in its folder, an archive is a folder itself.
        let module = file.extension().is_some_and(|extension| extension == "py");
        path.push(if module { file.parent().unwrap_or(&file).to_path_buf() } else { file });
    }
    let path = std::env::join_paths(path).map_err(|error| error.to_string())?;
    let exec = shared.options.exec.as_ref().expect("a step runs for real only when there is an engine");
    let mut command = Command::new(&exec.python);
    command.arg("-u").args(exec.options).arg(&exec.launcher).args(["step", "--engine", "sail"]);
    command.args(submission.conf.iter().flat_map(|pair| ["--conf", pair.as_str()]));
    command.arg("--script").arg(script).arg("--").args(&submission.arguments);
    command.env("PYTHONPATH", path).env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    command.envs(moto::environment_of(NODES, &shared.nodes.url())).env("AWS_ALLOW_HTTP", "true");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    // The launcher ends when this closes.
    let lifeline = child.stdin.take();
    let outputs = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let ended = async {
        let (_, _, status) =
            tokio::join!(printed.read("stdout", outputs.0), printed.read("stderr", outputs.1), child.wait());
        status
    };
    let status = tokio::select! {
        status = ended => status.map_err(|error| error.to_string())?,
        _ = stopped => return Err("Killed: the step was cancelled".to_string()),
    };
    drop(lifeline);
    Ok(status.success())
}

/// Fetches `s3://bucket/key` into a folder, or finds a file of this machine; returns where it is.
async fn fetch(shared: &Shared, uri: &str, folder: &Path) -> Result<PathBuf, String> {
    if !uri.starts_with("s3://") {
        return Ok(PathBuf::from(uri));
    }
    let (status, body) = shared.nodes.s3("GET", &forward::path_of(uri), Vec::new()).await;
    if status != 200 {
        return Err(format!(
            "Exception in thread \"main\" java.io.FileNotFoundException: No such file or directory '{uri}'"
        ));
    }
    let file = folder.join(uri.rsplit('/').next().unwrap_or_default());
    fs::create_dir_all(folder).and_then(|()| fs::write(&file, body)).map_err(|error| error.to_string())?;
    Ok(file)
}

/// What a step prints, kept, and passed on as it comes.
struct Printed {
    shared: Arc<Shared>,
    place: Option<CloudWatch>,
    step: Step,
    texts: Arc<Mutex<(String, String)>>,
}

impl Printed {
    async fn read(&self, name: &str, stream: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            {
                let mut texts = self.texts.lock().unwrap();
                let text = if name == "stdout" { &mut texts.0 } else { &mut texts.1 };
                text.push_str(&line);
                text.push('\n');
            }
            if let (Some(place), Some(file)) = (&self.place, logs::driver_file(&self.step, name, line)) {
                place.write(&self.shared.nodes, &file).await;
            }
        }
    }
}
