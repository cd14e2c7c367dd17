//! From a shape to what RunJobFlow is given.

use std::collections::BTreeMap;

use aws_sdk_emr::operation::run_job_flow::RunJobFlowInput;
use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowInputBuilder;
use aws_sdk_emr::types::{
    Application, AutoTerminationPolicy, BootstrapActionConfig, CloudWatchLogConfiguration, ComputeLimits,
    ComputeLimitsUnitType, Configuration, EbsBlockDeviceConfig, EbsConfiguration, InstanceFleetConfig,
    InstanceFleetProvisioningSpecifications, InstanceFleetType, InstanceTypeConfig, JobFlowInstancesConfig,
    ManagedScalingPolicy, MonitoringConfiguration, OnDemandProvisioningAllocationStrategy,
    OnDemandProvisioningSpecification, ScaleDownBehavior, ScriptBootstrapActionConfig,
    SpotProvisioningAllocationStrategy, SpotProvisioningSpecification, SpotProvisioningTimeoutAction, Tag,
    VolumeSpecification,
};

use super::Clusters;
use crate::config::{Bootstrap, Classification, Disk, Fleet, InstanceType, Lake, Scaling, Shape, SpotFallback};
use crate::names::Uri;

/// Lets Spark, Hive and others use Glue as their metastore. Source: EMR release guide, "Using the AWS Glue Data Catalog".
const GLUE_FACTORY: &str = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory";

/// The tag without which EMR's managed policy allows nothing. Source: EMR management guide, "Service role for Amazon EMR".
const MANAGED_POLICY_TAG: (&str, &str) = ("for-use-with-amazon-emr-managed-policies", "true");

impl Clusters {
    /// Returns the request for a cluster. `bootstrap`: where the script of each bootstrap action is in S3; `name`: what tells
    /// this request from all others.
    pub(super) fn cluster_request(&self, bootstrap: &[Uri], name: &str) -> RunJobFlowInputBuilder {
        let shape = &self.settings.emr.shape;
        let monitoring = shape.cloudwatch_logs.then(|| {
            let logs = CloudWatchLogConfiguration::builder().enabled(true).build();
            MonitoringConfiguration::builder().cloud_watch_log_configuration(logs).build()
        });
        let actions = self.bootstrap();
        let scripts = actions.iter().zip(bootstrap);
        let bootstrap = (!bootstrap.is_empty()).then(|| scripts.map(bootstrap_action).collect());
        let applications = shape.applications.iter().map(|name| Application::builder().name(name).build());
        let idle = AutoTerminationPolicy::builder().idle_timeout(shape.idle_seconds.cast_signed());
        RunJobFlowInput::builder()
            .name(name)
            .log_uri(format!("{}/", self.logs()))
            .release_label(&shape.release)
            .set_applications(Some(applications.collect()))
            .service_role(&shape.service_role)
            .job_flow_role(&shape.instance_profile)
            .step_concurrency_level(int(shape.step_concurrency))
            .scale_down_behavior(ScaleDownBehavior::TerminateAtTaskCompletion)
            .visible_to_all_users(true)
            .auto_termination_policy(idle.build())
            .set_configurations(Some(configurations(shape, &self.settings.lake).iter().map(configuration).collect()))
            .set_tags(Some(self.tags()))
            .instances(instances(shape))
            .set_managed_scaling_policy(shape.scaling.as_ref().map(scaling_policy))
            .set_security_configuration(shape.security_configuration.clone())
            .set_log_encryption_kms_key_id(shape.log_key.clone())
            .set_monitoring_configuration(monitoring)
            .set_bootstrap_actions(bootstrap)
    }

    fn tags(&self) -> Vec<Tag> {
        let (emr, lake) = (&self.settings.emr, &self.settings.lake);
        let mut tags: BTreeMap<&str, &str> =
            emr.shape.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let own = [("soflow:shape", emr.cluster.as_str()), ("soflow:artifacts", lake.artifacts.as_str())];
        tags.extend([MANAGED_POLICY_TAG].into_iter().chain(own));
        tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
    }

    /// Returns the prefix below which clusters put their logs.
    pub(super) fn logs(&self) -> Uri {
        self.settings.lake.logs.join("emr")
    }
}

