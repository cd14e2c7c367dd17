//! Cluster shapes.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Reader;
use super::release::Release;
use super::{Project, bootstrap, configurations, fleet, forms, scaling, software, suggestion};
use crate::config::emr::{Disk, Shape};
use crate::config::raw::{self, Raw};
use crate::yaml::{Node, Problems, Severity};

/// Source: EMR API reference, AutoTerminationPolicy, `IdleTimeout`.
const IDLE: (&str, &str) = ("60s", "7d");

/// A year is more than anyone means, and keeps the arithmetic safe.
const AGE: (&str, &str) = ("60s", "365d");

/// Source: EMR API reference, RunJobFlow, `StepConcurrencyLevel`.
const CONCURRENCY: std::ops::RangeInclusive<u32> = 1..=256;

/// Source: EC2 user guide, "Tag restrictions".
const MOST_TAGS: usize = 50;

/// The shapes as read, with what is odd about each.
pub(super) struct Shapes {
    all: BTreeMap<String, Known>,
}

struct Known {
    shape: Option<Shape>,
    release: Option<Node>,
    /// Whether it names a security configuration.
    secured: bool,
    problems: Problems,
}

impl Shapes {
    /// Reads all shapes, noting everything that is wrong with any of them.
    pub(super) fn read(project: &Project<'_>, merged: &Raw, problems: &mut Problems) -> Self {
        let mut all = BTreeMap::new();
        for name in raw::names(merged, "clusters") {
            let mut found = Problems::default();
            let mut everything = Reader::new(project, merged, &mut found);
            let mut reader = everything.below(&format!("clusters.{name}"));
            let shape = shape(&mut reader);
            let (release, secured) = (reader.node("release").cloned(), reader.says("security-configuration"));
            problems.absorb(found.only(Severity::Error));
            all.insert(name, Known { shape, release, secured, problems: found });
        }
        Self { all }
    }

    /// Returns the name that a node gives, noting when there is no shape of that name.
    pub(super) fn named(&self, node: &Node, problems: &mut Problems) -> Option<String> {
        let wanted = node.scalar("cluster", problems)?;
        if self.all.contains_key(&wanted) {
            return Some(wanted);
        }
        let names: Vec<String> = self.all.keys().cloned().collect();
        let hint = suggestion(&wanted, "clusters", &names);
        problems.error(&node.place, format!("there is no cluster `{wanted}`")).hint(hint);
        None
    }

    /// Returns a shape, unless something is wrong with it.
    pub(super) fn get(&self, name: &str) -> Option<Shape> {
        self.all.get(name)?.shape.clone()
    }

    /// Notes what is odd about a shape.
    pub(super) fn warn(&self, name: &str, problems: &mut Problems) {
        if let Some(known) = self.all.get(name) {
            problems.absorb(known.problems.only(Severity::Warning));
        }
    }

    /// Notes when steps on a shape cannot run with a role of their own.
    ///
    /// Source: EMR management guide, "Runtime roles for Amazon EMR steps".
    pub(super) fn allow_role(&self, name: &str, role: &Node, problems: &mut Problems) {
        let Some(known) = self.all.get(name) else { return };
        if let Some(node) = &known.release
            && Release::parse(raw::text(node)).is_some_and(|release| release < Release::from(6, 7))
        {
            let message =
                format!("`execution-role` needs release 6.7.0 or newer, and cluster `{name}` has an older one");
            problems.error(&role.place, message).note(&node.place, "the release");
        }
        if !known.secured {
            let message = format!("`execution-role` needs a `security-configuration`, and cluster `{name}` has none");
            let problem = problems.error(&role.place, message);
            problem.hint("name an EMR security configuration with `EnableApplicationScopedIAMRole` in the cluster");
        }
    }
}

