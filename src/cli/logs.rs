//! `soflow logs`: what a step printed, as it printed it.

use serde_json::json;

use super::app::App;
use super::args::{LogsArgs, Stream};
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::run;
use crate::yaml::did_you_mean;

/// Prints a step's output.
pub async fn logs(app: &App, args: &LogsArgs) -> Result<u8> {
    let project = app.project(None)?;
    let (store, _) = app.lake(&project)?;
    let id: RunId = args.run.parse()?;
    let record = run::load_run(store.as_ref(), &project.target()?.lake.artifacts, &id).await?;
    let step = record.step(&args.step).ok_or_else(|| {
        let names: Vec<&str> = record.steps.iter().map(|step| step.name.as_str()).collect();
        let error = Error::new(Kind::Usage, format!("run `{id}` has no step `{}`", args.step));
        let close = did_you_mean(&args.step, names.iter().copied());
        close.into_iter().fold(error, Error::hint).hint(format!("its steps are: {}", names.join(", ")))
    })?;
    let wanted = |stream: Stream| args.stream == stream || args.stream == Stream::Both;
    let mut found = Vec::new();
    for (stream, name) in [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")] {
        if wanted(stream)
            && let Some(body) = store.get(&step.logs.join(&format!("{name}.log"))).await?
        {
            found.push((name, String::from_utf8_lossy(&body).into_owned()));
        }
    }
    if found.is_empty() {
        return Err(Error::new(Kind::Usage, format!("step `{}` did not run in `{id}`", step.name))
            .hint(format!("why: {}", step.reason)));
    }
    if app.json {
        let texts: serde_json::Map<_, _> =
            found.into_iter().map(|(name, text)| (name.to_string(), text.into())).collect();
        return app.print_json(&json!({ "run": id, "step": step.name, "logs": texts })).map(|()| 0);
    }
    for (_, text) in found {
        app.print(&text)?;
    }
    Ok(0)
}
