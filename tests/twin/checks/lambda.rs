//! Functions: how they are called, how they end, what is kept of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use fs_err as fs;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::twin::lambda::Function;
use crate::twin::{Act, Fault, FaultKind, Moment, Twin};
use crate::twin_checks::client::{Answer, send};

/// Returns a twin with the function `soflow-begin` of a program, and its folder.
fn with_function(bootstrap: PathBuf, timeout: Duration) -> (Twin, TempDir) {
    let (twin, folder) = (Twin::start(), tempfile::tempdir().unwrap());
    twin.function(Function {
        name: "soflow-begin".into(),
        handler: "begin".into(),
        timeout,
        memory: 256,
        bootstrap,
        folder: folder.path().to_path_buf(),
        environment: Vec::new(),
    });
    (twin, folder)
}

/// Returns a twin with the real program in an empty project.
fn with_program() -> (Twin, TempDir) {
    with_function(PathBuf::from(env!("CARGO_BIN_EXE_soflow")), Duration::from_secs(60))
}

/// Returns a twin with a shell script.
fn with_script(script: &str, timeout: Duration) -> (Twin, TempDir, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let bootstrap = home.path().join("bootstrap");
    fs::write(&bootstrap, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&bootstrap, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (twin, folder) = with_function(bootstrap, timeout);
    (twin, folder, home)
}

fn call(twin: &Twin, name: &str, kind: &str) -> Option<Answer> {
    let signed =
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let line = format!("POST /2015-03-31/functions/{name}/invocations");
    send(twin, &line, &[("authorization", signed), ("x-amz-invocation-type", kind)], b"{\"job\": \"daily\"}")
}

fn error(twin: &Twin) -> Value {
    twin.invoke("soflow-begin", &json!({})).unwrap_err()["errorType"].clone()
}

#[test]
fn a_function_is_called_by_name_or_arn_and_its_error_is_told_beside_its_answer() {
    let (twin, _folder) = with_program();
    for name in ["soflow-begin", "arn:aws:lambda:us-east-1:123456789012:function:soflow-begin"] {
        let answer = call(&twin, name, "RequestResponse").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.head.contains("x-amz-function-error: unhandled"), "{}", answer.head);
        // There is no project.
        assert_eq!(answer.json()["errorType"], "Usage", "{}", answer.text());
    }
    assert_eq!(call(&twin, "soflow-other", "RequestResponse").unwrap().status, 404);
    assert_eq!(call(&twin, "soflow-begin", "Event").unwrap().status, 202);
    twin.until("the third answer", |twin| twin.functions_said().matches("begin -> ERROR").count() == 3);
    let calls = twin.calls_of("lambda", "Invoke");
    assert_eq!(calls[0].detail, "soflow-begin");
}

#[test]
fn what_happens_to_a_process_is_the_answer() {
    let (twin, _folder, _home) = with_script("echo so far; exit 3", Duration::from_secs(60));
    assert_eq!(error(&twin), "Runtime.ExitError");
    twin.until("what it printed", |twin| twin.functions_said().contains("begin: so far"));
    let (twin, _folder, _home) = with_script("exec /bin/sleep 100", Duration::from_millis(50));
    assert_eq!(error(&twin), "Sandbox.Timedout");
}

#[test]
fn calls_of_functions_are_told_apart_and_may_be_their_last() {
    let (twin, folder) = with_program();
    fs::create_dir(folder.path().join("config")).unwrap();
    let settings = "default-target: twin\ntargets: { twin: { kind: emr, lake: 's3://nothing/lake' } }\n";
    fs::write(folder.path().join("config/soflow.yaml"), settings).unwrap();
    let event = json!({ "job": "chain", "date": "2026-11-22", "run": "chain.2026-11-22.1" });
    for (act, expected) in [(Act::Kill, "Runtime.ExitError"), (Act::TimeOut, "Sandbox.Timedout")] {
        twin.kill_hook(
            move |call, moment| {
                if call.caller == "begin" && moment == Moment::After { act } else { Act::Go }
            },
        );
        assert_eq!(
            twin.invoke("soflow-begin", &event).unwrap_err()["errorType"],
            expected,
            "{}",
            twin.functions_said()
        );
    }
    assert!(twin.calls().iter().all(|call| call.caller == "begin"), "{:?}", twin.calls());
}

#[test]
fn lambda_refuses_in_its_own_words() {
    let (twin, _folder) = with_program();
    twin.fault(Fault::new("lambda", "Invoke", FaultKind::Throttle).on("begin"));
    let answer = call(&twin, "soflow-begin", "RequestResponse").unwrap();
    assert_eq!((answer.status, &answer.json()["__type"]), (429, &json!("TooManyRequestsException")));
    twin.fault(Fault::new("lambda", "Invoke", FaultKind::DropAfter));
    assert!(call(&twin, "soflow-begin", "RequestResponse").is_none());
    assert_eq!(twin.functions_said().matches("begin -> ERROR").count(), 1, "{}", twin.functions_said());
}
