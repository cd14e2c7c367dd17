//! What an EMR release has, and what not.

use super::describe;
use super::rules::conflict;
use crate::yaml::{Node, Problems, ticked};

/// The last release of the classic line that AWS no longer gives standard support for, and since when.
/// Source: EMR release guide, "Amazon EMR standard support"; older ones left it before.
const LAST_UNSUPPORTED: ((u32, u32), &str) = ((7, 3), "2026-10-15");

/// What the releases `emr-spark-8` have. Source: EMR release guide, "Amazon EMR Spark releases".
const OF_SPARK_LINE: [&str; 7] =
    ["AmazonCloudWatchAgent", "Delta", "Hudi", "Iceberg", "JupyterEnterpriseGateway", "Livy", "Spark"];

/// Only one of these can be on a cluster. Source: EMR release guide, "PrestoDB installation".
const PRESTOS: [&str; 3] = ["Presto", "PrestoSQL", "Trino"];

/// What runs outside YARN, so that EMR does not see it work. Source: EMR management guide, "Using an auto-termination
/// policy": not supported with Presto, Trino and HBase.
const UNSEEN: [&str; 4] = ["HBase", "Presto", "PrestoSQL", "Trino"];

/// Sends logs to CloudWatch.
const AGENT: &str = "AmazonCloudWatchAgent";

/// Returns major and minor version of a label, and whether it is of the line that has Spark 4 and little besides.
fn version(label: &str) -> Option<((u32, u32), bool)> {
    let rest = label.strip_prefix("emr-")?;
    let (spark, rest) = rest.strip_prefix("spark-").map_or((false, rest), |rest| (true, rest));
    let mut numbers = rest.split('.').map(|part| part.parse().ok());
    Some(((numbers.next()??, numbers.next()??), spark))
}

/// Returns whether a label names an older release than one.
pub(super) fn is_before(label: &str, first: (u32, u32)) -> bool {
    version(label).is_some_and(|(version, _)| version < first)
}

/// Notes what the release of a shape does not have.
pub(super) fn check(shape: &Node, problems: &mut Problems) {
    let Some(label) = shape.get("release") else { return };
    let (Some((version, spark)), name) = (version(label.text()), label.text()) else { return };
    // Source: EMR API reference, PutAutoTerminationPolicy: 5.30.0, and 6.1.0 and later.
    if version < (5, 30) || version == (6, 0) {
        let problem = problems.error(&label.place, format!("`{name}` cannot end an idle cluster"));
        problem.hint("releases from 5.30.0, and from 6.1.0, can");
    }
    let (last, since) = LAST_UNSUPPORTED;
    if version <= last {
        let message = format!("`{name}` is without AWS's standard support, as are all up to 7.3.0 since {since}");
        problems.warning(&label.place, message);
    }
    if let Some(list) = shape.get("applications").filter(|_| spark) {
        let lacking = list.items().iter().map(Node::text).filter(|name| !OF_SPARK_LINE.contains(name));
        let lacking: Vec<&str> = lacking.collect();
        if !lacking.is_empty() {
            let hint = format!("it has {}; the others need a release such as `emr-7.14.0`", OF_SPARK_LINE.join(", "));
            conflict([list, label], format!("`{name}` has no {}", ticked(lacking)), problems).hint(hint);
        }
    }
    // Source: EMR management guide, "Monitor Amazon EMR logs with CloudWatch": 7.11.0 and later.
    if let Some(logs) = cloudwatch_logs(shape).filter(|_| version < (7, 11)) {
        let message = format!("`cloudwatch-logs` needs release 7.11.0 or newer, not `{name}`");
        conflict([logs, label], message, problems).hint(WITHOUT_CLOUDWATCH);
    }
}

/// What to write when logs cannot go to CloudWatch.
const WITHOUT_CLOUDWATCH: &str = "write `cloudwatch-logs: false`: logs are then read from S3, minutes later";

/// Returns the value that sends logs to CloudWatch, if it does.
fn cloudwatch_logs(shape: &Node) -> Option<&Node> {
    shape.get("cloudwatch-logs").filter(|logs| logs.read().unwrap_or(false))
}

/// Notes what cannot be together in a list of applications, and what is missing there. All of the list was understood.
pub(super) fn applications(shape: &Node, shipped: &Node, problems: &mut Problems) {
    let Some(list) = shape.get("applications") else { return };
    let has = |name: &str| list.items().iter().any(|item| item.text() == name);
    if !has("Spark") {
        problems.error(&list.place, "`applications` must have `Spark`: steps are Spark jobs");
    }
    let mut engines = list.items().iter().filter(|item| PRESTOS.contains(&item.text()));
    if let (Some(first), Some(second)) = (engines.next(), engines.next()) {
        let message = format!("`{}` and `{}` cannot be on one cluster", second.text(), first.text());
        problems.error(&second.place, message);
    }
    let unseen = UNSEEN.iter().find(|name| has(name));
    // Only of what somebody asked for.
    if let Some(unseen) = unseen.filter(|_| !describe::is_shipped(shipped, "clusters.standard.applications", list)) {
        let message =
            format!("work of `{unseen}` does not count: `idle-timeout` may end a cluster that is busy with it");
        problems.warning(&list.place, message);
    }
    if let Some(logs) = cloudwatch_logs(shape).filter(|_| !has(AGENT)) {
        let message = format!("`cloudwatch-logs` needs the application `{AGENT}`");
        conflict([logs, list], message, problems).hint(format!("add `{AGENT}`, or {WITHOUT_CLOUDWATCH}"));
    }
}
