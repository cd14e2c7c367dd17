//! `soflow logs`: what a step printed, as it printed it; with `--follow` also what it is still going to print.

mod cluster;
mod local;
mod page;

use std::sync::Arc;

use serde::Serialize;

use super::app::App;
use super::args::LogsArgs;
use super::connections::{Connections, RunOptions};
use super::runs::seen;
use crate::config::TargetKind;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, StepState};
use crate::names::{RunId, Uri};
use crate::run::{self, RunRecord, StepRecord};
use crate::store::Store;
use crate::targets::Cause;
use crate::yaml::did_you_mean;
use page::LogPrinter;

/// Prints a step's output.
pub async fn logs(app: &App, args: &LogsArgs) -> Result<u8> {
    let project = app.project(None)?;
    let target = project.target()?;
    let clusters = match &target.kind {
        TargetKind::Local(_) => None,
        TargetKind::Emr(_) => Some(app.clusters(&project, RunOptions::default()).await?),
    };
    let store = match &clusters {
        Some((Connections { store, .. }, _)) => store.clone(),
        None => app.connect(&project).await?.store,
    };
    let mut wanted = LoggedStep::find(store, &target.lake.artifacts, args).await?;
    let mut page = LogPrinter::new(app, args.stream);
    let source = match clusters {
        None => local::print(&mut wanted, &mut page).await.map(|()| Some("local"))?,
        Some((_, clusters)) => cluster::print(&mut wanted, clusters, &mut page).await?,
    };
    page.finish()?;
    let step = wanted.step()?;
    if app.json {
        let (run, cause) = (&wanted.record.run, step.cause.as_ref());
        app.print_json(&LogsAnswer { run, step: &step.name, source, logs: page.into_texts(), cause })?;
        return Ok(0);
    }
    // What was printed is the answer; what it means is the story.
    if let Some(cause) = &step.cause {
        page.tell(Event::Note { text: format!("`{}` failed: {} ({})", step.name, cause.summary, cause.place()) });
    }
    Ok(0)
}

/// The whole output of a step, for programs; people get it piece by piece, as it comes.
#[derive(Serialize)]
struct LogsAnswer<'a> {
    run: &'a RunId,
    step: &'a str,
    source: Option<&'static str>,
    logs: serde_json::Map<String, serde_json::Value>,
    cause: Option<&'a Cause>,
}

/// The step whose output is wanted.
struct LoggedStep {
    store: Arc<dyn Store>,
    artifacts: Uri,
    record: RunRecord,
    name: String,
    follow: bool,
}

impl LoggedStep {
    async fn find(store: Arc<dyn Store>, artifacts: &Uri, args: &LogsArgs) -> Result<Self> {
        let id: RunId = args.run.parse()?;
        let record = seen(run::load_run(store.as_ref(), artifacts, &id).await?, artifacts)?;
        let wanted = Self { store, artifacts: artifacts.clone(), record, name: args.step.clone(), follow: args.follow };
        wanted.step()?;
        Ok(wanted)
    }

    /// Reads the record again: the step may have started, moved to another cluster or ended.
    async fn refresh(&mut self) -> Result<()> {
        let record = run::load_run(self.store.as_ref(), &self.artifacts, &self.record.run).await?;
        self.record = seen(record, &self.artifacts)?;
        Ok(())
    }

    fn step(&self) -> Result<&StepRecord> {
        self.record.step(&self.name).ok_or_else(|| {
            let names: Vec<&str> = self.record.steps.iter().map(|step| step.name.as_str()).collect();
            let error = Error::new(Kind::Usage, format!("run `{}` has no step `{}`", self.record.run, self.name));
            let close = did_you_mean(&self.name, names.iter().copied());
            close.into_iter().fold(error, Error::hint).hint(format!("its steps are: {}", names.join(", ")))
        })
    }

    /// Returns whether the step may still print something.
    fn is_open(&self) -> Result<bool> {
        let open = matches!(self.step()?.state, StepState::Pending | StepState::Queued | StepState::Running);
        Ok(open && self.record.state == RunState::Running)
    }

    /// Returns why there is nothing to print, and will not be unless someone waits.
    fn did_not_run(&self) -> Error {
        let (step, run) = (&self.name, &self.record.run);
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
}
