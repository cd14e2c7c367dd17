//! `soflow notebook`: JupyterLab whose kernel has the published tables, that kernel for other Jupyters, and notebooks run
//! without anybody looking.

mod kernel;
mod lab;
mod spec;

use std::path::{Path, PathBuf};

use clap::Args;

use super::app::App;
use super::args::{TargetOptions, Watching};
use super::project::Project;
use super::workspace::Workspace;
use crate::config::{Emr, Engine, Local, TargetKind};
use crate::error::{Error, Kind, Result};
use crate::targets::local::{LocalEngine, Notebooks};

#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// The notebook to open; one that is not there is made [default: the project's folder]
    pub file: Option<PathBuf>,
    /// Run the notebook's cells, leave what they print in it, and open nothing
    #[arg(long, requires = "file")]
    pub execute: bool,
    /// Install the kernel for VS Code, PyCharm or a Jupyter of your own, and open nothing
    #[arg(long, conflicts_with_all = ["file", "execute", "port", "no_browser"])]
    pub kernel_only: bool,
    /// Read the tables of a target on EMR with the engine of this machine
    #[arg(long)]
    pub here: bool,
    /// The port on 127.0.0.1 [default: 8888, or the next one that is free]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Open no browser
    #[arg(long)]
    pub no_browser: bool,
    /// Be the kernel that this file of Jupyter's asks for
    #[arg(long, value_name = "FILE", hide = true)]
    pub connect: Option<PathBuf>,
}

/// Runs notebooks, or the kernel of one.
pub async fn notebook(app: &App, args: &NotebookArgs) -> Result<u8> {
    // Told before AWS is looked for and packages are.
    let project = app.read_project(&TargetOptions::default())??;
    let local = local(&project, args.here)?;
    args.file.as_ref().map_or(Ok(()), |file| check(&project, file, args.execute))?;
    let work = app.open(&TargetOptions::default(), Watching::default()).await?;
    let engine = LocalEngine::new(&local, &app.host(), &work.project.settings.code);
    let notebooks = engine.prepare_notebooks(app.sink().as_mut())?;
    let place = NotebookPlace { work, engine: local.engine, notebooks, here: args.here };
    match &args.connect {
        Some(file) => kernel::run(&place, file).await,
        None if args.kernel_only => spec::install(&place),
        None if args.execute => lab::execute(&place, args.file.as_deref().unwrap_or(Path::new(""))).await,
        None => lab::open(&place, args).await,
    }
}

fn check(project: &Project, file: &Path, is_there: bool) -> Result<()> {
    let name = file.display();
    if file.extension().is_none_or(|ending| ending != "ipynb") {
        return Err(Error::new(Kind::Usage, format!("`{name}` is no notebook: its name must end in `.ipynb`")));
    }
    if is_there && !project.cwd.join(file).is_file() {
        return Err(Error::new(Kind::Usage, format!("there is no notebook `{name}`"))
            .hint(format!("`soflow notebook {name}` makes one and opens it")));
    }
    Ok(())
}

/// Where notebooks run, and on what.
pub struct NotebookPlace<'a> {
    work: Workspace<'a>,
    engine: Engine,
    notebooks: Notebooks,
    /// Whether the engine is of this machine, and the lake is not.
    here: bool,
}

/// Returns the settings of the engine that notebooks of the target in use have.
///
/// # Errors
/// `Usage` for a target whose notebooks run elsewhere.
fn local(project: &Project, here: bool) -> Result<Local> {
    let emr = match &project.target.kind {
        TargetKind::Local(local) => return Ok(local.clone()),
        TargetKind::Emr(emr) => emr,
    };
    if !here {
        return Err(elsewhere(&project.settings.target, emr));
    }
    let locals = project.settings.targets.values().filter_map(|target| match &target.kind {
        TargetKind::Local(local) => Some(local.clone()),
        TargetKind::Emr(_) => None,
    });
    // Of the two engines it is the one that reads S3.
    locals.map(|local| Local { engine: Engine::Sail, ..local }).next().ok_or_else(|| {
        Error::new(Kind::Usage, "there is no local target, whose engine would read the tables")
            .hint("write one in config/soflow.yaml: `targets: { local: {} }`")
    })
}

fn elsewhere(target: &str, emr: &Emr) -> Error {
    let here =
        format!("or read its tables with the engine of this machine: `soflow notebook --target {target} --here`");
    if emr.shape.release.starts_with("emr-spark-") {
        return Error::new(
            Kind::Usage,
            format!("`{target}` has no notebooks: releases `emr-spark-…` come without JupyterHub"),
        )
        .detail("Their sessions of Spark Connect are not used.")
        .hint(here.trim_start_matches("or "));
    }
    Error::new(Kind::Usage, format!("notebooks of `{target}` run in JupyterHub on its cluster"))
        .hint(format!("open it: `soflow open jupyterhub --target {target}`"))
        .hint(here)
}
