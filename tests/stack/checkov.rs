//! The habits of a careless stack. What is not followed is said where it is not, in the template: `Metadata`, with a reason.

use fs_err as fs;
use serde_json::Value as Json;

use super::example;
use crate::twin::tools::{json, python};

/// Every check that is skipped, and at how many resources.
const SKIPPED: [(&str, usize); 5] =
    [("CKV_AWS_115", 8), ("CKV_AWS_116", 5), ("CKV_AWS_117", 8), ("CKV_AWS_18", 1), ("CKV_AWS_67", 1)];

#[test]
fn checkov_has_nothing_to_say() {
    if std::env::var_os("SOFLOW_TEST_CHECKOV").is_none_or(|value| value != "1") {
        println!("skipped: checkov on the template of a stack: SOFLOW_TEST_CHECKOV is not 1");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.json");
    fs::write(&file, example("").to_string()).unwrap();
    let mut checkov = python("checkov", include_str!("checkov.lock"));
    // It would ask its makers for links to explanations.
    checkov.args(["-m", "checkov.main", "--framework", "cloudformation", "--skip-download", "-o", "json", "-f"]);
    let report = json(&checkov.arg(file).output().unwrap());
    let list = |kind: &str| report["results"][kind].as_array().unwrap().clone();
    let text = |check: &Json, key: &str| check[key].as_str().unwrap_or_default().to_string();
    let told =
        |check: &Json| format!("{} {} {}", text(check, "check_id"), text(check, "resource"), text(check, "check_name"));
    let failed: Vec<String> = list("failed_checks").iter().map(told).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(list("passed_checks").len() > 150, "only {} checks passed", list("passed_checks").len());
    let mut skipped: Vec<(String, usize)> = Vec::new();
    for check in list("skipped_checks") {
        let reason = check["check_result"]["suppress_comment"].as_str().unwrap_or_default();
        assert!(reason.len() > 20, "{} is skipped for no reason", told(&check));
        let id = text(&check, "check_id");
        match skipped.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += 1,
            None => skipped.push((id, 1)),
        }
    }
    skipped.sort();
    assert_eq!(skipped, SKIPPED.map(|(id, count)| (id.to_string(), count)));
}
