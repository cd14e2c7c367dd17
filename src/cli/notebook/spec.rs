//! What tells a Jupyter how to start the kernel. Source: jupyter_client's documentation, "Kernel specs".

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::{Map, Value, json};

use super::NotebookPlace;
use crate::cli::app::App;
use crate::error::{Error, Kind, Result};

/// Settings that a kernel needs and that may be variables of whoever starts it, none of them a secret.
const KEPT: [&str; 4] = ["SOFLOW_LAKE", "SOFLOW_ENGINE", "SOFLOW_ENGINE_DIR", "SOFLOW_PYTHON"];

/// The name and the content of a kernel's description.
pub struct KernelSpec {
    /// Its folder's name, and what notebooks call it.
    pub name: String,
    /// What people see.
    pub title: String,
    json: Value,
}

impl KernelSpec {
    /// Returns the description of the kernel of a project and a target.
    ///
    /// # Errors
    /// Those of the system when it does not say where the program is.
    pub fn of(place: &NotebookPlace<'_>) -> Result<Self> {
        let (app, settings) = (place.work.app, &place.work.project.settings);
        let folder = settings.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The target is told where it is not the one that goes without saying.
        let target = app.target.as_ref().map(|_| settings.target.as_str());
        let words: Vec<&str> = [folder.as_str()].into_iter().chain(target).collect();
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c.to_ascii_lowercase() } else { '-' };
        let mut command = vec![std::env::current_exe()?.display().to_string(), "-C".into()];
        command.extend([settings.root.display().to_string(), "--target".into(), settings.target.clone()]);
        command.extend(["--events", "quiet", "notebook", "--connect", "{connection_file}"].map(String::from));
        command.extend(place.here.then(|| "--here".into()));
        let kept =
            KEPT.iter().filter_map(|name| Some(((*name).to_string(), app.environment.get(*name)?.clone().into())));
        let title = format!("soflow ({})", words.join(", "));
        let json = json!({
            "argv": command,
            "display_name": title,
            "language": "python",
            "interrupt_mode": "message",
            "env": kept.collect::<Map<String, Value>>(),
            "metadata": { "debugger": true },
        });
        Ok(Self { name: format!("soflow-{}", words.join("-")).chars().map(plain).collect(), title, json })
    }

    /// Writes it below a folder of kernels; returns where it is.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(&self, kernels: &Path) -> Result<PathBuf> {
        let folder = kernels.join(&self.name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("kernel.json"), format!("{:#}\n", self.json))?;
        Ok(folder)
    }
}

/// Installs the kernel where every Jupyter of this person looks, and VS Code and PyCharm do.
///
/// # Errors
/// `Machine` when the person has no home; those of the disk.
pub fn install(place: &NotebookPlace<'_>) -> Result<u8> {
    let app = place.work.app;
    let spec = KernelSpec::of(place)?;
    let folder = spec.write(&data_folder(app)?.join("kernels"))?;
    let document = json!({ "kernel": spec.name, "display-name": spec.title, "folder": folder });
    app.answer(&document, |_| {
        format!(
            "The kernel is in {}.\nIn VS Code, PyCharm or Jupyter choose the kernel `{}`; they find it when they are started anew.\n\
             To remove it, remove that folder.\n",
            folder.display(),
            spec.title
        )
    })
}

/// Returns the folder of the person's Jupyter. Source: `jupyter_core.paths.jupyter_data_dir`.
fn data_folder(app: &App) -> Result<PathBuf> {
    let named = |name: &str| app.environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = named("JUPYTER_DATA_DIR") {
        return Ok(folder);
    }
    let home = named("HOME").ok_or_else(|| {
        Error::new(Kind::Machine, "there is no folder for kernels: HOME is not set")
            .hint("`export JUPYTER_DATA_DIR=FOLDER`")
    });
    if cfg!(target_os = "macos") {
        return Ok(home?.join("Library/Jupyter"));
    }
    match named("XDG_DATA_HOME") {
        Some(folder) => Ok(folder.join("jupyter")),
        None => Ok(home?.join(".local/share/jupyter")),
    }
}
