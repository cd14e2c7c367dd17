//! The release of a shape and the applications on it.

use std::collections::BTreeSet;

use super::reader::Reader;
use super::release::{LABEL, LAST_UNSUPPORTED, Release};
use crate::names::APPLICATIONS;
use crate::yaml::{Node, Problems, did_you_mean};

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

pub(super) struct Software {
    pub(super) release: String,
    pub(super) applications: Vec<String>,
    pub(super) cloudwatch_logs: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Software> {
    let label = reader.formed("release", &LABEL);
    let logs = reader.node("cloudwatch-logs").and_then(|node| node.boolean("cloudwatch-logs", reader.problems));
    let list = reader.node("applications")?;
    let applications = applications(list, reader.problems);
    if !reader.project.is_shipped("clusters.standard.applications", list) {
        warn_unseen(list, applications.as_deref().unwrap_or_default(), reader.problems);
    }
    let release = label.as_deref().and_then(Release::parse);
    if let Some(release) = release {
        check_release(reader, release, applications.as_deref().unwrap_or_default());
    }
    if let (Some(true), Some(release)) = (logs, release) {
        check_logs(reader, release, applications.as_deref());
    }
    Some(Software { release: label?, applications: applications?, cloudwatch_logs: logs? })
}

/// Returns the names of a list, each once and as EMR spells it.
fn applications(list: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let items = list.items("applications", problems);
    let mut seen = BTreeSet::new();
    let mut good = true;
    let mut names = Vec::new();
    for item in items {
        let Some(name) = item.scalar("applications", problems) else {
            good = false;
            continue;
        };
        let known = APPLICATIONS.contains(&name.as_str());
        if !known {
            let near = did_you_mean(&name, APPLICATIONS);
            problems.error(&item.place, format!("EMR has no application `{name}`")).hint_if(near);
        } else if !seen.insert(name.clone()) {
            problems.error(&item.place, format!("`{name}` is there twice"));
        } else if let Some(other) = PRESTOS.iter().find(|other| **other != name && seen.contains(**other))
            && PRESTOS.contains(&name.as_str())
        {
            problems.error(&item.place, format!("`{name}` and `{other}` cannot be on one cluster"));
        }
        good &= known;
        names.push(name);
    }
    if good && !seen.contains("Spark") {
        problems.error(&list.place, "`applications` must have `Spark`: steps are Spark jobs");
    }
    good.then_some(names)
}

/// Notes an application that somebody asked for, and whose work may be cut short.
fn warn_unseen(list: &Node, applications: &[String], problems: &mut Problems) {
    if let Some(unseen) = applications.iter().find(|name| UNSEEN.contains(&name.as_str())) {
        let message =
            format!("work of `{unseen}` does not count: `idle-timeout` may end a cluster that is busy with it");
        problems.warning(&list.place, message);
    }
}

/// Notes what a release does not have.
fn check_release(reader: &mut Reader<'_>, release: Release, applications: &[String]) {
    let (Some(label), Some(list)) = (reader.node("release"), reader.node("applications")) else { return };
    let name = super::raw::text(label);
    if !release.can_end_idle() {
        let message = format!("`{name}` cannot end an idle cluster");
        reader.problems.error(&label.place, message).hint("releases from 5.30.0, and from 6.1.0, can");
    }
    if release.spark {
        let lacks = |name: &&String| !OF_SPARK_LINE.contains(&name.as_str());
        let lacking: Vec<String> = applications.iter().filter(lacks).map(|name| format!("`{name}`")).collect();
        if !lacking.is_empty() {
            let problem = reader.conflict([list, label], format!("`{name}` has no {}", lacking.join(", ")));
            problem
                .hint(format!("it has {}; the others need a release such as `emr-7.14.0`", OF_SPARK_LINE.join(", ")));
        }
    }
    let (last, since) = LAST_UNSUPPORTED;
    if release <= last {
        let message = format!("`{name}` is without AWS's standard support, as are all up to 7.3.0 since {since}");
        reader.problems.warning(&label.place, message);
    }
}

/// Notes what logs in CloudWatch need and the shape does not have.
fn check_logs(reader: &mut Reader<'_>, release: Release, applications: Option<&[String]>) {
    let keys = ["cloudwatch-logs", "release", "applications"].map(|key| reader.node(key));
    let [Some(logs), Some(label), Some(list)] = keys else { return };
    let hint = "write `cloudwatch-logs: false`: logs are then read from S3, minutes later";
    if !release.can_log_to_cloudwatch() {
        let message = format!("`cloudwatch-logs` needs release 7.11.0 or newer, not `{}`", super::raw::text(label));
        reader.conflict([logs, label], message).hint(hint);
    }
    if applications.is_some_and(|names| !names.iter().any(|name| name == AGENT)) {
        let message = format!("`cloudwatch-logs` needs the application `{AGENT}`");
        reader.conflict([logs, list], message).hint(format!("add `{AGENT}`, or {hint}"));
    }
}
