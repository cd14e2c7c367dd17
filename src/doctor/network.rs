//! The network: subnets, their addresses, their tags, their way to S3.

use super::ask::{Asked, Asker};
use super::finding::{Finding, listed};
use super::size;
use crate::aws::{EC2, Xml};
use crate::config::Shape;

/// The tag without which EMR's managed policy may not use a subnet. Source: EMR management guide, "Service role for
/// Amazon EMR".
const TAG: &str = "for-use-with-amazon-emr-managed-policies";

/// Codes with which EC2 says that there is no such subnet.
const NONE: &[&str] = &["InvalidSubnetID.NotFound", "InvalidSubnetId.Malformed", "InvalidSubnetID.Malformed"];

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    pub id: String,
    pub vpc: String,
    pub zone: String,
    /// Addresses that are free.
    pub free: u64,
    /// Whether it has EMR's tag.
    pub tagged: bool,
}

/// Returns the subnets of a shape, or those of the default VPC.
pub(super) async fn subnets(ask: &Asker<'_>, shape: &Shape) -> Result<Vec<Subnet>, Finding> {
    let keys: Vec<String> = (1..=shape.subnets.len()).map(|at| format!("SubnetId.{at}")).collect();
    let mut fields: Vec<(&str, &str)> =
        keys.iter().map(String::as_str).zip(shape.subnets.iter().map(String::as_str)).collect();
    if fields.is_empty() {
        fields = vec![("Filter.1.Name", "default-for-az"), ("Filter.1.Value.1", "true")];
    }
    let missing = |words: String| {
        Finding::problem("subnets", words)
            .mend("`aws ec2 describe-subnets` shows those that there are; correct `subnets`")
    };
    let asked = ask.form(&EC2, "DescribeSubnets", &fields, NONE).await;
    let found: Vec<Subnet> = asked.or_tell("subnets", "they", missing)?.list("subnetSet").iter().map(subnet).collect();
    if found.is_empty() {
        let finding = Finding::problem("subnets", "the shape names none and there is no default VPC");
        return Err(finding.mend("name some in the shape: `subnets`").mend("`aws ec2 create-default-vpc`"));
    }
    Ok(found)
}

fn subnet(item: &Xml) -> Subnet {
    let text = |name: &str| item.text_of(name).to_string();
    let tagged = item.list("tagSet").iter().any(|tag| tag.text_of("key") == TAG && tag.text_of("value") == "true");
    let free = item.text_of("availableIpAddressCount").parse().unwrap_or(0);
    Subnet { id: text("subnetId"), vpc: text("vpcId"), zone: text("availabilityZone"), free, tagged }
}

/// Checks what can be told from the subnets alone; `tagged_only`: whether EMR may use only what is tagged.
pub(super) fn judge(shape: &Shape, subnets: &[Subnet], tagged_only: Option<bool>) -> Vec<Finding> {
    let mut findings = vec![in_one_vpc(shape, subnets), addresses(shape, subnets)];
    let bare: Vec<&str> = subnets.iter().filter(|subnet| !subnet.tagged).map(|subnet| subnet.id.as_str()).collect();
    let check = "subnet tags";
    let tag = format!("`aws ec2 create-tags --resources {} --tags Key={TAG},Value=true`", bare.join(" "));
    match tagged_only {
        _ if bare.is_empty() => findings.push(Finding::ok(check, format!("all have `{TAG}`"))),
        Some(true) => {
            let what = format!("{} without `{TAG}=true`, which the service role's managed policy needs", listed(&bare));
            findings.push(Finding::problem(check, what).mend(tag));
        }
        Some(false) => {}
        None => {
            let what =
                format!("{} without `{TAG}=true`; whether the service role needs it is not known", listed(&bare));
            findings.push(Finding::unknown(check, what).mend(tag));
        }
    }
    findings
}

fn in_one_vpc(shape: &Shape, subnets: &[Subnet]) -> Finding {
    let mut networks: Vec<&str> = subnets.iter().map(|subnet| subnet.vpc.as_str()).collect();
    networks.sort_unstable();
    networks.dedup();
    if let [vpc] = networks.as_slice() {
        let whose = if shape.subnets.is_empty() { "the default VPC" } else { "VPC" };
        let names = listed(subnets.iter().map(|subnet| &subnet.id));
        return Finding::ok("subnets", format!("{names} in {whose} `{vpc}`"));
    }
    let what = format!("they are in several VPCs, {}: EMR takes those of one", listed(networks));
    Finding::problem("subnets", what).mend("leave only the subnets of one VPC in `subnets`")
}

