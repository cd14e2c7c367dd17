//! How large a cluster of a shape may get: an upper limit, whatever EMR picks from its fleets.

use std::collections::BTreeSet;

use crate::config::{Fleet, InstanceType, Shape};

/// Returns the fleets of a shape with their names.
pub(super) fn fleets(shape: &Shape) -> impl Iterator<Item = (&'static str, &Fleet)> {
    let task = shape.task.as_ref().map(|task| ("task", task));
    [("primary", &shape.primary), ("core", &shape.core)].into_iter().chain(task)
}

/// Returns the instance types of a shape, each once.
pub(super) fn types(shape: &Shape) -> BTreeSet<&str> {
    fleets(shape).flat_map(|(_, fleet)| &fleet.types).map(|kind| kind.name.as_str()).collect()
}

/// Units of capacity of all fleets but the primary's, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    /// Altogether.
    pub all: u64,
    /// Of them on demand.
    pub on_demand: u64,
    /// Of them spot.
    pub spot: u64,
}

/// Returns the most units of the fleets that may grow.
pub(super) fn most(shape: &Shape) -> Units {
    let workers: Vec<&Fleet> = [Some(&shape.core), shape.task.as_ref()].into_iter().flatten().collect();
    let on_demand: u64 = workers.iter().map(|fleet| u64::from(fleet.on_demand)).sum();
    let spot: u64 = workers.iter().map(|fleet| u64::from(fleet.spot)).sum();
    let Some(scaling) = &shape.scaling else { return Units { all: on_demand + spot, on_demand, spot } };
    // A cluster starts with its fleets as they are written, even above what scaling would allow.
    let all = u64::from(scaling.max).max(on_demand + spot);
    let may = scaling.max_on_demand.map_or(all, u64::from).min(all);
    Units { all, on_demand: may.max(on_demand), spot: (all - may).max(spot) }
}

/// Returns the most instances at once, the primary among them.
pub(super) fn instances(shape: &Shape) -> u64 {
    let lightest = |fleets: &[&Fleet]| fleets.iter().flat_map(|fleet| &fleet.types).map(weight).min().unwrap_or(1);
    let workers: Vec<&Fleet> = [Some(&shape.core), shape.task.as_ref()].into_iter().flatten().collect();
    let primary = u64::from(shape.primary.on_demand + shape.primary.spot).div_ceil(lightest(&[&shape.primary]));
    primary + most(shape).all.div_ceil(lightest(&workers))
}

/// Returns the most processors on demand and the most of spot instances; `Err` has the types whose processors
/// `processors` does not know.
pub(super) fn processors(shape: &Shape, processors: impl Fn(&str) -> Option<u32>) -> Result<(u64, u64), Vec<&str>> {
    let unknown: Vec<&str> = types(shape).into_iter().filter(|name| processors(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    // Instances of so many units as the heaviest mix would have them, the last one counting more than was left.
    let of = |fleets: &[&Fleet], units: u64| {
        let each = |kind: &InstanceType| units.div_ceil(weight(kind)) * u64::from(processors(&kind.name).unwrap_or(0));
        fleets.iter().flat_map(|fleet| &fleet.types).map(each).max().unwrap_or(0)
    };
    let workers: Vec<&Fleet> = [Some(&shape.core), shape.task.as_ref()].into_iter().flatten().collect();
    let (primary, most) = (&shape.primary, most(shape));
    let on_demand = of(&[primary], primary.on_demand.into()) + of(&workers, most.on_demand);
    Ok((on_demand, of(&[primary], primary.spot.into()) + of(&workers, most.spot)))
}

fn weight(kind: &InstanceType) -> u64 {
    u64::from(kind.weight.max(1))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fleet, shape};
    use super::*;
    use crate::config::Scaling;

    #[test]
    fn without_scaling_a_cluster_is_as_it_is_written() {
        let mut shape = shape();
        shape.core = fleet(&[("m5.xlarge", 1), ("m5.2xlarge", 2)], 2, 0);
        shape.task = Some(fleet(&[("m5.xlarge", 1)], 1, 6));
        assert_eq!(most(&shape), Units { all: 9, on_demand: 3, spot: 6 });
        assert_eq!(instances(&shape), 10);
        let vcpus = |name: &str| Some(if name == "m5.xlarge" { 4 } else { 8 });
        // Three units on demand may be two m5.2xlarge, the second half unused; one primary of 4.
        assert_eq!(processors(&shape, vcpus), Ok((4 + 16, 24)));
        assert_eq!(processors(&shape, |_| None).unwrap_err(), ["m5.2xlarge", "m5.xlarge"]);
    }

    #[test]
    fn scaling_sets_the_limits_and_never_below_the_start() {
        let mut shape = shape();
        shape.core = fleet(&[("m5.xlarge", 1)], 2, 0);
        shape.scaling = Some(Scaling { min: 2, max: 10, max_on_demand: Some(4), max_core: None });
        assert_eq!(most(&shape), Units { all: 10, on_demand: 4, spot: 6 });
        shape.scaling = Some(Scaling { min: 1, max: 1, max_on_demand: None, max_core: None });
        assert_eq!(most(&shape), Units { all: 2, on_demand: 2, spot: 0 });
    }
}
