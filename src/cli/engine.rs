//! `soflow engine`: the environment in which local steps run.

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use super::app::{App, Project};
use super::args::{EngineCommand, TargetOptions};
use crate::config::Engine;
use crate::error::{Error, Kind, Result};
use crate::machine::python;
use crate::report::{Align, Cell, Table, paint};
use crate::targets::local::Environment;

/// Looks after environments.
pub async fn engine(app: &App, command: &EngineCommand) -> Result<u8> {
    match command {
        EngineCommand::Install { engine, force } => install(app, engine, *force),
        EngineCommand::Status => status(app),
        EngineCommand::Python { engine, arguments } => python(app, engine, arguments).await,
    }
}

fn chosen(app: &App, engine: &Option<String>) -> Result<(Project, Environment)> {
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
    if app.json {
        return app.print_json(&json!({ "engine": environment.engine, "path": environment.folder })).map(|()| 0);
    }
    app.print(&format!("{}\n", environment.folder.display())).map(|()| 0)
}

fn status(app: &App) -> Result<u8> {
    let mut table = Table::new([("engine", Align::Left), ("state", Align::Left), ("path", Align::Left)]);
    let mut found = Vec::new();
    for engine in [Engine::Sail, Engine::Spark] {
        let (_, environment) = chosen(app, &Some(engine.name().to_string()))?;
        let state = match (environment.folder.exists(), environment.is_whole()) {
            (_, true) => "ready",
            (true, false) => "damaged",
            (false, _) => "not made",
        };
        let path = environment.folder.display().to_string();
        let colour = if state == "damaged" { app.out_style.bad } else { app.out_style.dim };
        table.row([Cell::from(engine.name()), Cell::from(state).styled(colour), Cell::from(path.clone())]);
        found.push(json!({ "engine": engine, "state": state, "path": path }));
    }
    if app.json {
        return app.print_json(&json!({ "engines": found })).map(|()| 0);
    }
    app.print(&table.render(&app.out_style, app.width))?;
    app.print(&format!(
        "\n{} makes one, a run makes what it needs\n",
        paint(app.out_style.command, "soflow engine install")
    ))
    .map(|()| 0)
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
