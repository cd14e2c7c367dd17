//! What steps print, and where EMR puts it: gzip files in S3 some time after the end, lines in CloudWatch as they come.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::emr::{Cluster, Step};
use super::forward::Forward;
use super::{Failure, StepFate, submission};

/// A file that a step leaves: its path below the cluster's logs in S3, its stream in CloudWatch, its text.
#[derive(Debug)]
pub struct File {
    pub path: String,
    stream: String,
    kind: &'static str,
    pub text: String,
}

/// Returns `s3://bucket/prefix/<cluster>`, where a step's logs go, if they go anywhere.
pub fn folder(cluster: &Cluster, step: Option<&Step>) -> Option<String> {
    let own =
        step.and_then(|step| step.asked["StepMonitoringConfiguration"]["S3MonitoringConfiguration"]["LogUri"].as_str());
    let uri = own.or_else(|| cluster.asked["LogUri"].as_str())?;
    let (_, place) = uri.split_once("://")?;
    Some(format!("s3://{}/{}", place.trim_end_matches('/'), cluster.id))
}

/// Returns the driver's container: the first of the application's first attempt.
fn container(application: &str) -> String {
    format!("{}_01_000001", application.replacen("application", "container", 1))
}

/// Returns all that a step has printed.
pub fn files(step: &Step) -> Vec<File> {
    let application = step.application.clone().unwrap_or_default();
    let (out, err) = driver(step);
    let own = |name: &str, text: String| File {
        path: format!("steps/{}/{name}.gz", step.id),
        stream: format!("steps/{}/{name}", step.id),
        kind: "STEP_LOGS",
        text,
    };
    if prints_into_step(step) {
        return vec![
            own("controller", controller(step)),
            own("stderr", err),
            own("stdout", out),
            own("syslog", String::new()),
        ];
    }
    let driver = |name: &str, text: String| {
        let container = container(&application);
        File {
            path: format!("containers/{application}/{container}/{name}.gz"),
            stream: format!("applications/{application}/{container}/{name}"),
            kind: "SPARK_DRIVER",
            text,
        }
    };
    vec![
        own("controller", controller(step)),
        own("stderr", client(step, &application)),
        own("stdout", String::new()),
        own("syslog", String::new()),
        driver("stdout", out),
        driver("stderr", err),
    ]
}

/// Whether the step has no container of its own: its driver runs on the primary node.
pub fn prints_into_step(step: &Step) -> bool {
    !step.is_spark_submit() || submission::parse(&step.arguments()).is_ok_and(|submission| submission.client)
}

fn driver(step: &Step) -> (String, String) {
    match (&step.fate, &step.outcome) {
        (_, Some((_, outcome))) => (outcome.stdout.clone(), outcome.stderr.clone()),
        (StepFate::Fails(Failure { driver_stdout, driver_stderr, .. }), None) => {
            (driver_stdout.clone(), driver_stderr.clone())
        }
        _ => (String::new(), format!("{} INFO SparkContext: Running Spark\n", time())),
    }
}

fn controller(step: &Step) -> String {
    let command = step.arguments().join(" ");
    let ended = if step.state == "COMPLETED" { "ended successfully" } else { "failed with exitCode 1" };
    format!(
        "{0} INFO Ensure step {1} jar file command-runner.jar\nINFO startExec 'hadoop jar /var/lib/aws/emr/step-runner/hadoop-jars/command-runner.jar {command}'\n{0} INFO Step {ended}\n",
        time(),
        step.id,
    )
}

/// Returns what YARN's client prints on the primary node in cluster mode.
fn client(step: &Step, application: &str) -> String {
    let mut text = format!("{} INFO Client: Submitted application {application}\n", time());
    let state = match step.state {
        "COMPLETED" => "SUCCEEDED",
        "FAILED" => "FAILED",
        _ => "KILLED",
    };
    text += &format!("{} INFO Client: Application report for {application} (state: RUNNING)\n", time());
    text += &format!("{} INFO Client: Application report for {application} (state: FINISHED)\n", time());
    text += &format!("\t final status: {state}\n");
    if state == "FAILED" {
        text += &format!(
            "{} ERROR Client: Application diagnostics message: User application exited with status 1\nException in thread \"main\" org.apache.spark.SparkException: Application {application} finished with failed status\n",
            time()
        );
    }
    if let StepFate::Fails(failure) = &step.fate {
        text += &failure.stderr;
    }
    text
}

fn time() -> String {
    jiff::Timestamp::now().strftime("%y/%m/%d %H:%M:%S").to_string()
}

/// Puts a text at `s3://…` as a gzip file. A bucket that is not there loses logs, and fails no step.
pub async fn put(forward: &Forward, uri: &str, text: &str) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    forward.s3("PUT", &super::forward::path_of(uri), packed.finish().unwrap()).await;
}

/// A cluster's place in CloudWatch.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    group: String,
    prefix: String,
    kinds: Vec<String>,
}

impl CloudWatch {
    /// Returns it if the cluster writes there.
    pub fn of(cluster: &Cluster) -> Option<Self> {
        let wanted = &cluster.asked["MonitoringConfiguration"]["CloudWatchLogConfiguration"];
        let group = wanted["LogGroupName"].as_str().map_or_else(|| format!("/aws/emr/{}", cluster.id), Into::into);
        let prefix = wanted["LogStreamNamePrefix"].as_str().map_or_else(String::new, |prefix| format!("{prefix}/"));
        let kinds = wanted["LogTypes"].as_object().map(|kinds| kinds.keys().cloned().collect());
        let kinds = kinds.unwrap_or_else(|| vec!["STEP_LOGS".to_string(), "SPARK_DRIVER".to_string()]);
        (wanted["Enabled"] == true).then_some(Self { group, prefix, kinds })
    }

    /// Adds the text of a file, line by line.
    pub async fn write(&self, forward: &Forward, file: &File) {
        let lines: Vec<&str> = file.text.lines().filter(|line| !line.is_empty()).collect();
        if lines.is_empty() || !self.kinds.iter().any(|kind| kind == file.kind) {
            return;
        }
        let now = jiff::Timestamp::now().as_millisecond();
        let (group, stream) = (&self.group, format!("{}{}", self.prefix, file.stream));
        let call = async |operation: &str, body: Value| {
            forward.json("logs", &format!("Logs_20140328.{operation}"), body.to_string()).await
        };
        // Both answer with an error when it is there already.
        call("CreateLogGroup", json!({ "logGroupName": group })).await;
        call("CreateLogStream", json!({ "logGroupName": group, "logStreamName": stream })).await;
        let events: Vec<Value> = lines.iter().map(|line| json!({ "timestamp": now, "message": line })).collect();
        call("PutLogEvents", json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events })).await;
    }
}

/// Returns the file into which a step's driver prints `name`, `stdout` or `stderr`, with `text` in it.
pub fn driver_file(step: &Step, name: &str, text: String) -> Option<File> {
    let own = prints_into_step(step);
    let ending = format!("{name}.gz");
    let file = files(step).into_iter().rfind(|file| file.path.ends_with(&ending) && (file.kind == "STEP_LOGS") == own);
    file.map(|file| File { text, ..file })
}
