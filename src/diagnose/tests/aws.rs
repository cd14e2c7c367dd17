//! What AWS says of clusters, as a table: each answer and what is made of it.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::names::Uri;

fn told(said: &str, finding: &Finding) -> String {
    let hint = finding.hint.as_deref().unwrap_or("-");
    let page = finding.page.as_ref().map_or(String::new(), |page| format!("\n  page: {page}"));
    format!("{said}\n  {}: {}\n  hint: {hint}{page}\n\n", finding.class.name(), finding.summary)
}

fn detail(code: &str, message: &str, data: &[(&str, &str)]) -> ErrorDetail {
    let data: BTreeMap<String, String> = data.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    ErrorDetail { code: code.into(), message: message.into(), data }
}

#[test]
fn ends_of_clusters() {
    let logs = Uri::parse("s3://logs/emr/j-1", Path::new("/")).unwrap();
    let bootstrap = detail(
        "BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE",
        "The bootstrap action 2 failed on the primary instance.",
        &[
            ("primary-instance-id", "i-0abc"),
            ("bootstrap-action", "2"),
            ("return-code", "1"),
            ("public-doc", "https://docs.example/2"),
        ],
    );
    let zone = detail(
        "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ",
        "EC2 has insufficient capacity.",
        &[("instance-type", "m5.xlarge"), ("availability-zone", "eu-west-1a")],
    );
    let key = detail("VALIDATION_ERROR_INVALID_SSH_KEY_NAME", "", &[]);
    let disk = detail("BOOTSTRAP_FAILURE_INSUFFICIENT_DISK_SPACE_WORKER", "No space.", &[]);
    let spot = LostInstance {
        id: "i-0def".into(),
        role: "primary".into(),
        spot: true,
        message: "Instance was terminated by EC2.".into(),
    };
    let taken = detail("INTERNAL_ERROR_SPOT_PRICE_INCREASE_PRIMARY", "The master node was terminated", &[]);
    let with = |code: &'static str, message: &'static str| ClusterEnd {
        id: "j-1",
        state: "TERMINATED_WITH_ERRORS",
        code,
        message,
        logs: Some(&logs),
        ..ClusterEnd::default()
    };
    let ends = [
        ClusterEnd {
            details: &[bootstrap],
            ..with(
                "BOOTSTRAP_FAILURE",
                "On the master instance (i-0abc), bootstrap action 2 returned a non-zero return code",
            )
        },
        with(
            "BOOTSTRAP_FAILURE",
            "On the master instance (i-0abc), bootstrap action 1 returned a non-zero return code",
        ),
        ClusterEnd { details: &[disk], ..with("BOOTSTRAP_FAILURE", "") },
        ClusterEnd { details: &[zone], ..with("INTERNAL_ERROR", "Master instance group: insufficient capacity") },
        with("INSTANCE_FLEET_TIMEOUT", "Timed out before the core fleet had its target capacity"),
        ClusterEnd { details: &[key], ..with("VALIDATION_ERROR", "") },
        with(
            "VALIDATION_ERROR",
            "Service-linked role 'AWSServiceRoleForEMRCleanup' for EMR is required. Please create this role directly or add permission to create it in your IAM entity.",
        ),
        with("VALIDATION_ERROR", "EMR service role arn:aws:iam::111122223333:role/EMR_DefaultRole is invalid"),
        with(
            "VALIDATION_ERROR",
            "The requested instance type c1.medium is not supported in the requested availability zone. Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancetype",
        ),
        with("VALIDATION_ERROR", "The subnet subnet-0ab does not exist"),
        with("VALIDATION_ERROR", "You have requested more vCPU capacity than your current vCPU limit of 32 allows"),
        with("USER_REQUEST", "Terminated by user request"),
        with("USER_REQUEST", "Cluster was terminated by its auto-termination policy after it had been idle"),
        with("INSTANCE_FAILURE", "The master node was terminated"),
        ClusterEnd { instances: &[spot], ..with("INSTANCE_FAILURE", "The master node was terminated") },
        ClusterEnd { details: &[taken], ..with("INTERNAL_ERROR", "The master node was terminated") },
        with("STEP_FAILURE", "Shut down as step failed"),
        with("ALL_STEPS_COMPLETED", "Steps completed"),
        with("INTERNAL_ERROR", "Failed to start the job flow due to an internal error"),
        with("", ""),
    ];
    let all: String = ends.iter().map(|end| told(&format!("{}: {}", end.code, end.message), &cluster(end))).collect();
    insta::assert_snapshot!(all);
}