fn instances(shape: &Shape) -> JobFlowInstancesConfig {
    let mut fleets = vec![
        fleet(InstanceFleetType::Master, &shape.primary, &shape.disk),
        fleet(InstanceFleetType::Core, &shape.core, &shape.disk),
    ];
    fleets.extend(shape.task.as_ref().map(|task| fleet(InstanceFleetType::Task, task, &shape.disk)));
    JobFlowInstancesConfig::builder()
        .set_instance_fleets(Some(fleets))
        .keep_job_flow_alive_when_no_steps(true)
        .termination_protected(false)
        .set_ec2_subnet_ids((!shape.subnets.is_empty()).then(|| shape.subnets.clone()))
        .set_ec2_key_name(shape.key_name.clone())
        .build()
}

/// Returns a number as EMR's model has it. The settings allow none that is larger.
fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn scaling_policy(scaling: &Scaling) -> ManagedScalingPolicy {
    let limits = ComputeLimits::builder()
        .unit_type(ComputeLimitsUnitType::InstanceFleetUnits)
        .minimum_capacity_units(int(scaling.min))
        .maximum_capacity_units(int(scaling.max))
        .set_maximum_on_demand_capacity_units(scaling.max_on_demand.map(int))
        .set_maximum_core_capacity_units(scaling.max_core.map(int));
    ManagedScalingPolicy::builder().compute_limits(limits.build()).build()
}

fn bootstrap_action((action, script): (&Bootstrap, &Uri)) -> BootstrapActionConfig {
    let script = ScriptBootstrapActionConfig::builder().path(script.as_str()).set_args(Some(action.args.clone()));
    BootstrapActionConfig::builder().name(&action.name).script_bootstrap_action(script.build()).build()
}

fn fleet(role: InstanceFleetType, fleet: &Fleet, disk: &Disk) -> InstanceFleetConfig {
    let on_demand = OnDemandProvisioningSpecification::builder()
        .allocation_strategy(OnDemandProvisioningAllocationStrategy::LowestPrice)
        .build();
    let spot = (fleet.spot > 0).then(|| {
        let action = match fleet.spot_fallback {
            SpotFallback::OnDemand => SpotProvisioningTimeoutAction::SwitchToOnDemand,
            SpotFallback::Terminate => SpotProvisioningTimeoutAction::TerminateCluster,
        };
        SpotProvisioningSpecification::builder()
            .timeout_duration_minutes(int(fleet.spot_timeout_minutes))
            .timeout_action(action)
            .allocation_strategy(SpotProvisioningAllocationStrategy::PriceCapacityOptimized)
            .build()
    });
    let launch = InstanceFleetProvisioningSpecifications::builder()
        .on_demand_specification(on_demand)
        .set_spot_specification(spot)
        .build();
    InstanceFleetConfig::builder()
        .name(role.as_str().to_ascii_lowercase())
        .instance_fleet_type(role)
        .target_on_demand_capacity(int(fleet.on_demand))
        .target_spot_capacity(int(fleet.spot))
        .set_instance_type_configs(Some(fleet.types.iter().map(|kind| instance_type(kind, disk)).collect()))
        .launch_specifications(launch)
        .build()
}

fn instance_type(kind: &InstanceType, disk: &Disk) -> InstanceTypeConfig {
    let volume = VolumeSpecification::builder()
        .volume_type("gp3")
        .size_in_gb(int(disk.gigabytes))
        .iops(int(disk.iops))
        .throughput(int(disk.throughput))
        .build();
    let disks =
        EbsBlockDeviceConfig::builder().volume_specification(volume).volumes_per_instance(int(disk.count)).build();
    InstanceTypeConfig::builder()
        .instance_type(&kind.name)
        .weighted_capacity(int(kind.weight))
        .ebs_configuration(EbsConfiguration::builder().ebs_optimized(true).ebs_block_device_configs(disks).build())
        .build()
}

/// Returns the shape's classifications over those that make the tables visible to every application, and notebooks outlive
/// their cluster.
pub fn configurations(shape: &Shape, lake: &Lake) -> Vec<Classification> {
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
    if has("JupyterHub")
        && let Some((bucket, _)) = lake.artifacts.bucket_and_key()
    {
        // EMR lets nobody choose where in the bucket: below `jupyter/`. Source: EMR release guide, "Configuring persistence
        // for notebooks in Amazon S3".
        let mut persistence = made("jupyter-s3-conf", "s3.persistence.enabled", "true");
        persistence.properties.insert("s3.persistence.bucket".into(), bucket.into());
        all.push(persistence);
    }
    for wanted in &shape.configurations {
        merge(&mut all, wanted);
    }
    all
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

fn configuration(one: &Classification) -> Configuration {
    Configuration::builder()
        .classification(&one.classification)
        .set_properties(Some(one.properties.clone().into_iter().collect()))
        .set_configurations(Some(one.configurations.iter().map(configuration).collect()))
        .build()
}
