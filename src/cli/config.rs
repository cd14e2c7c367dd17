//! `soflow config`: the settings in force and where each is from, and what can be set at all; `soflow validate`: every mistake
//! in the settings and the job files, without running anything.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::app::{App, yesterday};
use super::args::TargetOptions;
use super::jobs;
use super::project::misnamed;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::report::{TextCell, paint, plural, problem};
use crate::yaml::Problems;
use crate::{config, job};

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Print the reference of all settings, as in docs/config.md
    Reference,
    /// Print the JSON Schema of a file, for editors that complete and check
    Schema {
        /// Which file: config/soflow.yaml, or a job file
        #[arg(value_enum, default_value_t = SchemaOf::Settings)]
        of: SchemaOf,
    },
}

/// The files that have a JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// config/soflow.yaml
    Settings,
    /// A job file
    Job,
}

/// Shows settings, or what they can be.
pub fn config(app: &App, command: &ConfigCommand) -> Result<u8> {
    match command {
        ConfigCommand::Show { origin } => show(app, *origin),
        ConfigCommand::Reference => app.print(&config::reference()),
        ConfigCommand::Schema { of: SchemaOf::Settings } => app.print(&format!("{:#}\n", config::settings_schema())),
        ConfigCommand::Schema { of: SchemaOf::Job } => app.print(&format!("{:#}\n", job::job_schema())),
    }
}

fn show(app: &App, origin: bool) -> Result<u8> {
    let project = app.project(&TargetOptions::default())?;
    app.answer(&json!({ "settings": project.settings, "origins": project.origins }), |layout| {
        let rows = project.origins.iter().map(|known| {
            let from = TextCell::from(if origin { &known.origin[..] } else { "" }).styled(layout.style.dim);
            [known.key.as_str().into(), known.value.as_str().into(), from]
        });
        layout.table(["key", "value", "from"], rows)
    })
}

/// Checks the settings and the named jobs, or all.
pub fn validate(app: &App, jobs: &[String]) -> Result<u8> {
    let project = match app.read_project(&TargetOptions::default())? {
        Ok(project) => project,
        Err(problems) => return mistakes(app, problems.clone().into(), &[problems]),
    };
    app.warn(&project);
    let settings = &project.settings;
    let others = misnamed(&settings.jobs);
    let names = if jobs.is_empty() { jobs::job_names(&project)? } else { jobs.to_vec() };
    if names.is_empty() {
        let error = Error::new(Kind::Usage, format!("there are no job files in `{}`", settings.jobs.display()));
        let error = others.iter().fold(error, |error, file| error.hint(file.told(&settings.root)));
        return Err(error.hint("docs/job-file.md shows how to write one"));
    }
    if jobs.is_empty() {
        others.iter().for_each(|file| app.tell(Event::Warning { text: file.told(&settings.root) }));
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
        [one] if names.len() == 1 => return mistakes(app, one.clone().into(), &wrong),
        several => {
            let detail: Vec<String> = several.iter().map(Problems::render).collect();
            let have = if several.len() == 1 { "has" } else { "have" };
            let message = format!("{} of {} {have} mistakes", several.len(), plural(names.len() as u64, "job file"));
            return mistakes(app, Error::new(Kind::Usage, message).detail(detail.join("\n\n")), &wrong);
        }
    }
    app.answer(&json!({ "settings": settings, "jobs": fine, "problems": [] }), |layout| {
        let line = |job: &job::Job| {
            let (steps, tables) = (plural(job.steps.len() as u64, "step"), plural(job.tables.len() as u64, "table"));
            format!("{} {}: {steps}, {tables}\n", paint(layout.style.good, "ok"), job.path.display())
        };
        fine.iter().map(line).collect()
    })
}

/// Says what is wrong; to programs also as values, each with its place.
fn mistakes(app: &App, error: Error, found: &[Problems]) -> Result<u8> {
    if !app.json {
        return Err(error);
    }
    let mut document = problem::json(&error);
    document["problems"] = found.iter().flat_map(Problems::sorted).map(|problem| json!(problem)).collect();
    app.answer(&document, |_| String::new())?;
    Ok(app.show_error(&error))
}
