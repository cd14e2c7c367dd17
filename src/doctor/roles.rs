//! The roles of a cluster: that of EMR, that of the nodes, the one that cleans up.

use super::ask::{Asked, Asker};
use super::finding::Finding;
use super::policy::{Policy, Principal, Trust};
use crate::aws::{IAM, Xml};
use crate::config::Shape;

/// EMR as IAM names it.
const EMR: &str = "elasticmapreduce.amazonaws.com";

/// The managed policy that only touches what is tagged for it. Source: EMR management guide, "Service role for Amazon EMR".
const MANAGED: &str = "AmazonEMRServicePolicy_v2";

/// The code with which IAM says that there is no such thing.
pub(super) const NONE: &[&str] = &["NoSuchEntity"];

/// A role that is there.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub name: String,
    pub arn: String,
    /// Whom it trusts; `None` when that cannot be read.
    pub trust: Option<Policy>,
}

/// The roles that were found, for the checks that need them.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// What EMR acts with.
    pub service: Option<Role>,
    /// What the nodes act with.
    pub nodes: Option<Role>,
    /// Whether EMR acts with the managed policy that touches only what is tagged; `None` when that could not be asked.
    pub tagged_only: Option<bool>,
}

/// Checks the roles that every cluster needs.
pub(super) async fn check(ask: &Asker<'_>, shape: &Shape) -> (Vec<Finding>, Roles) {
    let name = last(&shape.service_role);
    let asked = [("RoleName", name)];
    let (service, nodes, policies) = tokio::join!(
        role(ask, name),
        profile(ask, last(&shape.instance_profile)),
        ask.form(&IAM, "ListAttachedRolePolicies", &asked, NONE)
    );
    let mut roles = Roles::default();
    let mut findings = Vec::new();
    match service.or_tell("service role", &format!("`{name}`"), |_| absent(name)) {
        Ok(role) => {
            findings.push(trusts("service role", &role, Principal::Service(EMR), &["sts:AssumeRole"]));
            roles.service = Some(role);
        }
        Err(finding) => findings.push(finding),
    }
    let (finding, role) = nodes;
    findings.push(finding);
    roles.nodes = role;
    if let Asked::Is(answer) = policies {
        let attached = answer.list("AttachedPolicies");
        roles.tagged_only = Some(attached.iter().any(|policy| policy.text_of("PolicyName") == MANAGED));
    }
    (findings, roles)
}

/// Returns a role, as `GetRole` gives it.
pub(super) async fn role(ask: &Asker<'_>, name: &str) -> Asked<Role> {
    match ask.form(&IAM, "GetRole", &[("RoleName", name)], NONE).await {
        Asked::Is(answer) => {
            let role = answer.find("Role").map(of);
            role.map_or_else(|| Asked::Unknown("the answer holds no role".into()), Asked::Is)
        }
        Asked::Absent(words) => Asked::Absent(words),
        Asked::Unknown(why) => Asked::Unknown(why),
    }
}

fn of(role: &Xml) -> Role {
    let text = |name: &str| role.text_of(name).to_string();
    Role { name: text("RoleName"), arn: text("Arn"), trust: Policy::parse(role.text_of("AssumeRolePolicyDocument")) }
}

async fn profile(ask: &Asker<'_>, name: &str) -> (Finding, Option<Role>) {
    let check = "instance profile";
    let asked = ask.form(&IAM, "GetInstanceProfile", &[("InstanceProfileName", name)], NONE).await;
    let missing = |_| {
        let create = format!("`aws iam create-instance-profile --instance-profile-name {name}`");
        let add = add_role(name);
        Finding::problem(check, format!("`{name}` does not exist")).mend(create).mend(add)
    };
    match asked.or_tell(check, &format!("`{name}`"), missing) {
        Ok(answer) => {
            let role = answer.list("Roles").first().map(of);
            (held(name, role.as_ref()), role)
        }
        Err(finding) => (finding, None),
    }
}

/// Judges the role that a profile holds; there is at most one.
fn held(name: &str, role: Option<&Role>) -> Finding {
    let check = "instance profile";
    let Some(role) = role else {
        return Finding::problem(check, format!("`{name}` holds no role")).mend(add_role(name));
    };
    if role.name != name {
        let what = format!(
            "`{name}` holds role `{}`: EMR wants the names to be the same (\"invalid instance profile\")",
            role.name
        );
        let advice = format!("make a role `{name}` and put it into the profile, or correct `instance-profile`");
        return Finding::problem(check, what).mend(advice);
    }
    trusts(check, role, Principal::Service("ec2.amazonaws.com"), &["sts:AssumeRole"])
}

fn add_role(name: &str) -> String {
    format!("`aws iam add-role-to-instance-profile --instance-profile-name {name} --role-name {name}`")
}

