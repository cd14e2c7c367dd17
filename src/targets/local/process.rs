//! A step as a process: started with its task, its output captured, ended together with soflow.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use fs_err as fs;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::engine::LocalEngine;
use super::environment::EngineEnvironment;
use super::launcher;
use super::pool::Pooled;
use crate::diagnose::{Class, Explainer, Place};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::machine::python;
use crate::package::StepSource;
use crate::targets::{Cause, Ended, StepEnd, StepOrder, Stop, Target, asked};

/// How long a step gets to end by itself after it was asked to stop.
const GRACE: Duration = Duration::from_secs(3);

/// How much later than a step the same signal may reach us: terminals and supervisors send it to all processes.
const SIGNAL_LAG: Duration = Duration::from_secs(1);

/// Exit codes of a launcher that SIGINT or SIGTERM has ended.
const SIGNALLED: [i32; 2] = [130, 143];

/// Exit code with which the launcher says that the engine, and not the step, failed.
const ENGINE_FAILED: i32 = 90;

/// The signal that no process sends to itself.
const KILLED: i32 = 9;

/// What to do about an engine that does not work.
pub const MAKE_AGAIN: &str = "make the engine environment again: `soflow engine install --force`";

/// How the launcher calls it when its process took more memory than it may.
const MEMORY: &str = "memory";

/// What to do about a step that needs more memory than it may take.
const MORE_MEMORY: &str = "raise `memory:` of the target, or run fewer steps at once: `--parallel 1`";

/// The start of lines in which a step tells soflow something, followed by a JSON object.
const TOLD: &[u8] = b"@soflow ";

/// Most bytes of such a line: what is told is a handful of numbers and one error.
const LONGEST_TOLD: u64 = 64 << 10;

/// Least share of memory with which a step is started, in bytes: imports and an engine at rest take a quarter of it.
const LEAST_MEMORY: u64 = 512 << 20;

/// Runs steps on this machine.
pub struct LocalTarget {
    engine: LocalEngine,
    slots: usize,
}

impl LocalTarget {
    /// Returns the target that runs as many steps at once as the settings say, by default one a core, and as their memory
    /// is enough for.
    pub fn new(engine: LocalEngine, parallel: Option<usize>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let fit = engine.memory.and_then(|memory| usize::try_from(memory / LEAST_MEMORY).ok()).unwrap_or(usize::MAX);
        Self { engine, slots: parallel.unwrap_or_else(cores).min(fit).max(1) }
    }

    /// Returns the bytes of memory that one step may take.
    fn share(&self) -> Option<u64> {
        self.engine.memory.map(|memory| memory / self.slots as u64)
    }

    /// Returns the Python script of a step; one that is made of another file is put beside its logs.
    fn script(&self, order: &StepOrder, folder: &Path) -> Result<PathBuf> {
        let code = &self.engine.code;
        if !StepSource::is_one(&order.code) {
            return Ok(code.join(&order.code));
        }
        let script = folder.join("step.py");
        fs::write(&script, StepSource::read(code, &order.code)?.script()?)?;
        Ok(script)
    }

    /// Starts a step; its output goes to files in its folder of logs.
    fn begin(&self, order: &StepOrder) -> Result<StepProcess> {
        let folder = order.logs.to_path().ok_or_else(|| {
            Error::new(Kind::Usage, format!("a local target writes its logs to this machine, not to `{}`", order.logs))
        })?;
        fs::create_dir_all(&folder)?;
        let (stdout, stderr) = (folder.join("stdout.log"), folder.join("stderr.log"));
        for file in [&stdout, &stderr] {
            fs::File::create(file)?;
        }
        let mut arguments: Vec<OsString> = Vec::new();
        for (key, value) in &order.spark {
            arguments.extend(["--conf".into(), format!("{}={value}", launcher::spark_property(key)).into()]);
        }
        arguments.extend(self.share().into_iter().flat_map(launcher::memory));
        arguments.extend(["--script".into(), self.script(order, &folder)?.into()]);
        arguments.extend(["--", "--task", order.task.as_str()].map(OsString::from));
        let process = self.engine.run("step", &arguments, &stdout, &stderr)?;
        Ok(StepProcess { process, stdout, stderr })
    }
}

