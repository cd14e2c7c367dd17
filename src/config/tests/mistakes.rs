//! What is refused of EMR targets and cluster shapes besides single bad values, each told where it is.

use super::emr::file;
use super::*;
use crate::yaml::{Place, Problem, Severity};

/// Returns `key: value` for `key`, and for `a.b` a mapping in one line.
pub(super) fn line(path: &str, value: &str) -> String {
    match path.split_once('.') {
        Some((part, key)) => format!("{part}: {{ {key}: {value} }}"),
        None => format!("{path}: {value}"),
    }
}

pub(super) fn problems(file: &str) -> Vec<Problem> {
    let problems = read(layers(file, &[], &[]), &|_| false).expect_err(file);
    problems.sorted().into_iter().filter(|problem| problem.severity == Severity::Error).cloned().collect()
}

/// What the caret marks; of a list or mapping the bracket it starts with.
pub(super) fn marked(place: &Place) -> String {
    let marked: String = place.text().chars().skip(place.column - 1).take(place.width).collect();
    if marked.starts_with(['[', '{']) { marked[..1].into() } else { marked }
}

#[test]
fn what_is_inherited_is_wrong_once() {
    let clusters = "  standard: { python: two }\n  a: { tags: { team: x } }\n  b: { python: \"3.11\" }\n";
    assert_eq!(problems(&file("", clusters)).len(), 1);
}

/// Two values that do not fit: more of the target, a shape, what is said, what the caret and the note mark.
const PAIRS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "cluster: mine\n    execution-role: a",
        "security-configuration: strict, release: emr-6.6.0",
        "`execution-role` needs release 6.7.0 or newer, and cluster `mine` has an older one",
        "a",
        "emr-6.6.0",
    ),
    ("", "applications: [Spark]", "`cloudwatch-logs` needs the application `AmazonCloudWatchAgent`", "[", "true"),
    (
        "",
        "core: { on-demand: 11 }",
        "11 units of core and task nodes are more than `scaling.max`, which is 10",
        "11",
        "10",
    ),
    ("", "task: { spot: 9 }", "11 units of core and task nodes are more than `scaling.max`, which is 10", "9", "10"),
    (
        "",
        "scaling: { min: 1, max: 1 }",
        "2 units of core and task nodes are more than `scaling.max`, which is 1",
        "1",
        "2",
    ),
    ("", "scaling: { max-core: 1 }", "2 units of core nodes are more than `scaling.max-core`, which is 1", "1", "2"),
    (
        "",
        "scaling: { max-on-demand: 0 }",
        "2 units of on-demand nodes are more than `scaling.max-on-demand`, which is 0",
        "0",
        "2",
    ),
    ("", "idle-timeout: 2d", "`max-age` must be longer than `idle-timeout`", "2d", "24h"),
];

#[test]
fn values_that_do_not_fit_are_shown_together() {
    for (target, shape, message, mark, note) in PAIRS {
        let text = file(&format!("    {target}"), &format!("  mine: {{ {shape} }}"));
        let found = problems(&text);
        let marks: Vec<_> = found.iter().map(|problem| (problem.message.as_str(), marked(&problem.place))).collect();
        assert_eq!(marks, [(*message, (*mark).to_string())], "\n{text}");
        assert_eq!(marked(&found[0].notes[0].place), *note, "\n{text}");
    }
    let newer = "  mine: { security-configuration: strict, release: emr-spark-8.1.0 }";
    let newer = file("    cluster: mine\n    execution-role: a", newer);
    assert!(resolve(layers(&newer, &[], &[])).is_ok());
}

#[test]
fn a_role_of_its_own_needs_a_security_configuration() {
    let found = problems(&file("    execution-role: arn:aws:iam::123456789012:role/x", ""));
    assert_eq!(found[0].message, "`execution-role` needs a `security-configuration`, and cluster `standard` has none");
}

#[test]
fn scaling_without_a_limit_is_refused_when_standard_has_none() {
    let found = problems(&file("", "  standard: { scaling: none }\n  big: { scaling: { max: 4 } }"));
    assert_eq!((found.len(), found[0].message.as_str()), (1, "`scaling` has no `min`"));
}

#[test]
fn an_emr_target_in_use_without_a_lake_says_what_to_write() {
    let expected = "\
error: target `emr` has no `lake`
 --> --target
  |
  | --target emr
  |          ^^^
  = hint: add `lake: s3://<bucket>/<prefix>` below `emr:` in `config/soflow.yaml`";
    assert_eq!(refused("", &[], &[("default-target", "emr", "--target")]), expected);
    // One that nobody uses may wait for its lake, but not be wrong.
    assert!(resolve(layers("targets: { emr: { region: eu-west-1 } }\n", &[], &[])).is_ok());
    assert!(refused("targets: { emr: { region: [x] } }\n", &[], &[]).contains("`region` must be"));
    // Together with what else is wrong, unless that is the lake.
    for (wrong, lacks) in [("region: [x]", true), ("lake: [x]", false)] {
        let text = format!("targets: {{ emr: {{ {wrong} }} }}\n");
        let said = refused(&text, &[], &[("default-target", "emr", "--target")]);
        assert!(said.contains(" must be ") && said.contains("has no `lake`") == lacks, "{said}");
    }
}

#[test]
fn many_mistakes_are_shown_at_once_and_in_order() {
    let text = "\
targets:
  prod: { kind: emr, engine: spark, lake: s3://bucket/prefix, cluster: larg, regoin: eu-west-1 }
clusters:
  Large: { release: emr-7.14.0 }
  large:
    release: emr-7.9.0
    applications: [Spark, hive]
    core: { types: [m5.xlarge, m5xlarge], on-demand: 20 }
    scaling: { max: 8, min: 9 }
";
    insta::assert_snapshot!(refused(text, &[], &[]));
}

#[test]
fn whatever_is_written_is_taken_or_told() {
    let targets = keys("EmrTarget").into_iter().map(String::from);
    let within = PARTS.iter().flat_map(|(part, own)| keys(own).into_iter().map(move |key| format!("{part}.{key}")));
    let shapes: Vec<String> = keys("Shape").into_iter().map(String::from).chain(within).collect();
    let mut refused = 0;
    for value in ["", "none", "[]", "{}", "x", "0", "-1", "9999999999", "[x]", "[none]", "{ x: y }", "[[x]]", "\"\""] {
        let in_target = targets
            .clone()
            .map(|key| file("", "").replacen("    lake: s3://bucket/prefix", &format!("    {}", line(&key, value)), 1));
        let in_shape = shapes
            .iter()
            .map(|key| file("", &format!("  standard:\n    {}\n  mine: {{ python: \"3.9\" }}", line(key, value))));
        let in_ingest = keys("Ingest").into_iter().map(|key| format!("ingest:\n  {}\n", line(key, value)));
        for text in in_target.chain(in_shape).chain(in_ingest) {
            if let Err(problems) = read(layers(&text, &[], &[]), &|_| false) {
                assert!(problems.has_errors(), "refused without a word:\n{text}");
                refused += 1;
            }
        }
    }
    assert!(refused > 300, "{refused}");
}
