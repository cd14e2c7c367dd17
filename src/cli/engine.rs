//! `soflow engine`: the environment in which local steps run.

use std::path::Path;
use std::process::Stdio;

use serde::Serialize;
use tokio::process::Command;

use super::app::App;
use super::args::{EngineCommand, TargetOptions};
use super::project::Project;
use crate::config::Engine;
use crate::error::{Error, Kind, Result};
use crate::machine::python;
use crate::report::{Answer, Layout, TextCell, TextTable, paint};
use crate::targets::local::EngineEnvironment;

/// Looks after environments.
pub async fn engine(app: &App, command: &EngineCommand) -> Result<u8> {
    match command {
        EngineCommand::Install { engine, force } => install(app, engine, *force),
        EngineCommand::Status => status(app),
        EngineCommand::Python { engine, arguments } => python(app, engine, arguments).await,
    }
}

fn chosen(app: &App, engine: &Option<String>) -> Result<(Project, EngineEnvironment)> {
    // Said before the engine is set: on another kind of target that would be the mistake.
    app.project(None)?.local()?;
    let project = app.project(Some(&TargetOptions { engine: engine.clone(), ..TargetOptions::default() }))?;
    let environment = app.engine(&project)?;
    Ok((project, environment))
}

fn install(app: &App, engine: &Option<String>, force: bool) -> Result<u8> {
    let (_, environment) = chosen(app, engine)?;
    if force {
        environment.remove()?;
    }
    let mut sink = app.sink();
    let _in_use = environment.ensure(sink.as_mut())?;
    drop(sink);
    app.answer(&Installed { engine: environment.engine, path: &environment.folder })
}

/// An environment that is there now.
#[derive(Serialize)]
struct Installed<'a> {
    engine: Engine,
    path: &'a Path,
}

impl Answer for Installed<'_> {
    fn text(&self, _: &Layout) -> String {
        format!("{}\n", self.path.display())
    }
}

fn status(app: &App) -> Result<u8> {
    let mut engines = Vec::new();
    for engine in [Engine::Sail, Engine::Spark] {
        let (_, environment) = chosen(app, &Some(engine.name().to_string()))?;
        let state = match (environment.folder.exists(), environment.is_whole()) {
            (_, true) => "ready",
            (true, false) => "damaged",
            (false, _) => "not made",
        };
        engines.push(EngineState { engine, state, path: environment.folder.display().to_string() });
    }
    app.answer(&EngineStates { engines })
}

#[derive(Serialize)]
struct EngineStates {
    engines: Vec<EngineState>,
}

#[derive(Serialize)]
struct EngineState {
    engine: Engine,
    /// `ready`, `damaged` or `not made`.
    state: &'static str,
    path: String,
}

impl Answer for EngineStates {
    fn text(&self, layout: &Layout) -> String {
        let mut table = TextTable::new(["engine", "state", "path"]);
        for EngineState { engine, state, path } in &self.engines {
            let colour = if *state == "damaged" { layout.style.bad } else { layout.style.dim };
            table.row([engine.name().into(), TextCell::from(*state).styled(colour), path.as_str().into()]);
        }
        let command = paint(layout.style.command, "soflow engine install");
        format!("{}\n{command} makes one, a run makes what it needs\n", layout.table(&table))
    }
}

/// Hands the terminal to Python; its exit code becomes ours.
async fn python(app: &App, engine: &Option<String>, arguments: &[String]) -> Result<u8> {
    let (project, environment) = chosen(app, engine)?;
    let mut sink = app.sink();
    let _in_use = environment.ensure(sink.as_mut())?;
    drop(sink);
    let mut command = Command::from(python::command(&environment.interpreter()));
    // From the folder the person is in, if it is below: a colon in what is above would end it.
    let code = &project.resolved.settings.code;
    command.args(arguments).env("PYTHONPATH", code.strip_prefix(&project.cwd).unwrap_or(code));
    let status =
        command.stdin(Stdio::inherit()).status().await.map_err(|error| {
            Error::new(Kind::Machine, "the environment's Python cannot be started").caused_by(error)
        })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