/// A step that runs.
struct StepProcess {
    process: Pooled,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl StepProcess {
    async fn end(mut self, mut stop: watch::Receiver<Stop>) -> Result<Ended> {
        let status = tokio::select! {
            status = self.process.wait() => status?,
            () = asked(&mut stop, |stop| *stop == Stop::Cancel) => {
                self.process.stop();
                if tokio::time::timeout(GRACE, self.process.wait()).await.is_err() {
                    self.process.kill();
                    self.process.wait().await?;
                }
                return Ok(StepEnd::Stopped.into());
            }
        };
        if status.code().is_some_and(|code| SIGNALLED.contains(&code)) {
            let stopped = asked(&mut stop, |stop| *stop == Stop::Cancel);
            if tokio::time::timeout(SIGNAL_LAG, stopped).await.is_ok() {
                return Ok(StepEnd::Stopped.into());
            }
        }
        let told = told(BufReader::new(fs::File::open(&self.stdout)?))?;
        if status.success() {
            return Ok(StepEnd::Completed(told).into());
        }
        let printed = fs::File::open(&self.stderr)?;
        let mut cause = probable_cause(printed, &self.stderr.to_string_lossy(), &describe(status));
        if status.code() == Some(ENGINE_FAILED) {
            cause.summary = told.get("engine_error").and_then(|e| e.as_str()).unwrap_or(&cause.summary).to_string();
            (cause.class, cause.hint) = match told.get("kind").and_then(|kind| kind.as_str()) {
                Some(MEMORY) => (Class::Capacity, Some(MORE_MEMORY.into())),
                _ => (Class::Service, Some(MAKE_AGAIN.into())),
            };
        } else if status.signal() == Some(KILLED) {
            cause.class = Class::Capacity;
            cause.hint = cause.hint.or_else(|| Some("run fewer steps at once: `--parallel 1`".into()));
        }
        Ok(StepEnd::Failed(cause).into())
    }
}

/// Returns the launcher's command line up to its verb. Its standard input is a pipe that nobody writes to: it closes
/// when soflow ends, however that happens, and the launcher ends with it.
pub fn launch(environment: &EngineEnvironment, verb: &str) -> std::process::Command {
    let mut command = python::command(&environment.interpreter());
    command.arg("-u").arg(environment.launcher()).arg(verb).args(["--engine", environment.engine.name()]);
    command.stdin(Stdio::piped());
    command
}

/// Runs a launcher to its end with its standard input open: closing that is how soflow's own end is noticed.
pub fn output(mut command: std::process::Command) -> Result<Output> {
    let mut child = command.spawn()?;
    let lifeline = child.stdin.take();
    let output = child.wait_with_output()?;
    drop(lifeline);
    Ok(output)
}

#[async_trait]
impl Target for LocalTarget {
    fn engine(&self) -> String {
        let engine = self.engine.environment.engine;
        format!("{}@{}", engine.name(), launcher::packages_digest(engine).short())
    }

    fn slots(&self) -> usize {
        self.slots
    }

    async fn prepare(&self, sink: &mut dyn Sink) -> Result<()> {
        self.engine.prepare(sink)?;
        self.engine.start_pool()
    }

    fn start(&self, orders: Vec<StepOrder>, stop: &watch::Receiver<Stop>) -> Vec<BoxFuture<'static, Result<Ended>>> {
        let run = |order: StepOrder| -> BoxFuture<'static, Result<Ended>> {
            let (begun, stop) = (self.begin(&order), stop.clone());
            Box::pin(async move { begun?.end(stop).await })
        };
        orders.into_iter().map(run).collect()
    }
}

