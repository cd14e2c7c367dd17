//! Quotas: whether EC2 lets a cluster of this shape grow to its full size.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::ask::{Asked, Asker};
use super::finding::{Finding, listed};
use super::size;
use crate::aws::SERVICE_QUOTAS;
use crate::config::Emr;
use crate::cost;

/// A quota of EC2 on the processors that run at once in a region.
struct Quota {
    check: &'static str,
    code: &'static str,
}

/// Source: the quotas of `ec2` as `aws service-quotas list-service-quotas` gives them: "Running On-Demand Standard
/// (A, C, D, H, I, M, R, T, Z) instances" and "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests".
const ON_DEMAND: Quota = Quota { check: "quota on demand", code: "L-1216C47A" };
const SPOT: Quota = Quota { check: "quota of spot", code: "L-34B43A08" };

/// The families those quotas are about.
const STANDARD: [&str; 11] = ["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    quota: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value {
    value: f64,
}

/// Checks the quotas of what the shape uses; `known`: the processors of types, as far as EMR has told.
pub(super) async fn check(ask: &Asker<'_>, emr: &Emr, known: &BTreeMap<String, u32>) -> Vec<Finding> {
    let shape = &emr.shape;
    let rates = format!("soflow keeps to {} times AWS's default rates of calls (`api-quota`)", emr.api_quota);
    let rates = Finding::ok("EMR call rates", rates);
    let other: Vec<&str> = size::types(shape).into_iter().filter(|name| !is_standard(name)).collect();
    if !other.is_empty() {
        let what = format!("{} have quotas of their own, which are not looked at", listed(other));
        return vec![Finding::unknown("quota on demand", what), rates];
    }
    match size::processors(shape, |name| processors(name, known)) {
        Err(types) => {
            let what = format!("how many processors {} have is not known here", listed(types));
            vec![Finding::unknown("quota on demand", what), rates]
        }
        Ok((on_demand, spot)) => {
            let (first, second) = tokio::join!(one(ask, &ON_DEMAND, on_demand), one(ask, &SPOT, spot));
            first.into_iter().chain(second).chain([rates]).collect()
        }
    }
}

fn processors(name: &str, known: &BTreeMap<String, u32>) -> Option<u32> {
    known.get(name).copied().or_else(|| cost::capacity(name).map(|has| has.vcpus))
}

async fn one(ask: &Asker<'_>, quota: &Quota, needed: u64) -> Option<Finding> {
    if needed == 0 {
        return None;
    }
    let input = json!({ "ServiceCode": "ec2", "QuotaCode": quota.code });
    let asked: Asked<Answer> = ask.json(&SERVICE_QUOTAS, "GetServiceQuota", input, &["NoSuchResourceException"]).await;
    let none = |_| Finding::unknown(quota.check, format!("`{}` is not among the account's quotas", quota.code));
    Some(match asked.or_tell(quota.check, &format!("`{}`", quota.code), none) {
        Ok(answer) => judge(quota, needed, answer.quota.value),
        Err(finding) => finding,
    })
}

fn judge(quota: &Quota, needed: u64, value: f64) -> Finding {
    let Quota { check, code } = quota;
    if needed as f64 <= value {
        let what = format!("{needed} processors at full size, {value} allowed together with all else that runs");
        return Finding::ok(check, what);
    }
    let request = format!(
        "`aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} --desired-value {needed}`"
    );
    let what = format!("{needed} processors at full size, {value} allowed");
    Finding::problem(check, what).mend(request).mend("or a smaller shape")
}

/// Returns whether a type's family, the letters before its generation, is one of the standard ones.
fn is_standard(name: &str) -> bool {
    let family: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    STANDARD.contains(&family.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_quota_is_enough_or_not() {
        assert_eq!(judge(&ON_DEMAND, 32, 32.0).state, State::Ok);
        let short = judge(&SPOT, 33, 32.0);
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
}
