//! Reading the values below one path of the settings, each noting what is wrong with it.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::forms::Form;
use super::{Project, is_default};
use crate::config::keys::NONE;
use crate::config::raw::{Raw, text};
use crate::yaml::{Node, Problem, Problems};

/// The values below one path, such as `clusters.standard`.
pub(super) struct Reader<'a> {
    pub(super) project: &'a Project<'a>,
    merged: &'a Raw,
    path: String,
    pub(super) problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    /// Returns the reader of everything.
    pub(super) fn new(project: &'a Project<'a>, merged: &'a Raw, problems: &'a mut Problems) -> Self {
        Self { project, merged, path: String::new(), problems }
    }

    /// Returns the reader of what is below `key`.
    pub(super) fn below(&mut self, key: &str) -> Reader<'_> {
        Reader { project: self.project, merged: self.merged, path: self.full(key), problems: self.problems }
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.into() } else { format!("{}.{key}", self.path) }
    }

    /// Returns the value of `key`, if it says anything.
    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        self.merged.get(&self.full(key))
    }

    /// Returns the value at the path itself.
    pub(super) fn itself(&self) -> Option<&'a Node> {
        self.merged.get(&self.path)
    }

    /// Returns whether `key` has a value other than `none`.
    pub(super) fn says(&self, key: &str) -> bool {
        self.node(key).is_some_and(|node| text(node) != NONE)
    }

    /// Returns the value that selects the target in use, if it is `name`.
    pub(super) fn selection(&self, name: &str) -> Option<&'a Node> {
        self.merged.get("default-target").filter(|node| text(node) == name)
    }

    /// Returns the entries below `key`, by name.
    pub(super) fn entries(&self, key: &str) -> Vec<(&'a str, &'a Node)> {
        let prefix = format!("{}.", self.full(key));
        let merged: &'a Raw = self.merged;
        merged.iter().filter_map(|(path, node)| Some((path.strip_prefix(&prefix)?, node))).collect()
    }

    /// Returns a file or folder, relative ones from the root.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let node = self.node(key)?;
        let text = node.scalar(key, self.problems)?;
        if text.is_empty() {
            self.problems.error(&node.place, format!("`{key}` is empty"));
            return None;
        }
        self.project.path(&text, node, self.problems)
    }

    /// Returns a file or folder, `None` within when there is none or it is written `none`.
    pub(super) fn optional_path(&mut self, key: &str) -> Option<Option<PathBuf>> {
        if self.says(key) { self.path(key).map(Some) } else { Some(None) }
    }

    /// Returns text of a form.
    pub(super) fn formed(&mut self, key: &str, form: &Form) -> Option<String> {
        form.read(key, self.node(key)?, self.problems)
    }

    /// Returns text of a form, `None` within when there is none or it is written `none`.
    pub(super) fn optional(&mut self, key: &str, form: &Form) -> Option<Option<String>> {
        if self.says(key) { self.formed(key, form).map(Some) } else { Some(None) }
    }

    /// Returns a whole number within `range`, which lies within `u32`.
    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let (first, last) = range.into_inner();
        let number = self.node(key)?.integer(key, first.into()..=last.into(), self.problems)?;
        number.try_into().ok()
    }

    /// Returns a whole number within `range`, `None` within when there is none or it is written `none`.
    pub(super) fn count_or_none(&mut self, key: &str, range: RangeInclusive<u32>) -> Option<Option<u32>> {
        if self.says(key) { self.count(key, range).map(Some) } else { Some(None) }
    }

    /// Returns the seconds of a duration between two that are given as written: `60s` and `7d`.
    pub(super) fn seconds(&mut self, key: &str, (least, most): (&str, &str)) -> Option<u64> {
        let node = self.node(key)?;
        let seconds = node.duration(key, self.problems)?;
        let bound = |text| crate::yaml::parse_duration(text).unwrap_or_default();
        if seconds < bound(least) || seconds > bound(most) {
            let message = format!("`{key}` must be from {least} to {most}, found {}", node.describe());
            self.problems.error(&node.place, message);
            return None;
        }
        seconds.try_into().ok()
    }

    /// Returns a number above 0.
    pub(super) fn above_zero(&mut self, key: &str) -> Option<f64> {
        let node = self.node(key)?;
        let number = node.number(key, self.problems)?;
        if number <= 0.0 {
            self.problems.error(&node.place, format!("`{key}` must be above 0, found {}", node.describe()));
        }
        (number > 0.0).then_some(number)
    }

    /// Notes that two values do not fit: at the first of them that somebody wrote, with the other one beside it.
    pub(super) fn conflict(&mut self, nodes: [&Node; 2], message: String) -> &mut Problem {
        let [first, second] = if is_default(nodes[0]) { [nodes[1], nodes[0]] } else { nodes };
        let said = if is_default(second) { "as it is by default" } else { "the other one" };
        self.problems.error(&first.place, message).note(&second.place, said)
    }
}
