//! Trust policies as IAM gives them: whom a role lets act in it. IAM simulates every policy but these.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value as Json;

use super::finding::{Finding, listed};

/// Someone a role may trust.
#[derive(Clone, Copy, Debug)]
pub(super) enum Principal<'a> {
    /// An AWS service, such as `ec2.amazonaws.com`.
    Service(&'a str),
    /// A role, by its ARN.
    Role(&'a str),
}

/// The statements of a trust policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct TrustPolicy {
    #[serde(rename = "Statement")]
    statements: Json,
}

impl TrustPolicy {
    /// Returns the policy of a document, which IAM gives URL-encoded; `None` when it is not one.
    pub fn parse(document: &str) -> Option<Self> {
        serde_json::from_str(&percent_decode_str(document).decode_utf8().ok()?).ok()
    }

    /// Returns on what it depends, beside the role's trust, that `principal` may do `action`; `None` when it may not.
    /// A refusal is stronger than any permission.
    fn trusts(&self, principal: Principal<'_>, action: &str) -> Option<BTreeSet<String>> {
        let (mut allowed, mut doubts) = (None, BTreeSet::new());
        for statement in members(&self.statements) {
            let Some(conditions) = about(statement, principal, action) else { continue };
            match statement["Effect"].as_str() {
                Some("Deny") if conditions.is_empty() => return None,
                Some("Deny") => doubts.extend(conditions),
                // The easiest of several ways.
                _ => allowed = allowed.into_iter().chain([conditions]).min_by_key(BTreeSet::len),
            }
        }
        allowed.map(|conditions| conditions.into_iter().chain(doubts).collect())
    }
}

/// Returns what else must hold for a statement to be about a principal and an action; `None` when it is not about them.
fn about(statement: &Json, principal: Principal<'_>, action: &str) -> Option<BTreeSet<String>> {
    let operators = statement["Condition"].as_object().into_iter().flat_map(|all| all.values());
    let keys = operators.filter_map(Json::as_object).flat_map(|tests| tests.keys().map(|key| format!("`{key}`")));
    let mut conditions: BTreeSet<String> = keys.collect();
    let inverse = statement.get("NotAction").is_some();
    let mut patterns = texts(&statement[if inverse { "NotAction" } else { "Action" }]);
    if patterns.any(|pattern| matches(pattern.as_bytes(), action.as_bytes())) == inverse {
        return None;
    }
    let named = &statement["Principal"];
    if statement.get("NotPrincipal").is_some() {
        conditions.insert("`NotPrincipal`".into());
        return Some(conditions);
    }
    if *named == "*" {
        return Some(conditions);
    }
    let trusted = match principal {
        // Services have other names in China; a document for them is as good.
        Principal::Service(service) => texts(&named["Service"]).any(|name| name.trim_end_matches(".cn") == service),
        Principal::Role(arn) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            // An account as a whole leaves it to its own policies whom it lets in.
            let whole = |name: &str| name == account || name.ends_with(&format!(":{account}:root"));
            let itself = texts(&named["AWS"]).any(|name| name == arn || name == "*");
            let by_account = !itself && texts(&named["AWS"]).any(whole);
            conditions.extend(by_account.then(|| "the policies of its account".into()));
            itself || by_account
        }
    };
    trusted.then_some(conditions)
}

/// Returns whether an action fits a pattern with `*` and `?`, upper and lower case being the same.
fn matches(pattern: &[u8], action: &[u8]) -> bool {
    match (pattern.split_first(), action.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=action.len()).any(|at| matches(rest, &action[at..])),
        (Some((b'?', rest)), Some((_, tail))) => matches(rest, tail),
        (Some((one, rest)), Some((other, tail))) => one.eq_ignore_ascii_case(other) && matches(rest, tail),
        _ => false,
    }
}

/// Returns the members of what may be one thing or a list of them.
fn members(element: &Json) -> &[Json] {
    element.as_array().map_or(std::slice::from_ref(element), Vec::as_slice)
}

fn texts(element: &Json) -> impl Iterator<Item = &str> {
    members(element).iter().filter_map(Json::as_str)
}

