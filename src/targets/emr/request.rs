//! From a shape to what RunJobFlow is given.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::identity::Identity;
use crate::config::{Classification, Disk, Fleet, Lake, Shape, SpotFallback};
use crate::names::Uri;

/// Lets Spark, Hive and others use Glue as their metastore. Source: EMR release guide, "Using the AWS Glue Data Catalog".
const GLUE_FACTORY: &str = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory";

/// The tag without which EMR's managed policy allows nothing. Source: EMR management guide, "Service role for Amazon EMR".
const MANAGED_POLICY_TAG: (&str, &str) = ("for-use-with-amazon-emr-managed-policies", "true");

/// What a cluster is asked for with.
pub struct Order<'a> {
    /// The shape.
    pub shape: &'a Shape,
    /// What the name says about it.
    pub identity: &'a Identity,
    /// Where its logs go and what it is for.
    pub lake: &'a Lake,
    /// Where each bootstrap script is in S3, in the shape's order.
    pub bootstrap: &'a [Uri],
    /// What tells this request from all others, part of the name.
    pub token: &'a str,
}

impl Order<'_> {
    /// Returns the request.
    pub fn request(&self) -> Json {
        let shape = self.shape;
        let mut request = json!({
            "Name": self.identity.name(self.token),
            "LogUri": format!("{}/", logs(self.lake)),
            "ReleaseLabel": shape.release,
            "Applications": shape.applications.iter().map(|name| json!({ "Name": name })).collect::<Vec<_>>(),
            "ServiceRole": shape.service_role,
            "JobFlowRole": shape.instance_profile,
            "StepConcurrencyLevel": shape.step_concurrency,
            "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
            "VisibleToAllUsers": true,
            "AutoTerminationPolicy": { "IdleTimeout": shape.idle_seconds },
            "Configurations": configurations(shape),
            "Tags": self.tags(),
            "Instances": self.instances(),
        });
        let mut set = |key: &str, value: Json| request[key] = value;
        if let Some(scaling) = &shape.scaling {
            let mut limits = json!({
                "UnitType": "InstanceFleetUnits",
                "MinimumCapacityUnits": scaling.min,
                "MaximumCapacityUnits": scaling.max,
            });
            if let Some(units) = scaling.max_on_demand {
                limits["MaximumOnDemandCapacityUnits"] = units.into();
            }
            if let Some(units) = scaling.max_core {
                limits["MaximumCoreCapacityUnits"] = units.into();
            }
            set("ManagedScalingPolicy", json!({ "ComputeLimits": limits }));
        }
        if let Some(name) = &shape.security_configuration {
            set("SecurityConfiguration", name.as_str().into());
        }
        if let Some(key) = &shape.log_key {
            set("LogEncryptionKmsKeyId", key.as_str().into());
        }
        if shape.cloudwatch_logs {
            set("MonitoringConfiguration", json!({ "CloudWatchLogConfiguration": { "Enabled": true } }));
        }
        if !self.bootstrap.is_empty() {
            let action = |(action, script): (&crate::config::Bootstrap, &Uri)| json!({ "Name": action.name, "ScriptBootstrapAction": { "Path": script, "Args": action.args } });
            set("BootstrapActions", shape.bootstrap.iter().zip(self.bootstrap).map(action).collect());
        }
        request
    }

    fn tags(&self) -> Vec<Json> {
        let mut tags: BTreeMap<&str, &str> =
            self.shape.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let lake = self.lake.artifacts.as_str();
        tags.extend([MANAGED_POLICY_TAG, ("soflow:shape", self.identity.shape.as_str()), ("soflow:artifacts", lake)]);
        tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
    }

    fn instances(&self) -> Json {
        let shape = self.shape;
        let mut fleets = vec![fleet("MASTER", &shape.primary, &shape.disk), fleet("CORE", &shape.core, &shape.disk)];
        fleets.extend(shape.task.as_ref().map(|task| fleet("TASK", task, &shape.disk)));
        let mut instances = json!({
            "InstanceFleets": fleets,
            "KeepJobFlowAliveWhenNoSteps": true,
            "TerminationProtected": false,
        });
        if !shape.subnets.is_empty() {
            instances["Ec2SubnetIds"] = json!(shape.subnets);
        }
        if let Some(key) = &shape.key_name {
            instances["Ec2KeyName"] = key.as_str().into();
        }
        instances
    }
}

