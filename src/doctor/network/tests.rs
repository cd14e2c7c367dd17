//! What is made of subnets and route tables.

use super::super::State;
use super::super::testing::{fleet, shape};
use super::*;

fn subnet(id: &str, vpc: &str, free: u64, tagged: bool) -> Subnet {
    Subnet { id: id.into(), vpc: vpc.into(), zone: "us-east-1a".into(), free, tagged }
}

fn states(findings: &[Finding]) -> Vec<(&str, State)> {
    findings.iter().map(|finding| (finding.check, finding.state)).collect()
}

#[test]
fn one_subnet_with_room_is_enough() {
    let mut shape = shape();
    shape.core = fleet(&[("m5.xlarge", 1)], 9, 0);
    let two = [subnet("subnet-1", "vpc-1", 9, true), subnet("subnet-2", "vpc-1", 10, true)];
    let findings = judge(&shape, &two, Some(true));
    assert_eq!(states(&findings), [("subnets", State::Ok), ("addresses", State::Ok), ("subnet tags", State::Ok)]);
    assert_eq!(findings[1].what, "10 needed at full size; `subnet-1` has 9, `subnet-2` has 10");
    assert_eq!(judge(&shape, &two[..1], Some(true))[1].state, State::Problem);
}

#[test]
fn tags_matter_to_the_managed_policy_only() {
    let bare = [subnet("subnet-1", "vpc-1", 99, false)];
    assert_eq!(judge(&shape(), &bare, Some(false)).len(), 2);
    assert_eq!(judge(&shape(), &bare, None)[2].state, State::Unknown);
    let problem = &judge(&shape(), &bare, Some(true))[2];
    assert_eq!(problem.state, State::Problem);
    assert!(problem.mend[0].contains("create-tags --resources subnet-1 --tags Key=for-use-with"), "{problem:?}");
}

#[test]
fn several_networks_are_one_too_many() {
    let two = [subnet("subnet-1", "vpc-1", 99, true), subnet("subnet-2", "vpc-2", 99, true)];
    assert_eq!(judge(&shape(), &two, Some(false))[0].state, State::Problem);
}

fn table(association: &str, routes: &str) -> Xml {
    let text = format!(
        "<item><associationSet><item>{association}</item></associationSet><routeSet><item><destinationCidrBlock>10.0.0.0/16\
         </destinationCidrBlock><gatewayId>local</gatewayId></item>{routes}</routeSet></item>"
    );
    Xml::parse(&text).unwrap()
}

#[test]
fn the_way_to_s3_is_that_of_the_own_table_else_of_the_main_one() {
    let default =
        |through: &str| format!("<item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>{through}</item>");
    let internet = default("<gatewayId>igw-1</gatewayId>");
    let main = table("<main>true</main>", &internet);
    let private = table("<subnetId>private</subnetId>", "");
    let nat = table("<subnetId>nat</subnetId>", &default("<natGatewayId>nat-1</natGatewayId>"));
    let gone =
        table("<subnetId>gone</subnetId>", &default("<natGatewayId>nat-1</natGatewayId><state>blackhole</state>"));
    let list = "<item><destinationPrefixListId>pl-1</destinationPrefixListId><gatewayId>vpce-1</gatewayId></item>";
    let endpoint = table("<subnetId>endpoint</subnetId>", list);
    let tables = [main, private, nat, gone, endpoint];
    for (name, expected) in [("other", true), ("private", false), ("nat", true), ("gone", false), ("endpoint", true)] {
        assert_eq!(reaches_s3(&tables, name), expected, "{name}");
    }
    assert!(!reaches_s3(&[], "any"));
}

#[test]
fn a_gateway_endpoint_without_a_route_is_no_way() {
    let endpoint = |kind: &str| {
        let text =
            format!("<R><vpcEndpointSet><item><vpcEndpointType>{kind}</vpcEndpointType></item></vpcEndpointSet></R>");
        Xml::parse(&text).unwrap()
    };
    assert!(has_interface(&endpoint("Interface")) && !has_interface(&endpoint("Gateway")));
}

#[test]
fn one_zone_must_have_a_type_of_every_fleet() {
    let mut shape = shape();
    shape.primary = fleet(&[("m5.xlarge", 1)], 1, 0);
    shape.core = fleet(&[("m6g.xlarge", 1), ("m7g.xlarge", 1)], 2, 0);
    let zones = BTreeSet::from(["a", "b"]);
    let apart = serving(&shape, &zones, &BTreeSet::from([("a", "m5.xlarge"), ("b", "m6g.xlarge")]));
    assert_eq!(apart.state, State::Problem);
    let some = serving(&shape, &zones, &BTreeSet::from([("a", "m5.xlarge"), ("a", "m7g.xlarge"), ("b", "m6g.xlarge")]));
    assert_eq!((some.state, some.mend.len()), (State::Ok, 1));
    assert_eq!(some.what, "a type of every fleet in `a`; no `m6g.xlarge` in `a`; no `m5.xlarge`, `m7g.xlarge` in `b`");
}
