//! What a step printed: from S3 when EMR has pushed it, from CloudWatch while it is printed, and what is said until then.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout};

use flate2::Compression;
use flate2::write::GzEncoder;

use serde_json::json;

use crate::emr::lab::{DATE, Lab, Said, TABLES};
use crate::twin::{Failure, StepFate};

/// A launcher before whose work steps print something and wait until an object says that they may go on.
const WAITS: &str = r#"
import time
step = sys.argv[sys.argv.index("--script") + 1].rsplit("/", 1)[-1].removesuffix(".py")
print(f"{step} begins", flush=True)
print(f"{step} warns", file=sys.stderr, flush=True)
while step == "one" and not is_there("s3://@BUCKET@/go"):
    time.sleep(0.01)
print(f"{step} ends", flush=True)
"#;

/// Clusters that send their logs to CloudWatch, and clusters that only push them to S3.
const CLOUDWATCH: &str = "    cluster: watched\nclusters:\n  watched: { cloudwatch-logs: true }\n";
const ONLY_S3: &str = "    cluster: watched\nclusters:\n  watched: { cloudwatch-logs: false }\n";

fn run() -> String {
    format!("chain.{DATE}.1")
}

fn waiting(settings: &str) -> Lab {
    let lab = Lab::with(settings, |options| options);
    let path = lab.home.path().join("launcher.py");
    let launcher = fs_err::read_to_string(&path).unwrap();
    let (before, after) = launcher.split_once("arguments = sys.argv").unwrap();
    lab.write(
        "launcher.py",
        &format!("{before}{}\narguments = sys.argv{after}", WAITS.replace("@BUCKET@", &lab.bucket)),
    );
    lab
}

fn let_go(lab: &Lab) {
    lab.twin.put(&format!("s3://{}/go", lab.bucket), "go");
}

/// Fails the second step with this in its driver's standard error.
fn failing(lab: &Lab, stderr: &str) {
    let failure = Failure { driver_stderr: stderr.into(), driver_stdout: "3 rows\n".into(), ..Failure::default() };
    lab.twin.step_fate("two", StepFate::Fails(failure));
}

fn logs(lab: &Lab, more: &[&str]) -> Said {
    lab.run(&[&["logs", &run(), "two"], more].concat())
}

/// Replaces what is different in each run, and says the time of nothing.
fn shown(lab: &Lab, said: &Said) -> String {
    let mut text = said.to_string().replace(&lab.bucket, "lake");
    for (at, cluster) in lab.clusters().iter().enumerate() {
        text = text.replace(cluster, &format!("j-{}", at + 1));
        for (at, step) in lab.twin.steps(cluster).iter().enumerate() {
            text = text.replace(step["Id"].as_str().unwrap(), &format!("s-{}", at + 1));
            let application = step["AdditionalInfo"]["ResourceManagerApplicationIds"][0].as_str().unwrap_or("-none-");
            let number = application.trim_start_matches("application_");
            text = text.replace(number, &format!("{}", at + 1));
        }
    }
    let time = |word: &str| word.len() >= 8 && word.as_bytes()[2] == b':' && word.as_bytes()[5] == b':';
    let day = |word: &str| word.len() == 8 && word.as_bytes()[2] == b'/' && word.as_bytes()[5] == b'/';
    let words = |line: &str| {
        let word = |word: &str| match word {
            _ if time(word) || day(word) => "TIME".to_string(),
            _ if word.starts_with("20") && word.contains("T") && word.contains("Z") => "DATETIME".into(),
            _ => word.to_string(),
        };
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(words).collect::<Vec<_>>().join("\n")
}

/// Reads lines until one is `wanted`.
fn until(out: &mut BufReader<ChildStdout>, wanted: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != wanted) {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "it ended after {lines:?}");
        lines.push(line.trim_end().to_string());
    }
    lines
}

fn rest(mut child: Child, mut out: BufReader<ChildStdout>) -> (String, Option<i32>) {
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    (rest, child.wait().unwrap().code())
}

