//! What holds between settings, each of which is right by itself. Only what would cost money or work before anyone says a
//! word: AWS says the rest.

use super::describe::{DEFAULT_ORIGIN, LAKE};
use crate::mask::is_secret;
use crate::names::Uri;
use crate::yaml::{Content, Node, Problem, Problems, did_you_mean, ticked};

/// Sends logs to CloudWatch.
const AGENT: &str = "AmazonCloudWatchAgent";

/// What runs outside YARN, so that EMR does not see it work. Source: EMR management guide, "Using an auto-termination
/// policy": not supported with Presto, Trino and HBase.
const UNSEEN: [&str; 4] = ["HBase", "Presto", "PrestoSQL", "Trino"];

/// The first release, major and minor, whose steps can have a role of their own. Source: EMR management guide, "Runtime
/// roles for Amazon EMR steps".
const WITH_ROLES: (u32, u32) = (6, 7);

/// Days that CloudWatch Logs keeps logs. Source: its API reference, `PutRetentionPolicy`.
const RETENTIONS: [u64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Limits of scaling, the sizes of fleets that add up to what each limits, and what that is.
const LIMITS: [(&str, &[&str], &str); 3] = [
    ("max", &["task.spot", "task.on-demand", "core.spot", "core.on-demand"], "core and task nodes"),
    ("max-core", &["core.spot", "core.on-demand"], "core nodes"),
    ("max-on-demand", &["task.on-demand", "core.on-demand"], "on-demand nodes"),
];

/// Notes all that does not fit, in `settings` as far as they could be read of what is `written`. What is odd about a
/// cluster shape, and not as `shipped`, is a warning when it is that of the target in use: others do not matter to the
/// command.
pub(super) fn check(settings: &Node, written: &Node, shipped: &Node, target: Option<&str>, problems: &mut Problems) {
    let empty = Node::plain("", settings.place.clone());
    let group = |key: &str| settings.get(key).unwrap_or(&empty);
    for entry in group("clusters").entries() {
        applications(&entry.value, problems);
        fleets(&entry.value, problems);
        ages(&entry.value, problems);
    }
    for entry in group("targets").entries() {
        let (node, used) = (&entry.value, target == Some(entry.key.as_str()));
        if node.get("kind").is_some_and(|kind| kind.text() == "emr") {
            let shape = cluster(node, group("clusters"), problems);
            if let Some(shape) = shape.filter(|_| used) {
                unseen(shape, shipped, problems);
                secrets(shape.get("configurations"), problems);
            }
            in_s3(node, problems);
            retention(node, problems);
            endpoints(node, problems);
            let lake = written.at(&format!("targets.{}.lake", entry.key));
            let lacks_lake = used && lake.is_none_or(Node::is_null);
            if let Some(selection) = settings.get("default-target").filter(|_| lacks_lake) {
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

/// Notes endpoints of a network that is not named, and such that nobody could reach.
fn endpoints(target: &Node, problems: &mut Problems) {
    let Some(endpoints) = target.at("stack.endpoints") else { return };
    let has = |key: &str| endpoints.get(key).filter(|list| !list.items().is_empty() || !list.text().is_empty());
    let needs = [("route-tables", "vpc"), ("subnets", "vpc"), ("subnets", "security-groups")];
    for (key, needed) in needs {
        if let (Some(list), None) = (has(key), has(needed)) {
            let message = format!("`endpoints.{key}` needs `endpoints.{needed}`");
            problems.error(&list.place, message).hint(format!("write `{needed}:` beside it"));
        }
    }
}

/// Notes that two values do not fit: at the first of them that somebody wrote, with the other one beside it.
fn conflict<'p>(nodes: [&Node; 2], message: String, problems: &'p mut Problems) -> &'p mut Problem {
    let [first, second] = if is_default(nodes[0]) { [nodes[1], nodes[0]] } else { nodes };
    let said = if is_default(second) { "as it is by default" } else { "the other one" };
    problems.error(&first.place, message).note(&second.place, said)
}

/// Notes what every cluster needs: it would be paid for, and of no use.
fn applications(shape: &Node, problems: &mut Problems) {
    let Some(list) = shape.get("applications") else { return };
    let has = |name: &str| list.items().iter().any(|item| item.text() == name);
    if !has("Spark") {
        problems.error(&list.place, "`applications` must have `Spark`: steps are Spark jobs");
    }
    if let Some(logs) = shape.get("cloudwatch-logs").filter(|logs| !has(AGENT) && logs.read().unwrap_or(false)) {
        let hint = "write `cloudwatch-logs: false`: logs are then read from S3, minutes later";
        let message = format!("`cloudwatch-logs` needs the application `{AGENT}`");
        conflict([logs, list], message, problems).hint(format!("add `{AGENT}`, or {hint}"));
    }
}

/// Notes fleets that begin larger than they may grow: a cluster starts, and costs, what they say.
fn fleets(shape: &Node, problems: &mut Problems) {
    for (key, parts, what) in LIMITS {
        let sizes: Vec<&Node> = parts.iter().filter_map(|part| shape.at(part)).collect();
        let units: u64 = sizes.iter().filter_map(|size| size.read::<u64>().ok()).sum();
        let Some(limit) = shape.get("scaling").and_then(|scaling| scaling.get(key)) else { continue };
        let size = sizes.iter().find(|size| !is_default(size)).or(sizes.last());
        if let (Some(size), Some(most)) = (size, limit.read::<u64>().ok().filter(|most| units > *most)) {
            let message = format!("{units} units of {what} are more than `scaling.{key}`, which is {most}");
            conflict([size, limit], message, problems);
        }
    }
}

/// Notes a cluster that would be too old before it could end for being idle.
fn ages(shape: &Node, problems: &mut Problems) {
    let time = |key: &str| shape.get(key).and_then(|node| Some((node, node.read::<u64>().ok()?)));
    if let (Some((max, age)), Some((timeout, idle))) = (time("max-age"), time("idle-timeout"))
        && age <= idle
    {
        conflict([max, timeout], "`max-age` must be longer than `idle-timeout`".into(), problems);
    }
}

/// Returns whether a label is that of a release before [`WITH_ROLES`].
fn is_without_roles(label: &str) -> bool {
    let mut numbers = label.trim_start_matches("emr-").split('.').map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version < WITH_ROLES)
}

/// Returns the cluster shape of a target, noting one that is not there, or that steps cannot run on with a role of their
/// own.
fn cluster<'a>(target: &Node, shapes: &'a Node, problems: &mut Problems) -> Option<&'a Node> {
    let node = target.get("cluster")?;
    let known = shapes.entries().iter().map(|entry| entry.key.as_str());
    let shape = shapes.get(&named(node, "cluster", known, problems)?)?;
    let name = node.text();
    let role = target.get("execution-role");
    if let (Some(role), Some(label)) = (role, shape.get("release").filter(|label| is_without_roles(label.text()))) {
        let message = format!("`execution-role` needs release 6.7.0 or newer, and cluster `{name}` has an older one");
        problems.error(&role.place, message).note(&label.place, "the release");
    }
    if let Some(role) = role.filter(|_| shape.get("security-configuration").is_none()) {
        let message = format!("`execution-role` needs a `security-configuration`, and cluster `{name}` has none");
        let hint = "name an EMR security configuration with `EnableApplicationScopedIAMRole` in the cluster";
        problems.error(&role.place, message).hint(hint);
    }
    Some(shape)
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

/// Notes a time that logs cannot be kept: making the stack would fail halfway.
fn retention(target: &Node, problems: &mut Problems) {
    let days = target.at("stack.log-retention-days").and_then(|node| Some((node, node.read::<u64>().ok()?)));
    if let Some((node, days)) = days.filter(|(_, days)| !RETENTIONS.contains(days)) {
        let longer = RETENTIONS.iter().find(|known| **known > days).unwrap_or(&3653);
        let message = format!("CloudWatch Logs cannot keep logs for {days} days");
        problems.error(&node.place, message).hint(format!("write `log-retention-days: {longer}`"));
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

/// Warns of an application that somebody asked for whose work does not keep a cluster alive.
fn unseen(shape: &Node, shipped: &Node, problems: &mut Problems) {
    let names = |list: &Node| list.items().iter().map(|item| item.text().to_string()).collect::<Vec<_>>();
    // The list as shipped, which a file may repeat, was not asked for.
    let asked = |list: &&Node| shipped.at("clusters.standard.applications").map(names) != Some(names(list));
    let Some(list) = shape.get("applications").filter(asked) else { return };
    if let Some(unseen) = list.items().iter().find(|item| UNSEEN.contains(&item.text())) {
        let name = unseen.text();
        let message = format!("work of `{name}` does not count: `idle-timeout` may end a cluster that is busy with it");
        problems.warning(&list.place, message);
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
