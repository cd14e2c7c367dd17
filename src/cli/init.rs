//! `soflow init`: a project of one's own, from what the program carries.

mod templates;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fs_err as fs;
use serde_json::json;

use self::templates::{DAILY, MINIMAL, SHARED, TemplateFile};
use super::app::App;
use crate::error::{Error, Kind, Result};

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder of the project, which is made unless it is there
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// What the project begins with
    #[arg(long, value_enum, default_value_t = Template::Minimal, value_name = "NAME")]
    pub template: Template,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A job of two small steps
    Minimal,
    /// The job on Stack Overflow questions, answers and comments
    Daily,
}

impl Template {
    fn files(self) -> impl Iterator<Item = &'static TemplateFile> {
        let own = match self {
            Self::Minimal => MINIMAL,
            Self::Daily => DAILY,
        };
        SHARED.iter().chain(own)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Daily => "daily",
        }
    }

    /// Returns what shows that the project works.
    const fn first_command(self) -> &'static str {
        match self {
            Self::Minimal => "soflow submit example",
            Self::Daily => "soflow submit daily --sample",
        }
    }
}

/// Writes the files of a template. Files that are there already are never changed: with one of them nothing is written.
pub fn init(app: &App, args: &InitArgs) -> Result<u8> {
    let folder = app.directory.as_deref().unwrap_or(Path::new("")).join(&args.folder);
    let (mut wanted, mut there) = (Vec::new(), Vec::new());
    for file in args.template.files() {
        match fs::symlink_metadata(folder.join(file.0)) {
            // It may well say more than ours.
            Ok(_) if file.0 == ".gitignore" => {}
            Ok(_) => there.push(file.0),
            Err(_) => wanted.push(file),
        }
    }
    if !there.is_empty() {
        return Err(Error::new(Kind::Usage, format!("`{}` has a project already", folder.display()))
            .detail(there.join("\n"))
            .hint("nothing was written; choose another folder: `soflow init my-project`"));
    }
    let mut written = Vec::new();
    if let Err(error) = wanted.iter().try_for_each(|file| write(&folder, file, &mut written)) {
        for path in written {
            let _ = fs::remove_file(path);
        }
        let message = format!("the project cannot be written to `{}`", folder.display());
        return Err(Error::new(Kind::Machine, message).caused_by(error));
    }
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let (template, first) = (args.template, args.template.first_command());
    app.answer(&json!({ "project": folder, "template": template.name(), "files": names }), |_| {
        let inside = args.folder == Path::new(".");
        let change = if inside { String::new() } else { format!("  cd {}\n", args.folder.display()) };
        let shown = names.iter().filter(|name| !name.contains("soflow_jobs/") && !name.contains("schema/"));
        let files: String = shown.map(|name| format!("  {name}\n")).collect();
        format!("A project is in {}:\n{files}\nTry it:\n{change}  {first}\n", folder.display())
    })
}

/// Writes a file that is not there, and notes that it was written.
fn write(folder: &Path, (name, text): &TemplateFile, written: &mut Vec<PathBuf>) -> Result<()> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    written.push(path);
    file.write_all(text.as_bytes())?;
    Ok(())
}
