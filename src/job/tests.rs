use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::civil::date;

use super::*;
use crate::error::{Kind, Result};

const FILES: [&str; 8] = [
    "notebooks/x.ipynb",
    "steps/answers.py",
    "steps/comments.py",
    "steps/one.py",
    "steps/questions.py",
    "steps/three.py",
    "steps/two.py",
    "steps/x.sql",
];

fn parsed_with(text: &str, given: &[(&str, &str)]) -> Result<Job> {
    parsed_at(Path::new("jobs/daily.yaml"), text, given)
}

fn parsed_at(path: &Path, text: &str, given: &[(&str, &str)]) -> Result<Job> {
    let parameters: Vec<(String, String)> =
        given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let files = FILES.map(PathBuf::from);
    let options = Options {
        date: date(2026, 11, 22),
        parameters: &parameters,
        file: &|path| if files.iter().any(|file| file == path) { CodeFile::Good } else { CodeFile::Missing },
        files: &files,
    };
    Ok(read("daily", path, text, &options)?)
}

fn parsed(text: &str) -> Job {
    parsed_with(text, &[]).unwrap_or_else(|error| panic!("{error}\n{}", error.detail.as_deref().unwrap_or_default()))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jobs/invalid")
}

#[test]
fn every_invalid_job_gives_the_message_beside_it() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        seen += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let error = parsed_at(&Path::new("jobs").join(name), &text, &[]).expect_err(name);
        let found = format!("{error}\n\n{}\n", error.detail.as_deref().unwrap_or_default());
        let beside = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        if (error.kind, found.as_str()) != (Kind::Usage, beside.as_str()) {
            wrong.push(format!("==== {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 20, "only {seen} fixtures were found");
}

/// A job with one step and one table, with `more` at the top level.
fn small(more: &str) -> String {
    format!("steps:\n  one: {{ script: steps/one.py, writes: [a] }}\ntables:\n  a:\n{more}")
}

fn detail(text: &str, given: &[(&str, &str)]) -> String {
    parsed_with(text, given).unwrap_err().detail.unwrap()
}

#[test]
fn steps_come_after_what_they_read_and_otherwise_as_written() {
    let job = parsed(
        "steps:
  last: { script: steps/one.py, reads: [b, q], writes: [c] }
  second: { script: steps/two.py, reads: [a], writes: [b, q/part=x] }
  first: { script: steps/three.py, reads: [raw.questions], writes: [a, q/part=y] }
  free: { script: steps/one.py, writes: [d] }
tables: { a: , b: , c: , d: , q: { partition-by: [part] } }
",
    );
    let order: Vec<&str> = job.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(order, ["first", "second", "last", "free"]);
    assert_eq!(job.downstream("first"), ["second", "last"]);
    assert!(job.downstream("free").is_empty() && job.downstream("nobody").is_empty());
    assert_eq!(job.steps[0].reads, [Source::Raw("questions".into())]);
}

#[test]
fn fixed_values_come_out_in_the_order_of_the_partition_columns() {
    let job = parsed(
        "steps:
  one: { script: steps/one.py, writes: [\"q/dt={date}/endpoint=x\"] }
tables: { q: { partition-by: [endpoint, dt] } }
",
    );
    let only = [("endpoint".to_string(), "x".to_string()), ("dt".into(), "{date}".into())];
    assert_eq!(job.steps[0].writes, [Output { table: "q".into(), only: only.to_vec() }]);
}

#[test]
fn a_key_implies_its_checks_once() {
    let job = parsed(
        "steps:
  one: { script: steps/one.py, writes: [a] }
tables:
  a:
    key: [x, y]
    checks:
      - unique: [x, y]
      - rows-at-least: 3
      - accepted: { column: z, values: [1, no] }
      - range: { column: z, min: -1, max: 2.5 }
      - fresh: { column: t, within: 1d12h }
      - drop-at-most: 20%
",
    );
    let columns = vec!["x".to_string(), "y".to_string()];
    assert_eq!(
        job.tables["a"].checks,
        [
            Check::Unique(columns.clone()),
            Check::NotNull(columns),
            Check::RowsAtLeast(3),
            Check::Accepted { column: "z".into(), values: vec!["1".into(), "no".into()] },
            Check::Range { column: "z".into(), min: Some(-1.0), max: Some(2.5) },
            Check::Fresh { column: "t".into(), within_seconds: 129_600 },
            Check::DropAtMost(0.2),
        ]
    );
    assert_eq!(job.tables["a"].update, Update::Recompute);
}

#[test]
fn what_is_not_said_has_a_default() {
    let job = parsed(&small(""));
    let step = &job.steps[0];
    assert_eq!((step.quarantine_limit, step.reads.len(), step.spark.len()), (0.05, 0, 0));
    assert_eq!((job.name.as_str(), job.description.as_str()), ("daily", ""));
}

#[test]
fn spark_options_and_properties_come_out_as_text() {
    let job = parsed(
        "steps:
  one:
    script: steps/one.py
    writes: a
    quarantine-limit: 12.5%
    spark: { executor-memory: 4g, num-executors: 3, conf: { spark.speculation: true, spark.sql.shuffle.partitions: 8 } }
tables: { a: }
",
    );
    let step = &job.steps[0];
    let spark: Vec<(&str, &str)> = step.spark.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("executor-memory", "4g"),
        ("num-executors", "3"),
        ("spark.speculation", "true"),
        ("spark.sql.shuffle.partitions", "8"),
    ];
    assert_eq!(spark, expected);
    assert_eq!(step.quarantine_limit, 0.125);
}

const PARAMETERS: &str = "parameters:
  site: stackoverflow
  top: 10
  share: 0.5
  deep: false
  since: \"{date}\"
  must:
steps:
  one: { script: steps/one.py, writes: [a], parameters: { top: 3, own: } }
tables: { a: }
";

#[test]
fn given_values_take_the_type_of_the_default() {
    let given = [("must", "7"), ("one.own", "x y"), ("site", "42"), ("top", "-3"), ("share", "1"), ("deep", "true")];
    let job = parsed_with(PARAMETERS, &given).unwrap();
    let expected = [
        ("deep", Value::Bool(true)),
        ("must", Value::Int(7)),
        ("share", Value::Float(1.0)),
        ("since", Value::Text("2026-11-22".into())),
        ("site", Value::Text("42".into())),
        ("top", Value::Int(-3)),
    ];
    let found: Vec<(&str, Value)> = job.parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(found, expected);
    assert_eq!(job.steps[0].parameters["top"], Value::Int(3));
    assert_eq!(job.steps[0].parameters["own"], Value::Text("x y".into()));
}

#[test]
fn what_is_given_wrongly_is_shown_as_it_was_typed() {
    let given = [("must", "x"), ("one.own", "x"), ("top", "many"), ("sites", "x"), ("since", "{week}")];
    let expected = "\
error: `top` must be a whole number, found `many`
 --> --param
  |
  | --param top=many
  |             ^^^^

error: the job has no parameter `sites`
 --> --param
  |
  | --param sites=x
  |         ^^^^^
  = hint: did you mean `site`?

error: `{week}` stands for nothing
 --> --param
  |
  | --param since={week}
  |               ^^^^^^
  = hint: only `{date}`, the logical date, is filled in";
    let found = detail(PARAMETERS, &given);
    for block in expected.split("\n\n") {
        assert!(found.contains(block), "{found}");
    }
}

#[test]
fn the_last_of_two_given_values_counts() {
    let job = parsed_with(PARAMETERS, &[("must", "1"), ("must", "2"), ("one.own", "x")]).unwrap();
    assert_eq!(job.parameters["must"], Value::Int(2));
}

#[test]
fn an_insight_gets_the_logical_date() {
    let job = parsed(&small("insights: [{ title: One, sql: \"select concat('until ', '{date}'), 'a{2}' from a\" }]\n"));
    assert_eq!(job.insights[0].sql, "select concat('until ', '2026-11-22'), 'a{2}' from a");
}

#[test]
fn a_job_says_what_its_cluster_must_have() {
    assert_eq!(parsed(&small("")).needs, Needs::default());
    let job = parsed(&small("cluster: { applications: [Spark, Hive], memory: 64g, cores: 16 }\n"));
    let applications = vec!["Spark".to_string(), "Hive".to_string()];
    assert_eq!(job.needs, Needs { applications, memory_bytes: Some(64 << 30), cores: Some(16) });
    assert_eq!(parsed(&small("cluster: { applications: Trino }\n")).needs.applications, ["Trino"]);
}

#[test]
fn a_misspelt_section_is_one_problem_and_not_one_for_each_thing_in_it() {
    let text = small("").replace("tables:", "table:");
    assert_eq!(detail(&text, &[]).matches("error:").count(), 1);
}

#[test]
fn a_file_that_cannot_name_a_job_is_refused() {
    let options = Options { date: date(2026, 11, 22), parameters: &[], file: &|_| CodeFile::Good, files: &[] };
    let problems = read("My Job", Path::new("jobs/My Job.yaml"), &small(""), &options).unwrap_err();
    let expected = "\
error: `My Job` cannot name a job: a name starts with a lowercase letter and has only lowercase letters, digits, `_`, `-`
 --> jobs/My Job.yaml
  = hint: rename the file";
    assert_eq!(problems.render(), expected);
}

#[test]
fn the_example_job_is_valid() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/daily.yaml")).unwrap();
    let options = Options { date: date(2026, 11, 22), parameters: &[], file: &|_| CodeFile::Good, files: &[] };
    let job = read("daily", Path::new("jobs/daily.yaml"), &text, &options).unwrap();
    let order: Vec<&str> = job.steps.iter().map(|step| step.name.as_str()).collect();
    let base = ["questions", "answers", "comments", "question_tags", "sentiment"];
    assert_eq!(order, [&base[..], &["tag_trends", "tag_health", "tag_sentiment", "tag_pairs", "findings"]].concat());
    assert_eq!((job.tables.len(), job.insights.len()), (14, 7));
    assert_eq!(job.downstream("sentiment"), ["tag_sentiment", "findings"]);
}

#[test]
fn a_job_is_read_back_from_a_record() {
    let job = parsed(
        "steps:
  one: { script: steps/one.py, writes: [a], quarantine-limit: 1% }
tables:
  a: { key: x, partition-by: [y], update: merge, checks: [{ fresh: { column: t, within: 2d } }, { drop-at-most: 20% }] }
cluster: { memory: 64g }
",
    );
    let record = serde_json::to_value(&job).unwrap();
    assert_eq!(record["tables"]["a"]["partition_by"][0], "y");
    assert_eq!(record["tables"]["a"]["checks"][2]["fresh"]["within_seconds"], 172_800);
    let back: Job = serde_json::from_value(record.clone()).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), record);
}

