//! What the caller, and EMR in its role, may do: IAM's own simulation of it.

use serde_json::json;

use super::finding::{Asker, Checked, Finding, line, listed};
use super::policy::{PolicyStatement, statement};
use super::roles::{NONE, Role, Roles};
use super::{State, Subject};
use crate::aws::{Caller, IAM, Xml};

/// The role with which EMR removes instances that were left behind. A first cluster without it ends at once with a
/// validation error. Source: EMR management guide, "Using service-linked roles for cleanup".
const CLEANUP: &str = "AWSServiceRoleForEMRCleanup";

/// The one role of nodes that EMR's managed policy lets EMR hand on. Source: `AmazonEMRServicePolicy_v2`.
const DEFAULT_NODES: &str = "EMR_EC2_DefaultRole";

/// Most answers that are read to one question: IAM may end one before its most results.
const PAGES: usize = 5;

/// EMR and EC2 as IAM names them.
pub(super) const EMR: &str = "elasticmapreduce.amazonaws.com";
pub(super) const EC2: &str = "ec2.amazonaws.com";

/// Something to ask IAM: whether someone may do all actions on all of some things.
struct Right {
    check: &'static str,
    who: &'static str,
    /// The user or role whose policies decide.
    policies: String,
    actions: Vec<String>,
    /// Names to try, such as a cluster's: policies are compared with them letter by letter.
    on: Vec<String>,
    /// What a statement that allows it would name instead.
    grant: Vec<String>,
    /// A condition key with the value it will have.
    with: Option<(&'static str, &'static str)>,
}

impl Right {
    /// Returns the caller's right to what a statement allows; `example` stands where that leaves names open.
    fn of(check: &'static str, statement: PolicyStatement, example: &str, policies: &str) -> Self {
        Self {
            check,
            who: "the caller",
            policies: policies.to_string(),
            actions: statement.actions,
            on: statement.resources.iter().map(|resource| resource.replace('*', example)).collect(),
            grant: statement.resources,
            with: None,
        }
    }

