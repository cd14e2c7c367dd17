//! The machines: whether the release is there, has the applications and the Python, and runs on the instance types; and
//! whether EC2 lets a cluster of this shape grow to its full size.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::finding::{Asker, Checked, Finding, line, listed};
use crate::aws::SERVICE_QUOTAS;
use crate::config::{Emr, Fleet, InstanceType, Shape};
use crate::cost;

/// The Pythons of releases, by how the label begins. Source: the EMR release guide, "Application versions".
const PYTHONS: [(&str, &[&str]); 2] = [("emr-7.", &["3.9", "3.11"]), ("emr-spark-8.1.", &["3.11", "3.13"])];

/// Quotas of EC2 on the processors that run at once in a region. Source: the quotas of `ec2` as `aws service-quotas
/// list-service-quotas` gives them: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances" and "All Standard
/// (A, C, D, H, I, M, R, T, Z) Spot Instance Requests".
const ON_DEMAND: &str = "L-1216C47A";
const SPOT: &str = "L-34B43A08";

/// The families those quotas are about.
const STANDARD: [&str; 11] = ["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"];

/// Checks the release, what is to run on it, and the quotas of what the shape uses.
pub(super) async fn check(ask: &Asker<'_>, emr: &Emr) -> Vec<Finding> {
    let (shape, release) = (&emr.shape, &emr.shape.release);
    let mut known = BTreeMap::new();
    let there = describe(ask, shape).await;
    let runs = matches!(&there, Ok((true, _)));
    let mut findings = vec![
        line("release", &format!("`{release}`"), there.map(|(_, finding)| finding)),
        python(release, &shape.python).of("python"),
    ];
    if runs {
        let found = supported(ask, shape, &mut known).await;
        findings.push(line("instance types", &listed(types(shape)), found));
    }
    let other: Vec<&str> = types(shape).into_iter().filter(|name| !is_standard(name)).collect();
    let vcpus = |name: &str| known.get(name).copied().or_else(|| cost::capacity(name).map(|has| has.vcpus));
    match processors(shape, vcpus) {
        _ if !other.is_empty() => {
            let what = format!("{} have quotas of their own, which are not looked at", listed(other));
            findings.push(Finding::unknown(what).of("quota on demand"));
        }
        Err(types) => {
            let what = format!("how many processors {} have is not known here", listed(types));
            findings.push(Finding::unknown(what).of("quota on demand"));
        }
        Ok((on_demand, spot)) => {
            for (check, code, needed) in [("quota on demand", ON_DEMAND, on_demand), ("quota of spot", SPOT, spot)] {
                if needed > 0 {
                    findings.push(line(check, &format!("`{code}`"), quota(ask, code, needed).await));
                }
            }
        }
    }
    let rates = format!("soflow keeps to {} times AWS's default rates of calls (`api-quota`)", emr.api_quota);
    findings.push(Finding::ok(rates).of("EMR call rates"));
    findings
}

/// Returns whether the release exists, and what is to be told of it.
async fn describe(ask: &Asker<'_>, shape: &Shape) -> Result<(bool, Finding), String> {
    let (emr, release) = (ask.session.emr(), &shape.release);
    let describe = || emr.describe_release_label().release_label(release).send();
    let Some(found) = ask.emr("DescribeReleaseLabel", describe).await? else {
        let finding = Finding::problem(format!("`{release}` does not exist in this region"));
        return Ok((false, finding.mend("`aws emr list-release-labels` shows those that do; correct `release`")));
    };
    let known: Vec<&str> = found.applications().iter().filter_map(|known| known.name()).collect();
    let has = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let missing: Vec<&String> = shape.applications.iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok((true, Finding::ok(format!("`{release}` has {}", listed(&shape.applications)))));
    }
    let finding = Finding::problem(format!("`{release}` has no {}", listed(missing)));
    Ok((true, finding.mend(format!("correct `applications`; it has {}", listed(known)))))
}

fn python(release: &str, python: &str) -> Finding {
    match PYTHONS.iter().find(|(start, _)| release.starts_with(start)) {
        Some((_, has)) if has.contains(&python) => Finding::ok(format!("`{release}` has Python {python}")),
        Some((_, has)) => Finding::problem(format!("`{release}` has no Python {python}"))
            .mend(format!("set `python` to one that it has: {}", listed(*has))),
        None => Finding::unknown(format!("which Pythons `{release}` has is not known here")),
    }
}