fn absent(name: &str) -> Finding {
    let finding = Finding::problem("service role", format!("`{name}` does not exist"));
    if name == "EMR_DefaultRole" {
        return finding.mend("`aws emr create-default-roles`");
    }
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statement(&format!(r#""Service":"{EMR}""#), &["sts:AssumeRole"])
    );
    finding.mend(format!("`aws iam create-role --role-name {name} --assume-role-policy-document '{document}'`"))
}

/// Returns whether a role trusts someone enough for all of `actions`.
pub(super) fn trusts(check: &'static str, role: &Role, whom: Principal<'_>, actions: &[&str]) -> Finding {
    let (who, principal) = match whom {
        Principal::Service(service) => (service, format!(r#""Service":"{service}""#)),
        Principal::Role(arn) => (arn, format!(r#""AWS":"{arn}""#)),
    };
    let name = &role.name;
    let Some(trust) = &role.trust else {
        return Finding::unknown(check, format!("whom `{name}` trusts cannot be read"));
    };
    let (mut refused, mut conditions) = (Vec::new(), Vec::new());
    for action in actions {
        match trust.trusts(whom, action) {
            Trust::Yes => {}
            Trust::If(keys) => conditions.extend(keys),
            Trust::No => refused.push(*action),
        }
    }
    if !refused.is_empty() {
        let what = format!("`{name}` does not let `{who}` {}", super::finding::listed(&refused));
        return Finding::problem(check, what)
            .mend(format!("add to its trust policy: `{}`", statement(&principal, actions)));
    }
    conditions.sort();
    conditions.dedup();
    let depends =
        if conditions.is_empty() { String::new() } else { format!(", depending on {}", conditions.join(", ")) };
    Finding::ok(check, format!("`{name}` trusts `{who}`{depends}"))
}

fn statement(principal: &str, actions: &[&str]) -> String {
    let actions = actions.iter().map(|action| format!("\"{action}\"")).collect::<Vec<_>>().join(",");
    format!(r#"{{"Effect":"Allow","Principal":{{{principal}}},"Action":[{actions}]}}"#)
}

/// Returns the name of a role or profile that may be given by its ARN.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn trusting(statement: &str) -> Role {
        let trust = Policy::parse(&format!(r#"{{"Statement":[{statement}]}}"#));
        Role { name: "nodes".into(), arn: "arn:aws:iam::1:role/nodes".into(), trust }
    }

    #[test]
    fn the_statement_that_mends_a_trust_policy_does_mend_it() {
        let both = ["sts:AssumeRole", "sts:TagSession"];
        let whom = Principal::Role("arn:aws:iam::1:role/EMR_EC2");
        let half = trusting(&statement(r#""AWS":"arn:aws:iam::1:role/EMR_EC2""#, &["sts:AssumeRole"]));
        let finding = trusts("execution role", &half, whom, &both);
        assert_eq!(
            (finding.state, finding.what.as_str()),
            (State::Problem, "`nodes` does not let `arn:aws:iam::1:role/EMR_EC2` `sts:TagSession`")
        );
        let advised = finding.mend[0].trim_start_matches("add to its trust policy: `").trim_end_matches('`');
        assert_eq!(trusts("execution role", &trusting(advised), whom, &both).state, State::Ok);
    }

    #[test]
    fn what_a_trust_depends_on_is_told_once() {
        let statement = r#"{"Effect":"Allow","Principal":{"Service":"elasticmapreduce.amazonaws.com"},"Action":"sts:*",
            "Condition":{"StringEquals":{"aws:SourceAccount":"1"}}}"#;
        let finding = trusts(
            "service role",
            &trusting(statement),
            Principal::Service(EMR),
            &["sts:AssumeRole", "sts:TagSession"],
        );
        assert_eq!(finding.what, "`nodes` trusts `elasticmapreduce.amazonaws.com`, depending on `aws:SourceAccount`");
    }

    #[test]
    fn a_profile_holds_a_role_of_its_own_name_that_trusts_ec2() {
        let role = trusting(&statement(r#""Service":"ec2.amazonaws.com""#, &["sts:AssumeRole"]));
        assert_eq!(held("nodes", Some(&role)).state, State::Ok);
        assert_eq!(held("other", Some(&role)).state, State::Problem);
        assert_eq!(held("nodes", None).what, "`nodes` holds no role");
        let foreign = trusting(&statement(r#""Service":"lambda.amazonaws.com""#, &["sts:AssumeRole"]));
        assert_eq!(held("nodes", Some(&foreign)).state, State::Problem);
    }

    #[test]
    fn a_role_may_be_given_by_its_arn() {
        assert_eq!(last("arn:aws:iam::1:role/path/EMR"), "EMR");
        assert_eq!(last("EMR"), "EMR");
    }
}
