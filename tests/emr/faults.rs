//! Every fault in every operation of a run: absorbed, or told with a way out; and the next try finishes, nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::emr::lab::{DATE, Lab, Said, ended};
use crate::twin::{Failure, Fate, Fault, FaultKind, StepFate};

/// What is told apart among the objects in S3.
const PARTS: [&str; 8] =
    ["run.json", "/tasks/", "/leases/", "catalog.json", "/versions/", "/results/", "/code/", ".parquet"];

/// A fault and what to call it.
#[derive(Clone)]
struct Row {
    name: String,
    kind: &'static str,
    fault: Fault,
    /// Whether nobody but the calls' count should notice.
    absorbed: bool,
    args: &'static [&'static str],
}

/// Kinds of faults; whether trying again helps.
fn kinds() -> Vec<(&'static str, FaultKind, bool)> {
    vec![
        ("throttle", FaultKind::Throttle, true),
        ("500", FaultKind::Internal { done: false }, true),
        ("500-done", FaultKind::Internal { done: true }, true),
        ("drop", FaultKind::DropBefore, true),
        ("drop-done", FaultKind::DropAfter, true),
        ("denied", FaultKind::AccessDenied, false),
        ("expired", FaultKind::ExpiredToken, false),
        ("slow", FaultKind::Delay(Duration::from_millis(300)), true),
    ]
}

