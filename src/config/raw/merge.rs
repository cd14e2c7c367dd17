//! What an entry does not say it takes from another: from the defaults of its kind, or from the `standard` shape.

use super::{Raw, is_default, kind, names, text};
use crate::config::keys::{NONE, STANDARD};

/// Adds what `base` says and `raw` does not.
pub(in crate::config) fn complete(raw: &mut Raw, base: &Raw) {
    let missing: Vec<_> = base.iter().filter(|(path, _)| !is_said(raw, path)).collect();
    let missing: Raw = missing.into_iter().map(|(path, node)| (path.clone(), node.clone())).collect();
    raw.extend(missing);
}

/// Returns whether `raw` has a value at `path`, or one that leaves no room for it: `scaling: none` says that there is no
/// `scaling.min`, and `scaling.min` that there is scaling.
fn is_said(raw: &Raw, path: &str) -> bool {
    let is_none = |at: &str| raw.get(at).is_some_and(|node| text(node) == NONE);
    let part = part_of_shape(path);
    let above = part.is_some_and(|part| part != path && is_none(part));
    let within = || raw.keys().any(|other| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')));
    raw.contains_key(path) || above || (part == Some(path) && within())
}

/// Returns the start of `path` that names a part a shape can do without: `clusters.big.scaling`.
fn part_of_shape(path: &str) -> Option<&str> {
    let name = path.strip_prefix("clusters.")?.split('.').next()?;
    let after = "clusters.".len() + name.len() + 1;
    let part = path.get(after..)?.split('.').next()?;
    matches!(part, "task" | "scaling").then(|| &path[..after + part.len()])
}

/// Gives each target the defaults of its kind, and each shape what `standard` says.
pub(in crate::config) fn fill(merged: &mut Raw, defaults: &Raw) {
    for name in names(merged, "targets") {
        let kind = kind(merged, &name).to_string();
        let own = format!("targets.{name}.");
        if super::kind(defaults, &name) != kind {
            // `local: { kind: emr }` has nothing of the shipped `local`.
            merged.retain(|path, node| !(path.starts_with(&own) && is_default(node)));
        }
        complete(merged, &renamed(defaults, &format!("targets.{kind}."), &own));
    }
    let standard = format!("clusters.{STANDARD}.");
    for name in names(merged, "clusters") {
        let base = renamed(merged, &standard, &format!("clusters.{name}."));
        complete(merged, &base);
    }
}

/// Returns what is below `from`, as if it were below `to`.
fn renamed(raw: &Raw, from: &str, to: &str) -> Raw {
    let below = raw.iter().filter_map(|(path, node)| Some((path.strip_prefix(from)?, node)));
    below.map(|(key, node)| (format!("{to}{key}"), node.clone())).collect()
}
