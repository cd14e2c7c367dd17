//! `soflow validate`: every mistake in the settings and the job files, without running anything.

use serde_json::json;

use super::app::{App, yesterday};
use super::args::ValidateArgs;
use super::jobs;
use super::output::stderr;
use super::project::misnamed;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::report::{paint, plural, problem};
use crate::yaml::Problems;

/// Checks the settings and the named jobs, or all.
pub fn validate(app: &App, args: &ValidateArgs) -> Result<u8> {
    let project = match app.read_project(None)? {
        Ok(project) => project,
        Err(problems) => return mistakes(app, Error::from(problems.clone()), &[problems]),
    };
    app.warn(&project, app.sink().as_mut());
    let settings = &project.resolved.settings;
    let others = misnamed(&settings.jobs);
    let names = if args.jobs.is_empty() { jobs::job_names(&project)? } else { args.jobs.clone() };
    if names.is_empty() {
        let error = Error::new(Kind::Usage, format!("there are no job files in `{}`", settings.jobs.display()));
        let error = others.iter().fold(error, |error, file| error.hint(file.told(&settings.root)));
        return Err(error.hint("docs/job-file.md shows how to write one"));
    }
    if args.jobs.is_empty() {
        let mut sink = app.sink();
        others.iter().for_each(|file| sink.emit(Event::Warning { text: file.told(&settings.root) }));
    }
    let mut fine = Vec::new();
    let mut wrong: Vec<Problems> = Vec::new();
    for name in &names {
        match jobs::read_job(&project, name, &[], yesterday())? {
            Ok(job) => fine.push(job),
            Err(problems) => wrong.push(problems),
        }
    }
    match wrong.as_slice() {
        [] => {}
        [one] if names.len() == 1 => return mistakes(app, Error::from(one.clone()), &wrong),
        several => {
            let detail: Vec<String> = several.iter().map(Problems::render).collect();
            let have = if several.len() == 1 { "has" } else { "have" };
            let message = format!("{} of {} {have} mistakes", several.len(), plural(names.len() as u64, "job file"));
            return mistakes(app, Error::new(Kind::Usage, message).detail(detail.join("\n\n")), &wrong);
        }
    }
    if app.json {
        let document = json!({ "settings": settings, "jobs": fine, "problems": [] });
        return app.print_json(&document).map(|()| 0);
    }
    for job in &fine {
        let (steps, tables) = (plural(job.steps.len() as u64, "step"), plural(job.tables.len() as u64, "table"));
        app.print(&format!("{} {}: {steps}, {tables}\n", paint(app.out_style.good, "ok"), job.path.display()))?;
    }
    Ok(0)
}

/// Says what is wrong; to programs also as values, each with its place.
fn mistakes(app: &App, error: Error, found: &[Problems]) -> Result<u8> {
    if !app.json {
        return Err(error);
    }
    let problems: Vec<_> = found.iter().flat_map(Problems::sorted).collect();
    let mut document = problem::json(&error);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("problems".into(), json!(problems));
    }
    app.print_json(&document)?;
    problem::write_text(&error, &app.err_style, &mut stderr())?;
    Ok(error.kind.exit_code())
}