/// A cluster is in one subnet, which EMR chooses.
fn addresses(shape: &Shape, subnets: &[Subnet]) -> Finding {
    let needed = size::instances(shape);
    let shown: Vec<String> = subnets.iter().map(|subnet| format!("`{}` has {}", subnet.id, subnet.free)).collect();
    let what = format!("{needed} needed at full size; {}", shown.join(", "));
    if subnets.iter().any(|subnet| subnet.free >= needed) {
        Finding::ok("addresses", what)
    } else {
        Finding::problem("addresses", what).mend("add a larger subnet to `subnets`, or make the shape smaller")
    }
}

/// How a subnet reaches S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Over the internet, directly or through something that translates addresses.
    Out,
    /// Through an endpoint in its route table.
    Endpoint,
    /// Not by its routes.
    None,
}

/// Checks that every subnet reaches S3.
pub(super) async fn way_to_s3(ask: &Asker<'_>, subnets: &[Subnet]) -> Vec<Finding> {
    let check = "way to S3";
    let Some(vpc) = subnets.first().map(|subnet| subnet.vpc.as_str()) else { return Vec::new() };
    let fields = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)];
    let tables = match ask.form(&EC2, "DescribeRouteTables", &fields, &[]).await {
        Asked::Is(answer) => answer.list("routeTableSet").to_vec(),
        Asked::Absent(why) | Asked::Unknown(why) => {
            return vec![Finding::unknown(check, format!("routes could not be checked: {why}"))];
        }
    };
    let cut_off: Vec<&str> = subnets
        .iter()
        .filter(|subnet| way(&tables, &subnet.id) == Way::None)
        .map(|subnet| subnet.id.as_str())
        .collect();
    if cut_off.is_empty() {
        return vec![Finding::ok(check, "every subnet has a route")];
    }
    let region = ask.session.region();
    let service = format!("com.amazonaws.{region}.s3");
    let fields = [fields[0], fields[1], ("Filter.2.Name", "service-name"), ("Filter.2.Value.1", &service)];
    let what = format!("{} reach neither the internet nor S3", listed(&cut_off));
    vec![match ask.form(&EC2, "DescribeVpcEndpoints", &fields, &[]).await {
        Asked::Is(answer) if has_interface(&answer) => {
            Finding::ok(check, format!("{} through an interface endpoint", listed(&cut_off)))
        }
        Asked::Is(_) => Finding::problem(check, what).mend(format!(
            "`aws ec2 create-vpc-endpoint --vpc-id {vpc} --service-name {service} --route-table-ids ROUTE_TABLE`"
        )),
        Asked::Absent(why) | Asked::Unknown(why) => Finding::unknown(check, format!("{what} by their routes: {why}")),
    }]
}

/// A gateway endpoint works through a route table only, an interface endpoint without one.
fn has_interface(answer: &Xml) -> bool {
    answer.list("vpcEndpointSet").iter().any(|endpoint| endpoint.text_of("vpcEndpointType") == "Interface")
}

/// Returns how a subnet reaches S3 by the route table it is associated with, or the VPC's main one.
fn way(tables: &[Xml], subnet: &str) -> Way {
    let associated = |table: &&Xml, key: &str, value: &str| {
        table.list("associationSet").iter().any(|association| association.text_of(key) == value)
    };
    let own = tables.iter().find(|table| associated(table, "subnetId", subnet));
    let Some(table) = own.or_else(|| tables.iter().find(|table| associated(table, "main", "true"))) else {
        return Way::None;
    };
    let routes = table.list("routeSet").iter().filter(|route| route.text_of("state") != "blackhole");
    let mut way = Way::None;
    for route in routes {
        let through = ["gatewayId", "natGatewayId", "transitGatewayId", "networkInterfaceId"]
            .into_iter()
            .any(|key| !["", "local"].contains(&route.text_of(key)));
        if route.text_of("destinationCidrBlock") == "0.0.0.0/0" && through {
            return Way::Out;
        }
        if route.text_of("gatewayId").starts_with("vpce-") {
            way = Way::Endpoint;
        }
    }
    way
}

#[cfg(test)]
mod tests;
