//! Clusters and steps as the API shows them.

use serde_json::{Map, Value, json};

use super::super::moto::{ACCOUNT, REGION};
use super::fates::StepFate;
use super::{Cluster, Emr, Step, releases};

/// What DescribeCluster shows of a request as it was sent.
const KEPT: [&str; 12] = [
    "ReleaseLabel",
    "ServiceRole",
    "Configurations",
    "SecurityConfiguration",
    "AutoScalingRole",
    "ScaleDownBehavior",
    "CustomAmiId",
    "EbsRootVolumeSize",
    "OSReleaseLabel",
    "MonitoringConfiguration",
    "LogEncryptionKmsKeyId",
    "VisibleToAllUsers",
];

/// What it shows of the request's instances below `Ec2InstanceAttributes`.
const EC2: [&str; 6] = [
    "Ec2KeyName",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
];

impl Emr {
    /// Returns a cluster as DescribeCluster shows it.
    pub fn describe(&self, cluster: &Cluster) -> Value {
        let asked = &cluster.asked;
        let fleets = !asked["Instances"]["InstanceFleets"].is_null();
        let mut shown = json!({
            "Id": cluster.id, "Name": cluster.name(), "Status": self.status(cluster), "ClusterArn": arn(&cluster.id),
            "Ec2InstanceAttributes": ec2(asked),
            "InstanceCollectionType": if fleets { "INSTANCE_FLEET" } else { "INSTANCE_GROUP" },
            "AutoTerminate": !cluster.keeps_alive(), "TerminationProtected": cluster.protected,
            "VisibleToAllUsers": true, "Applications": applications(asked), "Tags": cluster.tags,
            "NormalizedInstanceHours": 0, "Configurations": [], "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
            "StepConcurrencyLevel": cluster.concurrency, "PlacementGroups": [],
        });
        copy(&KEPT, asked, &mut shown);
        if let Some(uri) = asked["LogUri"].as_str() {
            // EMR shows it with Hadoop's old scheme, and with a slash at the end.
            shown["LogUri"] = format!("{}/", uri.replacen("s3://", "s3n://", 1).trim_end_matches('/')).into();
        }
        if cluster.ready.is_some() {
            shown["MasterPublicDnsName"] = "ip-10-0-6-10.ec2.internal".into();
        }
        shown
    }

    /// Returns a cluster as ListClusters shows it.
    pub fn summary(&self, cluster: &Cluster) -> Value {
        json!({
            "Id": cluster.id, "Name": cluster.name(), "Status": self.status(cluster), "NormalizedInstanceHours": 0,
            "ClusterArn": arn(&cluster.id),
        })
    }

    pub fn timeline(&self, cluster: &Cluster) -> Value {
        let mut timeline = json!({ "CreationDateTime": self.clock.epoch(cluster.created) });
        for (key, at) in [("ReadyDateTime", cluster.ready), ("EndDateTime", cluster.ended)] {
            if let Some(at) = at {
                timeline[key] = self.clock.epoch(at).into();
            }
        }
        timeline
    }

    fn status(&self, cluster: &Cluster) -> Value {
        let mut reason = Map::new();
        if let Some((code, message)) = &cluster.reason {
            if !code.is_empty() {
                reason.insert("Code".into(), (*code).into());
            }
            reason.insert("Message".into(), message.as_str().into());
        }
        let mut status =
            json!({ "State": cluster.state, "StateChangeReason": reason, "Timeline": self.timeline(cluster) });
        if !cluster.errors.is_empty() {
            status["ErrorDetails"] = cluster.errors.clone().into();
        }
        status
    }

    /// Returns a step as DescribeStep shows it.
    pub fn describe_step(&self, step: &Step) -> Value {
        let mut shown = self.step_summary(step);
        if let Some(role) = &step.role {
            shown["ExecutionRoleArn"] = role.as_str().into();
        }
        shown
    }

