//! What a step of a cluster printed: from CloudWatch as it is printed, from S3 when it has been pushed there.

mod cloudwatch;
mod name;
pub mod s3;
mod section;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Clusters;
use super::answers::{ENDED, EmrStep, StepState};
use super::chain::Completed;
use super::steps::step_of;
use crate::aws::CallError;
use crate::error::Result;
use crate::names::Uri;
use cloudwatch::CloudWatch;
use name::{LogFile, LogName, LogOrigin, LogStream};
use s3::{LARGEST, LogTail, PUSHED_EVERY, StepLogs};
pub use section::Section;

/// After how many looks at CloudWatch without news, once the step has ended, nothing more is waited for. The agent sends
/// what it has every 5 seconds. Source: CloudWatch agent reference, `force_flush_interval`.
const QUIET_LOOKS: u32 = 3;

/// Where logs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// CloudWatch Logs.
    CloudWatch,
    /// Objects below the cluster's `LogUri`.
    S3,
}

impl LogSource {
    /// Returns the word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch",
            Self::S3 => "s3",
        }
    }
}

/// A part of a log.
#[derive(Debug)]
pub struct LogPiece<'a> {
    /// Which log.
    pub name: &'a LogName,
    /// Where that is: a URI, or a log group and a stream.
    pub place: &'a str,
    /// Its next bytes.
    pub text: &'a [u8],
}

/// Takes logs piece by piece.
pub type LogSink<'a> = dyn FnMut(LogPiece<'_>) -> Result<()> + Send + 'a;

/// What one look at the logs of a step found.
#[derive(Clone, Debug, Default)]
pub struct LogProgress {
    /// Where the step is; `None` when EMR does not know it any more.
    pub state: Option<StepState>,
    /// When it started, UTC.
    pub started: Option<Timestamp>,
    /// When it ended, UTC.
    pub ended: Option<Timestamp>,
    /// Whether there was anything new.
    pub any: bool,
    /// Whether nothing more can come.
    pub complete: bool,
    /// Logs of executors, which are not read, and those too large to be.
    pub unread: Vec<Uri>,
}

impl LogProgress {
    /// Returns whether the step has not ended yet.
    pub fn goes_on(&self) -> bool {
        self.state.as_ref().is_some_and(|state| !ENDED.contains(state))
    }

    /// Returns when its logs should be in S3, UTC; `None` while it goes on.
    pub fn expected_at(&self) -> Option<Timestamp> {
        self.ended.map(s3::expected_at)
    }
}

/// Reads the logs of one step, each byte once.
pub struct LogReader {
    target: Arc<Clusters>,
    /// Where the step may be: its run's last cluster first, and only the one that knows it once that is known.
    clusters: Vec<String>,
    step: String,
    /// The step's name in the job.
    name: String,
    streams: Vec<LogStream>,
    applications: Vec<String>,
    /// `None` before the step is located, when the cluster does not write there, or nobody may read it.
    cloudwatch: Option<CloudWatch>,
    tail: LogTail,
    located: bool,
    /// The first that had anything.
    source: Option<LogSource>,
    /// Why CloudWatch is not read although it could be.
    pub refused: Option<String>,
    quiet: u32,
    completed: Completed,
    /// The part of the driver's logs that is the step's; `None` when all of it is.
    section: Option<Section>,
    /// The same of each log that has been read, as far as it was.
    sections: BTreeMap<DriverLog, Section>,
}

/// A log of a driver, with all its copies: the application, its attempt, and which output.
type DriverLog = (String, Reverse<u64>, LogStream);

impl LogReader {
    /// Returns a reader of these outputs of a step, which may not have started: its id, and its name in the job. `clusters`:
    /// those of its run, of which the first is taken when EMR does not know the step on any.
    pub fn new(
        target: Arc<Clusters>,
        clusters: Vec<String>,
        (step, name): (&str, &str),
        streams: Vec<LogStream>,
    ) -> Self {
        Self {
            target,
            clusters,
            step: step.into(),
            name: name.into(),
            streams,
            applications: Vec::new(),
            cloudwatch: None,
            tail: LogTail::default(),
            located: false,
            source: None,
            refused: None,
            quiet: 0,
            completed: Completed::default(),
            section: None,
            sections: BTreeMap::new(),
        }
    }

    /// Returns EMR's name for the step.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// Returns the folder of the cluster's logs in S3.
    pub fn root(&self) -> Uri {
        self.target.logs().join(self.cluster())
    }

    /// Returns where the logs were found, as soon as any were.
    pub fn source(&self) -> Option<LogSource> {
        self.source
    }

    fn cluster(&self) -> &str {
        self.clusters.first().map_or("", String::as_str)
    }

