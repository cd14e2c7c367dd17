//! What soflow does in AWS, as IAM names it: the source of the checks and of the policy in docs/doctor.md.

/// What an action is on, which decides the resource of a policy statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Clusters of EMR, and EMR as a whole.
    Clusters,
    /// The Glue catalog, the database and its tables.
    Tables,
    /// The Athena workgroup.
    Workgroup,
    /// Log groups of CloudWatch.
    Logs,
    /// The buckets of the lake.
    Buckets,
    /// The objects of the lake.
    Objects,
    /// The roles of clusters.
    Roles,
    /// The service-linked role that cleans up.
    CleanupRole,
    /// What only the doctor reads; a run does without.
    Doctor,
}

/// All actions, each once. Those on EMR that have no resource of their own are among those on clusters: a statement for
/// them must be on `*`. Source: the operations that soflow calls, and the Service Authorization Reference.
pub const ACTIONS: &[(On, &[&str])] = &[
    (
        On::Clusters,
        &[
            "elasticmapreduce:RunJobFlow",
            "elasticmapreduce:AddTags",
            "elasticmapreduce:PutAutoTerminationPolicy",
            "elasticmapreduce:PutManagedScalingPolicy",
            "elasticmapreduce:ListClusters",
            "elasticmapreduce:DescribeCluster",
            "elasticmapreduce:ListInstances",
            "elasticmapreduce:AddJobFlowSteps",
            "elasticmapreduce:ListSteps",
            "elasticmapreduce:DescribeStep",
            "elasticmapreduce:CancelSteps",
            "elasticmapreduce:TerminateJobFlows",
            "elasticmapreduce:GetOnClusterAppUIPresignedURL",
        ],
    ),
    (
        On::Tables,
        &[
            "glue:CreateDatabase",
            "glue:GetTable",
            "glue:GetTables",
            "glue:CreateTable",
            "glue:UpdateTable",
            "glue:DeleteTable",
            "glue:GetPartitions",
            "glue:BatchCreatePartition",
            "glue:BatchUpdatePartition",
            "glue:BatchDeletePartition",
        ],
    ),
    (
        On::Workgroup,
        &[
            "athena:GetWorkGroup",
            "athena:StartQueryExecution",
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:StopQueryExecution",
        ],
    ),
    (On::Logs, &["logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents"]),
    (On::Buckets, &["s3:ListBucket", "s3:ListBucketMultipartUploads"]),
    (
        On::Objects,
        &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
    ),
    (On::Roles, &["iam:PassRole"]),
    (On::CleanupRole, &["iam:CreateServiceLinkedRole"]),
    (
        On::Doctor,
        &[
            "iam:GetRole",
            "iam:GetInstanceProfile",
            "iam:ListAttachedRolePolicies",
            "iam:SimulatePrincipalPolicy",
            "elasticmapreduce:DescribeReleaseLabel",
            "elasticmapreduce:ListSupportedInstanceTypes",
            "elasticmapreduce:DescribeSecurityConfiguration",
            "ec2:DescribeSubnets",
            "ec2:DescribeRouteTables",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeInstanceTypeOfferings",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetEncryptionConfiguration",
            "s3:GetBucketVersioning",
            "s3:GetLifecycleConfiguration",
            "servicequotas:GetServiceQuota",
            "glue:GetDatabase",
        ],
    ),
];

/// Returns the actions on something.
pub fn actions(on: On) -> Vec<&'static str> {
    ACTIONS.iter().filter(|(known, _)| *known == on).flat_map(|(_, actions)| actions.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_policy_in_the_documentation_allows_exactly_these() {
        let page = include_str!("../../docs/doctor.md");
        let policy = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
        let mut documented = Vec::new();
        for statement in policy["Statement"].as_array().unwrap() {
            let named = statement["Action"].as_array().unwrap();
            documented.extend(named.iter().map(|action| action.as_str().unwrap().to_string()));
        }
        let known: BTreeSet<String> =
            ACTIONS.iter().flat_map(|(_, actions)| actions.iter().map(ToString::to_string)).collect();
        assert_eq!(documented.iter().cloned().collect::<BTreeSet<_>>(), known);
        let all: usize = ACTIONS.iter().map(|(_, actions)| actions.len()).sum();
        assert_eq!((documented.len(), all), (known.len(), known.len()), "each once");
    }

    /// Where the sources leave out whose operation they call.
    const WHOSE: [(&str, &str); 6] = [
        ("src/catalog/glue/", "Glue"),
        ("src/query/", "Athena"),
        ("src/targets/emr/api.rs", "EMR"),
        ("src/targets/emr/logs/", "CloudWatch Logs"),
        ("src/store/", "S3"),
        ("src/doctor/", "S3"),
    ];

    /// What takes no permission, and what takes one of whoever has such a secret: docs/ingest.md.
    const ELSEWHERE: [&str; 2] = ["sts:GetCallerIdentity", "secretsmanager:GetSecretValue"];

    #[test]
    fn every_call_takes_an_action_of_the_policy() {
        let call = regex::Regex::new(
            r#"\b(?:call|query|json|form|sdk|send|batch|asked|failed|told|odd)(?:::<\w+>)?\(\s*(?:(?:&(?:\w+::)?|")([A-Z][A-Z_0-9]+)"?,\s*)?"([A-Z][a-z][A-Za-z]+)""#,
        )
        .unwrap();
        let services: Vec<_> = [
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
        ]
        .into();
        let known: BTreeSet<&str> =
            ACTIONS.iter().flat_map(|(_, actions)| actions.iter().copied()).chain(ELSEWHERE).collect();
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
                    if !known.contains(action.as_str()) {
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
