//! Managed scaling of a shape.

use super::fleet::Fleets;
use super::reader::Reader;
use crate::config::emr::{Fleet, Scaling};
use crate::config::keys::NONE;
use crate::config::raw::text;

/// The units of a fleet are bounded the same.
const MOST: u32 = 100_000;

/// Returns the limits, `None` within when the fleets keep their size.
pub(super) fn read(reader: &mut Reader<'_>, fleets: Option<&Fleets>) -> Option<Option<Scaling>> {
    if reader.node("scaling").is_some_and(|node| text(node) == NONE) {
        return Some(None);
    }
    let written = reader.entries("scaling");
    let mut below = reader.below("scaling");
    for key in ["min", "max"] {
        // Only where `standard` is without scaling: else it says both.
        if let (None, Some((_, other))) = (below.node(key), written.first()) {
            below.problems.error(&other.place, format!("`scaling` has no `{key}`"));
        }
    }
    let (min, max) = (below.count("min", 1..=MOST), below.count("max", 1..=MOST));
    let max_on_demand = below.count_or_none("max-on-demand", 0..=MOST);
    let max_core = below.count_or_none("max-core", 1..=MOST);
    let scaling = Scaling { min: min?, max: max?, max_on_demand: max_on_demand?, max_core: max_core? };
    within(&mut below, &scaling);
    if let Some(fleets) = fleets {
        sizes(reader, &scaling, fleets);
    }
    Some(Some(scaling))
}

/// Notes limits that are above the largest size, or below the smallest.
fn within(reader: &mut Reader<'_>, scaling: &Scaling) {
    let bounded =
        [("min", Some(scaling.min)), ("max-on-demand", scaling.max_on_demand), ("max-core", scaling.max_core)];
    for (key, value) in bounded {
        if value.is_some_and(|value| value > scaling.max)
            && let (Some(node), Some(max)) = (reader.node(key), reader.node("max"))
        {
            reader.conflict([node, max], format!("`{key}` is above `max`"));
        }
    }
}

/// Notes fleets that begin larger than they may grow.
fn sizes(reader: &mut Reader<'_>, scaling: &Scaling, fleets: &Fleets) {
    let units = |fleet: &Fleet| fleet.on_demand.saturating_add(fleet.spot);
    let task = fleets.task.as_ref();
    let core = units(&fleets.core);
    let all = core.saturating_add(task.map_or(0, units));
    let on_demand = fleets.core.on_demand.saturating_add(task.map_or(0, |task| task.on_demand));
    let limits = [
        ("scaling.max", Some(scaling.max), all, "core and task nodes"),
        ("scaling.max-core", scaling.max_core, core, "core nodes"),
        ("scaling.max-on-demand", scaling.max_on_demand, on_demand, "on-demand nodes"),
    ];
    for (key, limit, size, what) in limits {
        let Some(limit) = limit.filter(|limit| size > *limit) else { continue };
        let largest = ["task.spot", "task.on-demand", "core.spot", "core.on-demand"].into_iter();
        let written = largest.filter_map(|key| reader.node(key)).find(|node| !super::is_default(node));
        let (Some(node), Some(limited)) = (written.or_else(|| reader.node("core.on-demand")), reader.node(key)) else {
            continue;
        };
        reader.conflict([node, limited], format!("{size} units of {what} are more than `{key}`, which is {limit}"));
    }
}
