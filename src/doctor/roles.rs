//! The roles of a cluster: that of EMR, that of the nodes, that of steps with the security configuration it needs.

use serde_json::Value as Json;

use super::finding::{Asked, Asker, Checked, Finding, line};
use super::rights::{EC2, EMR};
use super::trust::{Principal, TrustPolicy, statement, trusts};
use crate::aws::{IAM, Xml};
use crate::config::Emr;

/// The managed policy that only touches what is tagged for it. Source: EMR management guide, "Service role for Amazon EMR".
const MANAGED: &str = "AmazonEMRServicePolicy_v2";

/// The switch that lets steps have roles of their own. Source: EMR management guide, "Runtime roles for Amazon EMR steps".
const SWITCH: &str = r#"{"AuthorizationConfiguration":{"IAMConfiguration":{"EnableApplicationScopedIAMRole":true}}}"#;

/// The code with which IAM says that there is no such thing.
pub(super) const NONE: &[&str] = &["NoSuchEntity"];

/// A role that is there.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub name: String,
    pub arn: String,
    /// Whom it trusts; `None` when that cannot be read.
    trust: Option<TrustPolicy>,
}

/// The roles that were found, for the checks that need them.
#[derive(Debug)]
pub(super) struct Roles {
    /// What EMR acts with.
    pub service: Option<Role>,
    /// What the nodes act with.
    pub nodes: Option<Role>,
    /// Whether EMR acts with the managed policy that touches only what is tagged; `None` when that could not be asked.
    pub tagged_only: Option<bool>,
}

/// Checks the roles of a target and its security configuration.
pub(super) async fn check(ask: &Asker<'_>, emr: &Emr) -> (Vec<Finding>, Roles) {
    let (name, profile) = (last(&emr.shape.service_role), last(&emr.shape.instance_profile));
    let service = role(ask, name).await;
    let held = profile_of(ask, profile).await;
    let policies = ask.form(&IAM, "ListAttachedRolePolicies", &[("RoleName", name)], NONE).await.ok().flatten();
    let managed = |policy: &Xml| policy.text_of("PolicyName") == MANAGED;
    let roles = Roles {
        service: service.clone().ok().flatten(),
        nodes: held.clone().ok().flatten().flatten(),
        tagged_only: policies.map(|answer| answer.list("AttachedPolicies").iter().any(managed)),
    };
    let mut findings = vec![
        line("service role", &format!("`{name}`"), service.map(|role| service_role(name, role))),
        line("instance profile", &format!("`{profile}`"), held.map(|held| instance_profile(profile, held))),
    ];
    if emr.shape.security_configuration.is_some() || emr.execution_role.is_some() {
        let name = emr.shape.security_configuration.as_deref();
        let found = security(ask, name, emr.execution_role.is_some()).await;
        findings.push(line("security configuration", &format!("`{}`", name.unwrap_or("NAME")), found));
    }
    if let Some(name) = emr.execution_role.as_deref().map(last) {
        let found = role(ask, name).await.map(|role| execution(name, role, roles.nodes.as_ref()));
        findings.push(line("execution role", &format!("`{name}`"), found));
    }
    (findings, roles)
}

async fn role(ask: &Asker<'_>, name: &str) -> Asked<Role> {
    let answer = ask.form(&IAM, "GetRole", &[("RoleName", name)], NONE).await?;
    answer.map(|answer| answer.find("Role").map(of).ok_or_else(|| "the answer holds no role".to_string())).transpose()
}

fn of(role: &Xml) -> Role {
    let text = |name: &str| role.text_of(name).to_string();
    Role { name: text("RoleName"), arn: text("Arn"), trust: TrustPolicy::parse(&text("AssumeRolePolicyDocument")) }
}

/// Returns the role that a profile holds; there is at most one.
async fn profile_of(ask: &Asker<'_>, name: &str) -> Asked<Option<Role>> {
    let answer = ask.form(&IAM, "GetInstanceProfile", &[("InstanceProfileName", name)], NONE).await?;
    Ok(answer.map(|answer| answer.list("Roles").first().map(of)))
}

fn service_role(name: &str, role: Option<Role>) -> Finding {
    if let Some(role) = role {
        return trusts(name, role.trust.as_ref(), Principal::Service(EMR), &["sts:AssumeRole"]);
    }
    let finding = Finding::problem(format!("`{name}` does not exist"));
    if name == "EMR_DefaultRole" {
        return finding.mend("`aws emr create-default-roles`");
    }
    let trust = statement(&format!(r#""Service":"{EMR}""#), &["sts:AssumeRole"]);
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{trust}]}}"#);
    finding.mend(format!("`aws iam create-role --role-name {name} --assume-role-policy-document '{document}'`"))
}

