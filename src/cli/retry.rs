//! `soflow retry`: what is left of a run that did not publish.

use super::app::App;
use super::args::{RetryArgs, Selection};
use super::prepare;
use super::submit::Order;
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::RunId;
use crate::run::{self, LakeLock};

/// Asks for the same again; finished steps are taken as they are.
pub async fn retry(app: &App, args: &RetryArgs) -> Result<u8> {
    let project = app.project(Some(&args.local))?;
    let sink = app.sink();
    let services = app.services(&project, args.watching.wishes()).await?;
    let id: RunId = args.run.parse()?;
    let artifacts = &project.target()?.lake.artifacts;
    let record = run::load_run(services.store.as_ref(), artifacts, &id).await?;
    if record.state == RunState::Succeeded {
        return Err(Error::new(Kind::Usage, format!("run `{id}` succeeded: there is nothing to retry"))
            .hint(format!("to run it all again: `soflow submit {} --date {} --force`", id.job, id.date)));
    }
    let is_going = if services.owner.is_some() { true } else { LakeLock::is_held(artifacts)? };
    if record.state == RunState::Running && is_going {
        return Err(Error::new(Kind::Held, format!("run `{id}` is still running"))
            .hint(format!("`soflow runs show {id}` shows how far it is")));
    }
    let values = |flag: &str| {
        let start = format!("{flag}=");
        record.asked.iter().filter_map(|asked| Some(asked.strip_prefix(&start)?.to_string())).collect::<Vec<_>>()
    };
    let selection = Selection {
        job: id.job.clone(),
        date: Some(id.date),
        params: values("--param"),
        only: values("--only"),
        from: values("--from").pop(),
        // The steps that were forced and finished are results now; forcing again would throw them away.
        force: false,
        local: args.local.clone(),
    };
    let job = prepare::load_job(&project, &id.job, &selection.params, id.date)?;
    let select = prepare::select(&job, &selection)?;
    let order = Order { project: &project, job: &job, date: id.date, select, asked: record.asked.clone() };
    order.run(app, &services, args.watching.wishes(), sink).await
}
