//! `soflow report` of a run on EMR: what charts ask is Athena's, the page is kept beside the run's record when a link is asked for.
//! The rows that Athena answers are told by the test.

use fs_err as fs;
use serde_json::{Value, json};

use crate::emr::lab::{DATE, JOB, Lab};
use crate::twin::{Fault, FaultKind, Twin};
use crate::twin_checks::client::send;

const CHARTS: &str = "report:
  - { title: Ids, kind: bars, sql: \"SELECT 'one' AS label, count(*) AS value FROM first\" }
  - { title: Wrong, kind: bars, sql: \"SELECT nothing AS label, 1 AS value FROM first\" }
";

/// Returns a lab in which the job was run, with charts since.
fn published() -> Lab {
    let lab = Lab::new();
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
    lab.write("jobs/chain.yaml", &format!("{JOB}{CHARTS}"));
    lab
}

/// Says how the first chart's query ends and the second's, and what the first finds.
fn answers(twin: &Twin) {
    let statistics = json!({ "DataScannedInBytes": 20_000_000, "TotalExecutionTimeInMillis": 1500 });
    let ended = |state: &str, told: &str| {
        let status = json!({ "State": state, "StateChangeReason": told, "AthenaError": { "ErrorCategory": 2 } });
        json!({ "QueryExecution": { "StatementType": "DML", "Status": status, "Statistics": statistics } })
    };
    let looks =
        [ended("SUCCEEDED", ""), ended("FAILED", "COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved")];
    let columns = json!([{ "Name": "label", "Type": "varchar" }, { "Name": "value", "Type": "bigint" }]);
    let row = |cells: [&str; 2]| json!({ "Data": cells.map(|text| json!({ "VarCharValue": text })) });
    let rows = json!([row(["label", "value"]), row(["one", "4711"])]);
    let page = json!({ "ResultSet": { "Rows": rows, "ResultSetMetadata": { "ColumnInfo": columns } } });
    let answer = |operation: &str, at: usize, body: &Value| {
        twin.fault(Fault::new("athena", operation, FaultKind::Answer(200, body.to_string())).nth(at + 1));
    };
    looks.iter().enumerate().for_each(|(at, look)| answer("GetQueryExecution", at, look));
    answer("GetQueryResults", 0, &page);
}

#[test]
fn the_page_of_a_run_on_emr_is_kept_where_its_record_is_and_a_link_opens_it() {
    let lab = published();
    answers(&lab.twin);
    let said = lab.json(&["report", "--link"]);
    let html = fs::read_to_string(lab.home.path().join(said["path"].as_str().unwrap())).unwrap();
    for told in
        ["4,711", "This chart cannot be drawn: COLUMN_NOT_FOUND", "emr-7.14.0", "j-", "$0.", "All 9 checks of 3 tables"]
    {
        assert!(html.contains(told), "{told}\n{html}");
    }
    let link = said["link"].as_str().unwrap();
    let kept = format!("/{}/lake/artifacts/runs/chain/{DATE}/1/report.html", lab.bucket);
    let asked = link.strip_prefix(&lab.twin.url()).unwrap();
    assert!(asked.starts_with(&format!("{kept}?")), "{link}");
    let opened = send(&lab.twin, &format!("GET {asked}"), &[], b"").unwrap();
    assert_eq!((opened.status, opened.text() == html), (200, true), "{}", opened.head);
    assert!(opened.head.contains("content-type: text/html; charset=utf-8"), "{}", opened.head);
    assert!(!html.contains("X-Amz-Signature"), "the link is nowhere in the page");
    assert!(!lab.records()[0].to_string().contains("X-Amz-Signature"), "nor in the record");
}

#[test]
fn a_run_on_emr_asks_nothing_for_a_page_unless_one_is_wanted() {
    let lab = Lab::new();
    lab.write("jobs/chain.yaml", &format!("{JOB}{CHARTS}"));
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
    assert!(lab.twin.calls_of("athena", "StartQueryExecution").is_empty(), "{said}");
    assert!(!lab.home.path().join(".soflow/report").exists(), "{said}");
}

#[test]
fn markdown_of_a_run_on_emr_is_for_the_summary_of_a_ci_job() {
    let lab = published();
    answers(&lab.twin);
    let said = lab.run(&["report", "chain", "--format", "markdown"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.contains("| one | 4,711 |") && said.stdout.contains(&format!("chain.{DATE}.1")), "{said}");
}
