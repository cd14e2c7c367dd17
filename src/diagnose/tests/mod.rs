//! Logs as Spark, YARN and Python print them, each with what is said about it beside it; and whatever else may be a log.

use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err as fs;
use proptest::prelude::*;

use super::*;

mod aws;

/// Between the logs of a fixture: what follows is the name of the next one.
const NEXT: &str = "==== ";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/logs")
}

/// Returns the logs of a fixture: one without a name, or several with theirs.
fn texts(log: &str) -> Vec<Text<'_>> {
    let Some(named) = log.strip_prefix(NEXT) else { return vec![Text { file: "stderr.log", body: log.as_bytes() }] };
    let between = format!("\n{NEXT}");
    let split = named.split(between.as_str());
    split.map(|one| one.split_once('\n').unwrap()).map(|(file, body)| Text { file, body: body.as_bytes() }).collect()
}

fn shown(finding: &Finding) -> String {
    let Finding { class, summary, excerpt, hint, .. } = finding;
    let hint = hint.as_deref().unwrap_or("-");
    format!("{}: {summary}\n\n{}\n\n{}\nhint: {hint}\n", class.name(), excerpt.text(), excerpt.place())
}

#[test]
fn every_log_is_explained_as_it_says_beside_it() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        seen += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let log = fs::read_to_string(&path).unwrap();
        let place = if name.starts_with("laptop-") { Place::Laptop } else { Place::Cluster };
        let found = shown(&explain(&texts(&log), place));
        let beside = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        if found != beside {
            wrong.push(format!("#### {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 30, "only {seen} fixtures were found");
}

#[test]
fn nothing_at_all_is_explained_by_nothing() {
    assert_eq!(explain(&[], Place::Cluster), Finding::default());
    assert_eq!(explain(&[Text { file: "x", body: b"\n\n \n" }], Place::Cluster), Finding::default());
}

/// A log too large to hold: noise, with the error near its end.
struct Huge {
    lines: usize,
    line: std::io::Cursor<Vec<u8>>,
}

impl Read for Huge {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.line.read(buffer)?;
        if read > 0 || self.lines == 0 {
            return Ok(read);
        }
        self.lines -= 1;
        let next: &[u8] = match self.lines {
            20 => b"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'x'\n",
            _ => {
                b"26/11/23 02:20:01 INFO MemoryStore: Block broadcast_7 stored as values in memory (estimated 12 KiB)\n"
            }
        };
        self.line = std::io::Cursor::new(next.to_vec());
        self.line.read(buffer)
    }
}

#[test]
fn a_log_of_any_size_is_read_to_its_end() {
    let mut explainer = Explainer::new(Place::Cluster);
    explainer.read("huge", Huge { lines: 100_000, line: std::io::Cursor::default() });
    assert!(explainer.is_sure());
    let finding = explainer.finding();
    assert_eq!((finding.summary.as_str(), finding.excerpt.range()), ("KeyError: 'x'", (99_980, 99_982)));
}

/// What logs are made of, in any order.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "Traceback (most recent call last):\n",
        "  File \"a.py\", line 1\n",
        "    x = 1\n",
        "ValueError: ",
        "\nDuring handling of the above exception, another exception occurred:\n\n",
        "py4j.protocol.Py4JJavaError: An error occurred while calling o1.x.\n",
        ": org.apache.spark.SparkException: Job aborted due to stage failure: ",
        "Task 0 in stage 0.0 failed 4 times, most recent failure: Lost task (executor 1): ",
        "Caused by: java.lang.X: ",
        "\tat a.b.C(D.java:1)\n",
        "26/11/23 02:20:01 ERROR A: ",
        "User: arn:aws:sts::1:assumed-role/r/i is not authorized to perform: ",
        "Container killed by YARN for exceeding memory limits. ",
        "[Stage 0:> (0",
        "x-amz-signature=",
        "\u{1b}[",
        "\r",
        "\n",
        "é❤",
        "",
    ]);
    let text = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![text, prop::collection::vec(any::<u8>(), 0..2000)]
}

proptest! {
    #[test]
    fn no_log_is_too_strange(bytes in prop::collection::vec(pieces(), 1..4)) {
        let texts: Vec<Text<'_>> = bytes.iter().map(|body| Text { file: "x", body }).collect();
        let finding = explain(&texts, Place::Cluster);
        prop_assert!(finding.excerpt.lines.len() <= 14, "{} lines", finding.excerpt.lines.len());
        prop_assert!(finding.summary.lines().count() <= 1);
        prop_assert!(finding.summary.chars().count() <= 301);
        let numbers: Vec<usize> = finding.excerpt.lines.iter().map(|line| line.number).collect();
        prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    }

    #[test]
    fn no_answer_of_aws_is_too_strange(code in ".{0,40}", message in pieces()) {
        let message = String::from_utf8_lossy(&message).into_owned();
        refused(&message, "s3:GetObject", &code);
        request(&message);
        let details = [ErrorDetail { code: code.clone(), message: message.clone(), ..ErrorDetail::default() }];
        cluster(&ClusterEnd { code: &code, message: &message, details: &details, ..ClusterEnd::default() });
    }
}