fn shape(reader: &mut Reader<'_>) -> Option<Shape> {
    let software = software::read(reader);
    let service_role = reader.formed("service-role", &forms::ROLE);
    let instance_profile = reader.formed("instance-profile", &forms::INSTANCE_PROFILE);
    let subnets = subnets(reader);
    let key_name = reader.optional("key-name", &forms::KEY_NAME);
    let security = reader.optional("security-configuration", &forms::SECURITY_CONFIGURATION);
    let fleets = fleet::all(reader);
    let scaling = scaling::read(reader, fleets.as_ref());
    let step_concurrency = reader.count("step-concurrency", CONCURRENCY);
    let python = reader.formed("python", &forms::PYTHON);
    let disk = disk(&mut reader.below("disk"));
    let bootstrap = bootstrap::read(reader);
    let configurations = configurations::read(reader);
    let tags = tags(reader);
    let life = life(reader);
    let dollars = reader.above_zero("max-dollars-per-hour");
    let log_key = reader.optional("log-key", &forms::KEY_ARN);
    let (software, fleets, (idle_seconds, max_age_seconds)) = (software?, fleets?, life?);
    Some(Shape {
        release: software.release,
        applications: software.applications,
        service_role: service_role?,
        instance_profile: instance_profile?,
        subnets: subnets?,
        key_name: key_name?,
        security_configuration: security?,
        primary: fleets.primary,
        core: fleets.core,
        task: fleets.task,
        scaling: scaling?,
        step_concurrency: step_concurrency?,
        python: python?,
        disk: disk?,
        bootstrap: bootstrap?,
        configurations: configurations?,
        tags: tags?,
        idle_seconds,
        max_age_seconds,
        max_dollars_per_hour: dollars?,
        cloudwatch_logs: software.cloudwatch_logs,
        log_key: log_key?,
    })
}

fn subnets(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let Some(node) = reader.node("subnets") else { return Some(Vec::new()) };
    let items = node.items("subnets", reader.problems);
    let mut found = BTreeSet::new();
    let mut subnets = Vec::new();
    for item in &items {
        let Some(id) = forms::SUBNET.read("subnets", item, reader.problems) else { continue };
        if !found.insert(id.clone()) {
            reader.problems.error(&item.place, format!("`{id}` is there twice"));
        }
        subnets.push(id);
    }
    (subnets.len() == items.len()).then_some(subnets)
}

/// Limits of gp3. Source: EBS user guide, "General Purpose SSD volumes", gp3: 16 TiB, 3,000 to 16,000 operations a
/// second and at most 500 a gigabyte, 125 to 1,000 megabytes a second and at most a quarter of the operations; at least
/// 10 gigabytes by the EMR API reference, VolumeSpecification. EMR mounts each disk as `/mnt`, `/mnt1` and so on.
fn disk(reader: &mut Reader<'_>) -> Option<Disk> {
    let gigabytes = reader.count("gigabytes", 10..=16_384);
    let count = reader.count("count", 1..=25);
    let iops = reader.count("iops", 3_000..=16_000);
    let throughput = reader.count("throughput", 125..=1_000);
    let disk = Disk { gigabytes: gigabytes?, count: count?, iops: iops?, throughput: throughput? };
    // The lowest of both is always there, however small the disk.
    if disk.iops > 3_000.max(disk.gigabytes.saturating_mul(500)) {
        let nodes = [reader.node("iops")?, reader.node("gigabytes")?];
        reader.conflict(nodes, "`iops` of a gp3 disk is at most 500 a gigabyte".into());
    }
    if disk.throughput > disk.iops / 4 {
        let nodes = [reader.node("throughput")?, reader.node("iops")?];
        reader.conflict(nodes, "`throughput` of a gp3 disk is at most a quarter of its `iops`".into());
    }
    Some(disk)
}

fn tags(reader: &mut Reader<'_>) -> Option<BTreeMap<String, String>> {
    let entries = reader.entries("tags");
    if let Some((_, node)) = entries.get(MOST_TAGS) {
        let message = format!("a cluster has at most {MOST_TAGS} tags, and here are {}", entries.len());
        reader.problems.error(&node.place, message);
    }
    entries.iter().map(|(key, node)| Some(((*key).to_string(), node.scalar(key, reader.problems)?))).collect()
}

/// Returns after how many idle seconds a cluster ends, and at what age.
fn life(reader: &mut Reader<'_>) -> Option<(u64, u64)> {
    let (idle, age) = (reader.seconds("idle-timeout", IDLE), reader.seconds("max-age", AGE));
    if age? <= idle? {
        let nodes = [reader.node("max-age")?, reader.node("idle-timeout")?];
        reader.conflict(nodes, "`max-age` must be longer than `idle-timeout`".into());
        return None;
    }
    idle.zip(age)
}