#[test]
fn every_key_is_documented() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/job-file.md")).unwrap();
    let schema = job_schema();
    let types = ["Step", "Table", "Insight", "Needs"].map(|name| &schema["$defs"][name]);
    for key in std::iter::once(&schema).chain(types).flat_map(|of| of["properties"].as_object().unwrap().keys()) {
        assert!(page.contains(&format!("`{key}`")) || page.contains(&format!("{key}: ")), "{key}");
    }
}

/// The code blocks of `docs/job-file.md` in a language.
fn documented(language: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/job-file.md")).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(String::from)).collect()
}

#[test]
fn the_documented_example_is_valid() {
    let options = Options {
        date: date(2026, 11, 22),
        parameters: &[("top".into(), "20".into())],
        file: &|_| CodeFile::Good,
        files: &[],
    };
    let job = read("short", Path::new("jobs/short.yaml"), &documented("yaml")[0], &options);
    assert_eq!(job.map(|job| job.steps.len()).map_err(|problems| problems.render()), Ok(2));
}

#[test]
fn every_documented_mistake_is_shown_as_documented() {
    let texts = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let texts = texts.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let shown: Vec<String> = texts.map(|path| fs::read_to_string(path).unwrap()).collect();
    let blocks = documented("text");
    assert!(blocks.len() >= 19, "{}", blocks.len());
    for block in blocks {
        assert!(shown.iter().any(|shown| shown.contains(block.trim_end())), "no fixture gives\n{block}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_that_looks_like_a_job_makes_it_panic(
        lines in proptest::collection::vec("( {0,6})(steps:|tables:|a:|b:|script: x|reads: \\[a, raw\\.b\\]|writes: \\[?a/b=\\{?c|key: \\[?x|checks:|- range: |parameters:|- |\\{|insights: \\[)", 0..12),
    ) {
        // Accepted or refused, it comes back; a refusal has something to say.
        if let Err(error) = parsed_with(&lines.join("\n"), &[]) {
            proptest::prop_assert!(error.detail.is_some_and(|detail| detail.starts_with("error: ")));
        }
    }
}