    /// Returns a step as ListSteps shows it.
    pub fn step_summary(&self, step: &Step) -> Value {
        let jar = &step.asked["HadoopJarStep"];
        let properties = jar["Properties"].as_array().into_iter().flatten();
        let properties: Map<String, Value> =
            properties.filter_map(|pair| Some((pair["Key"].as_str()?.to_string(), pair["Value"].clone()))).collect();
        let mut config = json!({ "Jar": jar["Jar"], "Properties": properties, "Args": step.arguments() });
        copy(&["MainClass"], jar, &mut config);
        let mut shown = json!({
            "Id": step.id, "Name": step.name(), "Config": config, "ActionOnFailure": step.action(),
            "Status": self.step_status(step),
        });
        let own = &step.asked["StepMonitoringConfiguration"]["S3MonitoringConfiguration"];
        copy(&["LogUri", "EncryptionKeyArn"], own, &mut shown);
        if let Some(application) = &step.application {
            shown["AdditionalInfo"] =
                json!({ "ResourceManagerApplicationIds": [application], "ResourceManager": "YARN" });
        }
        shown
    }

    fn step_status(&self, step: &Step) -> Value {
        let mut timeline = json!({ "CreationDateTime": self.clock.epoch(step.created) });
        for (key, at) in [("StartDateTime", step.started), ("EndDateTime", step.ended)] {
            if let Some(at) = at {
                timeline[key] = self.clock.epoch(at).into();
            }
        }
        let reason = step.message.as_ref().map_or_else(|| json!({}), |message| json!({ "Message": message }));
        let mut status = json!({ "State": step.state, "StateChangeReason": reason, "Timeline": timeline });
        if let Some(details) = failure_details(step) {
            status["FailureDetails"] = details;
        }
        status
    }
}

fn failure_details(step: &Step) -> Option<Value> {
    if step.state != "FAILED" {
        return None;
    }
    match (&step.fate, &step.outcome) {
        (StepFate::Fails(failure), _) => failure.details.clone().filter(|_| step.polls >= failure.details_after),
        (_, Some((_, outcome))) => {
            let mut details = json!({ "Reason": "Unknown Error", "Message": last_error(&outcome.stderr) });
            if let Some(file) = &outcome.log_file {
                details["LogFile"] = file.as_str().into();
            }
            Some(details)
        }
        _ => None,
    }
}

/// Returns the line of a traceback that names the error, else the last line.
fn last_error(stderr: &str) -> String {
    let lines = || stderr.lines().filter(|line| !line.trim().is_empty());
    let error = lines().rfind(|line| !line.starts_with(' ') && line.contains("Error"));
    error.or_else(|| lines().next_back()).unwrap_or_default().to_string()
}

pub fn arn(cluster: &str) -> String {
    format!("arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{cluster}")
}

fn applications(asked: &Value) -> Vec<Value> {
    let label = asked["ReleaseLabel"].as_str().unwrap_or_default();
    let names = asked["Applications"].as_array().into_iter().flatten().filter_map(|item| item["Name"].as_str());
    let shown = |name: &str| match releases::version(label, name) {
        Some(version) => json!({ "Name": name, "Version": version }),
        None => json!({ "Name": name }),
    };
    names.map(shown).collect()
}

fn ec2(asked: &Value) -> Value {
    let instances = &asked["Instances"];
    let mut shown = json!({ "IamInstanceProfile": asked["JobFlowRole"], "Ec2AvailabilityZone": "us-east-1a" });
    copy(&EC2, instances, &mut shown);
    let asked_subnets = instances["Ec2SubnetIds"].as_array().cloned();
    let subnets = asked_subnets.unwrap_or_else(|| instances.get("Ec2SubnetId").cloned().into_iter().collect());
    if let Some(first) = subnets.first() {
        shown["Ec2SubnetId"] = first.clone();
    }
    shown["RequestedEc2SubnetIds"] = subnets.into();
    shown
}

fn copy(keys: &[&str], from: &Value, to: &mut Value) {
    for key in keys {
        if let Some(value) = from.get(*key) {
            to[*key] = value.clone();
        }
    }
}
