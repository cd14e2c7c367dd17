//! `soflow logs`: what a step printed, as it printed it; with `--follow` also what it is still going to print.

mod cluster;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use fs_err as fs;
use serde_json::{Map, Value as Json, json};

use super::app::App;
use super::args::{LogsArgs, StreamChoice};
use super::workspace::Workspace;
use super::{jobs, runs};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink, StepState};
use crate::mask;
use crate::run::{RunRecord, StepRecord};
use crate::targets::emr::LogStream;

/// How often to look for more on this machine.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;

/// The two outputs of a step, in the order in which they are shown.
const STREAMS: [(LogStream, &str); 2] = [(LogStream::Stdout, "stdout"), (LogStream::Stderr, "stderr")];

/// Prints a step's output.
pub async fn logs(app: &App, args: &LogsArgs) -> Result<u8> {
    let work = app.workspace().await?;
    let record = runs::load(&work, &args.run.parse()?).await?;
    let (sink, texts, lines) = (app.sink(), BTreeMap::new(), BTreeMap::new());
    let mut output =
        StepOutput { work: &work, args, record, sink, place: String::new(), texts, lines, any: false, gone: false };
    output.step()?;
    let source = match work.session {
        None => output.print_files().await.map(|()| Some("local"))?,
        Some(_) => output.print_cluster(work.clusters()?).await?,
    };
    output.finish()?;
    let step = output.step()?.clone();
    let StepOutput { record, mut sink, texts, .. } = output;
    let logs = STREAMS.iter().filter_map(|(stream, name)| {
        // What is not UTF-8 is replaced.
        let text = mask::bytes(texts.get(stream)?);
        Some((name.to_string(), String::from_utf8_lossy(&text).into()))
    });
    let logs: Map<String, Json> = logs.collect();
    let document = json!({ "run": record.run, "step": step.name, "source": source, "logs": logs, "cause": step.cause });
    // People have got it piece by piece, as it came. What was printed is the answer; what it means is the story.
    app.answer(&document, |_| String::new())?;
    if let Some(cause) = step.cause.filter(|_| !app.json) {
        let text = format!("`{}` failed: {} ({})", step.name, cause.summary, cause.place());
        sink.emit(Event::Note { text });
    }
    Ok(0)
}

/// The output of a step: where it is from, and what has been printed of it.
struct StepOutput<'a> {
    work: &'a Workspace<'a>,
    args: &'a LogsArgs,
    record: RunRecord,
    sink: Box<dyn Sink>,
    /// Where what was printed last is from.
    place: String,
    /// What has come, for programs.
    texts: BTreeMap<LogStream, Vec<u8>>,
    /// Lines that have not ended, for people.
    lines: BTreeMap<LogStream, mask::Pieces>,
    /// Whether anything has come.
    any: bool,
    /// Whether whoever reads what is printed has gone away.
    gone: bool,
}

impl StepOutput<'_> {
    /// Returns the outputs that are wanted and their names.
    fn streams(&self) -> impl Iterator<Item = (LogStream, &'static str)> + use<> {
        let wanted = self.args.stream;
        STREAMS.into_iter().filter(move |(stream, _)| match wanted {
            StreamChoice::Stdout => *stream == LogStream::Stdout,
            StreamChoice::Stderr => *stream == LogStream::Stderr,
            StreamChoice::Both => true,
        })
    }

    /// Reads the record again: the step may have started, moved to another cluster or ended.
    async fn refresh(&mut self) -> Result<()> {
        self.record = runs::load(self.work, &self.record.run).await?;
        Ok(())
    }

    fn step(&self) -> Result<&StepRecord> {
        let known = self.record.steps.iter().map(|step| step.name.as_str());
        let unknown = || jobs::no_step(format!("run `{}`", self.record.run), &self.args.step, known);
        self.record.step(&self.args.step).ok_or_else(unknown)
    }

    /// Returns whether the step may still print something.
    fn is_open(&self) -> Result<bool> {
        let open = matches!(self.step()?.state, StepState::Pending | StepState::Queued | StepState::Running);
        Ok(open && self.record.state == RunState::Running)
    }

    /// Returns why there is nothing to print, and will not be unless someone waits.
    fn did_not_run(&self) -> Error {
        let (step, run) = (&self.args.step, &self.record.run);
        if self.is_open().unwrap_or_default() {
            return Error::new(Kind::Usage, format!("step `{step}` of `{run}` has not started yet"))
                .hint(format!("wait for it: `soflow logs {run} {step} --follow`"));
        }
        let error = Error::new(Kind::Usage, format!("step `{step}` did not run in `{run}`"));
        match self.record.step(step) {
            Some(step) => error.hint(format!("why: {}", step.reason)),
            None => error,
        }
    }

    /// Prints what is there on this machine and, when wanted, what comes until the step ends.
    async fn print_files(&mut self) -> Result<()> {
        let mut read: BTreeMap<LogStream, u64> = BTreeMap::new();
        loop {
            // Asked before the files are read: what it prints last is in them once it has ended.
            let goes_on = self.args.follow && self.is_open()?;
            if let Some(folder) = self.step()?.logs.to_path() {
                for (stream, name) in self.streams() {
                    self.print_file(stream, &folder.join(format!("{name}.log")), &mut read)?;
                }
            }
            if !goes_on || self.gone {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            self.refresh().await?;
        }
        if read.is_empty() { Err(self.did_not_run()) } else { Ok(()) }
    }

    /// Prints what a file has that was not `read` before, and counts it; nothing when there is no such file.
    fn print_file(&mut self, stream: LogStream, path: &Path, read: &mut BTreeMap<LogStream, u64>) -> Result<()> {
        let mut file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let read = read.entry(stream).or_default();
        file.seek(SeekFrom::Start(*read))?;
        let mut piece = vec![0; PIECE];
        loop {
            let got = file.read(&mut piece)?;
            if got == 0 {
                return Ok(());
            }
            self.print(stream, "", &piece[..got])?;
            *read += got as u64;
        }
    }

    /// Prints a piece of a log: the lines that it ends, without the secrets in them; under a heading that says where it is
    /// from, unless that is where the last one was from.
    fn print(&mut self, stream: LogStream, place: &str, text: &[u8]) -> Result<()> {
        self.any = true;
        if self.work.app.json {
            self.texts.entry(stream).or_default().extend(text);
            return Ok(());
        }
        if self.place != place {
            self.finish()?;
            self.place = place.to_string();
            self.tell(format!("==> {place} <=="));
        }
        let lines = self.lines.entry(stream).or_default().next(text);
        self.put(&lines)
    }

    /// Prints what is left of lines that have not ended.
    fn finish(&mut self) -> Result<()> {
        let left: Vec<u8> = self.lines.values_mut().flat_map(mask::Pieces::rest).collect();
        self.put(&left)
    }

    fn put(&mut self, text: &[u8]) -> Result<()> {
        self.gone = self.gone || !self.work.app.print_bytes(text)?;
        Ok(())
    }

    /// Tells something besides what was printed.
    fn tell(&mut self, text: String) {
        self.sink.emit(Event::Note { text });
    }
}
