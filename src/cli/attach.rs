//! `soflow attach`: watch a run that another process began, and finish it when nobody else does.

use std::time::Duration;

use super::app::{App, Project};
use super::args::AttachArgs;
use super::ground::Wishes;
use super::{runs, submit};
use crate::diagnose::Class;
use crate::error::{Error, Kind, Result};
use crate::event::{RunState, Sink};
use crate::names::RunId;
use crate::run::{self, Attached, How, RunRecord, Services};

/// Watches a run and finishes it.
pub async fn attach(app: &App, args: &AttachArgs) -> Result<u8> {
    let project = app.project(None)?;
    let wishes = args.watching.wishes();
    let run: RunId = args.run.parse()?;
    project.emr()?;
    let mut sink = app.sink();
    app.warn(&project, sink.as_mut());
    let services = app.services(&project, wishes).await?;
    let attaching = Attaching { project: &project, services: &services, run, wishes };
    let ended = attaching.attach(sink.as_mut()).await?;
    attaching.tell(app, ended, sink).await
}

/// A run to go on with.
pub struct Attaching<'a> {
    /// The project.
    pub project: &'a Project,
    /// What it is driven with.
    pub services: &'a Services,
    /// The run.
    pub run: RunId,
    /// What the person wants.
    pub wishes: Wishes,
}

impl Attaching<'_> {
    /// Goes on with the run to its end.
    pub async fn attach(&self, sink: &mut dyn Sink) -> Result<Attached> {
        let me = self.services.owner.as_ref().ok_or_else(|| Error::new(Kind::Internal, "nobody attaches"))?;
        let every: Duration = self.project.emr()?.poll_fastest;
        let how = How { me, every, force: self.wishes.force };
        run::attach(self.services, &self.project.target()?.lake, &self.run, how, sink).await
    }

    /// Prints how the run ended and returns the exit code that says so.
    pub async fn tell(&self, app: &App, ended: Attached, sink: Box<dyn Sink>) -> Result<u8> {
        drop(sink);
        match ended {
            Attached::Finished(finished) => {
                let summary = submit::published(&finished.tables, &finished.intent.plan, &finished.outcome);
                submit::print(app, &summary)
            }
            Attached::Over(record) => {
                runs::print(app, &record)?;
                Ok(code(&record))
            }
            Attached::Empty(record) => {
                let (run, job, date) = (&record.run, &record.run.job, record.run.date);
                Err(Error::new(Kind::Usage, format!("run `{run}` had not begun when its process ended"))
                    .hint(format!("begin anew: `soflow submit {job} --date {date}`")))
            }
        }
    }
}

/// Returns the exit code that the driver of a run that is over ended with.
fn code(record: &RunRecord) -> u8 {
    let kind = match record.state {
        RunState::Succeeded => return 0,
        RunState::Refused => Kind::Audit,
        RunState::Cancelled | RunState::Interrupted => Kind::Interrupted,
        RunState::Running => Kind::Detached,
        RunState::Failed => {
            let class = record.steps.iter().find_map(|step| Some(step.cause.as_ref()?.class));
            class.unwrap_or(Class::Service).kind()
        }
    };
    kind.exit_code()
}
