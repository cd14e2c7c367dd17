//! Least privilege: what each role of the stack may do is what was asked for in its name, and nothing else.

mod uses;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use self::uses::granted;
pub use self::uses::{Right, done_in};
use super::{daily, reach, stops, whole};
use crate::emr::lab::in_two_lanes;

/// Something that happens to a stack, and what is asked for meanwhile. One test is about how it ends, another one about what it
/// asks for: it happens once, whichever comes first.
pub struct Scenario {
    happen: fn() -> BTreeSet<Right>,
    done: OnceLock<BTreeSet<Right>>,
}

impl Scenario {
    pub const fn of(happen: fn() -> BTreeSet<Right>) -> Self {
        Self { happen, done: OnceLock::new() }
    }

    /// Returns what was asked for, after it has happened.
    pub fn done(&self) -> &BTreeSet<Right> {
        self.done.get_or_init(self.happen)
    }
}

/// What is granted although nothing here asks for it: roles, actions, and why. An action may be followed by what its resource
/// has in it, and end in a star.
const UNREACHED: &[(&[&str], &[&str], &str)] = &[
    (
        &["BeginRole", "ClusterRole", "SubmitRole", "CheckRole", "PublishRole", "EndedRole", "ReapRole", "IngestRole"],
        &["logs:CreateLogStream", "logs:PutLogEvents"],
        "Lambda itself writes what a function prints, in its name",
    ),
    (
        &["EndedRole", "ReapRole", "IngestRole"],
        &["sqs:SendMessage"],
        "Lambda itself puts away what nobody waits for when it has failed three times, in the function's name",
    ),
    (
        &["BeginRole", "ClusterRole", "SubmitRole", "EndedRole", "ReapRole"],
        &["s3:GetObject acme-logs"],
        "the log of a running step of which EMR does not tell the application, as the twin always does",
    ),
    (
        &["ClusterRole", "SubmitRole", "CheckRole"],
        &["iam:CreateServiceLinkedRole"],
        "EMR asks for it with the first cluster of an account, in the name of who makes that",
    ),
    (
        &["PublishRole", "EndedRole"],
        &["s3:DeleteObject _delta_log"],
        "of a table that Delta has shown, and that got a column for which Delta has no type",
    ),
    (
        &["SubmitRole"],
        &["elasticmapreduce:DescribeStep"],
        "of a step that is behind a thousand newer ones on its cluster",
    ),
    (
        &["MachineRole"],
        &["logs:*", "xray:*"],
        "Step Functions itself delivers logs and traces; no interpreter here does",
    ),
    (
        &["ScheduleRole"],
        &["lambda:InvokeFunction", "states:StartExecution", "sqs:SendMessage", "kms:*"],
        "the schedules are those of EventBridge Scheduler, which nothing here fires in the name of a role",
    ),
    (&["EmrServiceRole"], &["iam:PassRole", "kms:*"], "EMR makes instances and their disks with it: the twin has none"),
    (
        &["EmrNodeRole"],
        &["s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads"],
        "EMRFS writes large files in parts, and removes what a task that was tried twice has left; the local engine does not",
    ),
    (
        &["EmrNodeRole"],
        &["s3:GetBucketLocation", "s3:GetObject acme-logs", "s3:ListBucket acme-logs", "s3:ListBucket acme-raw"],
        "EMRFS and EMR's agents look before they read and write; what stands in for them reads and writes only",
    ),
    (
        &["EmrNodeRole"],
        &["kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*"],
        "disks and objects that the nodes encrypt themselves: EMR's guide to encryption at rest asks for these",
    ),
    (
        &["EmrNodeRole"],
        &["s3:GetObject /jupyter/", "s3:PutObject /jupyter/", "secretsmanager:*"],
        "JupyterHub keeps notebooks, and its password is made: what stands in for EMR has no JupyterHub",
    ),
    (&["EmrNodeRole"], &["glue:*"], "Spark with Glue as its metastore, and notebooks: the local engine has none"),
    (
        &["EmrNodeRole"],
        &["cloudwatch:PutMetricData", "logs:DescribeLogStreams"],
        "the CloudWatch agent on the nodes; what stands in for it writes only lines",
    ),
];

/// Returns whether the exceptions name a right.
fn is_unreached(right: &Right) -> bool {
    UNREACHED.iter().any(|(roles, actions, _)| {
        roles.contains(&right.role.as_str()) && actions.iter().any(|action| is_named(right, action))
    })
}

fn is_named(right: &Right, named: &str) -> bool {
    let (action, part) = named.split_once(' ').unwrap_or((named, ""));
    let fits = match action.strip_suffix('*') {
        Some(start) => right.action.starts_with(start),
        None => right.action == action,
    };
    fits && right.resource.contains(part)
}

fn told<'a>(rights: impl Iterator<Item = &'a Right>) -> Vec<String> {
    rights.map(ToString::to_string).collect()
}

#[test]
fn what_roles_may_do_is_what_they_do() {
    let Some(daily) = daily::counted() else { return };
    let scenarios = vec![
        &whole::DAY,
        &whole::MENDED,
        &whole::LOSSES,
        &stops::STOPPED,
        &stops::CANCELLED,
        &reach::GONE,
        &reach::MOVES,
        &reach::SPARE,
        &reach::LEFT,
        &reach::SHOWN,
        &reach::INGESTED,
    ];
    in_two_lanes(scenarios.clone(), |scenario| {
        scenario.done();
    });
    let done: BTreeSet<&Right> = scenarios.iter().flat_map(|scenario| scenario.done()).chain(&daily.rights).collect();
    let granted = granted();
    let is_used = |right: &Right| done.iter().any(|done| right.allows(done));
    let refused = done.iter().copied().filter(|done| !granted.iter().any(|right| right.allows(done)));
    assert_eq!(told(refused), [""; 0], "asked for, and not granted");
    let unused = granted.iter().filter(|right| !is_used(right) && !is_unreached(right));
    assert_eq!(told(unused), [""; 0], "granted, and nothing asks for it");
    let used = granted.iter().filter(|right| is_used(right) && is_unreached(right));
    assert_eq!(told(used), [""; 0], "asked for, although it is said that nothing does");
    for (roles, actions, why) in UNREACHED {
        for (role, action) in roles.iter().flat_map(|role| actions.iter().map(move |action| (role, action))) {
            let is_there = granted.iter().any(|right| right.role == *role && is_named(right, action));
            assert!(is_there, "{role} may not {action} any more: {why}");
        }
    }
    let used = granted.iter().filter(|right| is_used(right)).count();
    println!("{used} of {} rights are used, by {} different requests", granted.len(), done.len());
}
