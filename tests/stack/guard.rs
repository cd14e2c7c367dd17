//! The rules of AWS Control Tower, by its own tool. They read nothing of why a rule is not followed: it stands here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use regex::Regex;
use serde_json::Value as Json;

use super::example;
use crate::twin::tools::{json, made, run};

const PACKAGE: &str = include_str!("guard/package.json");
const LOCK: &str = include_str!("guard/package-lock.json");

/// The rules that are not followed: the rule, the resources, why.
const SUPPRESSED: [(&str, &[&str], &str); 9] = [
    ("CT.CLOUDTRAIL.PR.3", &["Trail"], "nobody watches it as it is written; Athena reads it from the bucket"),
    ("CT.EMR.PR.4", &["SecurityConfiguration"], "it needs a certificate, and nodes talk within one security group"),
    ("CT.KMS.PR.3", &["Key"], "the account must be able to do all with its key, or nobody can mend its policy"),
    (
        "CT.LAMBDA.PR.3",
        &[
            "BeginFunction",
            "CheckFunction",
            "ClusterFunction",
            "EndedFunction",
            "IngestFunction",
            "PublishFunction",
            "ReapFunction",
            "SubmitFunction",
        ],
        "they reach nothing in a network of yours; a NAT gateway would cost more than all else",
    ),
    ("CT.S3.PR.10", &["AuditBucket"], "S3 delivers access logs to no bucket with another default than SSE-S3"),
    ("CT.S3.PR.2", &["AuditBucket"], "it is where the others log to"),
    ("CT.S3.PR.4", &["AuditBucket"], "nobody waits for access logs"),
    (
        "CT.S3.PR.9",
        &["AuditBucket", "LakeBucketAcmeCurated", "LakeBucketAcmeRaw", "LakeBucketAcmeWork"],
        "what nobody can remove, `soflow gc` cannot either; there are versions, for a month",
    ),
    ("CT.SQS.PR.1", &["Dead"], "it is itself where undelivered messages end"),
];

/// Returns the tool and its rules; `None` where they cannot be had.
fn tool() -> Option<(PathBuf, PathBuf)> {
    let system = if cfg!(target_os = "macos") { "macos" } else { "ubuntu" };
    let there = Command::new("npm").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return None;
    }
    let folder = made("guard", LOCK, |folder: &Path| {
        fs::write(folder.join("package.json"), PACKAGE).unwrap();
        fs::write(folder.join("package-lock.json"), LOCK).unwrap();
        // Without what it is a plug-in of.
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund", "--silent"]);
        run(npm.current_dir(folder));
    });
    let package = folder.join("node_modules/@cdklabs/cdk-validator-cfnguard");
    let tool = package.join(format!("bin/{system}/{}/cfn-guard", std::env::consts::ARCH));
    Some((tool, package.join("rules/control-tower/cfn-guard")))
}

/// Collects the rules and the resources that a part of the report is about.
fn about(part: &Json, rule: &Regex, found: &mut (BTreeSet<String>, BTreeSet<String>)) {
    match part {
        Json::Object(fields) => {
            if let Some(message) = fields.get("custom_message").and_then(Json::as_str) {
                found.0.extend(rule.find_iter(message).map(|id| id.as_str().to_string()));
            }
            let path = fields.get("path").and_then(Json::as_str).and_then(|path| path.strip_prefix("/Resources/"));
            found.1.extend(path.and_then(|path| path.split('/').next()).map(String::from));
            fields.values().for_each(|part| about(part, rule, found));
        }
        Json::Array(parts) => parts.iter().for_each(|part| about(part, rule, found)),
        _ => {}
    }
}

#[test]
fn the_rules_of_control_tower_are_followed() {
    let Some((tool, rules)) = tool() else {
        println!("skipped: the rules of Control Tower on the template of a stack: there is no `npm`");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.json");
    fs::write(&file, example("").to_string()).unwrap();
    let mut guard = Command::new(tool);
    guard.args(["validate", "--structured", "-o", "json", "-S", "none", "-d"]).arg(file).arg("-r").arg(rules);
    let report = json(&guard.output().unwrap())[0].take();
    let followed = report["compliant"].as_array().unwrap().len();
    assert!(followed > 20, "only {followed} rules were found to be followed");
    let id = Regex::new(r"CT\.[A-Z0-9]+\.PR\.\d+").unwrap();
    let mut broken = BTreeSet::new();
    for rule in report["not_compliant"].as_array().unwrap() {
        let mut found = Default::default();
        about(rule, &id, &mut found);
        let (ids, resources) = found;
        assert_eq!(ids.len(), 1, "{rule:#}");
        broken.extend(ids.into_iter().map(|id| (id, resources.iter().cloned().collect::<Vec<_>>())));
    }
    let expected =
        SUPPRESSED.map(|(id, resources, _)| (id.to_string(), resources.iter().map(ToString::to_string).collect()));
    assert_eq!(broken, BTreeSet::from(expected));
}
