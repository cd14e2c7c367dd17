//! A cluster shape for tests.

use std::collections::BTreeMap;

use crate::config::{Disk, Fleet, InstanceType, Shape, SpotFallback};

pub(super) fn fleet(types: &[(&str, u32)], on_demand: u32, spot: u32) -> Fleet {
    let types = types.iter().map(|(name, weight)| InstanceType { name: (*name).into(), weight: *weight }).collect();
    Fleet { types, on_demand, spot, spot_timeout_minutes: 10, spot_fallback: SpotFallback::OnDemand }
}

pub(super) fn shape() -> Shape {
    Shape {
        release: "emr-7.14.0".into(),
        applications: vec!["Spark".into()],
        service_role: "EMR_DefaultRole".into(),
        instance_profile: "EMR_EC2_DefaultRole".into(),
        subnets: Vec::new(),
        key_name: None,
        security_configuration: None,
        primary: fleet(&[("m5.xlarge", 1)], 1, 0),
        core: fleet(&[("m5.xlarge", 1)], 1, 0),
        task: None,
        scaling: None,
        step_concurrency: 1,
        python: "3.11".into(),
        disk: Disk { gigabytes: 64, count: 1, iops: 3000, throughput: 125 },
        bootstrap: Vec::new(),
        configurations: Vec::new(),
        tags: BTreeMap::new(),
        idle_seconds: 1800,
        max_age_seconds: 86_400,
        max_dollars_per_hour: 5.0,
        cloudwatch_logs: false,
        log_key: None,
    }
}