    async fn simulated(&self, ask: &Asker<'_>) -> Checked {
        let (form, mut results, mut marker) = (self.form(), Vec::new(), None);
        for _ in 0..PAGES {
            let fields = form.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let fields: Vec<_> = fields.chain(marker.as_deref().map(|marker| ("Marker", marker))).collect();
            let answer = ask.form(&IAM, "SimulatePrincipalPolicy", &fields, &[]).await?.unwrap_or_default();
            results.extend_from_slice(answer.list("EvaluationResults"));
            marker = answer.find("Marker").map(|marker| marker.text.clone()).filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        Ok(self.judge(&results))
    }

    fn form(&self) -> Vec<(String, String)> {
        let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
        // The most that an answer may hold.
        let mut fields = vec![pair("PolicySourceArn", &self.policies), pair("MaxItems", "1000")];
        for (name, values) in [("ActionNames", &self.actions), ("ResourceArns", &self.on)] {
            let member = |(at, value): (usize, &String)| pair(&format!("{name}.member.{}", at + 1), value);
            fields.extend(values.iter().enumerate().map(member));
        }
        if let Some((key, value)) = self.with {
            fields.push(pair("ContextEntries.member.1.ContextKeyName", key));
            fields.push(pair("ContextEntries.member.1.ContextKeyType", "string"));
            fields.push(pair("ContextEntries.member.1.ContextKeyValues.member.1", value));
        }
        fields
    }

    /// An action is allowed when all results about it say so, and there is one.
    fn judge(&self, results: &[Xml]) -> Finding {
        let about = |action: &String| {
            let action = action.clone();
            results.iter().filter(move |result| result.text_of("EvalActionName").eq_ignore_ascii_case(&action))
        };
        let (denied, rest): (Vec<_>, Vec<_>) = self.actions.iter().partition(|action| about(action).any(refuses));
        let allowed = |result: &Xml| result.text_of("EvalDecision") == "allowed";
        let open = |action: &&String| about(action).next().is_none() || !about(action).all(allowed);
        let open: Vec<_> = rest.into_iter().filter(open).collect();
        if !denied.is_empty() {
            let mut statement = json!({ "Effect": "Allow", "Action": denied, "Resource": self.grant });
            if let Some((key, value)) = self.with {
                statement["Condition"] = json!({ "StringEquals": { key: value } });
            }
            let what = format!("{} may not {}", self.who, listed(denied));
            return Finding::problem(what).mend(format!("allow it: `{statement}`"));
        }
        if !open.is_empty() {
            let what = format!("{} depends on tags or other conditions: a simulation cannot tell", listed(open));
            return Finding::unknown(what);
        }
        let last = |arn: &String| arn.rsplit(['/', ':']).next().unwrap_or(arn).to_string();
        Finding::ok(match self.actions.as_slice() {
            [one] => format!("{} may `{one}` on {}", self.who, listed(self.on.iter().map(last))),
            many => format!("{} may do all {} actions that soflow needs", self.who, many.len()),
        })
    }
}

/// An explicit refusal stands whatever the conditions of other statements are; that nothing allows an action stands when
/// all conditions are known.
fn refuses(result: &Xml) -> bool {
    let known = result.child("MissingContextValues").is_none_or(|missing| missing.children.is_empty());
    match result.text_of("EvalDecision") {
        "explicitDeny" => true,
        "implicitDeny" => known,
        _ => false,
    }
}

/// Checks rights, one question after the other: when one may not be asked, neither may the rest.
pub(super) async fn check(ask: &Asker<'_>, subject: &Subject<'_>, caller: &Caller, roles: &Roles) -> Vec<Finding> {
    let mut findings = Vec::new();
    let policies = policies_of(caller, ask).await;
    let mut rights = rights(subject, caller, roles, &policies);
    if caller.is_root() {
        findings.push(Finding::ok("the root user may do everything").of("rights"));
        rights.retain(|right| right.who == "EMR");
    }
    for right in &rights {
        match right.simulated(ask).await {
            Ok(finding) => findings.push(finding.of(right.check)),
            Err(why) => {
                findings.push(Finding::unknown(format!("they were not simulated: {why}")).of("rights"));
                break;
            }
        }
    }
    findings.push(line("cleanup role", &format!("`{CLEANUP}`"), cleanup(ask, caller, policies).await));
    findings
}

/// Returns the ARN whose policies decide what the caller may do: of a session, that of its role, with its path.
async fn policies_of(caller: &Caller, ask: &Asker<'_>) -> String {
    let Some(role) = caller.role() else { return caller.arn.clone() };
    let asked = ask.form(&IAM, "GetRole", &[("RoleName", role)], &[]).await.ok().flatten();
    let found = asked.and_then(|answer| Some(answer.find("Role")?.text_of("Arn").to_string()));
    found.unwrap_or_else(|| format!("arn:{}:iam::{}:role/{role}", caller.partition(), caller.account))
}

fn rights(subject: &Subject<'_>, caller: &Caller, roles: &Roles, policies: &str) -> Vec<Right> {
    let (emr, shape, region) = (subject.emr, &subject.emr.shape, subject.session.region());
    let names = [("REGION", region), ("DATABASE", &emr.database), ("WORKGROUP", &emr.workgroup)];
    let ours = |check, sid, example: &str| Right::of(check, statement(sid, caller, &names), example, policies);
    let (partition, account) = (caller.partition(), &caller.account);
    let cluster = format!("arn:{partition}:elasticmapreduce:{region}:{account}:cluster/j-SOFLOWDOCTOR");
    let mut clusters = ours("rights on EMR", "Clusters", &cluster);
    clusters.actions.retain(|action| shape.scaling.is_some() || !action.ends_with("PutManagedScalingPolicy"));
    let mut rights = vec![clusters];
    let mut pass = |check, who, policies: &str, role: &Role, service| {
        let PolicyStatement { sid, actions, .. } = statement("Roles", caller, &names);
        let right = Right::of(check, PolicyStatement { sid, actions, resources: vec![role.arn.clone()] }, "", policies);
        rights.push(Right { who, with: Some(("iam:PassedToService", service)), ..right });
    };
    for (role, service) in [(&roles.service, EMR), (&roles.nodes, EC2)] {
        if let Some(role) = role {
            pass("passing roles", "the caller", policies, role, service);
        }
    }
    if let (Some(true), Some(service), Some(nodes)) = (roles.tagged_only, &roles.service, &roles.nodes)
        && nodes.name != DEFAULT_NODES
    {
        pass("handing on roles", "EMR", &service.arn, nodes, EC2);
    }
    rights.push(ours("rights on Glue", "Tables", "soflow_doctor"));
    rights.push(ours("rights on Athena", "Queries", ""));
    if shape.cloudwatch_logs {
        // Where EMR puts them when it is given no other name: /aws/emr/ and the cluster's id.
        rights.push(ours("rights on logs", "Logs", "j-SOFLOWDOCTOR:*"));
    }
    rights
}

/// A missing role that may be made is none that is missed.
async fn cleanup(ask: &Asker<'_>, caller: &Caller, policies: String) -> Checked {
    if ask.form(&IAM, "GetRole", &[("RoleName", CLEANUP)], NONE).await?.is_some() {
        return Ok(Finding::ok(format!("`{CLEANUP}` is there")));
    }
    let right = Right::of("cleanup role", statement("CleanupRole", caller, &[]), "", &policies);
    let right = Right { with: Some(("iam:AWSServiceName", EMR)), ..right };
    let asked = if caller.is_root() { Ok(Finding::ok("")) } else { right.simulated(ask).await };
    Ok(missing_cleanup(asked.unwrap_or_else(|why| Finding::unknown(format!("whether it may be made: {why}")))))
}

/// Returns what it means that the role is missing, given what IAM says about making it.
fn missing_cleanup(mut making: Finding) -> Finding {
    if making.state == State::Ok {
        making.what = format!("`{CLEANUP}` is made with the first cluster");
    } else {
        making.what = format!("`{CLEANUP}` does not exist, and {}", making.what);
        making.mend.insert(0, format!("`aws iam create-service-linked-role --aws-service-name {EMR}`"));
    }
    making
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(actions: &[&str]) -> Right {
        Right {
            check: "passing roles",
            who: "the caller",
            policies: "arn:me".into(),
            actions: actions.iter().map(ToString::to_string).collect(),
            on: vec!["arn:aws:iam::1:role/EMR".into()],
            grant: vec!["arn:aws:iam::1:role/EMR".into()],
            with: Some(("iam:PassedToService", "ec2.amazonaws.com")),
        }
    }

    fn results(results: &[(&str, &str, &str)]) -> Vec<Xml> {
        let of = |(action, decision, missing): &(&str, &str, &str)| {
            let text = format!(
                "<m><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>{missing}</m>"
            );
            Xml::parse(&text).unwrap()
        };
        results.iter().map(of).collect()
    }

    #[test]
    fn a_question_is_a_form() {
        let on = vec!["arn:a".to_string(), "arn:b".to_string()];
        let fields = Right { on, ..right(&["iam:PassRole"]) }.form();
        let text: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        PolicySourceArn=arn:me
        MaxItems=1000
        ActionNames.member.1=iam:PassRole
        ResourceArns.member.1=arn:a
        ResourceArns.member.2=arn:b
        ContextEntries.member.1.ContextKeyName=iam:PassedToService
        ContextEntries.member.1.ContextKeyType=string
        ContextEntries.member.1.ContextKeyValues.member.1=ec2.amazonaws.com
        ");
    }

    #[test]
    fn one_refused_resource_refuses_the_action_and_unknown_conditions_leave_it_open() {
        let missing = "<MissingContextValues><member>aws:ResourceTag/team</member></MissingContextValues>";
        let none = "<MissingContextValues/>";
        let results = results(&[
            ("a", "allowed", ""),
            ("b", "allowed", none),
            ("b", "implicitDeny", none),
            ("c", "implicitDeny", missing),
            ("d", "explicitDeny", missing),
            ("b", "implicitDeny", missing),
        ]);
        assert_eq!(right(&["a", "b", "C", "d"]).judge(&results).what, "the caller may not `b`, `d`");
        let open = right(&["a", "C", "untold"]).judge(&results);
        assert!(open.state == State::Unknown && open.what.starts_with("`C`, `untold` depends on"), "{open:?}");
        assert_eq!(right(&["A"]).judge(&results).what, "the caller may `A` on `EMR`");
    }

    #[test]
    fn a_refusal_comes_with_the_statement_to_add() {
        let finding = right(&["iam:PassRole"]).judge(&results(&[("iam:PassRole", "explicitDeny", "")]));
        assert_eq!(finding.state, State::Problem);
        insta::assert_snapshot!(format!("{}\n{}", finding.what, finding.mend[0]), @r#"
        the caller may not `iam:PassRole`
        allow it: `{"Effect":"Allow","Action":["iam:PassRole"],"Resource":["arn:aws:iam::1:role/EMR"],"Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`
        "#);
    }

    #[test]
    fn a_cleanup_role_may_be_missing_when_it_may_be_made() {
        assert_eq!(missing_cleanup(Finding::ok("")).state, State::Ok);
        let refused =
            missing_cleanup(Finding::problem("the caller may not `iam:CreateServiceLinkedRole`").mend("allow"));
        assert!(refused.mend[0].contains("create-service-linked-role"), "{refused:?}");
        assert!(refused.what.starts_with("`AWSServiceRoleForEMRCleanup` does not exist, and the caller may not"));
    }
}