fn instance_profile(name: &str, profile: Option<Option<Role>>) -> Finding {
    let add = format!("`aws iam add-role-to-instance-profile --instance-profile-name {name} --role-name {name}`");
    match profile {
        None => Finding::problem(format!("`{name}` does not exist"))
            .mend(format!("`aws iam create-instance-profile --instance-profile-name {name}`"))
            .mend(add),
        Some(None) => Finding::problem(format!("`{name}` holds no role")).mend(add),
        Some(Some(role)) if role.name != name => {
            let what = format!(
                "`{name}` holds role `{}`: EMR wants the names to be the same (\"invalid instance profile\")",
                role.name
            );
            let advice = format!("make a role `{name}` and put it into the profile, or correct `instance-profile`");
            Finding::problem(what).mend(advice)
        }
        Some(Some(role)) => trusts(name, role.trust.as_ref(), Principal::Service(EC2), &["sts:AssumeRole"]),
    }
}

async fn security(ask: &Asker<'_>, name: Option<&str>, with_roles: bool) -> Checked {
    let create = |name: &str| {
        format!("`aws emr create-security-configuration --name {name} --security-configuration '{SWITCH}'`")
    };
    let Some(name) = name else {
        let what = "an execution role needs one with runtime roles switched on, and the shape names none";
        let finding = Finding::problem(what).mend(create("NAME"));
        return Ok(finding.mend("name it in the shape: `security-configuration`"));
    };
    let client = ask.session.emr();
    let describe = || client.describe_security_configuration().name(name).send();
    Ok(match ask.emr("DescribeSecurityConfiguration", describe).await? {
        None => Finding::problem(format!("`{name}` does not exist")).mend(create(name)),
        Some(_) if !with_roles => Finding::ok(format!("`{name}` is there")),
        Some(described) if described.security_configuration().is_some_and(allows_roles) => {
            Finding::ok(format!("`{name}` lets steps have roles of their own"))
        }
        Some(_) => Finding::problem(format!("`{name}` does not let steps have roles of their own"))
            .mend(format!("it cannot be changed; make another one with `{SWITCH}` in it")),
    })
}

fn allows_roles(configuration: &str) -> bool {
    let parsed: Json = serde_json::from_str(configuration).unwrap_or_default();
    parsed["AuthorizationConfiguration"]["IAMConfiguration"]["EnableApplicationScopedIAMRole"] == true
}

fn execution(name: &str, role: Option<Role>, nodes: Option<&Role>) -> Finding {
    match (role, nodes) {
        (None, _) => Finding::problem(format!("`{name}` does not exist")),
        (Some(role), Some(nodes)) => {
            let actions = ["sts:AssumeRole", "sts:TagSession"];
            trusts(name, role.trust.as_ref(), Principal::Role(&nodes.arn), &actions)
        }
        (Some(_), None) => Finding::unknown(format!("whether `{name}` trusts the nodes depends on their role")),
    }
}

/// Returns the name of a role or profile that may be given by its ARN.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn trusting(service: &str) -> Role {
        let statement = statement(&format!(r#""Service":"{service}""#), &["sts:AssumeRole"]);
        let trust = TrustPolicy::parse(&format!(r#"{{"Statement":[{statement}]}}"#));
        Role { name: "nodes".into(), arn: "arn:aws:iam::1:role/nodes".into(), trust }
    }

    #[test]
    fn a_profile_holds_a_role_of_its_own_name_that_trusts_ec2() {
        let held = |name, role: Option<Role>| instance_profile(name, Some(role));
        let role = || Some(trusting("ec2.amazonaws.com"));
        assert_eq!(held("nodes", role()).state, State::Ok);
        assert_eq!(held("other", role()).state, State::Problem);
        assert_eq!(held("nodes", None).what, "`nodes` holds no role");
        assert_eq!(held("nodes", Some(trusting("lambda.amazonaws.com"))).state, State::Problem);
    }

    #[test]
    fn the_switch_must_be_on() {
        assert!(allows_roles(SWITCH));
        assert!(!allows_roles(&SWITCH.replace("true", "false")));
        assert!(!allows_roles(r#"{"EncryptionConfiguration":{}}"#) && !allows_roles("no JSON"));
    }
}