#[test]
fn a_failed_steps_logs_come_from_s3_the_driver_first() {
    let lab = Lab::with(ONLY_S3, |options| options);
    failing(&lab, "Traceback (most recent call last):\n  File \"two.py\", line 1, in run\nKeyError: 'score'\n");
    assert_eq!(lab.submit().code, Some(1));
    insta::assert_snapshot!(shown(&lab, &logs(&lab, &[])), @r#"
    Traceback (most recent call last):
      File "two.py", line 1, in run
    KeyError: 'score'
    3 rows
    TIME TIME INFO Client: Submitted application application_2
    TIME TIME INFO Client: Application report for application_2 (state: RUNNING)
    TIME TIME INFO Client: Application report for application_2 (state: FINISHED)
    	 final status: FAILED
    TIME TIME ERROR Client: Application diagnostics message: User application exited with status 1
    Exception in thread "main" org.apache.spark.SparkException: Application application_2 finished with failed status
    --- stderr ---
    TIME ==> s3://lake/lake/logs/emr/j-1/containers/application_2/container_2_01_000001/stderr.gz <==
    TIME ==> s3://lake/lake/logs/emr/j-1/containers/application_2/container_2_01_000001/stdout.gz <==
    TIME ==> s3://lake/lake/logs/emr/j-1/steps/s-2/stderr.gz <==
    TIME `two` failed: KeyError: 'score' (lines 1-3 of s3://lake/lake/logs/emr/j-1/containers/application_2/container_2_01_000001/stderr.gz; EMR: FAILED)
    [exit Some(0)]
    "#);
    let json = lab.json(&["logs", &run(), "two", "--stream", "stdout"]);
    assert_eq!((&json["source"], &json["logs"]), (&"s3".into(), &json!({ "stdout": "3 rows\n" })));
}

/// Returns a lab in which the second step has failed and its logs are never pushed, and the folder for them.
fn unpushed() -> (Lab, String) {
    let lab = Lab::with(ONLY_S3, |options| options);
    lab.twin.logs_after(u32::MAX);
    // What EMR says by itself must do.
    let message = "Traceback (most recent call last):\n  File \"two.py\", line 1, in run\nKeyError: 'score'";
    let details = json!({ "Reason": "Unknown Error", "Message": message, "LogFile": "s3://x/stderr.gz" });
    lab.twin.step_fate("two", StepFate::Fails(Failure { details: Some(details), ..Failure::default() }));
    let said = lab.submit();
    assert_eq!(said.code, Some(1), "{said}");
    let cluster = lab.clusters().remove(0);
    let step = lab.twin.steps(&cluster)[1]["Id"].as_str().unwrap().to_string();
    let place = format!("s3://{}/lake/logs/emr/{cluster}/steps/{step}", lab.bucket);
    (lab, place)
}

#[test]
fn until_they_are_pushed_it_is_said_when_they_are_expected() {
    let (lab, _) = unpushed();
    insta::assert_snapshot!(shown(&lab, &logs(&lab, &[])), @r"
    --- stderr ---
    TIME Nothing is there yet: the logs are expected in s3://lake/lake/logs/emr/j-1 by DATETIME
    TIME `two` failed: KeyError: 'score' (lines 1-3 of s3://x/stderr.gz; EMR: FAILED)
    [exit Some(0)]
    ");
    let never = lab.run(&["logs", &run(), "three"]);
    insta::assert_snapshot!(shown(&lab, &never), @r"
    --- stderr ---
    error: step `three` did not run in `chain.2026-11-22.1`
    hint: why: never published
    [exit Some(2)]
    ");
    assert_eq!(lab.run(&["logs", &run(), "three", "-f"]).code, Some(2), "what never ran is not waited for");
}

#[test]
fn what_grows_and_is_rotated_in_s3_is_printed_once() {
    let (lab, place) = unpushed();
    let packed = |text: &str| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let mut child = lab.spawn(&["logs", &run(), "two", "--follow", "--stream", "stderr"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    lab.twin.put(&format!("{place}/stderr.gz"), packed("one\ntwo\n"));
    assert_eq!(until(&mut out, "two"), ["one", "two"]);
    lab.twin.put(&format!("{place}/stderr.gz"), [packed("one\ntwo\n"), packed("three\n")].concat());
    assert_eq!(until(&mut out, "three"), ["three"]);
    // What was printed has another name now, and more lines; the old object is still there for a while.
    lab.twin.put(&format!("{place}/stderr.2026-11-23-09.gz"), packed("one\ntwo\nthree\nfour\n"));
    assert_eq!(until(&mut out, "four"), ["four"]);
    lab.twin.put(&format!("{place}/stderr.gz"), packed("five, in a log begun anew\n"));
    assert_eq!(until(&mut out, "five, in a log begun anew"), ["five, in a log begun anew"]);
    // The step's last word: with it, and the driver's, the logs are complete.
    let driver = place.replace("/steps/", "/containers/").rsplit_once('/').unwrap().0.to_string();
    let cluster = lab.clusters().remove(0);
    let steps = lab.twin.steps(&cluster);
    let application = steps[1]["AdditionalInfo"]["ResourceManagerApplicationIds"][0].as_str().unwrap();
    let container = application.replacen("application", "container", 1);
    lab.twin.put(&format!("{driver}/{application}/{container}_01_000001/stderr.gz"), packed("KeyError: 'score'\n"));
    lab.twin.put(&format!("{place}/controller.gz"), packed("Step ended\n"));
    assert_eq!(rest(child, out), ("KeyError: 'score'\n".to_string(), Some(0)));
}

#[test]
fn lines_are_printed_from_cloudwatch_while_a_step_runs() {
    let lab = waiting(CLOUDWATCH);
    let submit = lab.spawn(&["submit", "chain", "--date", DATE]);
    let record = format!("s3://{}/lake/artifacts/runs/chain/{DATE}/1/run.json", lab.bucket);
    lab.twin.until("the run is claimed", |twin| twin.get(&record).is_some());
    let mut child = lab.spawn(&["logs", &run(), "one", "-f", "--stream", "stdout"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(until(&mut out, "one begins"), ["one begins"]);
    let cluster = lab.clusters().remove(0);
    assert_eq!(lab.steps(&cluster)[0].1, "RUNNING", "it was printed while the step ran");
    let once = lab.json(&["logs", &run(), "one", "--stream", "stdout"]);
    assert_eq!((&once["source"], &once["logs"]["stdout"]), (&"cloudwatch".into(), &"one begins\n".into()));
    let_go(&lab);
    assert_eq!(rest(child, out), ("one ends\n".to_string(), Some(0)));
    assert_eq!(submit.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(lab.published(), TABLES);
}

#[test]
fn without_its_log_group_a_step_is_followed_to_s3() {
    let lab = waiting(ONLY_S3);
    let submit = lab.spawn(&["submit", "chain", "--date", DATE]);
    let record = format!("s3://{}/lake/artifacts/runs/chain/{DATE}/1/run.json", lab.bucket);
    lab.twin.until("the run is claimed", |twin| twin.get(&record).is_some());
    // The cluster was made without CloudWatch; that these settings have it now does not help.
    let config = fs_err::read_to_string(lab.home.path().join("config/soflow.yaml")).unwrap();
    lab.write("config/soflow.yaml", &config.replace(ONLY_S3, CLOUDWATCH));
    lab.twin.logs_after(3);
    let child = lab.spawn(&["logs", &run(), "one", "-f", "--stream", "stdout"]);
    lab.twin.until("it looks into CloudWatch", |twin| !twin.calls_of("logs", "DescribeLogStreams").is_empty());
    let_go(&lab);
    let followed = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&followed.stdout), "one begins\none ends\n");
    assert_eq!(followed.status.code(), Some(0));
    assert_eq!(submit.wait_with_output().unwrap().status.code(), Some(0));
}
