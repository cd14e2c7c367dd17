//! `soflow validate`: every mistake in the settings and the job files, without running anything.

use serde_json::json;

use super::app::{App, yesterday};
use super::args::ValidateArgs;
use super::prepare;
use crate::error::{Error, Kind, Result};
use crate::report::{paint, plural};

/// Checks the settings and the named jobs, or all.
pub fn validate(app: &App, args: &ValidateArgs) -> Result<u8> {
    let project = app.project(None)?;
    app.warn(&project, app.sink().as_mut());
    let names = if args.jobs.is_empty() { prepare::job_names(&project)? } else { args.jobs.clone() };
    if names.is_empty() {
        let folder = project.resolved.settings.jobs.display();
        return Err(Error::new(Kind::Usage, format!("there are no job files in `{folder}`"))
            .hint("docs/job-file.md shows how to write one"));
    }
    let mut fine = Vec::new();
    let mut wrong: Vec<Error> = Vec::new();
    for name in &names {
        match prepare::load_job(&project, name, &[], yesterday()) {
            Ok(job) => fine.push(job),
            Err(error) => wrong.push(error),
        }
    }
    if wrong.len() == 1 && names.len() == 1 {
        return Err(wrong.remove(0));
    }
    if !wrong.is_empty() {
        let detail: Vec<String> = wrong.iter().map(|e| e.detail.clone().unwrap_or_else(|| e.message.clone())).collect();
        let message = format!("{} of {} have mistakes", wrong.len(), plural(names.len() as u64, "job file"));
        return Err(Error::new(Kind::Usage, message).detail(detail.join("\n\n")));
    }
    if app.json {
        return app.print_json(&json!({ "settings": project.resolved.settings, "jobs": fine })).map(|()| 0);
    }
    for job in &fine {
        let (steps, tables) = (plural(job.steps.len() as u64, "step"), plural(job.tables.len() as u64, "table"));
        app.print(&format!("{} {}: {steps}, {tables}\n", paint(app.out_style.good, "ok"), job.path.display()))?;
    }
    Ok(0)
}
