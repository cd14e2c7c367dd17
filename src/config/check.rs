//! From merged values to settings, or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::keys::LAKE;
use super::raw::Raw;
use super::settings::{Engine, Lake, Local, Settings, Target, TargetKind};
use crate::names::Uri;
use crate::yaml::{Content, Node, Problems, did_you_mean};

/// Most steps that may run at once: more would only wait for each other.
const MOST_PARALLEL: i64 = 256;

/// Returns the names of all targets.
pub(super) fn targets(merged: &Raw) -> Vec<String> {
    let name = |path: &String| path.strip_prefix("targets.").filter(|name| !name.contains('.')).map(String::from);
    merged.keys().filter_map(name).collect()
}

/// Returns the text of a scalar, empty for anything else.
pub(super) fn text(node: &Node) -> &str {
    match &node.content {
        Content::Scalar { text, .. } => text,
        _ => "",
    }
}

/// Returns the target in use, noting when there is none of that name.
pub(super) fn selected(merged: &Raw, problems: &mut Problems) -> Option<String> {
    let node = merged.get("default-target")?;
    let wanted = node.scalar("default-target", problems)?;
    let names = targets(merged);
    if names.contains(&wanted) {
        return Some(wanted);
    }
    let near = did_you_mean(&wanted, names.iter().map(String::as_str));
    let all = || format!("targets are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
    problems.error(&node.place, format!("there is no target `{wanted}`")).hint(near.unwrap_or_else(all));
    None
}

/// Returns the settings; `None` when any of them is missing or wrong, which has been noted.
pub(super) fn settings(root: &Path, target: Option<String>, merged: &Raw, problems: &mut Problems) -> Option<Settings> {
    let mut reader = Reader { root, merged, problems };
    let jobs = reader.folder("jobs");
    let code = reader.folder("code");
    let keep = reader.node("keep-for").and_then(|node| node.duration("keep-for", reader.problems));
    let mut all = BTreeMap::new();
    for name in targets(merged) {
        if let Some(target) = reader.target(&name) {
            all.insert(name, target);
        }
    }
    Some(Settings { root: root.into(), jobs: jobs?, code: code?, target: target?, targets: all, keep_seconds: keep? })
}

struct Reader<'a> {
    root: &'a Path,
    merged: &'a Raw,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    fn node(&self, path: &str) -> Option<&'a Node> {
        self.merged.get(path)
    }

    /// Returns a folder, relative ones from the root.
    fn folder(&mut self, path: &str) -> Option<PathBuf> {
        let node = self.node(path)?;
        let key = path.rsplit('.').next().unwrap_or(path);
        let text = node.scalar(key, self.problems)?;
        if text.is_empty() {
            self.problems.error(&node.place, format!("`{key}` is empty"));
            return None;
        }
        Some(self.root.join(text))
    }

    fn target(&mut self, name: &str) -> Option<Target> {
        let Some(kind) = self.node(&format!("targets.{name}.kind")) else {
            let place = &self.node(&format!("targets.{name}"))?.place;
            self.problems.error(place, format!("target `{name}` has no `kind`")).hint("add `kind: local`");
            return None;
        };
        kind.choice("kind", &[("local", ())], self.problems)?;
        let (local, lake) = (self.local(name), self.lake(name));
        Some(Target { lake: lake?, kind: TargetKind::Local(local?) })
    }

    fn local(&mut self, name: &str) -> Option<Local> {
        let key = |key: &str| format!("targets.{name}.{key}");
        let engines = [Engine::Sail, Engine::Spark].map(|engine| (engine.name(), engine));
        let engine = self.node(&key("engine")).and_then(|node| node.choice("engine", &engines, self.problems));
        let parallel = self.node(&key("parallel")).and_then(|node| self.parallel(node));
        let python = self.node(&key("python")).and_then(|node| self.python(node));
        let engine_dir = self.folder(&key("engine-dir"));
        Some(Local { engine: engine?, parallel: parallel?, python: python?, engine_dir: engine_dir? })
    }

    /// Returns a number of steps, or `None` within for `auto`.
    fn parallel(&mut self, node: &Node) -> Option<Option<usize>> {
        if text(node) == "auto" {
            return Some(None);
        }
        let mut unwanted = Problems::default();
        let number =
            node.integer("parallel", 1..=MOST_PARALLEL, &mut unwanted).and_then(|number| number.try_into().ok());
        if number.is_none() {
            let message = format!(
                "`parallel` must be `auto` or a whole number from 1 to {MOST_PARALLEL}, found {}",
                node.describe()
            );
            self.problems.error(&node.place, message);
        }
        number.map(Some)
    }

    /// Returns a program, or `None` within for `auto`. One without a slash is looked for on `PATH`.
    fn python(&mut self, node: &Node) -> Option<Option<PathBuf>> {
        match node.scalar("python", self.problems)?.as_str() {
            "auto" => Some(None),
            "" => {
                self.problems.error(&node.place, "`python` is empty").hint("write `auto` or a path");
                None
            }
            name if !name.contains('/') => Some(Some(name.into())),
            path => Some(Some(self.root.join(path))),
        }
    }

    fn lake(&mut self, name: &str) -> Option<Lake> {
        let mut found: Vec<(Uri, &Node)> = Vec::new();
        for key in LAKE {
            let node = self.node(&format!("targets.{name}.lake.{key}"))?;
            let text = node.scalar(key, self.problems)?;
            match Uri::parse(&text, self.root) {
                Ok(uri) => found.push((uri, node)),
                Err(error) => {
                    _ = self
                        .problems
                        .error(&node.place, error.message)
                        .hint("such as `file:lake` or `s3://bucket/prefix`")
                }
            }
        }
        self.apart(&found);
        let mut uris = found.into_iter().map(|(uri, _)| uri);
        Some(Lake { raw: uris.next()?, curated: uris.next()?, artifacts: uris.next()?, logs: uris.next()? })
    }

    /// Notes locations that are the same or within another: `soflow gc` in one would reach into the other.
    fn apart(&mut self, found: &[(Uri, &Node)]) {
        for (at, (uri, node)) in found.iter().enumerate() {
            let meets = |other: &Uri| other == uri || uri.below(other).is_some() || other.below(uri).is_some();
            if let Some((_, other)) = found[..at].iter().find(|(other, _)| meets(other)) {
                let message = "two locations of a lake are the same, or one is within the other";
                self.problems.error(&node.place, message).note(&other.place, "the other one");
            }
        }
    }
}
