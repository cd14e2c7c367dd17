//! IAM's own answer to whether someone may do something.

use super::ask::{Asked, Asker};
use crate::aws::{IAM, Xml};

/// Most results of an answer. Source: IAM's API model, SimulatePrincipalPolicy, MaxItems.
const RESULTS: &str = "1000";

/// Most answers that are read to one question.
const PAGES: usize = 5;

/// A question to IAM.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    /// The ARN of the user or role.
    pub who: &'a str,
    /// What is to be done.
    pub actions: &'a [&'a str],
    /// To what; all actions to each.
    pub on: &'a [String],
    /// A condition key with the value it will have.
    pub with: Option<(&'a str, &'a str)>,
}

/// What is not allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Actions that are refused.
    pub denied: Vec<String>,
    /// Actions that depend on conditions which a simulation does not know, such as tags, or that it said nothing of.
    pub open: Vec<String>,
}

/// Returns what of a question IAM would refuse.
pub(super) async fn simulate(ask: &Asker<'_>, question: &Question<'_>) -> Asked<Verdict> {
    let mut results = Vec::new();
    let mut marker = String::new();
    for _ in 0..PAGES {
        let mut fields = form(question);
        if !marker.is_empty() {
            fields.push(("Marker".into(), marker));
        }
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let answer = match ask.form(&IAM, "SimulatePrincipalPolicy", &fields, &[]).await {
            Asked::Is(answer) => answer,
            Asked::Absent(why) | Asked::Unknown(why) => return Asked::Unknown(why),
        };
        results.extend_from_slice(answer.list("EvaluationResults"));
        marker = answer.find("Marker").map(|marker| marker.text.clone()).unwrap_or_default();
        if marker.is_empty() {
            break;
        }
    }
    Asked::Is(judge(question.actions, &results))
}

/// An action is allowed when all results about it say so, and there is one.
fn judge(actions: &[&str], results: &[Xml]) -> Verdict {
    let mut verdict = Verdict::default();
    for action in actions {
        let about = || results.iter().filter(|result| result.text_of("EvalActionName").eq_ignore_ascii_case(action));
        if about().any(refuses) {
            verdict.denied.push((*action).to_string());
        } else if about().next().is_none() || about().any(|result| result.text_of("EvalDecision") != "allowed") {
            verdict.open.push((*action).to_string());
        }
    }
    verdict
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

fn form(question: &Question<'_>) -> Vec<(String, String)> {
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    let mut fields = vec![pair("PolicySourceArn", question.who), pair("MaxItems", RESULTS)];
    let members = |name: &str, values: &mut dyn Iterator<Item = &str>| {
        values
            .enumerate()
            .map(|(at, value)| (format!("{name}.member.{}", at + 1), value.to_string()))
            .collect::<Vec<_>>()
    };
    fields.extend(members("ActionNames", &mut question.actions.iter().copied()));
    fields.extend(members("ResourceArns", &mut question.on.iter().map(String::as_str)));
    if let Some((key, value)) = question.with {
        fields.push(pair("ContextEntries.member.1.ContextKeyName", key));
        fields.push(pair("ContextEntries.member.1.ContextKeyType", "string"));
        fields.push(pair("ContextEntries.member.1.ContextKeyValues.member.1", value));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_form() {
        let on = ["arn:a".to_string(), "arn:b".to_string()];
        let actions = ["iam:PassRole"];
        let with = Some(("iam:PassedToService", "ec2.amazonaws.com"));
        let fields = form(&Question { who: "arn:me", actions: &actions, on: &on, with });
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
        let result = |action: &str, decision: &str, missing: &str| {
            format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>{missing}</member>"
            )
        };
        let missing = "<MissingContextValues><member>aws:ResourceTag/team</member></MissingContextValues>";
        let results = [
            result("a", "allowed", ""),
            result("b", "allowed", "<MissingContextValues/>"),
            result("b", "implicitDeny", "<MissingContextValues/>"),
            result("c", "implicitDeny", missing),
            result("d", "explicitDeny", missing),
            result("b", "implicitDeny", missing),
        ];
        let answer =
            Xml::parse(&format!("<R><EvaluationResults>{}</EvaluationResults></R>", results.concat())).unwrap();
        let verdict = judge(&["a", "b", "C", "d", "untold"], answer.list("EvaluationResults"));
        assert_eq!(verdict, Verdict { denied: vec!["b".into(), "d".into()], open: vec!["C".into(), "untold".into()] });
    }
}
