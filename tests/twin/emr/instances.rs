//! Instances of a cluster, and the fleets or groups they are in.

use serde_json::{Value, json};

use super::{Cluster, Emr, Refusal, lists};

/// One fleet or one group, as both are shown.
struct Band {
    id: String,
    role: String,
    kind: String,
    on_demand: u64,
    spot: u64,
}

impl Emr {
    pub fn list_fleets(&self, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named(body)?;
        let asked =
            cluster.asked["Instances"]["InstanceFleets"].as_array().ok_or_else(|| other_way("fleets", "groups"))?;
        let there = cluster.ready.is_some() && !cluster.is_over();
        let fleets = bands(cluster).into_iter().zip(asked).map(|(band, asked)| {
            let have = |wanted: u64| if there { wanted } else { 0 };
            let mut fleet = json!({
                "Id": band.id, "InstanceFleetType": band.role,
                "Status": { "State": band_state(cluster), "Timeline": self.timeline(cluster) },
                "TargetOnDemandCapacity": band.on_demand, "TargetSpotCapacity": band.spot,
                "ProvisionedOnDemandCapacity": have(band.on_demand), "ProvisionedSpotCapacity": have(band.spot),
                "InstanceTypeSpecifications": specifications(asked),
            });
            for key in ["Name", "LaunchSpecifications"] {
                if let Some(value) = asked.get(key) {
                    fleet[key] = value.clone();
                }
            }
            fleet
        });
        lists::page("InstanceFleets", fleets.collect(), body, |item| item["Id"].to_string())
    }

    pub fn list_groups(&self, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named(body)?;
        if !cluster.asked["Instances"]["InstanceFleets"].is_null() {
            return Err(other_way("groups", "fleets"));
        }
        let there = cluster.ready.is_some() && !cluster.is_over();
        let groups = bands(cluster).into_iter().map(|band| {
            let count = band.on_demand + band.spot;
            json!({
                "Id": band.id, "InstanceGroupType": band.role, "InstanceType": band.kind,
                "Market": if band.spot > 0 { "SPOT" } else { "ON_DEMAND" },
                "RequestedInstanceCount": count, "RunningInstanceCount": if there { count } else { 0 },
                "Status": { "State": band_state(cluster), "Timeline": self.timeline(cluster) },
            })
        });
        lists::page("InstanceGroups", groups.collect(), body, |item| item["Id"].to_string())
    }

    pub fn list_instances(&self, body: &Value) -> Result<Value, Refusal> {
        let cluster = self.named(body)?;
        let fleets = !cluster.asked["Instances"]["InstanceFleets"].is_null();
        let roles = body["InstanceGroupTypes"]
            .as_array()
            .cloned()
            .or_else(|| Some(vec![body.get("InstanceFleetType")?.clone()]));
        let states = body["InstanceStates"].as_array();
        let mut instances = Vec::new();
        for band in bands(cluster) {
            for at in 0..if cluster.state == "STARTING" { 0 } else { band.on_demand + band.spot } {
                let state = instance_state(cluster);
                let role_fits = roles.as_ref().is_none_or(|roles| roles.iter().any(|role| *role == band.role));
                if !role_fits || states.is_some_and(|states| !states.iter().any(|wanted| wanted == state)) {
                    continue;
                }
                let id = instance_id(cluster, &band.role, at);
                let address = format!("10.0.{}.{}", band.role.len(), at + 10);
                instances.push(json!({
                    "Id": format!("ci-{}", &id[2..]), "Ec2InstanceId": id, "InstanceType": band.kind,
                    "Market": if at < band.on_demand { "ON_DEMAND" } else { "SPOT" },
                    "PrivateIpAddress": address, "PublicDnsName": "",
                    "PrivateDnsName": format!("ip-{}.ec2.internal", address.replace('.', "-")),
                    if fleets { "InstanceFleetId" } else { "InstanceGroupId" }: band.id,
                    "Status": { "State": state, "StateChangeReason": {}, "Timeline": self.timeline(cluster) },
                }));
            }
        }
        lists::page("Instances", instances, body, |item| item["Id"].to_string())
    }
}

/// Returns the first instance of the primary: where bootstrap actions fail.
pub fn instance_id(cluster: &Cluster, role: &str, at: u64) -> String {
    let digest = soflow::names::Digest::of([cluster.id.as_str(), role, &at.to_string()]);
    format!("i-0{:0<16.16}", digest.short())
}

fn bands(cluster: &Cluster) -> Vec<Band> {
    let instances = &cluster.asked["Instances"];
    let id = |prefix: &str, role: &str| format!("{prefix}-{role}{}", &cluster.id[2..]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    if let Some(fleets) = instances["InstanceFleets"].as_array() {
        let capacity = |fleet: &Value, key: &str| fleet[key].as_u64().unwrap_or(0);
        let band = |fleet: &Value| Band {
            id: id("if", &text(&fleet["InstanceFleetType"])),
            role: text(&fleet["InstanceFleetType"]),
            kind: text(&fleet["InstanceTypeConfigs"][0]["InstanceType"]),
            on_demand: capacity(fleet, "TargetOnDemandCapacity"),
            spot: capacity(fleet, "TargetSpotCapacity"),
        };
        return fleets.iter().map(band).collect();
    }
    if let Some(groups) = instances["InstanceGroups"].as_array() {
        let band = |group: &Value| {
            let (count, spot) = (group["InstanceCount"].as_u64().unwrap_or(0), group["Market"] == "SPOT");
            let (on_demand, spot) = if spot { (0, count) } else { (count, 0) };
            let role = text(&group["InstanceRole"]);
            Band { id: id("ig", &role), role, kind: text(&group["InstanceType"]), on_demand, spot }
        };
        return groups.iter().map(band).collect();
    }
    let count = instances["InstanceCount"].as_u64().unwrap_or(1);
    let band = |role: &str, kind: &str, on_demand: u64| Band {
        id: id("ig", role),
        role: role.to_string(),
        kind: text(&instances[kind]),
        on_demand,
        spot: 0,
    };
    vec![band("MASTER", "MasterInstanceType", 1), band("CORE", "SlaveInstanceType", count - 1)]
}

fn specifications(asked: &Value) -> Value {
    let fields = ["InstanceType", "WeightedCapacity", "BidPrice", "BidPriceAsPercentageOfOnDemandPrice", "Priority"];
    let types = asked["InstanceTypeConfigs"].as_array().into_iter().flatten();
    let shown = types.map(|kind| {
        let known = fields.iter().filter_map(|field| Some((field.to_string(), kind.get(*field)?.clone())));
        Value::Object(known.collect())
    });
    shown.collect()
}

fn band_state(cluster: &Cluster) -> &'static str {
    match cluster.state {
        "STARTING" => "PROVISIONING",
        "TERMINATED_WITH_ERRORS" => "TERMINATED",
        "WAITING" => "RUNNING",
        other => other,
    }
}

fn instance_state(cluster: &Cluster) -> &'static str {
    match cluster.state {
        "BOOTSTRAPPING" => "BOOTSTRAPPING",
        "TERMINATED" | "TERMINATED_WITH_ERRORS" => "TERMINATED",
        _ => "RUNNING",
    }
}

fn other_way(wanted: &str, is: &str) -> Refusal {
    Refusal::invalid(format!(
        "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses instance {is}. The operation requires instance {wanted}."
    ))
}
