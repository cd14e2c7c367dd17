//! The nodes of a shape.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::forms;
use super::reader::Reader;
use crate::config::emr::{Fleet, InstanceType, SpotFallback};
use crate::config::keys::NONE;
use crate::config::raw::text;
use crate::yaml::{Content, Node, Problems};

/// Source: EMR API reference, InstanceFleetConfig: 30 with an allocation strategy, which soflow always sets.
const MOST_TYPES: usize = 30;

/// Far above the instances any account may have, which is what counts in the end.
const UNITS: RangeInclusive<u32> = 0..=100_000;

/// At least 1 by the EMR API reference, InstanceTypeConfig; the vCPUs of the largest instances are near the end.
const WEIGHTS: RangeInclusive<i64> = 1..=1_000;

/// Source: EMR API reference, SpotProvisioningSpecification, `TimeoutDurationMinutes`: 5 to 1440.
const SPOT_TIMEOUT: (&str, &str) = ("5m", "24h");

pub(super) struct Fleets {
    pub(super) primary: Fleet,
    pub(super) core: Fleet,
    pub(super) task: Option<Fleet>,
}

pub(super) fn all(reader: &mut Reader<'_>) -> Option<Fleets> {
    let primary = fleet(&mut reader.below("primary"));
    if let Some(fleet) = &primary {
        only_one(&mut reader.below("primary"), fleet);
    }
    let core = fleet(&mut reader.below("core"));
    if let Some(fleet) = &core {
        some_units(&mut reader.below("core"), fleet);
    }
    let without_task = reader.node("task").is_some_and(|node| text(node) == NONE);
    let task = if without_task { Some(None) } else { fleet(&mut reader.below("task")).map(Some) };
    let (primary, core) = (primary?, core?);
    // EMR takes no fleet of no units.
    Some(Fleets { primary, core, task: task?.filter(|task| task.on_demand + task.spot > 0) })
}

fn fleet(reader: &mut Reader<'_>) -> Option<Fleet> {
    let types = reader.node("types").and_then(|node| types(node, reader.problems));
    let on_demand = reader.count("on-demand", UNITS);
    let spot = reader.count("spot", UNITS);
    let minutes = minutes(reader);
    let choices = [("on-demand", SpotFallback::OnDemand), ("terminate", SpotFallback::Terminate)];
    let fallback = reader.node("when-no-spot").and_then(|node| node.choice("when-no-spot", &choices, reader.problems));
    Some(Fleet {
        types: types?,
        on_demand: on_demand?,
        spot: spot?,
        spot_timeout_minutes: minutes?,
        spot_fallback: fallback?,
    })
}

fn minutes(reader: &mut Reader<'_>) -> Option<u32> {
    let seconds = reader.seconds("spot-timeout", SPOT_TIMEOUT)?;
    if seconds % 60 > 0 {
        let node = reader.node("spot-timeout")?;
        reader.problems.error(&node.place, "`spot-timeout` must be whole minutes");
    }
    u32::try_from(seconds / 60).ok()
}

fn types(node: &Node, problems: &mut Problems) -> Option<Vec<InstanceType>> {
    let items = node.items("types", problems);
    if matches!(&node.content, Content::List(items) if items.is_empty()) {
        problems.error(&node.place, "`types` names no instance type");
        return None;
    }
    if let Some(item) = items.get(MOST_TYPES) {
        let message = format!("a fleet has at most {MOST_TYPES} instance types, and here are {}", items.len());
        problems.error(&item.place, message);
    }
    let types: Vec<InstanceType> = items.iter().filter_map(|item| instance_type(item, problems)).collect();
    let mut seen = BTreeSet::new();
    for (item, known) in items.iter().zip(&types) {
        if types.len() == items.len() && !seen.insert(&known.name) {
            problems.error(&item.place, format!("`{}` is there twice", known.name));
        }
    }
    (!items.is_empty() && types.len() == items.len()).then_some(types)
}

/// Returns `m5.xlarge`, which counts one unit, or `{ m5.2xlarge: 2 }`, which counts two.
fn instance_type(item: &Node, problems: &mut Problems) -> Option<InstanceType> {
    let Content::Map(entries) = &item.content else {
        return forms::INSTANCE_TYPE.read("types", item, problems).map(|name| InstanceType { name, weight: 1 });
    };
    let [entry] = entries.as_slice() else {
        let problem = problems.error(&item.place, "one instance type an item");
        problem.hint("write `[m5.xlarge, { m5.2xlarge: 2 }]`: the number is the units that one instance counts");
        return None;
    };
    let name = forms::INSTANCE_TYPE.read("types", &Node::plain(entry.key.clone(), entry.place.clone()), problems);
    let weight = entry.value.integer(&entry.key, WEIGHTS, problems)?;
    Some(InstanceType { name: name?, weight: u32::try_from(weight).ok()? })
}

/// Notes when the primary fleet is not one instance, or could be one that counts as several units.
fn only_one(reader: &mut Reader<'_>, fleet: &Fleet) {
    let keys = ["on-demand", "spot", "types"].map(|key| reader.node(key));
    let [Some(on_demand), Some(spot), Some(types)] = keys else { return };
    if fleet.on_demand.saturating_add(fleet.spot) != 1 {
        let nodes = if fleet.on_demand > 1 { [on_demand, spot] } else { [spot, on_demand] };
        let problem = reader.conflict(nodes, "`primary` must be exactly one unit".into());
        problem.hint("write `on-demand: 1`, or `on-demand: 0` and `spot: 1`");
    }
    if let Some(heavy) = fleet.types.iter().find(|one| one.weight != 1) {
        let message = format!("`{}` of `primary` cannot count as {} units: it is one node", heavy.name, heavy.weight);
        reader.problems.error(&types.place, message);
    }
}

fn some_units(reader: &mut Reader<'_>, fleet: &Fleet) {
    let (Some(on_demand), Some(spot)) = (reader.node("on-demand"), reader.node("spot")) else { return };
    if fleet.on_demand.saturating_add(fleet.spot) == 0 {
        let problem = reader.conflict([on_demand, spot], "`core` must be at least one unit".into());
        problem.hint("core nodes hold HDFS, where Spark keeps the logs of its jobs");
    }
}
