//! What CloudFormation would refuse: cfn-lint knows every resource and every property, and state machines too.

use fs_err as fs;
use serde_json::json;

use super::{CODE_BUCKET, SMALL, example};
use crate::twin::tools::{json as parsed, python};

/// Ignored: I1022 would like `Fn::Sub` where an ARN is joined, which is all that the rules of Control Tower can read.
const IGNORED: &str = "I1022";

#[test]
fn cfn_lint_has_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    // One mistake, to know that it sees anything, and no other.
    let mut small = example(SMALL);
    small["Resources"]["DailyMachine"]["Properties"]["RoleArn"] = json!({ "Fn::GetAtt": ["Nobody", "Arn"] });
    let mut lint = python("linters", include_str!("linters.lock"));
    lint.args([
        "-c",
        "from cfnlint.runner.cli import main; main()",
        "--format",
        "json",
        "--include-checks",
        "I",
        "--ignore-checks",
        IGNORED,
        "--template",
    ]);
    for (name, template) in
        [("code", CODE_BUCKET.into()), ("whole", example("").to_string()), ("small", small.to_string())]
    {
        let file = folder.path().join(format!("{name}.json"));
        fs::write(&file, template).unwrap();
        lint.arg(file);
    }
    let findings = parsed(&lint.output().unwrap());
    let told = |finding: &serde_json::Value| {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_string();
        let file = text("Filename").rsplit('/').next().unwrap_or_default().to_string();
        (file, finding["Rule"]["Id"].as_str().unwrap_or_default().to_string(), text("Message"))
    };
    let told: Vec<_> = findings.as_array().unwrap().iter().map(told).collect();
    let found: Vec<(&str, &str)> = told.iter().map(|(file, rule, _)| (file.as_str(), rule.as_str())).collect();
    assert_eq!(found, [("small.json", "E1010")], "{told:#?}");
}
