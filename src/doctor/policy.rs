//! What soflow does in AWS, as a policy that allows it: the source of what is simulated, and shown in docs/doctor.md.

use serde::Deserialize;

use crate::aws::Caller;

/// Sources: the operations that soflow calls, and the Service Authorization Reference.
const POLICY: &str = include_str!("policy.json");

/// A statement of the policy.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyStatement {
    pub sid: String,
    #[serde(rename = "Action")]
    pub actions: Vec<String>,
    #[serde(rename = "Resource")]
    pub resources: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    #[serde(rename = "Statement")]
    statements: Vec<PolicyStatement>,
}

/// Returns all statements. A policy that cannot be read is an empty one; a test holds that it can.
fn statements() -> Vec<PolicyStatement> {
    serde_json::from_str::<Policy>(POLICY).unwrap_or_default().statements
}

/// Returns a statement by its id, for the caller's account; other `names` stand for themselves.
pub(super) fn statement(sid: &str, caller: &Caller, names: &[(&str, &str)]) -> PolicyStatement {
    let found = statements().into_iter().find(|statement| statement.sid == sid);
    let PolicyStatement { sid, actions, resources } =
        found.unwrap_or(PolicyStatement { sid: sid.into(), actions: Vec::new(), resources: Vec::new() });
    let filled = |resource: String| {
        let resource = resource.replace("arn:aws:", &format!("arn:{}:", caller.partition()));
        let resource = resource.replace("ACCOUNT", &caller.account);
        names.iter().fold(resource, |filled, (name, value)| filled.replace(name, value))
    };
    PolicyStatement { sid, actions, resources: resources.into_iter().map(filled).collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_shows_this_policy_and_every_action_is_in_it_once() {
        let page = include_str!("../../docs/doctor.md");
        assert_eq!(page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()), Some(POLICY));
        let actions: Vec<String> = statements().into_iter().flat_map(|statement| statement.actions).collect();
        assert_eq!(actions.iter().collect::<BTreeSet<_>>().len(), actions.len());
    }

    /// Where the sources leave out whose operation they call.
    const WHOSE: [(&str, &str); 9] = [
        ("src/catalog/glue/", "Glue"),
        ("src/query/", "Athena"),
        ("src/aws/pace.rs", "EMR"),
        ("src/targets/emr/api.rs", "EMR"),
        ("src/targets/emr/logs/", "CloudWatch Logs"),
        ("src/store/", "S3"),
        ("src/doctor/machines.rs", "EMR"),
        ("src/doctor/roles.rs", "EMR"),
        ("src/doctor/", "S3"),
    ];

    /// What takes no permission, what takes one of whoever has such a secret (docs/ingest.md), and what functions of a stack
    /// may do by its roles.
    const ELSEWHERE: [&str; 3] = ["sts:GetCallerIdentity", "secretsmanager:GetSecretValue", "sns:Publish"];

    /// What takes the permissions of whoever deploys: CloudFormation makes all kinds of resources in their name.
    const DEPLOYING: [&str; 3] = ["src/deploy/", "src/cli/deploy", "src/store/s3/bucket.rs"];

    #[test]
    fn every_call_takes_an_action_of_the_policy() {
        let call = regex::Regex::new(
            r#"\b(?:call|query|json|form|emr|s3|send|batch|asked|failed|told|odd)(?:::<\w+>)?\(\s*(?:(?:&(?:\w+::)?|")([A-Z][A-Z_0-9]+)"?,\s*)?"([A-Z][a-z][A-Za-z]+)""#,
        )
        .unwrap();
        let services = [
            "EMR",
            "Glue",
            "Athena",
            "CloudWatch Logs",
            "Secrets Manager",
            "Service Quotas",
            "IAM",
            "STS",
            "EC2",
            "S3",
            "SNS",
            "SSM",
        ];
        let mut known: BTreeSet<String> = statements().into_iter().flat_map(|statement| statement.actions).collect();
        known.extend(ELSEWHERE.map(String::from));
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("src")];
        let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.extension().is_none_or(|kind| kind != "rs") {
                    continue;
                }
                let file = path.strip_prefix(root).unwrap().display().to_string();
                let text = fs_err::read_to_string(&path).unwrap();
                if DEPLOYING.iter().any(|place| file.starts_with(place)) {
                    continue;
                }
                // Tests call what there is not.
                let text = text.split("#[cfg(test)]").next().unwrap();
                for found in call.captures_iter(text).filter(|_| !file.contains("test")) {
                    let named = found.get(1).map(|name| name.as_str().replace('_', " "));
                    let whose = match &named {
                        Some(named) if named == "LOGS" => "CloudWatch Logs",
                        Some(named) => {
                            services.iter().find(|known| known.eq_ignore_ascii_case(named)).copied().unwrap_or("?")
                        }
                        None => WHOSE.iter().find(|(start, _)| file.starts_with(start)).map_or("?", |(_, whose)| whose),
                    };
                    let action = crate::aws::permission(whose, &found[2]);
                    if !known.contains(&action) {
                        wrong.push(format!("{file}: {action}"));
                    }
                    seen.insert(action);
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        assert!(seen.len() > 40, "only {} actions were found: {seen:?}", seen.len());
    }
}
