//! `soflow cancel`: end a run on a cluster, whoever drives it, and see that it ended.

use super::app::App;
use super::args::CancelArgs;
use super::ground::Wishes;
use crate::error::Result;
use crate::event::RunState;
use crate::names::RunId;
use crate::run;

/// Cancels what has not ended of a run. Whoever drives it finds out at its next word.
pub async fn cancel(app: &App, args: &CancelArgs) -> Result<u8> {
    let project = app.project(None)?;
    project.emr()?;
    let run: RunId = args.run.parse()?;
    let services = app.services(&project, Wishes::default()).await?;
    let lake = &project.target()?.lake;
    let before = run::load_run(services.store.as_ref(), &lake.artifacts, &run).await?;
    if before.state != RunState::Running {
        app.print(&format!("Nothing to cancel: run {run} is over.\n"))?;
        return Ok(0);
    }
    let me = app.owner();
    let mut sink = app.sink();
    run::cancel(&services, lake, &run, &me, sink.as_mut()).await?;
    drop(sink);
    app.print(&format!("Run {run} is cancelled; finished steps are kept.\n  soflow retry {run}\n"))?;
    Ok(0)
}
