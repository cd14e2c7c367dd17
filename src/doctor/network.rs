//! The network: subnets, their addresses, their tags, their way to S3, and what EC2 offers in their zones.

use std::collections::BTreeSet;

use super::finding::{Asker, Checked, Finding, line, listed};
use super::machines::{fleets, instances, types};
use crate::aws::{EC2, Xml};
use crate::config::Shape;

/// The tag without which EMR's managed policy may not use a subnet. Source: EMR management guide, "Service role for
/// Amazon EMR".
const TAG: &str = "for-use-with-amazon-emr-managed-policies";

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subnet {
    id: String,
    vpc: String,
    zone: String,
    /// Addresses that are free.
    free: u64,
    /// Whether it has EMR's tag.
    tagged: bool,
}

/// Checks the network of a shape; `tagged_only`: whether EMR may use only what is tagged.
pub(super) async fn check(ask: &Asker<'_>, shape: &Shape, tagged_only: Option<bool>) -> Vec<Finding> {
    let subnets = match subnets(ask, shape).await {
        Ok(subnets) => subnets,
        Err(why) => return vec![line("subnets", "they", Err(why))],
    };
    let missing = listed(shape.subnets.iter().filter(|id| subnets.iter().all(|subnet| subnet.id != **id)));
    if !missing.is_empty() {
        let advice = "`aws ec2 describe-subnets` shows those that there are; correct `subnets`";
        return vec![Finding::problem(format!("there is no {missing}")).mend(advice).of("subnets")];
    }
    if subnets.is_empty() {
        let finding = Finding::problem("the shape names none and there is no default VPC");
        let advice = "name some in the shape: `subnets`";
        return vec![finding.mend(advice).mend("`aws ec2 create-default-vpc`").of("subnets")];
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let mut findings = judge(shape, &subnets, tagged_only);
    findings.push(line("way to S3", "routes", way_to_s3(ask, &subnets).await));
    findings.push(line("zones", &format!("what EC2 offers in {}", listed(&zones)), offered(ask, shape, &zones).await));
    findings
}

/// Returns the subnets of a shape, or those of the default VPC. Asked for with a filter, EC2 leaves away those that there
/// are not, and tells of the others.
async fn subnets(ask: &Asker<'_>, shape: &Shape) -> Result<Vec<Subnet>, String> {
    let keys: Vec<String> = (1..=shape.subnets.len()).map(|at| format!("Filter.1.Value.{at}")).collect();
    let mut fields = vec![("Filter.1.Name", "subnet-id")];
    fields.extend(keys.iter().map(String::as_str).zip(shape.subnets.iter().map(String::as_str)));
    if shape.subnets.is_empty() {
        fields = vec![("Filter.1.Name", "default-for-az"), ("Filter.1.Value.1", "true")];
    }
    let answer = ask.form(&EC2, "DescribeSubnets", &fields, &[]).await?.unwrap_or_default();
    Ok(answer.list("subnetSet").iter().map(subnet).collect())
}

fn subnet(item: &Xml) -> Subnet {
    let text = |name: &str| item.text_of(name).to_string();
    let tagged = item.list("tagSet").iter().any(|tag| tag.text_of("key") == TAG && tag.text_of("value") == "true");
    let free = item.text_of("availableIpAddressCount").parse().unwrap_or(0);
    Subnet { id: text("subnetId"), vpc: text("vpcId"), zone: text("availabilityZone"), free, tagged }
}

/// Checks what can be told from the subnets alone.
fn judge(shape: &Shape, subnets: &[Subnet], tagged_only: Option<bool>) -> Vec<Finding> {
    let mut findings = vec![in_one_vpc(shape, subnets).of("subnets"), addresses(shape, subnets).of("addresses")];
    let bare: Vec<&str> = subnets.iter().filter(|subnet| !subnet.tagged).map(|subnet| subnet.id.as_str()).collect();
    let without = format!("{} without `{TAG}=true`", listed(&bare));
    let tag = format!("`aws ec2 create-tags --resources {} --tags Key={TAG},Value=true`", bare.join(" "));
    findings.extend(match tagged_only {
        _ if bare.is_empty() => Some(Finding::ok(format!("all have `{TAG}`")).of("subnet tags")),
        Some(true) => {
            let what = format!("{without}, which the service role's managed policy needs");
            Some(Finding::problem(what).mend(tag).of("subnet tags"))
        }
        Some(false) => None,
        None => {
            let what = format!("{without}; whether the service role needs it is not known");
            Some(Finding::unknown(what).mend(tag).of("subnet tags"))
        }
    });
    findings
}

fn in_one_vpc(shape: &Shape, subnets: &[Subnet]) -> Finding {
    let networks: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.vpc.as_str()).collect();
    if networks.len() > 1 {
        let what = format!("they are in several VPCs, {}: EMR takes those of one", listed(networks));
        return Finding::problem(what).mend("leave only the subnets of one VPC in `subnets`");
    }
    let whose = if shape.subnets.is_empty() { "the default VPC" } else { "VPC" };
    let names = listed(subnets.iter().map(|subnet| &subnet.id));
    Finding::ok(format!("{names} in {whose} {}", listed(networks)))
}

/// A cluster is in one subnet, which EMR chooses.
fn addresses(shape: &Shape, subnets: &[Subnet]) -> Finding {
    let needed = instances(shape);
    let shown: Vec<String> = subnets.iter().map(|subnet| format!("`{}` has {}", subnet.id, subnet.free)).collect();
    let what = format!("{needed} needed at full size; {}", shown.join(", "));
    if subnets.iter().any(|subnet| subnet.free >= needed) {
        return Finding::ok(what);
    }
    Finding::problem(what).mend("add a larger subnet to `subnets`, or make the shape smaller")
}

