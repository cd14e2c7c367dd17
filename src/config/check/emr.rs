//! Settings of an EMR target.

use std::path::PathBuf;

use super::forms;
use super::lake;
use super::reader::Reader;
use super::shape::Shapes;
use crate::config::emr::Emr;
use crate::config::keys::{LAKE, NONE};
use crate::config::raw::text;
use crate::config::settings::Lake;

/// Longest wait for a busy cluster. The queue is held by a waiting soflow; longer than a week nobody means.
const QUEUE: (&str, &str) = ("0s", "7d");

pub(super) fn read(reader: &mut Reader<'_>, shapes: &Shapes) -> Option<Emr> {
    let region = reader.optional("region", &forms::REGION);
    let profile = reader.optional("profile", &forms::PROFILE);
    let database = reader.formed("database", &forms::DATABASE);
    let workgroup = reader.formed("workgroup", &forms::WORKGROUP);
    let role = reader.optional("execution-role", &forms::ROLE_ARN);
    let dependencies = dependencies(reader);
    let queue = reader.seconds("queue-for", QUEUE);
    let api_quota = reader.above_zero("api-quota");
    let lost_answer_wait =
        reader.node("lost-answer-wait").and_then(|node| node.pause("lost-answer-wait", reader.problems));
    let pace = pace(reader);
    let cluster = reader.node("cluster").and_then(|node| shapes.named(node, reader.problems));
    if let (Some(node), Some(Some(_)), Some(cluster)) = (reader.node("execution-role"), &role, &cluster) {
        shapes.allow_role(cluster, node, reader.problems);
    }
    let ((poll_fastest, poll_slowest), cluster) = (pace?, cluster?);
    Some(Emr {
        region: region?,
        profile: profile?,
        database: database?,
        workgroup: workgroup?,
        shape: shapes.get(&cluster)?,
        cluster,
        execution_role: role?,
        dependencies: dependencies?,
        queue_seconds: queue?,
        poll_fastest,
        poll_slowest,
        lost_answer_wait: lost_answer_wait?,
        api_quota: api_quota?,
    })
}

/// Returns the file with the requirements, `None` within when nothing is to be shipped.
fn dependencies(reader: &mut Reader<'_>) -> Option<Option<PathBuf>> {
    let Some(node) = reader.node("dependencies").filter(|node| text(node) != NONE) else { return Some(None) };
    let path = reader.path("dependencies")?;
    if (reader.project.exists)(&path) {
        return Some(Some(path));
    }
    if reader.project.is_shipped("targets.emr.dependencies", node) {
        // A project without the usual file ships nothing.
        return Some(None);
    }
    let problem = reader.problems.error(&node.place, format!("there is no file {}", node.describe()));
    problem.hint("a file of requirements pinned with hashes, or `none` to ship nothing");
    None
}

/// Returns the shortest and the longest time between two looks at a cluster.
fn pace(reader: &mut Reader<'_>) -> Option<(std::time::Duration, std::time::Duration)> {
    let keys = ["poll-fastest", "poll-slowest"];
    let nodes = [reader.node(keys[0])?, reader.node(keys[1])?];
    let [fastest, slowest] = [0, 1].map(|at| nodes[at].pause(keys[at], reader.problems));
    if fastest.is_some_and(|fastest| fastest.is_zero()) {
        reader.problems.error(&nodes[0].place, "`poll-fastest` must be longer than nothing");
        return None;
    }
    if fastest? > slowest? {
        reader.conflict(nodes, "`poll-fastest` is longer than `poll-slowest`".into());
        return None;
    }
    fastest.zip(slowest)
}

/// Returns the locations, which are all in S3: a cluster sees no folder of this machine.
pub(super) fn lake(reader: &mut Reader<'_>, name: &str) -> Option<Lake> {
    let missing = LAKE.iter().find(|key| reader.node(&format!("lake.{key}")).is_none());
    if let Some(missing) = missing {
        let written = reader.entries("lake");
        let message = match written.first() {
            Some(_) => format!("the lake of target `{name}` has no `{missing}`"),
            None => format!("target `{name}` has no `lake`"),
        };
        let place = written.first().map(|(_, node)| *node).or_else(|| reader.selection(name))?.place.clone();
        let hint = format!("add `lake: s3://<bucket>/<prefix>` below `{name}:` in `config/soflow.yaml`");
        reader.problems.error(&place, message).hint(hint);
        return None;
    }
    for key in LAKE {
        let node = reader.node(&format!("lake.{key}"))?;
        if text(node).starts_with("file:") {
            let message = format!("`{key}` of an EMR target must be in S3, found {}", node.describe());
            reader.problems.error(&node.place, message).hint("such as `s3://bucket/prefix`");
            return None;
        }
    }
    lake::read(reader)
}