/// Returns the prefix below which clusters put their logs.
pub fn logs(lake: &Lake) -> Uri {
    lake.logs.join("emr")
}

fn fleet(role: &str, fleet: &Fleet, disk: &Disk) -> Json {
    let volume = json!({
        "VolumeType": "gp3",
        "SizeInGB": disk.gigabytes,
        "Iops": disk.iops,
        "Throughput": disk.throughput,
    });
    let disks = json!({
        "EbsOptimized": true,
        "EbsBlockDeviceConfigs": [{ "VolumeSpecification": volume, "VolumesPerInstance": disk.count }],
    });
    let kind = |kind: &crate::config::InstanceType| json!({ "InstanceType": kind.name, "WeightedCapacity": kind.weight, "EbsConfiguration": disks });
    let mut launch = json!({ "OnDemandSpecification": { "AllocationStrategy": "lowest-price" } });
    if fleet.spot > 0 {
        let action = match fleet.spot_fallback {
            SpotFallback::OnDemand => "SWITCH_TO_ON_DEMAND",
            SpotFallback::Terminate => "TERMINATE_CLUSTER",
        };
        launch["SpotSpecification"] = json!({
            "TimeoutDurationMinutes": fleet.spot_timeout_minutes,
            "TimeoutAction": action,
            "AllocationStrategy": "price-capacity-optimized",
        });
    }
    json!({
        "Name": role.to_ascii_lowercase(),
        "InstanceFleetType": role,
        "TargetOnDemandCapacity": fleet.on_demand,
        "TargetSpotCapacity": fleet.spot,
        "InstanceTypeConfigs": fleet.types.iter().map(kind).collect::<Vec<_>>(),
        "LaunchSpecifications": launch,
    })
}

/// Returns the shape's classifications over those that make the tables visible to every application.
pub fn configurations(shape: &Shape) -> Json {
    let has = |name: &str| shape.applications.iter().any(|application| application == name);
    let made = |classification: &str, key: &str, value: &str| Classification {
        classification: classification.into(),
        properties: BTreeMap::from([(key.to_string(), value.to_string())]),
        configurations: Vec::new(),
    };
    let factory = "hive.metastore.client.factory.class";
    let python = format!("/usr/bin/python{}", shape.python);
    let mut all = vec![Classification {
        classification: "spark-env".into(),
        properties: BTreeMap::new(),
        configurations: vec![made("export", "PYSPARK_PYTHON", &python)],
    }];
    all.push(made("spark-hive-site", factory, GLUE_FACTORY));
    if has("Hive") {
        all.push(made("hive-site", factory, GLUE_FACTORY));
    }
    if has("Trino") {
        all.push(made("trino-connector-hive", "hive.metastore", "glue"));
    }
    for wanted in &shape.configurations {
        merge(&mut all, wanted);
    }
    all.iter().map(to_json).collect()
}

fn merge(all: &mut Vec<Classification>, wanted: &Classification) {
    match all.iter_mut().find(|known| known.classification == wanted.classification) {
        None => all.push(wanted.clone()),
        Some(known) => {
            known.properties.extend(wanted.properties.clone());
            for inner in &wanted.configurations {
                merge(&mut known.configurations, inner);
            }
        }
    }
}

fn to_json(one: &Classification) -> Json {
    json!({
        "Classification": one.classification,
        "Properties": one.properties,
        "Configurations": one.configurations.iter().map(to_json).collect::<Vec<_>>(),
    })
}
