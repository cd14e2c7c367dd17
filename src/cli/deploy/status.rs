//! `soflow status`: what is deployed, when it fires next, what ran last and what failed, and what others have changed.

use jiff::Timestamp;
use serde_json::json;

use super::Deployment;
use super::shown::{Scheduled, last_failure, scheduled, state};
use crate::cli::app::App;
use crate::deploy::{self, Executions, Failure, Filled};
use crate::error::{Error, Kind, Result};

/// Shows what is deployed.
pub async fn status(app: &App) -> Result<u8> {
    let work = app.workspace().await?;
    let deployment = Deployment::of(&work)?;
    let (name, stacks) = (&deployment.name, &deployment.stacks);
    let Some(there) = stacks.find(name).await? else {
        return Err(Error::new(Kind::Usage, format!("there is no stack `{name}`")).hint("`soflow deploy` makes it"));
    };
    let (template, made, drift) =
        (stacks.template(name).await?, stacks.resources(name).await?, stacks.drift(name).await?);
    let executions = Executions::new(work.session()?);
    let (mut schedules, mut failures) = (Vec::new(), Vec::<Failure>::new());
    let now = Timestamp::now();
    for fires in deploy::fires(&Filled { template: &template, parameters: there.parameters.clone() }, &made, now) {
        let machine = fires.machine.as_ref().and_then(|machine| there.outputs.get(machine));
        let latest = match machine {
            Some(machine) => executions.latest(machine).await?,
            None => Vec::new(),
        };
        if let Some(failed) = latest.iter().find(|one| one.has_failed()) {
            failures.push(executions.failure(failed).await?);
        }
        let job = fires.machine.is_some().then(|| fires.name.trim_start_matches("job-").to_string());
        schedules.push(Scheduled { job, fires, executions: latest });
    }
    let last = failures.into_iter().max_by_key(|failure| failure.execution.started);
    let answer = json!({ "stack": there, "drift": drift, "schedules": schedules, "last_failure": last });
    app.answer(&answer, |layout| {
        state(&there, &drift, layout) + &scheduled(&schedules, now, layout) + &last_failure(last.as_ref(), now, layout)
    })
}
