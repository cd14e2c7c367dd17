//! Estimates of shapes.

use std::collections::BTreeMap;

use super::*;
use crate::config::{Disk, Scaling, SpotFallback};

fn fleet(types: &[(&str, u32)], on_demand: u32, spot: u32) -> Fleet {
    let types = types.iter().map(|&(name, weight)| InstanceType { name: name.into(), weight }).collect();
    Fleet { types, on_demand, spot, spot_timeout_minutes: 10, spot_fallback: SpotFallback::OnDemand }
}

/// A primary, two core nodes, no disks.
fn shape() -> Shape {
    Shape {
        release: "emr-7.14.0".into(),
        applications: vec!["Spark".into()],
        service_role: "service".into(),
        instance_profile: "nodes".into(),
        subnets: vec![],
        key_name: None,
        security_configuration: None,
        primary: fleet(&[("m5.xlarge", 1)], 1, 0),
        core: fleet(&[("m5.xlarge", 1)], 2, 0),
        task: None,
        scaling: None,
        step_concurrency: 1,
        python: "3.11".into(),
        disk: Disk { gigabytes: 0, count: 0, iops: 3000, throughput: 125 },
        bootstrap: vec![],
        configurations: vec![],
        tags: BTreeMap::new(),
        idle_seconds: 3600,
        max_age_seconds: 86_400,
        max_dollars_per_hour: 10.0,
        cloudwatch_logs: false,
        log_key: None,
    }
}

fn scaling(max: u32, max_on_demand: Option<u32>, max_core: Option<u32>) -> Option<Scaling> {
    Some(Scaling { min: 1, max, max_on_demand, max_core })
}

fn range(low: f64, high: f64) -> Range {
    Range { low: low.into(), high: high.into() }
}

fn full_size(shape: &Shape) -> Range {
    estimate(shape, "us-east-1").unwrap().full_per_hour
}

#[test]
fn without_scaling_full_size_is_start_size() {
    let found = estimate(&shape(), "us-east-1").unwrap();
    assert_eq!(found.start_per_hour, range(0.72, 0.72));
    assert_eq!(found.full_per_hour, found.start_per_hour);
    insta::assert_snapshot!(found, @"$0.72 an hour (estimate, prices of 2025-03-02)");
}

#[test]
fn every_node_has_the_disks() {
    let disk = Disk { gigabytes: 45, count: 2, iops: 3000, throughput: 125 };
    assert_eq!(full_size(&Shape { disk, ..shape() }), range(0.75, 0.75));
}

#[test]
fn scaling_may_add_core_or_task_nodes_of_either_market() {
    let task = Some(fleet(&[("r5.xlarge", 1)], 0, 1));
    let shape = Shape { task, scaling: scaling(6, Some(3), Some(3)), ..shape() };
    let found = estimate(&shape, "us-east-1").unwrap();
    // A spot r5.xlarge is 0.0252 to 0.252, and 0.063 for EMR.
    assert_eq!(found.start_per_hour, range(0.72 + 0.0882, 0.72 + 0.315));
    // At least: primary, two core nodes on demand, a third and three task nodes on spot.
    // At most: primary, two core nodes, four task nodes.
    assert_eq!(found.full_per_hour, range(0.72 + 0.0672 + 3.0 * 0.0882, 0.72 + 4.0 * 0.315));
    insta::assert_snapshot!(
        found,
        @"$0.81-1.04 an hour at the start, $1.05-1.98 at full size (estimate, prices of 2025-03-02)"
    );
}

#[test]
fn without_limits_scaling_may_add_the_cheapest_nodes_or_the_dearest() {
    let task = Some(fleet(&[("c5.xlarge", 1)], 0, 0));
    let shape = Shape { task, scaling: scaling(6, None, None), ..shape() };
    // At least: four task nodes on spot, 0.017 and 0.043 for EMR each. At most: four core nodes on demand.
    assert_eq!(full_size(&shape), range(0.72 + 4.0 * 0.06, 0.72 + 4.0 * 0.24));
}

#[test]
fn without_a_task_fleet_all_that_scaling_adds_is_core() {
    assert_eq!(full_size(&Shape { scaling: scaling(10, Some(10), Some(2)), ..shape() }).high, 2.64.into());
}

#[test]
fn a_cluster_that_starts_above_its_scaling_is_priced_as_it_starts() {
    assert_eq!(full_size(&Shape { scaling: scaling(1, None, None), ..shape() }).high, 0.72.into());
}

#[test]
fn a_fleet_costs_from_its_cheapest_mix_to_its_dearest() {
    let mixed = fleet(&[("m5.xlarge", 2), ("m5.2xlarge", 3)], 3, 0);
    // Cheapest: two xlarge, or one 2xlarge: 0.48 each way. Dearest: an xlarge that leaves one unit, then a 2xlarge.
    assert_eq!(full_size(&Shape { core: mixed, ..shape() }), range(0.24 + 0.48, 0.24 + 0.72));
}

#[test]
fn a_last_instance_may_count_more_than_was_left() {
    let heavy = fleet(&[("m5.4xlarge", 4)], 5, 0);
    assert_eq!(full_size(&Shape { core: heavy, ..shape() }), range(0.24 + 1.92, 0.24 + 1.92));
}

#[test]
fn a_missing_price_is_an_answer_that_names_it() {
    let task = Some(fleet(&[("r7i.xlarge", 1), ("r5.xlarge", 1)], 0, 0));
    let shape = Shape { task, ..shape() };
    assert!(estimate(&shape, "us-east-1").is_ok(), "no node of the task fleet, no price needed");
    let grows = Shape { scaling: scaling(4, None, None), ..shape };
    assert_eq!(estimate(&grows, "us-east-1").unwrap_err().prices, ["`r7i.xlarge` in `us-east-1`"]);
    assert_eq!(estimate(&grows, "mars-1").unwrap_err().prices, ["the region `mars-1`"]);
}

#[test]
fn a_fleet_of_absurd_size_has_no_price() {
    let absurd = Shape { core: fleet(&[("m5.xlarge", 1)], u32::MAX, u32::MAX), ..shape() };
    let missing = estimate(&absurd, "us-east-1").unwrap_err();
    assert_eq!(missing.prices, ["a fleet of 4294967295 units"]);
}
