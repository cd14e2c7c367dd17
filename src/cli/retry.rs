//! `soflow retry`: what is left of a run that did not publish.

use super::app::App;
use super::args::{RetryArgs, Selection};
use super::jobs;
use super::submit::Submission;
use crate::error::{Error, Kind, Result};
use crate::event::RunState;
use crate::names::RunId;
use crate::run::{self, LakeLock};

/// Asks for the same again; finished steps are taken as they are.
pub async fn retry(app: &App, args: &RetryArgs) -> Result<u8> {
    let project = app.project(Some(&args.local))?;
    let sink = app.sink();
    let services = app.services(&project, args.watching.options()).await?;
    let id: RunId = args.run.parse()?;
    let lake = &project.target()?.lake;
    let record = run::load_run(services.store.as_ref(), &lake.artifacts, &id).await?;
    let record = run::agreed(&services, lake, record).await?;
    if record.state == RunState::Succeeded {
        return Err(Error::new(Kind::Usage, format!("run `{id}` succeeded: there is nothing to retry"))
            .hint(format!("to run it all again: `soflow submit {} --date {} --force`", id.job, id.date)));
    }
    let is_going = if services.owner.is_some() { true } else { LakeLock::is_held(&lake.artifacts)? };
    if record.state == RunState::Running && is_going {
        let error = Error::new(Kind::Held, format!("run `{id}` is still running"))
            .hint(format!("`soflow runs show {id}` shows how far it is"));
        return Err(match services.owner {
            Some(_) => error.hint(format!("`soflow attach {id}` goes on with it")),
            None => error,
        });
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
        force: record.asked.iter().any(|asked| asked == "--force"),
        local: args.local.clone(),
    };
    let job = jobs::load_job(&project, &id.job, &selection.params, id.date)?;
    let mut select = jobs::select(&job, &selection)?;
    // What was forced and has finished is a result now; forcing it again would throw that away.
    select.after = record.intent.as_ref().map_or_else(Vec::new, |intent| intent.select.after.clone());
    select.after.push(id.clone());
    let code = jobs::code(&project, &job, &services)?;
    let submission =
        Submission { project: &project, job: &job, date: id.date, select, asked: record.asked.clone(), code };
    submission.run(app, &services, args.watching.options(), sink).await
}
