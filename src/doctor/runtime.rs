//! What only some targets have: a security configuration, and the role that steps run with.

use serde_json::Value as Json;

use super::ask::Asker;
use super::finding::Finding;
use super::policy::Principal;
use super::roles::{Role, last, role, trusts};
use crate::config::Emr;

/// The switch that lets steps have roles of their own. Source: EMR management guide, "Runtime roles for Amazon EMR steps".
const SWITCH: &str = r#"{"AuthorizationConfiguration":{"IAMConfiguration":{"EnableApplicationScopedIAMRole":true}}}"#;

/// Checks the security configuration and the execution role, as far as the target names them.
pub(super) async fn check(ask: &Asker<'_>, emr: &Emr, nodes: Option<&Role>) -> Vec<Finding> {
    let (security, execution) = tokio::join!(security(ask, emr), execution(ask, emr, nodes));
    security.into_iter().chain(execution).collect()
}

async fn security(ask: &Asker<'_>, emr: &Emr) -> Option<Finding> {
    let check = "security configuration";
    let create = |name: &str| {
        format!("`aws emr create-security-configuration --name {name} --security-configuration '{SWITCH}'`")
    };
    let Some(name) = &emr.shape.security_configuration else {
        // Only an execution role makes it necessary.
        emr.execution_role.as_ref()?;
        let what = "an execution role needs one with runtime roles switched on, and the shape names none";
        return Some(
            Finding::problem(check, what).mend(create("NAME")).mend("name it in the shape: `security-configuration`"),
        );
    };
    let client = ask.session.emr();
    let describe = || client.describe_security_configuration().name(name).send();
    let asked = ask.sdk("EMR", "DescribeSecurityConfiguration", describe, &["InvalidRequestException"]).await;
    let missing = |_| Finding::problem(check, format!("`{name}` does not exist")).mend(create(name));
    Some(match asked.or_tell(check, &format!("`{name}`"), missing) {
        Err(finding) => finding,
        Ok(_) if emr.execution_role.is_none() => Finding::ok(check, format!("`{name}` is there")),
        Ok(described) if described.security_configuration().is_some_and(allows_roles) => {
            Finding::ok(check, format!("`{name}` lets steps have roles of their own"))
        }
        Ok(_) => {
            let what = format!("`{name}` does not let steps have roles of their own");
            Finding::problem(check, what).mend(format!("it cannot be changed; make another one with `{SWITCH}` in it"))
        }
    })
}

fn allows_roles(configuration: &str) -> bool {
    let parsed: Json = serde_json::from_str(configuration).unwrap_or_default();
    parsed["AuthorizationConfiguration"]["IAMConfiguration"]["EnableApplicationScopedIAMRole"] == true
}

async fn execution(ask: &Asker<'_>, emr: &Emr, nodes: Option<&Role>) -> Option<Finding> {
    let check = "execution role";
    let name = last(emr.execution_role.as_ref()?);
    let missing = |_| Finding::problem(check, format!("`{name}` does not exist"));
    let role = match role(ask, name).await.or_tell(check, &format!("`{name}`"), missing) {
        Ok(role) => role,
        Err(finding) => return Some(finding),
    };
    Some(match nodes {
        Some(nodes) => trusts(check, &role, Principal::Role(&nodes.arn), &["sts:AssumeRole", "sts:TagSession"]),
        None => Finding::unknown(check, format!("whether `{name}` trusts the nodes depends on their role")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_must_be_on() {
        assert!(allows_roles(SWITCH));
        assert!(!allows_roles(&SWITCH.replace("true", "false")));
        assert!(!allows_roles(r#"{"EncryptionConfiguration":{}}"#) && !allows_roles("no JSON"));
    }
}
