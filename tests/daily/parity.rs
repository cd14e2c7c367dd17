//! Sail against Spark. Off unless asked for: Spark is a large download and takes minutes.

use fs_err as fs;
use serde_json::Value;

use super::lab::{Lab, real_pages};

/// Returns a project with pages, or `None` after saying why the test is skipped.
fn lab() -> Option<(Lab, &'static str)> {
    if std::env::var_os("SOFLOW_TEST_PARITY").is_none_or(|value| value != "1") {
        println!("skipped: parity of both engines: SOFLOW_TEST_PARITY is not 1");
        return None;
    }
    let lab = Lab::new();
    if let Some(pages) = real_pages() {
        lab.run(&["ingest", "pages", pages.to_str().unwrap(), "--date", "2026-11-22"]).expect(0);
        return Some((lab, "2026-11-22"));
    }
    lab.run(&["ingest", "sample"]).expect(0);
    Some((lab, "2026-10-31"))
}

#[test]
fn both_engines_agree_and_a_doctored_step_is_caught() {
    let Some((lab, date)) = lab() else { return };
    lab.run(&["parity", "daily", "--date", date]).expect(0).says("Sail and Spark agree on");

    let module = lab.root().join("pyspark/soflow_jobs/tag_health.py");
    let honest = fs::read_to_string(&module).unwrap();
    let call = "    lake.write(\"tag_health_monthly\", rows)";
    assert!(honest.contains(call), "the module has changed: mend this test");
    let doctored = honest.replace(
        call,
        "    if spark.version.startswith(\"3.5\"):\n        rows = rows.withColumn(\"n\", F.col(\"n\") + 1)\n    lake.write(\"tag_health_monthly\", rows)",
    );
    fs::write(&module, doctored).unwrap();
    let said = lab.run(&["parity", "daily", "--date", date, "--output", "json"]);
    let found: Value = said.expect(1).json();
    let different: Vec<&String> = found["tables"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, table)| table["equal"] == false)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(different, ["tag_health_monthly"]);
    let difference = &found["tables"]["tag_health_monthly"]["difference"];
    let columns: Vec<&str> =
        difference["columns"].as_array().unwrap().iter().map(|column| column["column"].as_str().unwrap()).collect();
    assert_eq!(columns, ["n"], "{difference}");
    assert!(!difference["columns"][0]["examples"][0]["key"].as_str().unwrap().is_empty());
}
