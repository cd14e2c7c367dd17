//! Queries in Athena: moto starts and ends them, the rows and the failures are told by the test.

use serde_json::{Value, json};
use soflow::error::Kind;
use soflow::names::Uri;
use soflow::query::{Answer, Athena};
use tokio::sync::watch;

use super::lab::Lab;
use crate::twin::{Fault, FaultKind};

async fn ask(lab: &Lab, most: impl Into<Option<u64>>) -> soflow::error::Result<Answer> {
    let (_keep, stop) = watch::channel(false);
    athena(lab).await.ask("select tag, n from tags", most.into(), stop).await
}

async fn athena(lab: &Lab) -> Athena {
    Athena::new(lab.session().await, "primary", &lab.name, &Uri::in_bucket(&lab.name, "artifacts"))
}

/// Says how the next calls of an operation are answered, one after the other.
fn answers(lab: &Lab, operation: &str, status: u16, bodies: &[Value]) {
    for (at, body) in bodies.iter().enumerate() {
        lab.twin.fault(Fault::new("athena", operation, FaultKind::Answer(status, body.to_string())).nth(at + 1));
    }
}

/// Says that the query ended, after it was seen on its way.
fn ends(lab: &Lab, state: &str, told: &str) {
    let status = json!({ "State": state, "StateChangeReason": told, "AthenaError": { "ErrorCategory": 2 } });
    let statistics = json!({ "DataScannedInBytes": 20_000_000, "TotalExecutionTimeInMillis": 1500 });
    let ended = json!({ "StatementType": "DML", "Status": status, "Statistics": statistics });
    let looks = [json!({ "Status": { "State": "QUEUED" } }), json!({ "Status": { "State": "RUNNING" } }), ended];
    answers(lab, "GetQueryExecution", 200, &looks.map(|look| json!({ "QueryExecution": look })));
}

fn page(rows: &[[Option<&str>; 2]], next: Option<&str>) -> Value {
    let cell = |cell: &Option<&str>| cell.map_or_else(|| json!({}), |text| json!({ "VarCharValue": text }));
    let row = |row: &[Option<&str>; 2]| json!({ "Data": row.iter().map(cell).collect::<Vec<_>>() });
    let columns = json!([{ "Name": "tag", "Type": "varchar" }, { "Name": "n", "Type": "bigint" }]);
    let rows: Vec<Value> = rows.iter().map(row).collect();
    let mut page = json!({ "ResultSet": { "Rows": rows, "ResultSetMetadata": { "ColumnInfo": columns } } });
    if let Some(next) = next {
        page["NextToken"] = next.into();
    }
    page
}

const NAMES: [Option<&str>; 2] = [Some("tag"), Some("n")];

#[test]
fn rows_are_paged_as_far_as_they_are_wanted() {
    let lab = Lab::new("athena-rows");
    lab.run(async {
        ends(&lab, "SUCCEEDED", "");
        let pages = [page(&[NAMES, [Some("rust"), Some("7")]], Some("2")), page(&[NAMES, [None, None]], Some("3"))];
        answers(&lab, "GetQueryResults", 200, &pages);
        let answer = ask(&lab, 3).await.unwrap();
        // The second page's first row has the names for its values: it is data.
        assert_eq!(answer.rows.num_rows(), 3);
        assert_eq!(answer.rows.schema().field(1).data_type().to_string(), "Utf8");
        let wanted = |call: &crate::twin::Call| call.body.as_ref().unwrap()["MaxResults"].as_u64().unwrap();
        let calls = lab.twin.calls_of("athena", "GetQueryResults");
        assert_eq!(calls.iter().map(wanted).collect::<Vec<_>>(), [4, 3]);
        assert_eq!((answer.cost.scanned_bytes, answer.cost.seconds), (20_000_000, 1.5));
        let mib_20 = 20.0 / f64::from(1 << 20) * 5.0;
        assert!((answer.cost.dollars - mib_20).abs() < 1e-12, "{}", answer.cost.dollars);
        ends(&lab, "SUCCEEDED", "");
        let only = page(&[NAMES, [Some("rust"), Some("7")], [None, None]], None);
        answers(&lab, "GetQueryResults", 200, &[only]);
        let answer = ask(&lab, None).await.unwrap();
        assert_eq!(answer.rows.num_rows(), 2);
        assert_eq!(answer.rows.schema().field(1).data_type().to_string(), "Int64");
    });
}

#[test]
fn a_query_is_started_once_although_answers_are_lost() {
    let lab = Lab::new("athena-once");
    lab.run(async {
        lab.twin.fault(Fault::new("athena", "StartQueryExecution", FaultKind::DropAfter));
        assert_eq!(ask(&lab, 1).await.unwrap().rows.num_rows(), 0);
        let calls = lab.twin.calls_of("athena", "StartQueryExecution");
        let token = |at: usize| calls[at].body.as_ref().unwrap()["ClientRequestToken"].clone();
        assert_eq!((calls.len(), token(0)), (2, token(1)));
        assert!(token(0).as_str().unwrap().len() >= 32);
    });
}

#[test]
fn results_go_below_the_artifacts_only_when_the_workgroup_says_nothing() {
    let lab = Lab::new("athena-place");
    lab.run(async {
        ask(&lab, 1).await.unwrap();
        let told = "No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input.";
        answers(&lab, "StartQueryExecution", 400, &[json!({ "__type": "InvalidRequestException", "message": told })]);
        ask(&lab, 1).await.unwrap();
    });
    let place = |call: crate::twin::Call| call.body.unwrap()["ResultConfiguration"]["OutputLocation"].clone();
    let places: Vec<Value> = lab.twin.calls_of("athena", "StartQueryExecution").into_iter().map(place).collect();
    assert_eq!(places, [Value::Null, Value::Null, "s3://athena-place/artifacts/athena/".into()]);
}

#[test]
fn a_failure_is_told_without_what_is_for_support() {
    let lab = Lab::new("athena-failed");
    lab.run(async {
        ends(
            &lab,
            "FAILED",
            "COLUMN_NOT_FOUND: line 1:8: Column 'tag' cannot be resolved. This query ran against the \"x\" database",
        );
        let error = ask(&lab, 1).await.unwrap_err();
        let detail = error.detail.as_deref();
        assert_eq!(
            (error.kind, detail),
            (Kind::Usage, Some("COLUMN_NOT_FOUND: line 1:8: Column 'tag' cannot be resolved."))
        );
        ends(&lab, "CANCELLED", "Bytes scanned limit was exceeded");
        let error = ask(&lab, 1).await.unwrap_err();
        assert_eq!((error.kind, error.detail.as_deref()), (Kind::Machine, Some("Bytes scanned limit was exceeded")));
    });
}

#[test]
fn a_person_who_stops_stops_the_query() {
    let lab = Lab::new("athena-stop");
    lab.run(async {
        let running = json!({ "QueryExecution": { "Status": { "State": "RUNNING" } } });
        lab.twin.fault(Fault::new("athena", "GetQueryExecution", FaultKind::Answer(200, running.to_string())).always());
        let (tell, stop) = watch::channel(false);
        let athena = athena(&lab).await;
        let asking = tokio::spawn(async move { athena.ask("select 1", Some(1), stop).await });
        while lab.twin.calls_of("athena", "GetQueryExecution").is_empty() {
            tokio::task::yield_now().await;
        }
        tell.send(true).unwrap();
        assert_eq!(asking.await.unwrap().unwrap_err().kind, Kind::Interrupted);
        assert_eq!(lab.twin.calls_of("athena", "StopQueryExecution").len(), 1);
    });
}