/// Returns whether a role, whose trust policy may be unreadable, trusts someone enough for all of `actions`.
pub(super) fn trusts(name: &str, policy: Option<&TrustPolicy>, whom: Principal<'_>, actions: &[&str]) -> Finding {
    let (who, principal) = match whom {
        Principal::Service(service) => (service, format!(r#""Service":"{service}""#)),
        Principal::Role(arn) => (arn, format!(r#""AWS":"{arn}""#)),
    };
    let Some(policy) = policy else { return Finding::unknown(format!("whom `{name}` trusts cannot be read")) };
    let mut conditions = BTreeSet::new();
    let mut refused = Vec::new();
    for action in actions {
        match policy.trusts(whom, action) {
            Some(keys) => conditions.extend(keys),
            None => refused.push(*action),
        }
    }
    if !refused.is_empty() {
        let what = format!("`{name}` does not let `{who}` {}", listed(refused));
        return Finding::problem(what).mend(format!("add to its trust policy: `{}`", statement(&principal, actions)));
    }
    let depends = if conditions.is_empty() { "" } else { ", depending on " };
    let conditions: Vec<String> = conditions.into_iter().collect();
    Finding::ok(format!("`{name}` trusts `{who}`{depends}{}", conditions.join(", ")))
}

/// Returns the statement of a trust policy that lets `principal`, such as `"Service":"…"`, do `actions`.
pub(super) fn statement(principal: &str, actions: &[&str]) -> String {
    format!(r#"{{"Effect":"Allow","Principal":{{{principal}}},"Action":["{}"]}}"#, actions.join(r#"",""#))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    const EMR: Principal<'_> = Principal::Service("elasticmapreduce.amazonaws.com");
    const NODES: Principal<'_> = Principal::Role("arn:aws:iam::123456789012:role/nodes");

    fn depends(statements: &str, principal: Principal<'_>, action: &str) -> Option<Vec<String>> {
        let policy = TrustPolicy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#)).unwrap();
        policy.trusts(principal, action).map(|conditions| conditions.into_iter().collect())
    }

    fn on(keys: &[&str]) -> Option<Vec<String>> {
        Some(keys.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_statement_or_many_one_name_or_many() {
        let one =
            r#"{"Effect":"Allow","Principal":{"Service":"elasticmapreduce.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        assert_eq!(depends(one, EMR, "sts:AssumeRole"), on(&[]));
        assert_eq!(depends(one, Principal::Service("ec2.amazonaws.com"), "sts:AssumeRole"), None);
        assert_eq!(depends(one, EMR, "sts:TagSession"), None);
        let many = r#"[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","elasticmapreduce.amazonaws.com.cn"]},
            "Action":["sts:AssumeRole","sts:TagSession"]}]"#;
        assert_eq!(depends(many, EMR, "sts:TagSession"), on(&[]));
    }

    #[test]
    fn documents_come_encoded() {
        let document = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22%2A%22%2C%22Action%22%3A%22sts%3A%2A%22%7D%5D%7D";
        assert!(TrustPolicy::parse(document).unwrap().trusts(NODES, "sts:AssumeRole").is_some());
        assert_eq!(TrustPolicy::parse("%7Bnot json"), None);
        assert_eq!(TrustPolicy::parse(r#"{"Version":"2012-10-17"}"#), None);
    }

    #[test]
    fn a_refusal_is_stronger_wherever_it_stands() {
        let allow = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/nodes"},"Action":"sts:*"}"#;
        let deny = r#"{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:Assume*"}"#;
        for both in [format!("[{allow},{deny}]"), format!("[{deny},{allow}]")] {
            assert_eq!(depends(&both, NODES, "sts:AssumeRole"), None);
            assert_eq!(depends(&both, NODES, "sts:TagSession"), on(&[]));
        }
        let sometimes = r#"{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#;
        let both = format!("[{sometimes},{allow}]");
        assert_eq!(depends(&both, NODES, "sts:AssumeRole"), on(&["`aws:SecureTransport`"]));
    }

    #[test]
    fn conditions_and_whole_accounts_are_told() {
        let statement = r#"{"Effect":"Allow","Principal":{"Service":"elasticmapreduce.amazonaws.com"},"Action":"sts:AssumeRole",
            "Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":"arn:aws:elasticmapreduce:*"}}}"#;
        assert_eq!(depends(statement, EMR, "sts:AssumeRole"), on(&["`aws:SourceAccount`", "`aws:SourceArn`"]));
        let account =
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}"#;
        assert_eq!(depends(account, NODES, "sts:AssumeRole"), on(&["the policies of its account"]));
        let other = Principal::Role("arn:aws:iam::999999999999:role/nodes");
        assert_eq!(depends(account, other, "sts:AssumeRole"), None);
    }

    #[test]
    fn the_easiest_of_several_ways_is_told() {
        let way = |condition: &str| {
            format!(
                r#"{{"Effect":"Allow","Principal":"*","Action":"sts:*","Condition":{{"StringEquals":{condition}}}}}"#
            )
        };
        let [one, two] = [way(r#"{"sts:ExternalId":"x"}"#), way(r#"{"aws:SourceArn":"x","aws:SourceAccount":"1"}"#)];
        assert_eq!(depends(&format!("[{two},{one}]"), NODES, "sts:AssumeRole"), on(&["`sts:ExternalId`"]));
    }

    #[test]
    fn all_but_some_actions() {
        let statement = r#"{"Effect":"Allow","Principal":"*","NotAction":["sts:Tag*"]}"#;
        assert_eq!(depends(statement, NODES, "sts:AssumeRole"), on(&[]));
        assert_eq!(depends(statement, NODES, "sts:TagSession"), None);
    }

    #[test]
    fn all_but_someone() {
        let statement = r#"{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:role/x"},"Action":"sts:*"}"#;
        let allow = r#"{"Effect":"Allow","Principal":"*","Action":"sts:*"}"#;
        assert_eq!(depends(&format!("[{statement},{allow}]"), NODES, "sts:AssumeRole"), on(&["`NotPrincipal`"]));
    }

    #[test]
    fn patterns() {
        for (pattern, action, fits) in [
            ("*", "sts:AssumeRole", true),
            ("sts:assume*", "sts:AssumeRole", true),
            ("s?s:*Role", "sts:AssumeRole", true),
            ("sts:*Session", "sts:AssumeRole", false),
            ("sts:Assume", "sts:AssumeRole", false),
            ("ec2:*", "sts:AssumeRole", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), action.as_bytes()), fits, "{pattern}");
        }
    }

    #[test]
    fn the_statement_that_mends_a_trust_policy_does_mend_it() {
        let both = ["sts:AssumeRole", "sts:TagSession"];
        let arn = "arn:aws:iam::1:role/EMR_EC2";
        let trusting = |statement: &str| TrustPolicy::parse(&format!(r#"{{"Statement":[{statement}]}}"#));
        let half = trusting(&statement(&format!(r#""AWS":"{arn}""#), &["sts:AssumeRole"]));
        let finding = trusts("nodes", half.as_ref(), Principal::Role(arn), &both);
        assert_eq!(finding.what, format!("`nodes` does not let `{arn}` `sts:TagSession`"));
        let advised = finding.mend[0].trim_start_matches("add to its trust policy: `").trim_end_matches('`');
        assert_eq!(trusts("nodes", trusting(advised).as_ref(), Principal::Role(arn), &both).state, State::Ok);
    }
}