fn row(call: &(String, String, String), nth: usize, (kind, fault, absorbed): (&'static str, FaultKind, bool)) -> Row {
    let (service, operation, part) = call;
    let count = if nth == 1 { String::new() } else { format!(" #{nth}") };
    let fault = Fault::new(service, operation, fault).on(part).nth(nth);
    Row { name: format!("{service} {operation} {part}{count}"), kind, fault, absorbed, args: &[] }
}

/// Returns the calls that a run makes, told apart by what they are about.
fn calls_of_a_run() -> BTreeSet<(String, String, String)> {
    let lab = Lab::new();
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
    let part = |detail: &str| PARTS.iter().find(|part| detail.contains(**part)).copied().unwrap_or_default();
    let calls = lab.twin.calls();
    calls.iter().map(|call| (call.service.clone(), call.operation.clone(), part(&call.detail).to_string())).collect()
}

fn table() -> Vec<Row> {
    let calls = calls_of_a_run();
    let operations: BTreeSet<(String, String, String)> =
        calls.iter().map(|(service, operation, _)| (service.clone(), operation.clone(), String::new())).collect();
    let mut rows = Vec::new();
    for call in &operations {
        // What only reads is not done twice by being done and not answered.
        let reads = ["Get", "List", "Describe", "Head"].iter().any(|verb| call.1.starts_with(verb));
        let kinds =
            kinds().into_iter().filter(|(name, ..)| !reads || !["500-done", "drop-done", "slow"].contains(name));
        rows.extend(kinds.map(|kind| row(call, 1, kind)));
    }
    // Each object meets one kind of each sort, so that in all every kind meets every sort of object.
    let parts = calls.iter().filter(|(_, _, part)| !part.is_empty());
    for (at, call) in parts.enumerate() {
        rows.push(row(call, 1, kinds().swap_remove(at % 5)));
        rows.push(row(call, 1, kinds().swap_remove(5 + at % 2)));
    }
    for operation in ["PutObject", "GetObject"] {
        for part in ["run.json", "/leases/", "catalog.json"] {
            let call = ("s3".to_string(), operation.to_string(), part.to_string());
            rows.extend(kinds().into_iter().skip(2).step_by(2).map(|kind| row(&call, 2, kind)));
        }
    }
    let get = ("s3".to_string(), "GetObject".to_string(), String::new());
    rows.extend((1..=8).map(|nth| row(&get, nth, ("cut", FaultKind::Truncate, true))));
    rows.extend(lasting());
    rows
}

/// Faults that last.
fn lasting() -> Vec<Row> {
    let always = |service: &str, operation: &str, kind: &'static str, absorbed: bool, args: &'static [&'static str]| {
        let (_, fault, _) = kinds().into_iter().find(|(name, ..)| *name == kind).unwrap();
        let fault = Fault::new(service, operation, fault).always();
        Row { name: format!("{service} {operation} always"), kind, fault, absorbed, args }
    };
    vec![
        always("emr", "RunJobFlow", "throttle", false, &[]),
        always("emr", "RunJobFlow", "drop", false, &[]),
        always("emr", "RunJobFlow", "drop-done", true, &[]),
        always("emr", "AddJobFlowSteps", "500", false, &[]),
        always("emr", "AddJobFlowSteps", "drop-done", true, &[]),
        always("emr", "AddJobFlowSteps", "denied", false, &[]),
        always("emr", "ListSteps", "throttle", false, &["--wait", "2s"]),
        always("emr", "ListSteps", "denied", false, &[]),
        always("emr", "DescribeCluster", "expired", false, &[]),
        always("s3", "PutObject", "500", false, &[]),
        always("s3", "GetObject", "denied", false, &[]),
        always("s3", "HeadObject", "expired", false, &[]),
        always("glue", "CreateTable", "denied", false, &[]),
        always("glue", "CreateTable", "throttle", false, &[]),
    ]
}

/// Asserts that a failure is told with a way out.
fn check_told(said: &Said, what: &str) {
    let hint = said
        .stderr
        .lines()
        .any(|line| line.contains("hint:") && (line.contains('`') || line.contains("the same command")));
    // A run that goes on without us is no error: it was left.
    let told = said.stderr.contains("error:") || said.stderr.contains("left:");
    assert!(told && hint, "{what}: no way out is shown\n{said}");
}

/// Returns the run that a failure says to attach to.
fn to_attach(said: &Said) -> Option<String> {
    let (_, rest) = said.stderr.split_once("`soflow attach ")?;
    Some(rest.split('`').next().unwrap().to_string())
}

/// Does what the failure says; returns the exit codes on the way.
fn go_on(lab: &Lab, said: &Said, what: &str) -> Vec<i32> {
    let mut codes = Vec::new();
    if let Some(run) = to_attach(said) {
        let attached = lab.run(&["attach", &run]);
        codes.push(attached.code.unwrap());
        assert!([0, 2].contains(&codes[0]), "{what}: attach\n{said}\n{attached}");
    }
    if codes.last() != Some(&0) {
        let again = lab.submit();
        assert_eq!(again.code, Some(0), "{what}: the next try\n{said}\n{again}");
        codes.push(0);
    }
    codes
}

/// Runs one row; returns its exit codes.
fn meet(row: &Row) -> Vec<i32> {
    let lab = Lab::new();
    let what = format!("{} of {}", row.kind, row.name);
    lab.twin.fault(row.fault.clone());
    let said = lab.run(&[&["submit", "chain", "--date", DATE], row.args].concat());
    lab.check_invariants(&what);
    let code = said.code.unwrap_or(-1);
    let allowed: &[i32] = if row.absorbed { &[0] } else { &[0, 3, 4] };
    assert!(allowed.contains(&code), "{what}\n{said}");
    let mut codes = vec![code];
    lab.twin.heal();
    if code != 0 {
        check_told(&said, &what);
        codes.extend(go_on(&lab, &said, &what));
    }
    lab.check_invariants(&what);
    assert_eq!(lab.published().len(), 3, "{what}");
    assert_eq!(lab.shown().len(), 3, "{what}: what Glue shows\n{said}");
    assert_eq!(lab.clusters().len(), 1, "{what}: a second cluster\n{said}");
    let open = lab.records().into_iter().filter(|record| record["state"] == "running").count();
    assert_eq!(open, 0, "{what}: a run was left as running\n{said}");
    codes
}

#[test]
fn every_fault_in_every_operation_is_absorbed_or_told_and_mended() {
    let rows = Mutex::new(table());
    let met: Mutex<BTreeMap<String, Vec<String>>> = Mutex::default();
    let failed: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(row) = { rows.lock().unwrap().pop() } {
                    let codes = std::panic::catch_unwind(|| meet(&row));
                    let text = match codes {
                        Ok(codes) => format!(
                            "{}={}",
                            row.kind,
                            codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(">")
                        ),
                        Err(error) => {
                            let text = error.downcast_ref::<String>().cloned().unwrap_or_default();
                            failed.lock().unwrap().push(text);
                            format!("{}=FAILED", row.kind)
                        }
                    };
                    met.lock().unwrap().entry(row.name.clone()).or_default().push(text);
                }
            });
        }
    });
    for (name, codes) in met.into_inner().unwrap() {
        println!("{name:<36} {}", codes.join("  "));
    }
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} rows failed:\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn a_cluster_that_does_not_start_is_told_with_its_reason_and_asked_for_once() {
    let fates = [
        (Fate::NoCapacity { spot: false }, "capacity"),
        (Fate::NoCapacity { spot: true }, "capacity"),
        (Fate::BootstrapFails { action: 1, instance: "i-0abc".into() }, "ootstrap"),
        (Fate::ValidationError { message: "Invalid InstanceProfile: nobody.".into() }, "InstanceProfile"),
        (Fate::ServiceLinkedRoleMissing, "AWSServiceRoleForEMRCleanup"),
    ];
    for (fate, word) in fates {
        let what = format!("{fate:?}");
        let lab = Lab::new();
        lab.twin.next_cluster(fate);
        let said = lab.submit();
        assert_eq!(said.code, Some(3), "{what}\n{said}");
        assert!(said.stderr.contains(word), "{what}\n{said}");
        check_told(&said, &what);
        assert_eq!(lab.twin.calls_of("emr", "RunJobFlow").len(), 1, "{what}\n{said}");
        let again = lab.submit();
        assert_eq!(again.code, Some(0), "{what}\n{again}");
        lab.check_whole(&what, 2);
    }
}

