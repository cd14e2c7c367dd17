//! What holds between settings, each of which is right by itself. Only what would do harm: AWS says the rest, and
//! `soflow doctor` asks it.

use super::describe::{DEFAULT_ORIGIN, LAKE};
use crate::mask::is_secret;
use crate::names::Uri;
use crate::yaml::{Content, Node, Problems, did_you_mean, ticked};

/// Sends logs to CloudWatch.
const AGENT: &str = "AmazonCloudWatchAgent";

/// Notes all that does not fit, in `settings` as far as they could be read. What is odd about a cluster shape is a
/// warning when it is that of the target in use: others do not matter to the command.
pub(super) fn check(settings: &Node, target: Option<&str>, problems: &mut Problems) {
    let empty = Node::plain("", settings.place.clone());
    let group = |key: &str| settings.get(key).unwrap_or(&empty);
    for entry in group("clusters").entries() {
        applications(&entry.value, problems);
    }
    for entry in group("targets").entries() {
        let (node, used) = (&entry.value, target == Some(entry.key.as_str()));
        if node.get("kind").is_some_and(|kind| kind.text() == "emr") {
            cluster(node, group("clusters"), used, problems);
            in_s3(node, problems);
            let selection = settings.get("default-target").filter(|_| used && !problems.has_errors());
            if let (None, Some(selection)) = (node.get("lake"), selection) {
                let hint = format!("add `lake: s3://<bucket>/<prefix>` below `{}:` in `config/soflow.yaml`", entry.key);
                problems.error(&selection.place, format!("target `{}` has no `lake`", entry.key)).hint(hint);
            }
        }
        apart(node, problems);
    }
}

/// Returns whether nobody wrote the value: it is as shipped.
pub(super) fn is_default(node: &Node) -> bool {
    node.place.source.origin == DEFAULT_ORIGIN
}

/// Returns the name that a node gives, noting when it is none of `known`.
pub(super) fn named<'a>(
    node: &Node,
    what: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    problems: &mut Problems,
) -> Option<String> {
    let wanted = node.text();
    if known.clone().any(|name| name == wanted) {
        return Some(wanted.into());
    }
    // What is no name at all is told by the schema.
    if matches!(node.content, Content::Scalar { .. }) {
        let hint = did_you_mean(wanted, known.clone()).unwrap_or_else(|| format!("{what}s are {}", ticked(known)));
        problems.error(&node.place, format!("there is no {what} `{wanted}`")).hint(hint);
    }
    None
}

/// Notes what every cluster needs: it would be paid for, and of no use.
fn applications(shape: &Node, problems: &mut Problems) {
    let Some(list) = shape.get("applications") else { return };
    let has = |name: &str| list.items().iter().any(|item| item.text() == name);
    if !has("Spark") {
        problems.error(&list.place, "`applications` must have `Spark`: steps are Spark jobs");
    }
    if let Some(logs) = shape.get("cloudwatch-logs").filter(|logs| !has(AGENT) && logs.read().unwrap_or(false)) {
        let at = if is_default(list) { logs } else { list };
        let hint = "write `cloudwatch-logs: false`: logs are then read from S3, minutes later";
        problems
            .error(&at.place, format!("`cloudwatch-logs` needs the application `{AGENT}`"))
            .hint(format!("add `{AGENT}`, or {hint}"));
    }
}

/// Notes a cluster shape that is not there, or that steps cannot run on with a role of their own.
///
/// Source: EMR management guide, "Runtime roles for Amazon EMR steps".
fn cluster(target: &Node, shapes: &Node, used: bool, problems: &mut Problems) {
    let Some(node) = target.get("cluster") else { return };
    let known = shapes.entries().iter().map(|entry| entry.key.as_str());
    let Some(name) = named(node, "cluster", known, problems) else { return };
    let Some(shape) = shapes.get(&name) else { return };
    if let Some(role) = target.get("execution-role").filter(|_| shape.get("security-configuration").is_none()) {
        let message = format!("`execution-role` needs a `security-configuration`, and cluster `{name}` has none");
        let hint = "name an EMR security configuration with `EnableApplicationScopedIAMRole` in the cluster";
        problems.error(&role.place, message).hint(hint);
    }
    if used {
        secrets(shape.get("configurations"), problems);
    }
}

/// Notes what of a lake is not in S3: a cluster sees no folder of this machine.
fn in_s3(target: &Node, problems: &mut Problems) {
    for entry in target.get("lake").map_or(&[][..], Node::entries) {
        if entry.value.text().starts_with("file:") {
            let message = format!("`{}` of an EMR target must be in S3", entry.key);
            problems.error(&entry.value.place, message).hint("such as `s3://bucket/prefix`");
        }
    }
}

/// Notes locations that are the same or within another: `soflow gc` in one would reach into the other.
fn apart(target: &Node, problems: &mut Problems) {
    let location = |key: &&str| target.get("lake")?.get(key).and_then(|node| Some((node.read::<Uri>().ok()?, node)));
    let found: Vec<(Uri, &Node)> = LAKE.iter().filter_map(location).collect();
    for (at, (uri, node)) in found.iter().enumerate() {
        let meets = |other: &Uri| other == uri || uri.below(other).is_some() || other.below(uri).is_some();
        if let Some((_, other)) = found[..at].iter().find(|(other, _)| meets(other)) {
            let message = "two locations of a lake are the same, or one is within the other";
            problems.error(&node.place, message).note(&other.place, "the other one");
        }
    }
}

/// Warns of properties that look like secrets.
fn secrets(node: Option<&Node>, problems: &mut Problems) {
    for entry in node.map_or(&[][..], Node::entries) {
        if is_secret(&entry.key) && matches!(entry.value.content, Content::Scalar { .. }) {
            let message =
                format!("`{}` looks like a secret, and whoever may describe the cluster can read it", entry.key);
            problems.warning(&entry.place, message).hint("let the cluster fetch it, from Secrets Manager for example");
        }
        secrets(Some(&entry.value), problems);
    }
}