/// Checks that the release runs on all instance types; adds their processors to `known`.
async fn supported(ask: &Asker<'_>, shape: &Shape, known: &mut BTreeMap<String, u32>) -> Checked {
    let (emr, release) = (ask.session.emr(), &shape.release);
    let mut missing: BTreeSet<&str> = types(shape);
    let mut marker = None::<String>;
    loop {
        let list = || emr.list_supported_instance_types().release_label(release).set_marker(marker.clone()).send();
        let page = ask.emr("ListSupportedInstanceTypes", list).await?;
        let page = page.ok_or_else(|| format!("EMR does not know `{release}`"))?;
        for supported in page.supported_instance_types() {
            let name = supported.r#type().unwrap_or_default();
            if let (true, Some(processors)) = (missing.remove(name), supported.vcpu()) {
                known.insert(name.to_string(), processors.unsigned_abs());
            }
        }
        let next = page.marker.filter(|next| !next.is_empty() && !missing.is_empty());
        if next.is_none() || next == marker {
            break;
        }
        marker = next;
    }
    if missing.is_empty() {
        return Ok(Finding::ok(format!("`{release}` runs on {}", listed(types(shape)))));
    }
    let command = format!("`aws emr list-supported-instance-types --release-label {release}` shows what it runs on");
    Ok(Finding::problem(format!("`{release}` does not run on {}", listed(missing))).mend(command))
}

async fn quota(ask: &Asker<'_>, code: &str, needed: u64) -> Checked {
    let input = json!({ "ServiceCode": "ec2", "QuotaCode": code });
    let answer = ask.json::<Json>(&SERVICE_QUOTAS, "GetServiceQuota", input, "NoSuchResourceException").await?;
    let value = answer.and_then(|answer| answer["Quota"]["Value"].as_f64());
    Ok(value.map_or_else(
        || Finding::unknown(format!("`{code}` is not among the account's quotas")),
        |value| enough(code, needed, value),
    ))
}

fn enough(code: &str, needed: u64, value: f64) -> Finding {
    if needed as f64 <= value {
        let together = "allowed together with all else that runs";
        return Finding::ok(format!("{needed} processors at full size, {value} {together}"));
    }
    let request = format!(
        "`aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} --desired-value {needed}`"
    );
    Finding::problem(format!("{needed} processors at full size, {value} allowed"))
        .mend(request)
        .mend("or a smaller shape")
}

/// Returns whether a type's family, the letters before its generation, is one of the standard ones.
fn is_standard(name: &str) -> bool {
    let family: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    STANDARD.contains(&family.as_str())
}

/// Returns the fleets of a shape, the primary's first.
pub(super) fn fleets(shape: &Shape) -> Vec<&Fleet> {
    [Some(&shape.primary), Some(&shape.core), shape.task.as_ref()].into_iter().flatten().collect()
}

/// Returns the instance types of a shape, each once.
pub(super) fn types(shape: &Shape) -> BTreeSet<&str> {
    fleets(shape).into_iter().flat_map(|fleet| &fleet.types).map(|kind| kind.name.as_str()).collect()
}

/// Returns the most units that the fleets besides the primary's may have, whatever EMR picks from them: altogether, on
/// demand, of spot instances.
fn most(shape: &Shape) -> [u64; 3] {
    let sum = |of: fn(&Fleet) -> u32| fleets(shape)[1..].iter().map(|fleet| u64::from(of(fleet))).sum::<u64>();
    let (on_demand, spot) = (sum(|fleet| fleet.on_demand), sum(|fleet| fleet.spot));
    let Some(scaling) = &shape.scaling else { return [on_demand + spot, on_demand, spot] };
    // A cluster starts with its fleets as they are written, even above what scaling would allow.
    let all = u64::from(scaling.max).max(on_demand + spot);
    let may = scaling.max_on_demand.map_or(all, u64::from).min(all);
    [all, may.max(on_demand), (all - may).max(spot)]
}

