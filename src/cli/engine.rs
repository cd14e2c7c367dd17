//! `soflow engine`: the environment in which local steps run.

use std::process::Stdio;

use clap::Subcommand;
use serde_json::json;
use tokio::process::Command;

use super::app::App;
use super::args::TargetOptions;
use super::project::Project;
use crate::config::{Engine, Local};
use crate::error::{Error, Kind, Result};
use crate::machine::python;
use crate::report::{TextCell, paint};
use crate::targets::local::{EngineEnvironment, packaged_version};

#[derive(Debug, Subcommand)]
pub enum EngineCommand {
    /// Make the environment now instead of with the first run
    Install {
        /// The engine: sail or spark [default: the target's]
        #[arg(long, value_name = "ENGINE")]
        engine: Option<String>,
        /// Make what notebooks need, too: `soflow notebook`
        #[arg(long)]
        notebook: bool,
        /// Make it again although it is whole
        #[arg(long)]
        force: bool,
    },
    /// Say where the environments are and whether they are whole
    Status,
    /// Run the environment's Python with the job's code on its path
    Python {
        /// The engine: sail or spark [default: the target's]
        #[arg(long, value_name = "ENGINE")]
        engine: Option<String>,
        /// What Python gets
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// Looks after environments.
pub async fn engine(app: &App, command: &EngineCommand) -> Result<u8> {
    match command {
        EngineCommand::Install { engine, notebook, force } => install(app, engine, *notebook, *force),
        EngineCommand::Status => status(app),
        EngineCommand::Python { engine, arguments } => python(app, engine, arguments).await,
    }
}

/// Shows the version of soflow, and of the engines that it makes environments of.
pub fn version(app: &App) -> Result<u8> {
    let soflow = env!("CARGO_PKG_VERSION");
    let [sail, spark] = [Engine::Sail, Engine::Spark].map(packaged_version);
    let system = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let document = json!({ "version": soflow, "sail": sail, "spark": spark, "system": system });
    app.answer(&document, |_| format!("soflow {soflow} ({system})\nsail   {sail}\nspark  {spark}\n"))
}

fn chosen(app: &App, engine: &Option<String>) -> Result<(Project, EngineEnvironment)> {
    // Said before the engine is set: on another kind of target that would be the mistake.
    app.read_project(&TargetOptions::default())??.local()?;
    let project = app.project(&TargetOptions { engine: engine.clone(), ..TargetOptions::default() })?;
    let environment = EngineEnvironment::new(project.local()?, &app.host());
    Ok((project, environment))
}

fn install(app: &App, engine: &Option<String>, notebook: bool, force: bool) -> Result<u8> {
    let (_, environment) = chosen(app, engine)?;
    for made in [Some(environment.clone()), notebook.then(|| environment.notebook())].into_iter().flatten() {
        if force {
            made.remove()?;
        }
        let _in_use = made.ensure(app.sink().as_mut())?;
    }
    let (engine, path) = (environment.engine, &environment.folder);
    app.answer(&json!({ "engine": engine, "path": path }), |_| format!("{}\n", path.display()))
}

fn status(app: &App) -> Result<u8> {
    let project = app.project(&TargetOptions::default())?;
    let local = project.local()?;
    let of = |engine| EngineEnvironment::new(&Local { engine, ..local.clone() }, &app.host());
    let all = [of(Engine::Sail), of(Engine::Spark), of(local.engine).notebook()];
    let engines = all.map(|environment| {
        let state = match (environment.folder.exists(), environment.is_whole()) {
            (_, true) => "ready",
            (true, false) => "damaged",
            (false, _) => "not made",
        };
        (environment.name(), state, environment.folder.display().to_string())
    });
    let document =
        engines.each_ref().map(|(engine, state, path)| json!({ "engine": engine, "state": state, "path": path }));
    app.answer(&json!({ "engines": document }), |layout| {
        let rows = engines.each_ref().map(|(engine, state, path)| {
            let colour = if *state == "damaged" { layout.style.bad } else { layout.style.dim };
            [(*engine).into(), TextCell::from(*state).styled(colour), path.as_str().into()]
        });
        let command = paint(layout.style.command, "soflow engine install");
        let table = layout.table(["engine", "state", "path"], rows);
        format!("{table}\n{command} makes one, a run makes what it needs\n")
    })
}

/// Hands the terminal to Python; its exit code becomes ours.
async fn python(app: &App, engine: &Option<String>, arguments: &[String]) -> Result<u8> {
    let (project, environment) = chosen(app, engine)?;
    let _in_use = environment.ensure(app.sink().as_mut())?;
    let mut command = Command::from(python::command(&environment.interpreter()));
    // From the folder the person is in, if it is below: a colon in what is above would end it.
    let code = &project.settings.code;
    command.args(arguments).env("PYTHONPATH", code.strip_prefix(&project.cwd).unwrap_or(code));
    let status =
        command.stdin(Stdio::inherit()).status().await.map_err(|error| {
            Error::new(Kind::Machine, "the environment's Python cannot be started").caused_by(error)
        })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