/// Checks that every subnet reaches S3.
async fn way_to_s3(ask: &Asker<'_>, subnets: &[Subnet]) -> Checked {
    let vpc = subnets.first().map_or("", |subnet| &subnet.vpc);
    let in_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
    let answer = ask.form(&EC2, "DescribeRouteTables", &in_vpc, &[]).await?.unwrap_or_default();
    let tables = answer.list("routeTableSet");
    let cut_off: Vec<&str> =
        subnets.iter().map(|subnet| subnet.id.as_str()).filter(|id| !reaches_s3(tables, id)).collect();
    if cut_off.is_empty() {
        return Ok(Finding::ok("every subnet has a route"));
    }
    let service = format!("com.amazonaws.{}.s3", ask.session.region());
    let fields = [in_vpc[0], in_vpc[1], ("Filter.2.Name", "service-name"), ("Filter.2.Value.1", &service)];
    let what = format!("{} reach neither the internet nor S3", listed(&cut_off));
    Ok(match ask.form(&EC2, "DescribeVpcEndpoints", &fields, &[]).await {
        Ok(Some(answer)) if has_interface(&answer) => {
            Finding::ok(format!("{} through an interface endpoint", listed(cut_off)))
        }
        Ok(_) => Finding::problem(what).mend(format!(
            "`aws ec2 create-vpc-endpoint --vpc-id {vpc} --service-name {service} --route-table-ids ROUTE_TABLE`"
        )),
        Err(why) => Finding::unknown(format!("{what} by their routes: {why}")),
    })
}

/// A gateway endpoint works through a route table only, an interface endpoint without one.
fn has_interface(answer: &Xml) -> bool {
    answer.list("vpcEndpointSet").iter().any(|endpoint| endpoint.text_of("vpcEndpointType") == "Interface")
}

/// Returns whether a subnet reaches S3 by the route table it is associated with, or the VPC's main one: over the internet,
/// directly or through something that translates addresses, or through an endpoint.
fn reaches_s3(tables: &[Xml], subnet: &str) -> bool {
    let associated = |table: &&Xml, key: &str, value: &str| {
        table.list("associationSet").iter().any(|association| association.text_of(key) == value)
    };
    let own = tables.iter().find(|table| associated(table, "subnetId", subnet));
    let Some(table) = own.or_else(|| tables.iter().find(|table| associated(table, "main", "true"))) else {
        return false;
    };
    table.list("routeSet").iter().filter(|route| route.text_of("state") != "blackhole").any(|route| {
        let through = ["gatewayId", "natGatewayId", "transitGatewayId", "networkInterfaceId"]
            .into_iter()
            .any(|key| !["", "local"].contains(&route.text_of(key)));
        route.text_of("destinationCidrBlock") == "0.0.0.0/0" && through
            || route.text_of("gatewayId").starts_with("vpce-")
    })
}

/// Checks that some zone has what each fleet needs.
async fn offered(ask: &Asker<'_>, shape: &Shape, zones: &BTreeSet<&str>) -> Checked {
    let types = types(shape);
    let mut fields = vec![("LocationType".to_string(), "availability-zone")];
    for (number, (name, values)) in [("instance-type", &types), ("location", zones)].into_iter().enumerate() {
        let filter = format!("Filter.{}", number + 1);
        fields.push((format!("{filter}.Name"), name));
        fields.extend(values.iter().enumerate().map(|(at, value)| (format!("{filter}.Value.{}", at + 1), *value)));
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let answer = ask.form(&EC2, "DescribeInstanceTypeOfferings", &fields, &[]).await?.unwrap_or_default();
    let offers = answer.list("instanceTypeOfferingSet").iter();
    let offers = offers.map(|offer| (offer.text_of("location"), offer.text_of("instanceType"))).collect();
    Ok(serving(shape, zones, &offers))
}

/// A cluster is in one zone: it needs there one type, at least, of each fleet.
fn serving(shape: &Shape, zones: &BTreeSet<&str>, offers: &BTreeSet<(&str, &str)>) -> Finding {
    let serves = |zone: &&&str| {
        let offered = |name: &str| offers.contains(&(**zone, name));
        fleets(shape).iter().all(|fleet| fleet.types.iter().any(|kind| offered(&kind.name)))
    };
    let lacks = |zone: &&str| {
        let missing: Vec<&str> = types(shape).into_iter().filter(|name| !offers.contains(&(*zone, name))).collect();
        (!missing.is_empty()).then(|| format!("no {} in `{zone}`", listed(missing)))
    };
    let (good, bad): (Vec<&str>, Vec<&str>) = zones.iter().partition(serves);
    let missing: Vec<String> = zones.iter().filter_map(lacks).collect();
    let missing = missing.join("; ");
    if good.is_empty() {
        let what = format!("no zone of the subnets has a type of every fleet: {missing}");
        return Finding::problem(what).mend("add types to the fleets, or subnets in other zones");
    }
    let rest = if missing.is_empty() { "" } else { "; " };
    let finding = Finding::ok(format!("a type of every fleet in {}{rest}{missing}", listed(good)));
    if bad.is_empty() { finding } else { finding.mend(format!("EMR will not choose {}", listed(bad))) }
}

#[cfg(test)]
mod tests;
