//! What the caller, and EMR in its role, may do.

use serde_json::json;

use super::Subject;
use super::actions::{On, actions};
use super::ask::{Asked, Asker};
use super::caller;
use super::finding::{Finding, listed};
use super::roles::{NONE, Role, Roles};
use super::simulate::{Question, Verdict, simulate};
use crate::aws::{Caller, IAM};

/// The role with which EMR removes instances that were left behind. A first cluster without it ends at once with a
/// validation error. Source: EMR management guide, "Using service-linked roles for cleanup".
const CLEANUP: &str = "AWSServiceRoleForEMRCleanup";

/// The one role of nodes that EMR's managed policy lets EMR hand on. Source: `AmazonEMRServicePolicy_v2`.
const DEFAULT_NODES: &str = "EMR_EC2_DefaultRole";

/// What `Wish::who` is when EMR acts, in its role.
const EMR: &str = "EMR";

/// The command that makes the cleanup role.
const CREATE: &str = "`aws iam create-service-linked-role --aws-service-name elasticmapreduce.amazonaws.com`";

/// One thing to simulate: what the line of the report is called, and what is asked.
struct Wish {
    check: &'static str,
    who: String,
    actions: Vec<&'static str>,
    /// Names to try, such as a cluster's: policies are compared with them letter by letter.
    on: Vec<String>,
    /// What a statement that allows it would name instead.
    grant: Vec<String>,
    with: Option<(&'static str, &'static str)>,
}

impl Wish {
    /// Returns the statement that allows it.
    fn statement(&self, actions: &[String]) -> String {
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": self.grant });
        if let Some((key, value)) = self.with {
            statement["Condition"] = json!({ "StringEquals": { key: value } });
        }
        statement.to_string()
    }

    fn judge(&self, verdict: &Verdict) -> Finding {
        let Verdict { denied, open } = verdict;
        if !denied.is_empty() {
            let what = format!("{} may not {}", self.who, listed(denied));
            return Finding::problem(self.check, what).mend(format!("allow it: `{}`", self.statement(denied)));
        }
        if !open.is_empty() {
            let what = format!("{} depends on tags or other conditions: a simulation cannot tell", listed(open));
            return Finding::unknown(self.check, what);
        }
        Finding::ok(self.check, format!("{} may {}", self.who, self.wanted()))
    }

    fn wanted(&self) -> String {
        match self.actions.as_slice() {
            [one] => {
                format!("`{one}` on {}", listed(self.on.iter().map(|arn| arn.rsplit(['/', ':']).next().unwrap_or(arn))))
            }
            many => format!("do all {} actions that soflow needs", many.len()),
        }
    }
}

/// Checks the caller's rights, one question after the other: when one may not be asked, neither may the rest.
pub(super) async fn check(ask: &Asker<'_>, subject: &Subject<'_>, caller: &Caller, roles: &Roles) -> Vec<Finding> {
    let (policies, cleanup) =
        tokio::join!(caller::policies_of(caller, ask), ask.form(&IAM, "GetRole", &[("RoleName", CLEANUP)], NONE));
    let mut wishes = wishes(subject, caller, roles);
    let mut findings = Vec::new();
    match cleanup {
        Asked::Is(_) => findings.push(Finding::ok("cleanup role", format!("`{CLEANUP}` is there"))),
        Asked::Absent(_) => wishes.push(cleanup_wish(caller)),
        Asked::Unknown(why) => {
            findings.push(Finding::unknown("cleanup role", format!("whether `{CLEANUP}` is there: {why}")));
        }
    }
    if caller.is_root() {
        findings.push(Finding::ok("rights", "the root user may do everything"));
        wishes.retain(|wish| wish.who == EMR);
    }
    for wish in &wishes {
        let who = match (wish.who.as_str(), &roles.service) {
            (EMR, Some(service)) => &service.arn,
            _ => &policies,
        };
        let question = Question { who, actions: &wish.actions, on: &wish.on, with: wish.with };
        match simulate(ask, &question).await {
            Asked::Is(verdict) => findings.push(told(wish, &verdict)),
            Asked::Absent(why) | Asked::Unknown(why) => {
                findings.push(Finding::unknown("rights", format!("they were not simulated: {why}")));
                if wishes.iter().any(|wish| wish.check == "cleanup role") {
                    let what =
                        format!("`{CLEANUP}` does not exist; the first cluster needs it, or the right to make it");
                    findings.push(Finding::unknown("cleanup role", what).mend(CREATE));
                }
                break;
            }
        }
    }
    findings
}

/// A missing role that may be made is none that is missed.
fn told(wish: &Wish, verdict: &Verdict) -> Finding {
    let mut finding = wish.judge(verdict);
    if wish.check == "cleanup role" {
        if finding.state == super::State::Ok {
            finding.what = format!("`{CLEANUP}` is made with the first cluster");
        } else {
            finding.what = format!("`{CLEANUP}` does not exist, and {}", finding.what);
            finding.mend.insert(0, CREATE.into());
        }
    }
    finding
}