/// Returns the probable cause of a failure from the step's standard error; `ended` says how its process went.
pub fn probable_cause(stderr: impl Read, log: &str, ended: &str) -> Cause {
    let mut explainer = Explainer::new(Place::Laptop);
    explainer.read(log, stderr);
    let mut cause = Cause::new(explainer.finding(), ended);
    if cause.summary.is_empty() {
        cause.summary = ended.to_string();
        cause.log = log.to_string();
    }
    // Nothing speaks for the machine, and a process that ends itself does so because its code says so.
    if cause.class == Class::Unknown {
        cause.class = Class::Code;
    }
    cause
}

/// Returns the error of an engine that has ended without an answer to a query, from what it printed.
pub fn no_answer(mut printed: impl Read + Seek) -> Error {
    let mut facts = BTreeMap::new();
    if printed.rewind().is_ok() {
        facts = told(BufReader::new(&mut printed)).unwrap_or_default();
        let _ = printed.rewind();
    }
    if facts.get("kind").is_some_and(|kind| kind == MEMORY) {
        let why = facts.get("engine_error").and_then(|error| error.as_str()).unwrap_or_default();
        return Error::new(Kind::Machine, format!("the query cannot be run: {why}"))
            .hint("raise `memory:` of the target");
    }
    let cause = probable_cause(printed, "stderr", "it printed nothing");
    Error::new(Kind::Machine, "the local engine did not answer the query").detail(cause.excerpt).hint(MAKE_AGAIN)
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(KILLED), _) => {
            format!("the process was killed by signal {KILLED}; the kernel does this when memory runs out")
        }
        (Some(signal), _) => format!("the process was killed by signal {signal}"),
        (None, code) => format!("the process ended with exit code {}", code.unwrap_or(-1)),
    }
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

    fn cause(stderr: &str) -> Cause {
        probable_cause(stderr.as_bytes(), "stderr.log", "the process ended with exit code 1")
    }

    #[test]
    fn the_last_traceback_is_the_cause() {
        let stderr = "noise\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n\
                      Traceback (most recent call last):\n  File \"steps/q.py\", line 9, in run\n    go()\nValueError: no tags\n";
        let cause = cause(stderr);
        assert_eq!(cause.summary, "ValueError: no tags");
        assert_eq!(cause.lines, (8, 11));
        assert!(cause.excerpt.starts_with("Traceback") && cause.excerpt.contains("steps/q.py"));
        assert_eq!(cause.class, Class::Code);
    }

    #[test]
    fn without_a_traceback_the_last_lines_are_shown() {
        let cause = cause("one\ntwo\nthread 'main' panicked\n\n");
        assert_eq!((cause.summary.as_str(), cause.lines), ("thread 'main' panicked", (1, 3)));
    }

    #[test]
    fn silence_is_told_as_such() {
        let cause = cause("");
        assert_eq!((cause.summary.as_str(), cause.class), ("the process ended with exit code 1", Class::Code));
        assert_eq!(cause.place(), "line 1 of stderr.log; the process ended with exit code 1");
    }

    #[test]
    fn a_full_disk_is_the_machines_fault() {
        let cause =
            cause("Traceback (most recent call last):\n  File \"x\"\nOSError: [Errno 28] No space left on device\n");
        assert!(cause.class == Class::Capacity && cause.hint.unwrap().contains("soflow gc"));
    }

    #[test]
    fn a_record_of_an_older_soflow_can_be_read() {
        let old = r#"{"summary": "KeyError: 'x'", "excerpt": "", "log": "/l", "lines": [1, 2], "machine": true, "hint": null}"#;
        let cause: Cause = serde_json::from_str(old).unwrap();
        assert_eq!((cause.class, cause.ended.as_str()), (Class::Unknown, ""));
    }

    #[test]
    fn endless_lines_and_tracebacks_are_trimmed() {
        let long = format!(
            "Traceback (most recent call last):\n{}ValueError: {}\n",
            "  File x\n".repeat(500),
            "y".repeat(9000)
        );
        let cause = cause(&long);
        assert!(cause.excerpt.lines().count() <= 15 && cause.summary.chars().count() <= 301);
    }
}
