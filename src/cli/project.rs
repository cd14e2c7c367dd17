//! A project: its settings in force, and YAML files in it that are not read because of how their names end.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::app::App;
use super::args::TargetOptions;
use crate::config::{self, Emr, Layers, Local, Origin, Settings, Target, TargetKind};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::yaml::{Problems, Source};

/// The settings in force, and the folder they were found from.
pub struct Project {
    /// The settings.
    pub settings: Settings,
    /// The target in use.
    pub target: Target,
    /// Where each setting is from.
    pub origins: Vec<Origin>,
    /// What looks like a mistake but stops nothing.
    pub warnings: Vec<String>,
    /// The folder the person is in.
    pub cwd: PathBuf,
}

impl Project {
    /// Returns the settings of the local target in use.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub fn local(&self) -> Result<&Local> {
        match &self.target.kind {
            TargetKind::Local(local) => Ok(local),
            TargetKind::Emr(_) => Err(self.other_kind("local", "emr", "--target local")),
        }
    }

    /// Returns the settings of the EMR target in use.
    ///
    /// # Errors
    /// `Usage` when the target in use is of another kind.
    pub fn emr(&self) -> Result<&Emr> {
        match &self.target.kind {
            TargetKind::Emr(emr) => Ok(emr),
            TargetKind::Local(_) => Err(self.other_kind("EMR", "local", "--target NAME")),
        }
    }

    fn other_kind(&self, needed: &str, found: &str, flag: &str) -> Error {
        let target = &self.settings.target;
        let known: Vec<String> = self.settings.targets.keys().map(|name| format!("`{name}`")).collect();
        Error::new(Kind::Usage, format!("this needs a target of kind {needed}, and `{target}` is of kind {found}"))
            .hint(format!("add `{flag}`; the targets are {}", known.join(", ")))
    }
}

impl App {
    /// Finds the project, resolves its settings and says what they warn of; `options` are flags over a target's settings.
    ///
    /// # Errors
    /// `Usage` with every mistake in the config file, the environment and the flags.
    pub fn project(&self, options: &TargetOptions) -> Result<Project> {
        let project = self.read_project(options)??;
        self.warn(&project);
        Ok(project)
    }

    /// Says what the settings warn of.
    pub fn warn(&self, project: &Project) {
        project.warnings.iter().for_each(|text| self.tell(Event::Warning { text: text.clone() }));
    }

    /// Returns what [`App::project`] does, with the mistakes as values and without a word.
    pub fn read_project(&self, options: &TargetOptions) -> Result<Result<Project, Problems>> {
        let cwd = match &self.directory {
            Some(folder) => fs::canonicalize(folder).map_err(|error| {
                Error::new(Kind::Usage, format!("`-C {}` is not a folder", folder.display())).caused_by(error)
            })?,
            None => std::env::current_dir()?,
        };
        let root = config::find_root(&cwd, &|path| path.exists()).ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{}` is not in a soflow project", cwd.display()))
                .hint("a project has a folder `jobs/` or a file `config/soflow.yaml`; name one with `-C FOLDER`")
        })?;
        if root.to_str().is_none_or(|path| path.contains(char::is_control)) {
            let what = format!("`{}` cannot be a project: its name is not plain text", root.display());
            return Err(Error::new(Kind::Usage, what)
                .detail("Locations are written as UTF-8, without control characters.")
                .hint("rename the folder"));
        }
        let resolved = match config::read(self.layers(&root, options)?, &Path::is_file) {
            Ok(resolved) => resolved,
            Err(problems) => return Ok(Err(problems)),
        };
        let (settings, origins, warnings) = (resolved.settings, resolved.origins, resolved.warnings);
        let target = settings.targets.get(&settings.target).cloned();
        let target = target.ok_or_else(|| Error::new(Kind::Internal, "the target in use is not a target"))?;
        Ok(Ok(Project { settings, target, origins, warnings, cwd }))
    }

    fn layers(&self, root: &Path, options: &TargetOptions) -> Result<Layers> {
        let path = root.join("config/soflow.yaml");
        let shown = "config/soflow.yaml";
        let file = match path.is_file() {
            true => Some((PathBuf::from(shown), Source::decode(shown, &fs::read(&path)?)?)),
            false => None,
        };
        // Settings that nobody reads would be another lake and another target than the person thinks.
        if let (None, Some(other)) = (&file, misnamed(&root.join("config")).iter().find(|file| file.stem == "soflow")) {
            let error = Error::new(Kind::Usage, format!("there is no `{shown}`, but a file like it"));
            return Err(error.hint(other.told(root)));
        }
        let flags = [
            ("default-target", &self.target, "--target"),
            ("engine", &options.engine, "--engine"),
            ("parallel", &options.parallel, "--parallel"),
            ("cluster", &options.cluster, "--cluster"),
        ];
        let given = flags.into_iter().filter_map(|(key, value, flag)| Some((key.into(), value.clone()?, flag.into())));
        let ours = |(name, _): &(&String, &String)| name.starts_with("SOFLOW_") || *name == "HOME";
        let environment = self.environment.iter().filter(ours).map(|(n, v)| (n.clone(), v.clone())).collect();
        Ok(Layers { root: root.to_path_buf(), file, environment, flags: given.collect() })
    }
}

/// The one ending that is read.
const ENDING: &str = "yaml";

/// Endings that people give such files, in lower case; the last ones are an editor's that hides the true one.
const LOOK_ALIKE: [&str; 5] = ["yaml", "yml", "json", "yaml.txt", "yml.txt"];

/// A file that somebody may have meant to be read.
pub struct Misnamed {
    /// The name without its ending.
    pub stem: String,
    path: PathBuf,
}

impl Misnamed {
    /// Returns what to say of it, for someone in the folder `root`.
    pub fn told(&self, root: &Path) -> String {
        let right = self.path.with_file_name(format!("{}.{ENDING}", self.stem));
        let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let (found, right) = (shown(&self.path), shown(&right));
        format!("`{found}` is not read: its name must end in `.{ENDING}`: `mv {found} {right}`")
    }
}

/// Returns the files of `folder` that look like YAML and have another ending, sorted; none when it cannot be read.
pub fn misnamed(folder: &Path) -> Vec<Misnamed> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let look_alike = |path: PathBuf| {
        let (stem, ending) = path.file_name()?.to_str()?.split_once('.').filter(|(stem, _)| !stem.is_empty())?;
        let stem = stem.to_string();
        let meant = ending != ENDING && LOOK_ALIKE.contains(&ending.to_lowercase().as_str());
        meant.then_some(Misnamed { stem, path })
    };
    let mut found: Vec<Misnamed> = entries.filter_map(|entry| look_alike(entry.ok()?.path())).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