fn wishes(subject: &Subject<'_>, caller: &Caller, roles: &Roles) -> Vec<Wish> {
    let (partition, account, region) = (caller.partition(), &caller.account, subject.session.region());
    let (emr, shape) = (subject.emr, &subject.emr.shape);
    let arn = |service: &str, rest: &str| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
    let ours = |check, actions, on: Vec<String>, grant: Vec<String>| Wish {
        check,
        who: "the caller".into(),
        actions,
        on,
        grant,
        with: None,
    };
    let mut on_clusters = actions(On::Clusters);
    on_clusters.retain(|action| shape.scaling.is_some() || !action.ends_with("PutManagedScalingPolicy"));
    // Not all of them have a resource: they must be allowed on everything.
    let cluster = arn("elasticmapreduce", "cluster/j-SOFLOWDOCTOR");
    let mut wishes = vec![ours("rights on EMR", on_clusters, vec![cluster], vec!["*".into()])];
    for (check, role, service) in [
        ("passing roles", &roles.service, "elasticmapreduce.amazonaws.com"),
        ("passing roles", &roles.nodes, "ec2.amazonaws.com"),
    ] {
        let pass = |role: &Role| Wish {
            with: Some(("iam:PassedToService", service)),
            ..ours(check, actions(On::Roles), vec![role.arn.clone()], vec![role.arn.clone()])
        };
        wishes.extend(role.as_ref().map(pass));
    }
    if let (Some(true), Some(nodes)) = (roles.tagged_only, &roles.nodes)
        && nodes.name != DEFAULT_NODES
    {
        let role = vec![nodes.arn.clone()];
        wishes.push(Wish {
            who: EMR.into(),
            with: Some(("iam:PassedToService", "ec2.amazonaws.com")),
            ..ours("handing on roles", actions(On::Roles), role.clone(), role)
        });
    }
    let database = &emr.database;
    let tables = |table: &str| {
        let all = ["catalog".into(), format!("database/{database}"), format!("table/{database}/{table}")];
        all.map(|rest| arn("glue", &rest)).to_vec()
    };
    wishes.push(ours("rights on Glue", actions(On::Tables), tables("soflow_doctor"), tables("*")));
    let workgroup = vec![arn("athena", &format!("workgroup/{}", emr.workgroup))];
    wishes.push(ours("rights on Athena", actions(On::Workgroup), workgroup.clone(), workgroup));
    if shape.cloudwatch_logs {
        // Where EMR puts them when it is given no other name: /aws/emr/ and the cluster's id.
        let group = |cluster: &str| vec![arn("logs", &format!("log-group:/aws/emr/{cluster}"))];
        wishes.push(ours("rights on logs", actions(On::Logs), group("j-SOFLOWDOCTOR:*"), group("*")));
    }
    wishes
}

fn cleanup_wish(caller: &Caller) -> Wish {
    let (partition, account) = (caller.partition(), &caller.account);
    let role = format!("role/aws-service-role/elasticmapreduce.amazonaws.com/{CLEANUP}");
    let arn = vec![format!("arn:{partition}:iam::{account}:{role}")];
    Wish {
        check: "cleanup role",
        who: "the caller".into(),
        actions: actions(On::CleanupRole),
        on: arn.clone(),
        grant: arn,
        with: Some(("iam:AWSServiceName", "elasticmapreduce.amazonaws.com")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn wish() -> Wish {
        Wish {
            check: "passing roles",
            who: "the caller".into(),
            actions: vec!["iam:PassRole"],
            on: vec!["arn:aws:iam::1:role/EMR".into()],
            grant: vec!["arn:aws:iam::1:role/EMR".into()],
            with: Some(("iam:PassedToService", "ec2.amazonaws.com")),
        }
    }

    #[test]
    fn a_refusal_comes_with_the_statement_to_add() {
        let verdict = Verdict { denied: vec!["iam:PassRole".into()], open: Vec::new() };
        let finding = wish().judge(&verdict);
        assert_eq!(finding.state, State::Problem);
        insta::assert_snapshot!(format!("{}\n{}", finding.what, finding.mend[0]), @r#"
        the caller may not `iam:PassRole`
        allow it: `{"Effect":"Allow","Action":["iam:PassRole"],"Resource":["arn:aws:iam::1:role/EMR"],"Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`
        "#);
    }

    #[test]
    fn open_conditions_are_unknown_and_the_rest_is_fine() {
        let open = Verdict { denied: Vec::new(), open: vec!["iam:PassRole".into()] };
        assert_eq!(wish().judge(&open).state, State::Unknown);
        assert_eq!(wish().judge(&Verdict::default()).what, "the caller may `iam:PassRole` on `EMR`");
    }

    #[test]
    fn a_cleanup_role_may_be_missing_when_it_may_be_made() {
        let wish = cleanup_wish(&Caller { account: "1".into(), arn: "arn:aws:iam::1:user/ada".into() });
        assert_eq!(told(&wish, &Verdict::default()).state, State::Ok);
        let refused = told(&wish, &Verdict { denied: vec!["iam:CreateServiceLinkedRole".into()], open: Vec::new() });
        assert!(refused.mend[0].contains("create-service-linked-role"), "{refused:?}");
        assert!(refused.what.starts_with("`AWSServiceRoleForEMRCleanup` does not exist, and the caller may not"));
    }
}
