//! What runs again when something has changed, and what does not.

use std::collections::{BTreeMap, BTreeSet};

use fs_err as fs;
use serde_json::Value;

use super::lab::{Lab, answer, comment, page, question};

/// Returns the state of each step of a run.
fn states(lab: &Lab, run: &str) -> BTreeMap<String, String> {
    let record: Value = lab.run(&["runs", "show", run, "--output", "json"]).expect(0).json();
    let steps = record["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["name"].as_str().unwrap().into(), step["state"].as_str().unwrap().into())).collect()
}

fn with_state(states: &BTreeMap<String, String>, wanted: &str) -> BTreeSet<String> {
    states.iter().filter(|(_, state)| *state == wanted).map(|(step, _)| step.clone()).collect()
}

/// Returns which run wrote each partition of a table.
fn writers(lab: &Lab, table: &str) -> BTreeMap<String, String> {
    let partitions = lab.version(table).partitions.into_iter();
    partitions
        .map(|part| {
            let values: Vec<&str> = part.values.values().map(String::as_str).collect();
            (values.join("/"), part.prefix.rsplit_once("run-").unwrap().1.to_string())
        })
        .collect()
}

#[test]
fn only_what_has_changed_runs_again() {
    let mut lab = Lab::new();
    // Words that the API may add, which no run must stop for.
    let later_licence = question(3, "2026-11-02T10:00:00Z", &["c++"], 1).replace("CC BY-SA 4.0", "CC BY-SA 5.0");
    let on_a_wiki = comment(21, 1, "2026-10-01T11:00:00Z").replace("\"question\"", "\"wiki\"");
    lab.write(
        "pages/1/questions/1.json",
        page(&[
            question(1, "2026-09-30T10:00:00Z", &["rust"], 3),
            question(2, "2026-10-02T10:00:00Z", &["rust", "c++"], 1),
            later_licence,
        ]),
    );
    lab.write("pages/1/answers/1.json", page(&[answer(11, 1, "2026-09-30T11:00:00Z", 2)]));
    lab.write("pages/1/comments/1.json", page(&[on_a_wiki]));
    lab.run(&["ingest", "pages", "pages/1", "--date", "2026-11-20"]).expect(0);
    lab.run(&["submit", "daily", "--date", "2026-11-20"]).expect(0);
    let first = states(&lab, "daily.2026-11-20.1");
    assert_eq!(with_state(&first, "completed").len(), 10, "{first:?}");

    // Neither an engine nor a Python is to be found: nothing to do must not look for them.
    let nowhere = lab.home().join("nowhere").display().to_string();
    lab.variables.extend([("SOFLOW_ENGINE_DIR".into(), nowhere.clone()), ("PATH".into(), nowhere.clone())]);
    lab.run(&["submit", "daily", "--date", "2026-11-20"]).expect(0).says("Nothing to do");
    assert!(!std::path::Path::new(&nowhere).exists(), "an engine environment was begun");
    assert_eq!(lab.run(&["runs", "--output", "json"]).expect(0).json()["runs"].as_array().unwrap().len(), 1);
    lab.variables.retain(|name, _| name == "TEST_ROOT");

    // One module: its step and what reads its table, and nothing else.
    let module = lab.root().join("pyspark/soflow_jobs/text_sentiment.py");
    fs::write(&module, format!("{}\n# Edited.\n", fs::read_to_string(&module).unwrap())).unwrap();
    lab.run(&["submit", "daily", "--date", "2026-11-20"]).expect(0);
    let second = states(&lab, "daily.2026-11-20.2");
    let ran: Vec<String> = with_state(&second, "completed").into_iter().collect();
    assert_eq!(ran, ["findings", "sentiment", "tag_sentiment"], "{second:?}");
    assert_eq!(with_state(&second, "up-to-date").len(), 7, "{second:?}");

    // A new date: a newer version of question 2, and a new one of this month. September is left alone.
    lab.write(
        "pages/2/questions/1.json",
        page(&[
            question(2, "2026-10-02T10:00:00Z", &["rust", "c++"], 99),
            question(4, "2026-11-21T10:00:00Z", &["go"], 0),
        ]),
    );
    lab.write("pages/2/answers/1.json", page(&[answer(12, 4, "2026-11-21T12:00:00Z", 0)]));
    lab.write("pages/2/comments/1.json", page(&[comment(22, 2, "2026-11-21T11:00:00Z")]));
    lab.run(&["ingest", "pages", "pages/2", "--date", "2026-11-21"]).expect(0);
    lab.run(&["submit", "daily", "--date", "2026-11-21"]).expect(0);
    let (old, new) = ("daily.2026-11-20.1".to_string(), "daily.2026-11-21.1".to_string());
    let expected = [("2026-09", &old), ("2026-10", &new), ("2026-11", &new)];
    assert_eq!(writers(&lab, "questions"), expected.map(|(month, run)| (month.to_string(), run.clone())).into());
    assert_eq!(lab.version("questions").rows(), 4);
    let expected = [("2026-09", &old), ("2026-11", &new)];
    assert_eq!(writers(&lab, "answers"), expected.map(|(month, run)| (month.to_string(), run.clone())).into());
    let sentiment = writers(&lab, "text_sentiment");
    let written: Vec<&String> = sentiment.iter().filter(|(_, run)| **run == new).map(|(part, _)| part).collect();
    assert!(written.iter().all(|part| !part.starts_with("2026-09")), "{sentiment:?}");
    let scores = lab.run(&["query", "select question_id, score from questions order by 1", "--output", "json"]);
    let rows = scores.expect(0).json().to_string();
    assert!(rows.contains("99"), "{rows}");
}
