//! JupyterLab, and notebooks that are executed without it.

use std::ffi::OsString;
use std::path::Path;

use fs_err as fs;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::spec::KernelSpec;
use super::{NotebookArgs, NotebookPlace};
use crate::cli::workspace::told_to_stop;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::targets::local::Question;

/// The port of a Jupyter unless it is told another one.
const PORT: u16 = 8888;

/// How many ports after it are tried. Source: jupyter_server, `ServerApp.port_retries`.
const RETRIES: u16 = 50;

/// JupyterLab's log level: errors. It warns of its own defaults. Source: logging, of Python's library.
const ERRORS: u8 = 40;

/// Opens JupyterLab until Ctrl-C, or until it is shut down from its menu.
///
/// # Errors
/// `Machine` when JupyterLab does not start.
pub async fn open(place: &NotebookPlace<'_>, args: &NotebookArgs) -> Result<u8> {
    let app = place.work.app;
    let own = OwnFolder::new(place)?;
    let file = args.file.as_ref().map(|file| place.work.project.cwd.join(file));
    if let Some(file) = file.as_ref().filter(|file| !file.exists()) {
        fs::write(file, format!("{:#}\n", first_notebook(&own.spec)))?;
        app.tell(Event::Note { text: format!("Made {}.", file.display()) });
    }
    let root = &place.work.project.settings.root;
    let (root, below) = match &file {
        None => (root.clone(), None),
        Some(file) => match file.strip_prefix(root) {
            Ok(below) => (root.clone(), Some(below)),
            Err(_) => (file.parent().unwrap_or(root).to_path_buf(), file.file_name().map(Path::new)),
        },
    };
    let page = below.map_or_else(|| "/lab".into(), |below| format!("/lab/tree/{}", escaped(below)));
    let token = Uuid::new_v4().simple().to_string();
    let options = json!({
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": args.port.unwrap_or(PORT),
        "ServerApp.port_retries": if args.port.is_some() { 0 } else { RETRIES },
        "ServerApp.open_browser": !args.no_browser,
        "ServerApp.root_dir": root,
        // In a container there is nobody else to be.
        "ServerApp.allow_root": true,
        "Application.log_level": ERRORS,
        "IdentityProvider.token": token,
        "LabApp.default_url": page,
        "MultiKernelManager.default_kernel_name": own.spec.name,
    });
    let answer = async |question| match question {
        Question::Settings => Ok(json!({ "options": options })),
        Question::Ready { port } => {
            let url = format!("http://127.0.0.1:{port}{page}?token={token}");
            app.tell(Event::Note {
                text: format!("JupyterLab runs in {}; Ctrl-C ends it and its kernels.", root.display()),
            });
            app.answer(&json!({ "url": url }), |_| format!("{url}\n"))?;
            Ok(json!({}))
        }
        _ => Err(Error::new(Kind::Internal, "JupyterLab asks what only a kernel may")),
    };
    let status = place.notebooks.start("server", &[], &own.environment())?.end(told_to_stop(), answer).await?;
    if status.success() {
        return Ok(0);
    }
    Err(Error::new(Kind::Machine, "JupyterLab has ended")
        .detail("What it said is above.")
        .hint("if its port is taken, name another one: `--port 9999`"))
}

/// Runs the cells of a notebook.
///
/// # Errors
/// `Job` when a cell fails; `Interrupted` by Ctrl-C, and the file is as it was.
pub async fn execute(place: &NotebookPlace<'_>, file: &Path) -> Result<u8> {
    let own = OwnFolder::new(place)?;
    let path = place.work.project.cwd.join(file);
    let mut failed = None;
    let answer = async |question| match question {
        Question::Failed { cell, error } => {
            failed = Some((cell, error));
            Ok(json!({}))
        }
        _ => Err(Error::new(Kind::Internal, "a notebook that is executed asks what only a kernel may")),
    };
    let stop = async {
        told_to_stop().await?;
        Err(Error::new(Kind::Interrupted, format!("interrupted: `{}` is as it was", file.display())))
    };
    let arguments = [OsString::from(&own.spec.name), path.into()];
    let status = place.notebooks.start("execute", &arguments, &own.environment())?.end(stop, answer).await?;
    match failed {
        Some((cell, error)) => {
            let what = format!("cell {cell} of `{}` failed", file.display());
            Err(Error::new(Kind::Job, what).detail(error).hint("the file has what the cells before it print"))
        }
        None if status.success() => place.work.app.answer(&json!({ "notebook": file }), |_| String::new()),
        None => Err(Error::new(Kind::Machine, "the notebook was not run").detail("What its kernel said is above.")),
    }
}

/// A folder that one server has of its own: the kernel, which is found beside those of the person, and what is of its
/// runtime, keys among it.
struct OwnFolder {
    folder: TempDir,
    spec: KernelSpec,
    /// Where the person has told Jupyter to look.
    others: Option<String>,
}

impl OwnFolder {
    fn new(place: &NotebookPlace<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("soflow-jupyter-").tempdir()?;
        let spec = KernelSpec::of(place)?;
        spec.write(&folder.path().join("kernels"))?;
        Ok(Self { folder, spec, others: place.work.app.environment.get("JUPYTER_PATH").cloned() })
    }

    fn environment(&self) -> [(&'static str, OsString); 2] {
        let (own, runtime) = (self.folder.path().display(), self.folder.path().join("runtime"));
        let path = self.others.as_ref().map_or_else(|| own.to_string(), |others| format!("{own}:{others}"));
        [("JUPYTER_PATH", path.into()), ("JUPYTER_RUNTIME_DIR", runtime.into())]
    }
}

fn escaped(path: &Path) -> String {
    let part = |part: &std::ffi::OsStr| utf8_percent_encode(&part.to_string_lossy(), NON_ALPHANUMERIC).to_string();
    path.iter().map(part).collect::<Vec<_>>().join("/")
}

/// Returns a notebook that shows what its cells have.
fn first_notebook(spec: &KernelSpec) -> Value {
    let cell = |id: &str, kind: &str, text: &str| {
        let mut cell = json!({ "cell_type": kind, "id": id, "metadata": {}, "source": text });
        if kind == "code" {
            cell["metadata"] = json!({ "tags": ["scratch"] });
            cell["outputs"] = json!([]);
            cell["execution_count"] = Value::Null;
        }
        cell
    };
    let words = "`tables` are the published ones, by name; `spark` is the session. A cell that begins with `%%sql` is a statement, \
                 `%%sql NAME` names its result. `%tables` looks at what was published since. A notebook can be a step of a job: \
                 cells tagged `scratch` are left out there, and `save(\"TABLE\", frame)` writes.";
    json!({
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": { "kernelspec": { "name": spec.name, "display_name": spec.title, "language": "python" } },
        "cells": [cell("first", "markdown", words), cell("second", "code", "tables"), cell("third", "code", "%%sql\nshow tables")],
    })
}
