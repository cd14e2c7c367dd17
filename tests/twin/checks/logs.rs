//! Where the twin puts what steps print.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::twin::{Failure, Fate, StepFate, Twin};
use crate::twin_checks::client::{add, start, states, status, step};

fn unpacked(twin: &Twin, uri: &str) -> Option<String> {
    let mut text = String::new();
    GzDecoder::new(twin.get(uri)?.as_slice()).read_to_string(&mut text).unwrap();
    Some(text)
}

/// Returns the driver's container below a cluster's logs.
fn container(twin: &Twin, cluster: &str) -> String {
    let application = twin.steps(cluster)[0]["AdditionalInfo"]["ResourceManagerApplicationIds"][0].clone();
    let application = application.as_str().unwrap();
    format!("{application}/{}_01_000001", application.replacen("application", "container", 1))
}

#[test]
fn logs_are_in_s3_where_emr_puts_them() {
    let twin = Twin::start();
    twin.bucket("logs-s3");
    let failure =
        Failure { driver_stderr: "ValueError: x\n".into(), driver_stdout: "hello\n".into(), ..Failure::default() };
    twin.step_fate("bad", StepFate::Fails(failure));
    let cluster = start(&twin, &json!({ "LogUri": "s3://logs-s3/emr/" }));
    assert_eq!(twin.clusters()[0]["LogUri"], "s3n://logs-s3/emr/");
    let id = add(&twin, &cluster, &[step("bad")]).remove(0);
    twin.until("it fails", |twin| states(twin, &cluster) == ["FAILED"]);
    let place = format!("s3://logs-s3/emr/{cluster}");
    let stderr = unpacked(&twin, &format!("{place}/steps/{id}/stderr.gz")).unwrap();
    let container = container(&twin, &cluster);
    assert!(stderr.contains(&format!("Submitted application {}\n", container.split('/').next().unwrap())), "{stderr}");
    assert!(stderr.contains("User application exited with status 1"), "{stderr}");
    for name in ["controller", "stdout", "syslog"] {
        assert!(unpacked(&twin, &format!("{place}/steps/{id}/{name}.gz")).is_some(), "{name}");
    }
    let driver = |name: &str| unpacked(&twin, &format!("{place}/containers/{container}/{name}.gz"));
    assert_eq!((driver("stdout").unwrap(), driver("stderr").unwrap()), ("hello\n".into(), "ValueError: x\n".into()));
}

#[test]
fn logs_may_come_late() {
    let twin = Twin::start();
    twin.bucket("logs-late");
    twin.logs_after(2);
    let cluster = start(&twin, &json!({ "LogUri": "s3://logs-late" }));
    let id = add(&twin, &cluster, &[step("one")]).remove(0);
    twin.until("it ends", |twin| twin.steps(&cluster)[0]["Status"]["State"] == "COMPLETED");
    let there = || unpacked(&twin, &format!("s3://logs-late/{cluster}/steps/{id}/stderr.gz")).is_some();
    let mut seen = vec![there()];
    for _ in 0..2 {
        states(&twin, &cluster);
        seen.push(there());
    }
    assert_eq!(seen, [false, false, true]);
}

#[test]
fn a_bootstrap_action_leaves_its_log_on_its_node() {
    let twin = Twin::start();
    twin.bucket("logs-bootstrap");
    twin.next_cluster(Fate::BootstrapFails { action: 1, instance: "i-0abc".into() });
    let cluster = start(&twin, &json!({ "LogUri": "s3://logs-bootstrap" }));
    twin.until("it ends", |twin| status(twin, &cluster)["State"] == "TERMINATED_WITH_ERRORS");
    assert!(
        unpacked(&twin, &format!("s3://logs-bootstrap/{cluster}/node/i-0abc/bootstrap-actions/1/stderr.gz")).is_some()
    );
}

#[test]
fn cloudwatch_has_the_streams_that_the_cluster_asks_for() {
    let twin = Twin::start();
    let failure = Failure { driver_stderr: "one\ntwo\n".into(), ..Failure::default() };
    twin.step_fate("bad", StepFate::Fails(failure));
    let wanted = json!({ "Enabled": true, "LogGroupName": "/soflow/logs-test", "LogStreamNamePrefix": "p" });
    let cluster = start(&twin, &json!({ "MonitoringConfiguration": { "CloudWatchLogConfiguration": wanted } }));
    let id = add(&twin, &cluster, &[step("bad")]).remove(0);
    twin.until("it fails", |twin| states(twin, &cluster) == ["FAILED"]);
    let group = json!({ "logGroupName": "/soflow/logs-test" });
    let (_, streams) = twin.ask("logs", "Logs_20140328.DescribeLogStreams", &group);
    let streams: Vec<&str> = streams["logStreams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["logStreamName"].as_str().unwrap())
        .collect();
    let driver = format!("p/applications/{}/stderr", container(&twin, &cluster));
    assert_eq!(streams, [driver.clone(), format!("p/steps/{id}/controller"), format!("p/steps/{id}/stderr")]);
    let named = json!({ "logGroupName": "/soflow/logs-test", "logStreamName": driver });
    let (_, events) = twin.ask("logs", "Logs_20140328.GetLogEvents", &named);
    let lines: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(lines, ["one", "two"]);
}
