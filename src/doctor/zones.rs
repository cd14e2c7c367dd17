//! Whether EC2 offers the instance types where the subnets are.

use std::collections::BTreeSet;

use super::ask::{Asked, Asker};
use super::finding::{Finding, listed};
use super::network::Subnet;
use super::size;
use crate::aws::EC2;
use crate::config::Shape;

const CHECK: &str = "zones";

/// Checks that some zone has what each fleet needs.
pub(super) async fn check(ask: &Asker<'_>, shape: &Shape, subnets: &[Subnet]) -> Finding {
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let types = size::types(shape);
    let mut fields = vec![("LocationType".to_string(), "availability-zone")];
    for (number, (name, values)) in [("instance-type", &types), ("location", &zones)].into_iter().enumerate() {
        let filter = format!("Filter.{}", number + 1);
        fields.push((format!("{filter}.Name"), name));
        fields.extend(values.iter().enumerate().map(|(at, value)| (format!("{filter}.Value.{}", at + 1), *value)));
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    match ask.form(&EC2, "DescribeInstanceTypeOfferings", &fields, &[]).await {
        Asked::Is(answer) => {
            let offers = answer.list("instanceTypeOfferingSet");
            judge(
                shape,
                &zones,
                &offers.iter().map(|offer| (offer.text_of("location"), offer.text_of("instanceType"))).collect(),
            )
        }
        Asked::Absent(why) | Asked::Unknown(why) => {
            Finding::unknown(CHECK, format!("what EC2 offers in {} could not be checked: {why}", listed(zones)))
        }
    }
}

/// A cluster is in one zone: it needs there one type, at least, of each fleet.
fn judge(shape: &Shape, zones: &BTreeSet<&str>, offers: &BTreeSet<(&str, &str)>) -> Finding {
    let serves = |zone: &str| {
        size::fleets(shape)
            .all(|(_, fleet)| fleet.types.iter().any(|kind| offers.contains(&(zone, kind.name.as_str()))))
    };
    let lacks = |zone: &str| {
        let missing: Vec<&str> =
            size::types(shape).into_iter().filter(|name| !offers.contains(&(zone, name))).collect();
        (!missing.is_empty()).then(|| format!("no {} in `{zone}`", listed(missing)))
    };
    let (good, bad): (Vec<&str>, Vec<&str>) = zones.iter().partition(|zone| serves(zone));
    let missing: Vec<String> = zones.iter().filter_map(|zone| lacks(zone)).collect();
    if good.is_empty() {
        let what = format!("no zone of the subnets has a type of every fleet: {}", missing.join("; "));
        return Finding::problem(CHECK, what).mend("add types to the fleets, or subnets in other zones");
    }
    let rest = if missing.is_empty() { String::new() } else { format!("; {}", missing.join("; ")) };
    let finding = Finding::ok(CHECK, format!("a type of every fleet in {}{rest}", listed(good)));
    if bad.is_empty() { finding } else { finding.mend(format!("EMR will not choose {}", listed(bad))) }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::testing::{fleet, shape};
    use super::*;

    #[test]
    fn one_zone_must_have_a_type_of_every_fleet() {
        let mut shape = shape();
        shape.primary = fleet(&[("m5.xlarge", 1)], 1, 0);
        shape.core = fleet(&[("m6g.xlarge", 1), ("m7g.xlarge", 1)], 2, 0);
        let zones = BTreeSet::from(["a", "b"]);
        let apart = judge(&shape, &zones, &BTreeSet::from([("a", "m5.xlarge"), ("b", "m6g.xlarge")]));
        assert_eq!(apart.state, State::Problem);
        let some =
            judge(&shape, &zones, &BTreeSet::from([("a", "m5.xlarge"), ("a", "m7g.xlarge"), ("b", "m6g.xlarge")]));
        assert_eq!((some.state, some.mend.len()), (State::Ok, 1));
        assert_eq!(
            some.what,
            "a type of every fleet in `a`; no `m6g.xlarge` in `a`; no `m5.xlarge`, `m7g.xlarge` in `b`"
        );
    }
}
