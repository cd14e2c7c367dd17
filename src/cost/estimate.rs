//! What a cluster shape would cost, before there is a cluster.

use std::fmt;

use jiff::civil::Date;

use super::dollars::Range;
use super::prices::{Lookup, Market, Missing, as_of};
use crate::config::{Fleet, InstanceType, Shape};

/// Fleets of more units than this have no price here: 2,000 instances, EMR's quota of an instance group, of the heaviest
/// weight that is plausible, the 48 processors of a `12xlarge`.
const MOST_UNITS: u64 = 2_000 * 48;

/// What an hour of a cluster of a shape would cost: how many it will be needed nobody knows. Both amounts are ranges: which
/// types EMR picks from a fleet, and what spot instances cost, is known afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The date of the prices.
    pub as_of: Date,
    /// At the size the cluster starts with.
    pub start_per_hour: Range,
    /// At full size: where managed scaling may take it. A guard against spending compares its `high`.
    pub full_per_hour: Range,
}

/// Always says that it is an estimate, and of when its prices are.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start_per_hour == self.full_per_hour {
            write!(f, "{} an hour", self.full_per_hour)?;
        } else {
            write!(f, "{} an hour at the start, {} at full size", self.start_per_hour, self.full_per_hour)?;
        }
        write!(f, " (estimate, prices of {})", self.as_of)
    }
}

/// Returns what an hour of a cluster of `shape` would cost in `region`.
///
/// # Errors
/// The prices it would need and the table does not have.
pub fn estimate(shape: &Shape, region: &str) -> Result<Estimate, Missing> {
    let mut lookup = Lookup::new(region);
    let start_per_hour = start(shape, &mut lookup);
    let full_per_hour = full(shape, &mut lookup);
    lookup.complete(Estimate { as_of: as_of(), start_per_hour, full_per_hour })
}

fn start(shape: &Shape, lookup: &mut Lookup<'_>) -> Range {
    let fleets = [Some(&shape.primary), Some(&shape.core), shape.task.as_ref()];
    fleets.into_iter().flatten().map(|fleet| price(shape, fleet, units(fleet), lookup)).sum()
}

/// What is known of the full size are limits: on its units, on those among them that are core, and on those that are
/// on demand. So every corner of what they allow is priced.
fn full(shape: &Shape, lookup: &mut Lookup<'_>) -> Range {
    let Some(scaling) = &shape.scaling else { return start(shape, lookup) };
    let core = units(&shape.core);
    let task = shape.task.as_ref().map(units).unwrap_or_default();
    // A cluster starts with its fleets as they are written, even above what scaling would allow.
    let most = u64::from(scaling.max).max(core.all() + task.all());
    let demanded = core.on_demand + task.on_demand;
    let on_demand = [demanded, scaling.max_on_demand.map_or(most, |limit| u64::from(limit).clamp(demanded, most))];
    let cores = match &shape.task {
        Some(_) => [core.all(), scaling.max_core.map_or(most, |limit| u64::from(limit).clamp(core.all(), most))],
        None => [most, most],
    };
    let mut corner = |core: u64, on_demand: u64| {
        let core_units = Units { on_demand: on_demand.min(core), spot: core - on_demand.min(core) };
        let left = on_demand - core_units.on_demand;
        let task_units = Units { on_demand: left, spot: most - core - left };
        let task = shape.task.as_ref().map(|task| price(shape, task, task_units, lookup));
        price(shape, &shape.core, core_units, lookup) + task.unwrap_or_default()
    };
    let corners = [
        corner(cores[0], on_demand[0]),
        corner(cores[0], on_demand[1]),
        corner(cores[1], on_demand[0]),
        corner(cores[1], on_demand[1]),
    ];
    let workers = corners.into_iter().reduce(Range::around).unwrap_or_default();
    workers + price(shape, &shape.primary, units(&shape.primary), lookup)
}

#[derive(Clone, Copy, Default)]
struct Units {
    on_demand: u64,
    spot: u64,
}

impl Units {
    fn all(self) -> u64 {
        self.on_demand + self.spot
    }
}

fn units(fleet: &Fleet) -> Units {
    Units { on_demand: fleet.on_demand.into(), spot: fleet.spot.into() }
}

fn price(shape: &Shape, fleet: &Fleet, units: Units, lookup: &mut Lookup<'_>) -> Range {
    let disk_gb = u64::from(shape.disk.gigabytes) * u64::from(shape.disk.count);
    let mut of = |market, units| {
        if units == 0 {
            return Range::default();
        }
        if units > MOST_UNITS {
            return lookup.lacks(format!("a fleet of {units} units"));
        }
        let priced = |kind: &InstanceType| (u64::from(kind.weight), lookup.hour(&kind.name, market, disk_gb));
        filled(units, &fleet.types.iter().map(priced).collect::<Vec<_>>())
    };
    of(Market::OnDemand, units.on_demand) + of(Market::Spot, units.spot)
}

/// Returns the least and the most that instances of these weights and prices cost together when they are added, in any
/// mix, until they count `units`. The last one may count more than was left.
fn filled(units: u64, types: &[(u64, Range)]) -> Range {
    let mut costs = vec![Range::default()];
    for left in 1..=units {
        let with = |&(weight, price): &(u64, Range)| {
            let rest = left.saturating_sub(weight.max(1));
            price + usize::try_from(rest).ok().and_then(|rest| costs.get(rest)).copied().unwrap_or_default()
        };
        let cost = types.iter().map(with).reduce(Range::around).unwrap_or_default();
        costs.push(cost);
    }
    costs.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests;
