//! A step as a process: started with its task, its output captured, ended together with soflow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fs_err as fs;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::cause;
use super::environment::{Environment, InUse};
use super::{launcher, neighbours};
use crate::config::{Engine, Local};
use crate::diagnose::Class;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::Host;
use crate::target::{Ended, StepEnd, StepOrder, Stop, Target};

/// How long a step gets to end by itself after it was asked to stop.
const GRACE: Duration = Duration::from_secs(3);

/// Exit code with which the launcher says that the engine, and not the step, failed.
const ENGINE_FAILED: i32 = 90;

/// The start of lines in which a step tells soflow something, followed by a JSON object.
const TOLD: &str = "@soflow ";

/// Runs steps on this machine.
pub struct LocalTarget {
    environment: Environment,
    slots: usize,
    code: PathBuf,
    in_use: Mutex<Option<InUse>>,
}

impl LocalTarget {
    /// Returns the target for these settings; `code` is the folder with the Python.
    pub fn new(local: &Local, host: &Host, code: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            environment: Environment::new(local, host),
            slots: local.parallel.unwrap_or(cores).max(1),
            code: code.to_path_buf(),
            in_use: Mutex::new(None),
        }
    }

    fn spawn(&self, order: &StepOrder, stdout: &Path, stderr: &Path) -> Result<Child> {
        let task = order.task.as_str();
        let mut command = command(&self.environment, &self.code, "step");
        for (key, value) in &order.spark {
            command.args(["--conf", &format!("{}={value}", launcher::spark_property(key))]);
        }
        command.arg("--script").arg(self.code.join(&order.script)).args(["--", "--task", task]);
        command.stdout(fs::File::create(stdout)?.into_file()).stderr(fs::File::create(stderr)?.into_file());
        command.spawn().map_err(|error| {
            Error::new(Kind::Machine, format!("step `{}` cannot be started", order.step))
                .caused_by(error)
                .hint("make the engine environment again: `soflow engine install --force`")
        })
    }
}

/// Returns the launcher's command line with the job's code on its path; the launcher ends with soflow.
pub fn command(environment: &Environment, code: &Path, verb: &str) -> Command {
    let mut command = Command::from(launch(environment, verb));
    command.args(["--network", environment.network.name()]);
    command.env("PYTHONPATH", code).kill_on_drop(true);
    command
}

/// Returns the launcher's command line up to its verb. Its standard input is a pipe that nobody writes to: it closes
/// when soflow ends, however that happens, and the launcher ends with it.
pub fn launch(environment: &Environment, verb: &str) -> std::process::Command {
    let mut command = std::process::Command::new(environment.interpreter());
    command.arg("-u").arg(environment.launcher()).arg(verb).args(["--engine", environment.engine.name()]);
    command.env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped());
    for unwanted in [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
        "SPARK_HOME",
        "SPARK_REMOTE",
        "PYSPARK_PYTHON",
        // What the API knows us by is nothing that the packages of a job should know.
        "SOFLOW_API_KEY",
        "SOFLOW_API_TOKEN",
    ] {
        command.env_remove(unwanted);
    }
    command
}

#[async_trait]
impl Target for LocalTarget {
    fn engine(&self) -> String {
        engine_identity(self.environment.engine)
    }

    fn slots(&self) -> usize {
        self.slots
    }

    async fn prepare(&self, sink: &mut dyn Sink) -> Result<()> {
        let in_use = self.environment.ensure(sink)?;
        if let Some(text) = neighbours::warning(&self.environment)? {
            sink.emit(Event::Warning { text });
        }
        *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(in_use);
        Ok(())
    }

    async fn run_step(&self, order: StepOrder, mut stop: watch::Receiver<Stop>) -> Result<Ended> {
        let folder = order.logs.to_path().ok_or_else(|| {
            Error::new(Kind::Usage, format!("a local target writes its logs to this machine, not to `{}`", order.logs))
        })?;
        fs::create_dir_all(&folder)?;
        let (stdout, stderr) = (folder.join("stdout.log"), folder.join("stderr.log"));
        let mut child = self.spawn(&order, &stdout, &stderr)?;
        // `wait` would close it, and the launcher takes that for the end of soflow.
        let lifeline = child.stdin.take();
        let status = tokio::select! {
            status = child.wait() => status?,
            () = async { drop(stop.wait_for(|stop| *stop == Stop::Cancel).await) } => {
                drop(lifeline);
                end(&mut child).await?;
                return Ok(StepEnd::Stopped.into());
            }
        };
        let told = told(&read_lossy(&stdout));
        if status.success() {
            return Ok(StepEnd::Completed(told).into());
        }
        let printed = fs::File::open(&stderr)?;
        let mut cause = cause::probable(printed, &stderr.to_string_lossy(), &describe(status));
        if status.code() == Some(ENGINE_FAILED) {
            cause.class = Class::Service;
            cause.summary = told.get("engine_error").and_then(|e| e.as_str()).unwrap_or(&cause.summary).to_string();
            cause.hint = Some("make the engine environment again: `soflow engine install --force`".into());
        } else if killed(status) {
            cause.class = Class::Capacity;
            cause.hint = cause.hint.or_else(|| Some("run fewer steps at once: `--parallel 1`".into()));
        }
        Ok(StepEnd::Failed(cause).into())
    }
}

/// Returns the engine's name and the lock of its packages.
pub fn engine_identity(engine: Engine) -> String {
    format!("{}@{}", engine.name(), launcher::packages_digest(engine).short())
}

/// Waits for a launcher whose lifeline is cut, and kills it when it takes too long.
async fn end(child: &mut Child) -> Result<()> {
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let memory = if killed(status) { "; the kernel does this when memory runs out" } else { "" };
        return format!("the process was killed by signal {signal}{memory}");
    }
    format!("the process ended with exit code {}", status.code().unwrap_or(-1))
}

/// Returns whether it ended by SIGKILL, which no process sends to itself.
fn killed(status: ExitStatus) -> bool {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    #[cfg(not(unix))]
    false
}

fn read_lossy(path: &Path) -> String {
    fs::read(path).map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default()
}

/// Returns what a launcher told soflow, the last word for each name.
pub fn told(stdout: &str) -> BTreeMap<String, serde_json::Value> {
    let objects = stdout.lines().filter_map(|line| line.strip_prefix(TOLD));
    objects
        .filter_map(|text| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text).ok())
        .flatten()
        .collect()
}
