//! Steps that are run for real, by the local engine.

use std::io::{Read, Write};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::twin::{Exec, Options, Twin};
use crate::twin_checks::client::{add, start, states, step_of};

/// Returns a twin that runs steps, or nothing where there is no engine to run them with.
fn running(test: &str) -> Option<Twin> {
    let exec = Exec::find();
    if exec.is_none() {
        // Past the capture of the test's output: the script that counts tests looks for such lines.
        drop(writeln!(std::io::stderr(), "skipped: {test}: there is no engine environment"));
    }
    Some(Twin::with(Options { exec: Some(exec?), ..Options::default() }))
}

fn ended(twin: &Twin, cluster: &str, step: usize) -> Value {
    twin.until("the step ends", |twin| twin.steps(cluster)[step]["Status"]["Timeline"]["EndDateTime"].is_f64());
    twin.steps(cluster)[step].clone()
}

const WRITES: &str = "
import sys
import helper
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(helper.ROWS).write.mode('overwrite').parquet(sys.argv[2])
print('wrote', spark.read.parquet(sys.argv[2]).count())
";

#[test]
fn a_script_reads_and_writes_the_same_s3() {
    let Some(twin) = running("a_script_reads_and_writes_the_same_s3") else { return };
    twin.bucket("execution");
    twin.put("s3://execution/code/x.py", WRITES);
    twin.put("s3://execution/code/helper.py", "ROWS = 42\n");
    let cluster = start(&twin, &json!({ "LogUri": "s3://execution/logs" }));
    let submit = ["spark-submit", "--deploy-mode", "cluster", "--py-files", "s3://execution/code/helper.py"];
    let script = ["s3://execution/code/x.py", "--out", "s3://execution/out"];
    add(&twin, &cluster, &[step_of("writes", &[&submit[..], &script[..]].concat())]);
    let step = ended(&twin, &cluster, 0);
    assert_eq!(step["Status"]["State"], "COMPLETED", "{step:#}");
    let application = step["AdditionalInfo"]["ResourceManagerApplicationIds"][0].as_str().unwrap();
    let container = application.replacen("application", "container", 1);
    let log = format!("s3://execution/logs/{cluster}/containers/{application}/{container}_01_000001/stdout.gz");
    twin.until("its logs are there", |twin| twin.get(&log).is_some());
    let mut text = String::new();
    GzDecoder::new(twin.get(&log).unwrap().as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "wrote 42\n");
}

#[test]
fn a_script_that_raises_says_why() {
    let Some(twin) = running("a_script_that_raises_says_why") else { return };
    twin.bucket("execution-raises");
    twin.put("s3://execution-raises/x.py", "raise ValueError('no such tag')\n");
    let cluster = start(&twin, &json!({ "LogUri": "s3://execution-raises/logs" }));
    let submit = |script: &str| step_of("raises", &["spark-submit", "--deploy-mode", "cluster", script]);
    let id = add(&twin, &cluster, &[submit("s3://execution-raises/x.py"), submit("s3://execution-raises/none.py")])
        .remove(0);
    let step = ended(&twin, &cluster, 0);
    let log = format!("s3://execution-raises/logs/{cluster}/steps/{id}/stderr.gz");
    let details = json!({ "Reason": "Unknown Error", "Message": "ValueError: no such tag", "LogFile": log });
    assert_eq!((&step["Status"]["State"], &step["Status"]["FailureDetails"]), (&json!("FAILED"), &details));
    let missing = ended(&twin, &cluster, 1)["Status"]["FailureDetails"]["Message"].clone();
    assert!(missing.as_str().unwrap().contains("No such file or directory 's3://execution-raises/none.py'"));
}

#[test]
fn a_step_that_is_cancelled_is_killed() {
    let Some(twin) = running("a_step_that_is_cancelled_is_killed") else { return };
    twin.bucket("execution-cancel");
    twin.put("s3://execution-cancel/x.py", "import time\nprint('begun', flush=True)\ntime.sleep(600)\n");
    let wanted = json!({ "Enabled": true, "LogGroupName": "/soflow/execution-cancel" });
    let cluster = start(&twin, &json!({ "MonitoringConfiguration": { "CloudWatchLogConfiguration": wanted } }));
    let submit = ["spark-submit", "--deploy-mode", "cluster", "s3://execution-cancel/x.py", MARK];
    let ids = add(&twin, &cluster, &[step_of("sleeps", &submit)]);
    // What it prints is in CloudWatch while it still runs.
    let group = json!({ "logGroupName": "/soflow/execution-cancel" });
    twin.until("it has begun", |twin| {
        twin.ask("logs", "Logs_20140328.FilterLogEvents", &group).1["events"][0]["message"] == "begun"
    });
    assert_eq!(states(&twin, &cluster), ["RUNNING"]);
    assert!(runs(MARK) || !fs_err::exists("/proc").unwrap());
    crate::twin_checks::client::ok(&twin, "CancelSteps", &json!({ "ClusterId": cluster, "StepIds": ids }));
    assert_eq!(ended(&twin, &cluster, 0)["Status"]["State"], "CANCELLED");
    twin.until("its process is gone", |_| !runs(MARK));
}

/// An argument that tells the step's process from all others.
const MARK: &str = "--mark-of-a-step-that-is-cancelled";

/// Whether a launcher has a word in its command line; looks only where Linux tells.
fn runs(word: &str) -> bool {
    let Ok(processes) = fs_err::read_dir("/proc") else { return false };
    let lines = processes.flatten().filter_map(|entry| fs_err::read(entry.path().join("cmdline")).ok());
    let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.any(|line| line.contains("launch.py") && line.contains(word))
}