/// Returns the most instances at once, the primary among them.
pub(super) fn instances(shape: &Shape) -> u64 {
    let lightest = |fleets: &[&Fleet]| fleets.iter().flat_map(|fleet| &fleet.types).map(weight).min().unwrap_or(1);
    let (fleets, [all, ..]) = (fleets(shape), most(shape));
    let primary = u64::from(shape.primary.on_demand + shape.primary.spot).div_ceil(lightest(&fleets[..1]));
    primary + all.div_ceil(lightest(&fleets[1..]))
}

/// Returns the most processors on demand and of spot instances; `Err` has the types whose processors `vcpus` does not
/// know.
fn processors(shape: &Shape, vcpus: impl Fn(&str) -> Option<u32>) -> Result<(u64, u64), Vec<&str>> {
    let unknown: Vec<&str> = types(shape).into_iter().filter(|name| vcpus(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    // Instances of so many units as the heaviest mix would have them, the last one counting more than was left.
    let of = |fleets: &[&Fleet], units: u64| {
        let each = |kind: &InstanceType| units.div_ceil(weight(kind)) * u64::from(vcpus(&kind.name).unwrap_or(0));
        fleets.iter().flat_map(|fleet| &fleet.types).map(each).max().unwrap_or(0)
    };
    let (fleets, primary, [_, on_demand, spot]) = (fleets(shape), &shape.primary, most(shape));
    let total = |first: u32, rest: u64| of(&fleets[..1], first.into()) + of(&fleets[1..], rest);
    Ok((total(primary.on_demand, on_demand), total(primary.spot, spot)))
}

fn weight(kind: &InstanceType) -> u64 {
    u64::from(kind.weight.max(1))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::testing::{fleet, shape};
    use super::*;
    use crate::config::Scaling;

    #[test]
    fn each_line_of_releases_has_its_pythons() {
        for (release, version, state) in [
            ("emr-7.14.0", "3.11", State::Ok),
            ("emr-7.14.0", "3.12", State::Problem),
            ("emr-spark-8.1.0", "3.13", State::Ok),
            ("emr-spark-8.1.0", "3.9", State::Problem),
            ("emr-6.15.0", "3.7", State::Unknown),
            ("emr-spark-8.0.0", "3.11", State::Unknown),
        ] {
            assert_eq!(python(release, version).state, state, "{release} {version}");
        }
    }

    #[test]
    fn a_quota_is_enough_or_not() {
        assert_eq!(enough(ON_DEMAND, 32, 32.0).state, State::Ok);
        let short = enough(SPOT, 33, 32.0);
        assert_eq!(short.state, State::Problem);
        assert!(short.mend[0].contains("--quota-code L-34B43A08 --desired-value 33"), "{short:?}");
    }

    #[test]
    fn families() {
        for (name, standard) in [
            ("m5.xlarge", true),
            ("im4gn.large", true),
            ("g5.xlarge", false),
            ("inf1.xlarge", false),
            ("x2gd.medium", false),
        ] {
            assert_eq!(is_standard(name), standard, "{name}");
        }
    }

    #[test]
    fn without_scaling_a_cluster_is_as_it_is_written() {
        let mut shape = shape();
        shape.core = fleet(&[("m5.xlarge", 1), ("m5.2xlarge", 2)], 2, 0);
        shape.task = Some(fleet(&[("m5.xlarge", 1)], 1, 6));
        assert_eq!((most(&shape), instances(&shape)), ([9, 3, 6], 10));
        let vcpus = |name: &str| Some(if name == "m5.xlarge" { 4 } else { 8 });
        // Three units on demand may be two m5.2xlarge, the second half unused; one primary of 4.
        assert_eq!(processors(&shape, vcpus), Ok((4 + 16, 24)));
        assert_eq!(processors(&shape, |_| None).unwrap_err(), ["m5.2xlarge", "m5.xlarge"]);
    }

    #[test]
    fn scaling_sets_the_limits_and_never_below_the_start() {
        let mut shape = shape();
        shape.core = fleet(&[("m5.xlarge", 1)], 2, 0);
        shape.scaling = Some(Scaling { min: 2, max: 10, max_on_demand: Some(4), max_core: None });
        assert_eq!((most(&shape), instances(&shape)), ([10, 4, 6], 11));
        shape.scaling = Some(Scaling { min: 1, max: 1, max_on_demand: None, max_core: None });
        assert_eq!((most(&shape), instances(&shape)), ([2, 2, 0], 3));
    }
}