    /// Passes on what is there and was not passed on before.
    ///
    /// # Errors
    /// Those of AWS and of `out`.
    pub async fn look(&mut self, out: &mut LogSink<'_>) -> Result<LogProgress> {
        let mut look = LogProgress::default();
        if let Some(step) = self.find().await? {
            self.section = step.chain.as_ref().map(|chain| chain.section(&self.name));
            look = LogProgress { state: Some(step.state), started: step.started, ended: step.ended, ..look };
            add(&mut self.applications, step.applications);
            if look.started.is_none() {
                look.complete = !look.goes_on();
                return Ok(look);
            }
        }
        let (section, mut sections) = (self.section.clone(), std::mem::take(&mut self.sections));
        let mut own = |piece: LogPiece<'_>| {
            let LogName { what, application, attempt, stream, .. } = piece.name;
            let Some(section) = section.as_ref().filter(|_| *what == LogOrigin::Driver) else { return out(piece) };
            let key = (application.clone(), *attempt, *stream);
            let text = sections.entry(key).or_insert_with(|| section.clone()).cut(piece.text);
            if text.is_empty() { Ok(()) } else { out(LogPiece { text: &text, ..piece }) }
        };
        let looked = self.look_for_more(&mut look, &mut own).await;
        self.sections = sections;
        looked.map(|()| look)
    }

    async fn look_for_more(&mut self, look: &mut LogProgress, out: &mut LogSink<'_>) -> Result<()> {
        if self.source != Some(LogSource::S3) && self.look_at_cloudwatch(out).await? {
            self.source = Some(LogSource::CloudWatch);
            look.any = true;
        }
        if self.source == Some(LogSource::CloudWatch) {
            self.quiet = if look.any || look.goes_on() { 0 } else { self.quiet + 1 };
            look.complete = self.quiet >= QUIET_LOOKS;
            Ok(())
        } else {
            self.look_at_s3(look, out).await
        }
    }

    /// Returns what is known of the step: what EMR says of it, or of the chain that it is a part of.
    async fn find(&mut self) -> Result<Option<EmrStep>> {
        let Some(step) = self.ask().await? else { return Ok(None) };
        // When the chain has ended, the run may have as well, and what was noted of its members is gone then.
        if step.chain.is_none() || !step.is_active() {
            return Ok(Some(step));
        }
        let wanted = |member: &str| member == self.name;
        let mut steps = self.target.members(step, &mut self.completed, &wanted).await?.into_iter();
        Ok(steps.find(|step| step_of(&step.name) == self.name))
    }

    /// Returns what EMR says of the step, after finding out which cluster knows it. It has forgotten it two months after the
    /// cluster's end, and logs may be read by those who may not ask EMR.
    async fn ask(&mut self) -> Result<Option<EmrStep>> {
        let mut found = None;
        for at in 0..self.clusters.len() {
            match self.target.api.describe_step(&self.clusters[at], &self.step).await {
                Ok(step) => {
                    self.clusters.swap(0, at);
                    found = Some(step);
                    break;
                }
                Err(error) if error.is_denied() || error.is_unknown_cluster() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.clusters.truncate(1);
        if !std::mem::replace(&mut self.located, true) && self.target.settings.emr.shape.cloudwatch_logs {
            self.cloudwatch = Some(CloudWatch::new(self.cluster(), &self.step, self.streams.clone()));
        }
        Ok(found)
    }

    async fn look_at_cloudwatch(&mut self, out: &mut LogSink<'_>) -> Result<bool> {
        let Some(place) = &mut self.cloudwatch else { return Ok(false) };
        match place.read(self.target.api.session(), &mut self.applications, out).await {
            Err(error) => match CallError::of(&error).filter(|call| call.is_denied()) {
                Some(call) => {
                    self.refused = Some(call.to_string());
                    self.cloudwatch = None;
                    Ok(false)
                }
                None => Err(error),
            },
            read => read,
        }
    }

    async fn look_at_s3(&mut self, look: &mut LogProgress, out: &mut LogSink<'_>) -> Result<()> {
        let store = self.target.store.as_ref();
        let logs =
            StepLogs { store, root: self.root(), step: &self.step, applications: &self.applications, section: None };
        let mut found = s3::find(&logs).await?;
        let complete = look.ended.is_some_and(|ended| found.is_complete(ended));
        found.files.retain(|file| self.streams.contains(&file.name.stream));
        let read = |file: &LogFile| !matches!(file.name.what, LogOrigin::Executor(_)) && file.bytes <= LARGEST;
        let (files, unread): (Vec<LogFile>, Vec<LogFile>) = found.files.into_iter().partition(read);
        look.unread = unread.into_iter().map(|file| file.uri).collect();
        let mut pass = |file: &LogFile, text: &[u8]| out(LogPiece { name: &file.name, place: file.uri.as_str(), text });
        if self.tail.read(store, &files, &mut pass).await? {
            self.source = Some(LogSource::S3);
            look.any = true;
        }
        self.applications = found.applications;
        look.complete = match look.expected_at() {
            Some(expected) => complete || store.now() >= expected + PUSHED_EVERY,
            None => !look.goes_on(),
        };
        Ok(())
    }
}

impl Clusters {
    /// Returns where the logs of a step of a cluster are.
    pub(super) fn step_logs<'a>(&'a self, cluster: &str, step: &'a EmrStep) -> StepLogs<'a> {
        StepLogs {
            store: self.store.as_ref(),
            root: self.logs().join(cluster),
            step: &step.id,
            applications: &step.applications,
            section: step.section(),
        }
    }
}

/// Adds those of `more` that are not known.
fn add(known: &mut Vec<String>, more: Vec<String>) {
    for one in more {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}
