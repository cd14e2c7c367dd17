//! What holds between settings, each of which is right by itself.

use super::describe::{DEFAULT_ORIGIN, LAKE};
use super::emr::{Fleet, Scaling};
use super::release;
use crate::mask::is_secret;
use crate::names::Uri;
use crate::yaml::{Content, Node, Problem, Problems, Severity, did_you_mean, ticked, units};

/// Notes all that does not fit, in `settings` as far as they could be read of what is `written`. What is odd about a
/// cluster shape is a warning when it is that of the target in use: others do not matter to the command.
pub(super) fn check(settings: &Node, written: &Node, shipped: &Node, target: Option<&str>, problems: &mut Problems) {
    let empty = Node::plain("", settings.place.clone());
    let group = |key: &str| settings.get(key).unwrap_or(&empty);
    let used = target.and_then(|target| group("targets").get(target)?.get("cluster"));
    for entry in group("clusters").entries() {
        let mut found = Problems::default();
        shape(&entry.value, &mut found);
        let count = |node: &Node| node.get("applications").map(|list| list.items().len());
        let all = written.get("clusters").and_then(|shapes| shapes.get(&entry.key)).and_then(count);
        // An application that was not understood may well be the one that seems to be missing.
        if count(&entry.value) >= all {
            release::applications(&entry.value, shipped, &mut found);
        }
        problems.absorb(found.only(Severity::Error));
        if used.is_some_and(|used| used.text() == entry.key) {
            problems.absorb(found.only(Severity::Warning));
        }
    }
    for entry in group("targets").entries() {
        let (name, node) = (entry.key.as_str(), &entry.value);
        if node.get("kind").is_some_and(|kind| kind.text() == "emr") {
            polls(node, problems);
            cluster(node, group("clusters"), problems);
            let written = written.get("targets").and_then(|targets| targets.get(name)?.get("lake"));
            let lacks_lake = written.is_none_or(Node::is_null) && target == Some(name);
            let selection = settings.get("default-target").filter(|_| lacks_lake);
            in_s3(name, node, selection, problems);
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

/// Notes that two values do not fit: at the first of them that somebody wrote, with the other one beside it.
pub(super) fn conflict<'p>(nodes: [&Node; 2], message: String, problems: &'p mut Problems) -> &'p mut Problem {
    let [first, second] = if is_default(nodes[0]) { [nodes[1], nodes[0]] } else { nodes };
    let said = if is_default(second) { "as it is by default" } else { "the other one" };
    problems.error(&first.place, message).note(&second.place, said)
}

fn polls(target: &Node, problems: &mut Problems) {
    let (Some(fastest), Some(slowest)) = (target.get("poll-fastest"), target.get("poll-slowest")) else { return };
    if units::parse_pause(fastest.text()) > units::parse_pause(slowest.text()) {
        conflict([fastest, slowest], "`poll-fastest` is longer than `poll-slowest`".into(), problems);
    }
}

/// Notes a cluster shape that is not there, or that steps cannot run on with a role of their own.
///
/// Source: EMR management guide, "Runtime roles for Amazon EMR steps".
fn cluster(target: &Node, shapes: &Node, problems: &mut Problems) {
    let Some(node) = target.get("cluster") else { return };
    let known = shapes.entries().iter().map(|entry| entry.key.as_str());
    let Some(name) = named(node, "cluster", known, problems) else { return };
    let (Some(role), Some(shape)) = (target.get("execution-role"), shapes.get(&name)) else { return };
    if let Some(label) = shape.get("release").filter(|label| release::is_before(label.text(), (6, 7))) {
        let message = format!("`execution-role` needs release 6.7.0 or newer, and cluster `{name}` has an older one");
        problems.error(&role.place, message).note(&label.place, "the release");
    }
    if shape.get("security-configuration").is_none() {
        let message = format!("`execution-role` needs a `security-configuration`, and cluster `{name}` has none");
        let hint = "name an EMR security configuration with `EnableApplicationScopedIAMRole` in the cluster";
        problems.error(&role.place, message).hint(hint);
    }
}

/// Notes what of a lake is not in S3: a cluster sees no folder of this machine.
fn in_s3(name: &str, target: &Node, selection: Option<&Node>, problems: &mut Problems) {
    let Some(lake) = target.get("lake") else {
        if let Some(selection) = selection {
            let hint = format!("add `lake: s3://<bucket>/<prefix>` below `{name}:` in `config/soflow.yaml`");
            problems.error(&selection.place, format!("target `{name}` has no `lake`")).hint(hint);
        }
        return;
    };
    for entry in lake.entries().iter().filter(|entry| entry.value.text().starts_with("file:")) {
        let problem = problems.error(&entry.value.place, format!("`{}` of an EMR target must be in S3", entry.key));
        problem.hint("such as `s3://bucket/prefix`");
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

fn shape(shape: &Node, problems: &mut Problems) {
    release::check(shape, problems);
    fleets(shape, problems);
    disk(shape, problems);
    secrets(shape.get("configurations"), problems);
    let (Some(age), Some(idle)) = (shape.get("max-age"), shape.get("idle-timeout")) else { return };
    if units::parse_duration(age.text()) <= units::parse_duration(idle.text()) {
        conflict([age, idle], "`max-age` must be longer than `idle-timeout`".into(), problems);
    }
}

fn fleets(shape: &Node, problems: &mut Problems) {
    let fleet = |part: &str| shape.get(part)?.read::<Fleet>().ok();
    let units = |fleet: &Fleet| fleet.on_demand.saturating_add(fleet.spot);
    let nodes = |part: &str| Some([shape.get(part)?.get("on-demand")?, shape.get(part)?.get("spot")?]);
    if let (Some(primary), Some([on_demand, spot])) = (fleet("primary"), nodes("primary")) {
        if units(&primary) != 1 {
            let pair = if primary.on_demand > 1 { [on_demand, spot] } else { [spot, on_demand] };
            let problem = conflict(pair, "`primary` must be exactly one unit".into(), problems);
            problem.hint("write `on-demand: 1`, or `on-demand: 0` and `spot: 1`");
        }
        let heavy = primary.types.iter().find(|one| one.weight != 1);
        if let (Some(heavy), Some(types)) = (heavy, shape.at("primary.types")) {
            let message =
                format!("`{}` of `primary` cannot count as {} units: it is one node", heavy.name, heavy.weight);
            problems.error(&types.place, message);
        }
    }
    let (Some(core), Some(nodes)) = (fleet("core"), nodes("core")) else { return };
    if units(&core) == 0 {
        let problem = conflict(nodes, "`core` must be at least one unit".into(), problems);
        problem.hint("core nodes hold HDFS, where Spark keeps the logs of its jobs");
    }
    let Some(scaling) = shape.get("scaling").and_then(|node| node.read::<Scaling>().ok()) else { return };
    let bounded =
        [("min", Some(scaling.min)), ("max-on-demand", scaling.max_on_demand), ("max-core", scaling.max_core)];
    let limit = |key: &str| shape.get("scaling")?.get(key);
    for (key, _) in bounded.iter().filter(|(_, value)| value.is_some_and(|value| value > scaling.max)) {
        if let (Some(node), Some(max)) = (limit(key), limit("max")) {
            conflict([node, max], format!("`{key}` is above `max`"), problems);
        }
    }
    // Fleets that begin larger than they may grow.
    let task = fleet("task");
    let all = units(&core).saturating_add(task.as_ref().map_or(0, units));
    let on_demand = core.on_demand.saturating_add(task.as_ref().map_or(0, |task| task.on_demand));
    let limits = [
        ("max", Some(scaling.max), all, "core and task nodes"),
        ("max-core", scaling.max_core, units(&core), "core nodes"),
        ("max-on-demand", scaling.max_on_demand, on_demand, "on-demand nodes"),
    ];
    let sizes =
        || ["task.spot", "task.on-demand", "core.spot", "core.on-demand"].iter().filter_map(|key| shape.at(key));
    for (key, most, size, what) in limits {
        let Some(most) = most.filter(|most| size > *most) else { continue };
        let written = sizes().find(|node| !is_default(node)).or_else(|| sizes().next_back());
        if let (Some(node), Some(limited)) = (written, limit(key)) {
            let message = format!("{size} units of {what} are more than `scaling.{key}`, which is {most}");
            conflict([node, limited], message, problems);
        }
    }
}

/// Notes what no gp3 disk can have. Source: EBS user guide, "General Purpose SSD volumes": at most 500 operations a
/// gigabyte and a quarter megabyte an operation; the lowest of both is always there, however small the disk.
fn disk(shape: &Node, problems: &mut Problems) {
    let part = |key: &str| shape.get("disk")?.get(key).and_then(|node| Some((node, node.read::<u32>().ok()?)));
    let (Some((size, gigabytes)), Some((rate, iops))) = (part("gigabytes"), part("iops")) else { return };
    if iops > 3_000.max(gigabytes.saturating_mul(500)) {
        conflict([rate, size], "`iops` of a gp3 disk is at most 500 a gigabyte".into(), problems);
    }
    if let Some((node, throughput)) = part("throughput")
        && throughput > iops / 4
    {
        conflict([node, rate], "`throughput` of a gp3 disk is at most a quarter of its `iops`".into(), problems);
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