#[test]
fn a_step_that_fails_is_explained_and_the_next_run_takes_what_is_done() {
    let traceback = "Traceback (most recent call last):\n  File \"two.py\", line 7, in <module>\n    x = row[\"tagz\"]\nKeyError: 'tagz'\n";
    let details = json!({ "Reason": "Unknown Error", "Message": "Exception in thread \"main\"", "LogFile": "s3://logs/stderr.gz" });
    let failure =
        Failure { driver_stderr: traceback.into(), details: Some(details), details_after: 2, ..Failure::default() };
    let fates = [
        (StepFate::Fails(failure), 1, "KeyError"),
        (StepFate::Fails(Failure::default()), 1, "step `two`"),
        (StepFate::Cancelled, 3, "step `two` of run `chain.2026-11-22.1` was cancelled"),
        (StepFate::Interrupted, 3, "step `two` of run `chain.2026-11-22.1` was cancelled"),
    ];
    for (fate, code, word) in fates {
        let what = format!("{fate:?}");
        let lab = Lab::new();
        lab.twin.logs_after(2);
        lab.twin.step_fate("two", fate);
        let said = lab.submit();
        assert_eq!(said.code, Some(code), "{what}\n{said}");
        assert!(said.stderr.contains(word), "{what}\n{said}");
        check_told(&said, &what);
        assert!(lab.published().is_empty(), "{what}");
        lab.twin.step_fate("two", StepFate::Completes);
        let again = lab.submit();
        assert_eq!(again.code, Some(0), "{what}\n{again}");
        assert_eq!(lab.published().len(), 3, "{what}");
        assert_eq!(lab.completed().iter().filter(|step| *step == "one").count(), 1, "{what}: it was done already");
        assert_eq!(lab.clusters().len(), 1, "{what}");
    }
}

#[test]
fn a_state_unknown_to_soflow_is_told_and_waited_out() {
    let lab = Lab::new();
    lab.twin.hold();
    let child = lab.begin(&[]);
    lab.until_handed_over();
    let cluster = lab.clusters().remove(0);
    let mut steps = lab.twin.steps(&cluster);
    for step in &mut steps {
        step["Status"]["State"] = "PAUSED".into();
    }
    lab.twin.fault(Fault::new("emr", "ListSteps", FaultKind::Answer(200, json!({ "Steps": steps }).to_string())));
    lab.twin.release();
    let said = ended(child);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("in a state unknown to soflow: PAUSED"), "{said}");
    lab.check_whole("unknown state", 1);
}

#[test]
fn a_record_that_was_removed_is_no_obstacle() {
    let lab = Lab::new();
    let uri = format!("s3://{}/lake/artifacts/runs/chain/{DATE}/1/tasks/one.json", lab.bucket);
    lab.twin.put(&uri, "{}");
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
    let placed: Value = serde_json::from_slice(
        &lab.twin.get(&format!("s3://{}/lake/artifacts/runs/chain/{DATE}/2/run.json", lab.bucket)).unwrap(),
    )
    .unwrap();
    assert_eq!(placed["state"], "succeeded", "the number of what was there is not used again");
}

#[test]
fn a_run_that_cannot_begin_leaves_its_cluster_to_others() {
    let lab = Lab::new();
    assert_eq!(lab.submit().code, Some(0));
    let cluster = lab.clusters().remove(0);
    lab.write("pyspark/steps/one.py", "# other code, which must be sent\n");
    lab.twin.fault(Fault::new("s3", "HeadObject", FaultKind::AccessDenied).on("/code/"));
    let said = lab.submit();
    assert_eq!(said.code, Some(3), "{said}");
    check_told(&said, "code that cannot be sent");
    assert_eq!(lab.records()[1]["state"], "failed");
    let book: Value = lab.lease(&cluster).map_or(Value::Null, |book| serde_json::from_str(&book).unwrap());
    assert_eq!(book["holders"].as_array().map_or(0, Vec::len), 0, "it holds the cluster still: {book}");
}

#[test]
fn a_record_whose_answers_are_all_lost_is_closed_all_the_same() {
    // Before its steps are handed over, and after; each takes as long as S3 is given.
    for nth in [2, 5] {
        let lab = Lab::new();
        let fault = Fault::new("s3", "PutObject", FaultKind::Internal { done: true }).on("run.json");
        // As often as it is sent.
        lab.twin.fault(fault.nth(nth).times(6));
        let said = lab.submit();
        assert!([Some(4), Some(3), Some(0)].contains(&said.code), "{said}");
        if let Some(run) = to_attach(&said) {
            // Its steps go on whatever becomes of the record.
            let attached = lab.run(&["attach", &run]);
            assert_eq!(attached.code, Some(0), "word {nth}\n{said}\n{attached}");
        }
        assert_ne!(lab.records()[0]["state"], "running", "word {nth}\n{said}");
        let again = lab.submit();
        assert_eq!(again.code, Some(0), "{again}");
        assert_eq!((lab.published().len(), lab.clusters().len()), (3, 1), "word {nth}");
    }
}
