//! A step as a process: started with its task, its output captured, ended together with soflow.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};
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
use crate::machine::{Host, python};
use crate::targets::{Ended, StepEnd, StepOrder, Stop, Target};

/// How long a step gets to end by itself after it was asked to stop.
const GRACE: Duration = Duration::from_secs(3);

/// Exit code with which the launcher says that the engine, and not the step, failed.
const ENGINE_FAILED: i32 = 90;

/// The start of lines in which a step tells soflow something, followed by a JSON object.
const TOLD: &[u8] = b"@soflow ";

/// Most bytes of such a line: what is told is a handful of numbers and one error.
const LONGEST_TOLD: u64 = 64 << 10;

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
    // Not as PYTHONPATH, in which a colon in the folder's name would end it.
    command.arg("--code").arg(code).kill_on_drop(true);
    command
}

/// Returns the launcher's command line up to its verb. Its standard input is a pipe that nobody writes to: it closes
/// when soflow ends, however that happens, and the launcher ends with it.
pub fn launch(environment: &Environment, verb: &str) -> std::process::Command {
    let mut command = python::command(&environment.interpreter());
    command.arg("-u").arg(environment.launcher()).arg(verb).args(["--engine", environment.engine.name()]);
    command.stdin(Stdio::piped());
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
        let told = told(BufReader::new(fs::File::open(&stdout)?))?;
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

/// Returns what the lines of `stdout` tell, the later of one name; holds one line at a time, and of others nothing.
///
/// # Errors
/// Those of reading.
pub fn told(mut stdout: impl BufRead) -> Result<BTreeMap<String, serde_json::Value>> {
    let (mut told, mut line) = (BTreeMap::new(), Vec::new());
    loop {
        line.clear();
        if stdout.by_ref().take(LONGEST_TOLD).read_until(b'\n', &mut line)? == 0 {
            return Ok(told);
        }
        if !line.ends_with(b"\n") {
            stdout.skip_until(b'\n')?;
        }
        let object = line.strip_prefix(TOLD).and_then(|text| serde_json::from_slice(text).ok());
        told.extend(object.unwrap_or_else(BTreeMap::<String, serde_json::Value>::new));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_each_name_counts_and_everything_else_is_passed_over() {
        let text = b"hello\n@soflow {\"a\": 1, \"b\": 2}\r\n @soflow {\"a\": 7}\n@soflow no JSON\n\xff\xfe\n@soflow {\"b\": 3}";
        let expected = BTreeMap::from([("a".into(), 1.into()), ("b".into(), 3.into())]);
        assert_eq!(told(&text[..]).unwrap(), expected);
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_hides_no_later_one() {
        let long = std::io::repeat(b'x').take(1 << 26);
        let later = b"\n@soflow {\"rows\": 5}\n@soflow {\"rows\": \"".chain(std::io::repeat(b'y').take(1 << 20));
        let all = BufReader::new(long.chain(later).chain(&b"\"}\n@soflow {\"more\": 1}\n"[..]));
        let expected = BTreeMap::from([("rows".into(), 5.into()), ("more".into(), 1.into())]);
        assert_eq!(told(all).unwrap(), expected, "a line of more than 64 KiB is not believed");
    }
}
