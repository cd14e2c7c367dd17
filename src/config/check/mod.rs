//! From merged values to settings, or to everything that is wrong with them.

mod bootstrap;
mod configurations;
mod emr;
mod fleet;
mod forms;
mod ingest;
mod lake;
mod local;
mod reader;
mod release;
mod scaling;
mod shape;
mod software;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reader::Reader;
use shape::Shapes;

use super::keys::KINDS;
use super::raw::{self, Raw, is_default};
use super::settings::{Settings, Target, TargetKind};
use super::show;
use crate::names::Uri;
use crate::yaml::{Node, Problems, did_you_mean};

/// What is around the settings.
pub(super) struct Project<'a> {
    /// The folder relative paths start from.
    pub(super) root: &'a Path,
    /// The folder that `~` stands for, if it is known.
    pub(super) home: Option<&'a Path>,
    /// Says whether a file is there.
    pub(super) exists: &'a dyn Fn(&Path) -> bool,
    /// The settings as shipped.
    pub(super) defaults: &'a Raw,
}

impl Project<'_> {
    /// Returns the path that a text means, noting when it begins with `~` and nobody knows where that is.
    fn path(&self, text: &str, node: &Node, problems: &mut Problems) -> Option<PathBuf> {
        let below = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(below) = below else { return Some(self.root.join(text)) };
        if self.home.is_none() {
            let message = "`~` stands for the home folder, and the variable `HOME` is not set";
            problems.error(&node.place, message).hint("write the path from `/` on");
        }
        Some(self.home?.join(below.trim_start_matches('/')))
    }

    /// Returns the location that a text means, noting when it is none.
    fn location(&self, text: &str, node: &Node, problems: &mut Problems) -> Option<Uri> {
        if let Some(path) = text.strip_prefix("file:").filter(|path| path.starts_with('~')) {
            return Some(Uri::from_path(&self.path(path, node, problems)?));
        }
        let parsed = Uri::parse(text, self.root);
        if let Err(error) = &parsed {
            let hint = "such as `file:lake` or `s3://bucket/prefix`";
            problems.error(&node.place, error.message.clone()).hint(hint);
        }
        parsed.ok()
    }

    /// Returns whether a value is the one shipped at `path`, also when somebody wrote it down.
    fn is_shipped(&self, path: &str, node: &Node) -> bool {
        self.defaults.get(path).is_some_and(|shipped| show::value(shipped) == show::value(node))
    }
}

/// Returns the target in use, noting when there is none of that name.
pub(super) fn selected(merged: &Raw, problems: &mut Problems) -> Option<String> {
    let node = merged.get("default-target")?;
    let wanted = node.scalar("default-target", problems)?;
    let names = raw::names(merged, "targets");
    if names.contains(&wanted) {
        return Some(wanted);
    }
    let hint = suggestion(&wanted, "targets", &names);
    problems.error(&node.place, format!("there is no target `{wanted}`")).hint(hint);
    None
}

/// Returns the name that was probably meant, else all of them.
fn suggestion(wanted: &str, what: &str, names: &[String]) -> String {
    let all = || format!("{what} are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
    did_you_mean(wanted, names.iter().map(String::as_str)).unwrap_or_else(all)
}

/// Returns the settings; `None` when any of them is missing or wrong, which has been noted.
///
/// Notes warnings about the cluster shape of the target in use only: others do not matter to the command.
pub(super) fn settings(
    project: &Project<'_>,
    target: Option<String>,
    merged: &Raw,
    problems: &mut Problems,
) -> Option<Settings> {
    let shapes = Shapes::read(project, merged, problems);
    let mut reader = Reader::new(project, merged, problems);
    let jobs = reader.path("jobs");
    let code = reader.path("code");
    let keep = reader.node("keep-for").and_then(|node| node.duration("keep-for", reader.problems));
    let ingest = ingest::read(&mut reader.below("ingest"));
    let mut all = BTreeMap::new();
    for name in raw::names(merged, "targets") {
        // The shipped `emr` becomes a target with its lake, and lacks it only to those who use it.
        let needs_lake = target.as_ref() == Some(&name) || lake::is_written(merged, &name);
        if let Some(target) = self::target((&name, needs_lake), &shapes, &mut reader) {
            all.insert(name, target);
        }
    }
    let target = target?;
    if let Some(TargetKind::Emr(emr)) = all.get(&target).map(|target| &target.kind) {
        shapes.warn(&emr.cluster, problems);
    }
    Some(Settings {
        root: project.root.into(),
        jobs: jobs?,
        code: code?,
        target,
        targets: all,
        keep_seconds: keep?,
        ingest: ingest?,
    })
}

fn target((name, needs_lake): (&str, bool), shapes: &Shapes, reader: &mut Reader<'_>) -> Option<Target> {
    let mut reader = reader.below(&format!("targets.{name}"));
    let Some(kind) = reader.node("kind") else {
        let place = &reader.itself()?.place;
        reader.problems.error(place, format!("target `{name}` has no `kind`")).hint("add `kind: local` or `kind: emr`");
        return None;
    };
    let kind = kind.choice("kind", &KINDS.map(|(kind, _)| (kind, kind)), reader.problems)?;
    if kind == "local" {
        let (local, lake) = (local::read(&mut reader), lake::read(&mut reader));
        return Some(Target { lake: lake?, kind: TargetKind::Local(local?) });
    }
    let emr = emr::read(&mut reader, shapes);
    let lake = if needs_lake { emr::lake(&mut reader, name) } else { None };
    Some(Target { lake: lake?, kind: TargetKind::Emr(Box::new(emr?)) })
}
