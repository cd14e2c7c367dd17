//! The whole job on the sample and on real pages.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use fs_err as fs;
use serde_json::Value;

use super::bad::column;
use super::lab::{Lab, ran, real_pages, repository, walk};
use super::report;
use crate::cli::readers;

pub const TABLES: [&str; 12] = [
    "answers",
    "comments",
    "findings",
    "question_tags",
    "questions",
    "tag_communities",
    "tag_health_monthly",
    "tag_pairs_monthly",
    "tag_response",
    "tag_sentiment_weekly",
    "tag_trends_weekly",
    "text_sentiment",
];

/// Distinct items by the month they were made in.
type Months = BTreeMap<String, u64>;

#[test]
fn the_sample_gives_every_table() {
    let lab = Lab::new();
    let ran = lab.run(&["submit", "daily", "--sample", "--output", "json", "--events", "plain"]);
    let summary = ran.expect(0).json();
    assert_eq!(summary["state"], "succeeded");
    let index = lab.index();
    for table in TABLES {
        let version = lab.version(table);
        assert!(version.rows() > 50, "{table}: {} rows", version.rows());
        assert_eq!(index[table].current.to_string(), "daily.2026-10-31.1");
    }
    for (endpoint, id) in [("questions", "question_id"), ("answers", "answer_id"), ("comments", "comment_id")] {
        let raw = lab.lake().join(format!("raw/site=stackoverflow/endpoint={endpoint}"));
        let counted: u64 = count(&raw, &[id]).values().sum();
        let quarantined: u64 = lab
            .version("quarantine")
            .partitions
            .iter()
            .filter(|partition| partition.values["endpoint"] == endpoint)
            .map(|partition| partition.rows)
            .sum();
        let rows = lab.version(endpoint).rows();
        // A malformed item may still have an id that counts.
        assert!(rows <= counted && rows + quarantined >= counted, "{endpoint}: {rows} + {quarantined} of {counted}");
        assert_eq!(audited(&lab, endpoint, "distinct_ids"), rows, "{endpoint}");
        let aside = audited(&lab, endpoint, "rows_quarantined") + audited(&lab, endpoint, "pages_quarantined");
        assert_eq!(aside, quarantined, "{endpoint}");
    }
    lab.no_process_is_left("after the run");
    report::says_what_the_tables_say(&lab);
    is_what_others_compute(&lab);
}

/// Computes derived tables and findings again from the tables that they are made from, by a script that has nothing of ours.
fn is_what_others_compute(lab: &Lab) {
    let Some(mut python) = readers::python() else { return };
    let files = lab.home().join("files.json");
    let tables = lab.index();
    let found = tables.keys().map(|table| {
        let files = lab.files(table).into_iter().map(|(file, _)| file.display().to_string());
        (table.clone(), files.collect::<Vec<_>>())
    });
    fs::write(&files, serde_json::to_vec(&found.collect::<BTreeMap<_, _>>()).unwrap()).unwrap();
    python.arg(repository().join("tests/independent/recompute.py")).arg(files);
    ran(python).expect(0).says("tag_trends_weekly: ");
}

#[test]
fn real_pages_are_counted_to_the_last_row() {
    let Some(pages) = real_pages() else { return };
    let lab = Lab::new();
    lab.run(&["ingest", "pages", pages.to_str().unwrap(), "--date", "2026-11-22"]).expect(0);
    let ran = lab.run(&["submit", "daily", "--date", "2026-11-22", "--output", "json", "--events", "plain"]);
    assert_eq!(ran.expect(0).json()["state"], "succeeded");
    ran.says("published");
    let mut texts = 0;
    for (endpoint, id) in [("questions", "question_id"), ("answers", "answer_id"), ("comments", "comment_id")] {
        let counted = count(&pages.join(endpoint), &[id]);
        assert!(counted.values().sum::<u64>() > 1000, "{endpoint}: too few to mean anything");
        let published = lab.version(endpoint).partitions.into_iter();
        let published: Months =
            published.map(|mut part| (part.values.remove("created_month").unwrap(), part.rows)).collect();
        assert_eq!(published, counted, "{endpoint}");
        let ids = counted.values().sum::<u64>();
        assert_eq!(audited(&lab, endpoint, "distinct_ids"), ids, "{endpoint}");
        assert_eq!(audited(&lab, endpoint, "rows_raw"), ids + audited(&lab, endpoint, "duplicates"), "{endpoint}");
        assert!(audited(&lab, endpoint, "bytes") > 1_000_000, "{endpoint}: what the manifest says did not arrive");
        // An item without a body has no text to judge: the API sends comments that way unless asked.
        texts += count(&pages.join(endpoint), &[id, "body"]).values().sum::<u64>();
        println!("{endpoint}: {} rows in {} months, as counted", counted.values().sum::<u64>(), counted.len());
    }
    assert_eq!(lab.version("text_sentiment").rows(), texts);
    // Of the newest year there are too few questions for what these compare.
    for table in TABLES.into_iter().filter(|table| !["findings", "tag_communities", "tag_response"].contains(table)) {
        assert!(lab.version(table).rows() > 0, "{table} is empty");
    }
    is_what_others_compute(&lab);
}

/// Returns the sum of a column of `ingest_audit` for an endpoint.
fn audited(lab: &Lab, endpoint: &str, name: &str) -> u64 {
    let files = lab.files("ingest_audit").into_iter().filter(|(_, values)| values["endpoint"] == endpoint);
    files.flat_map(|(file, _)| column(&file, name)).map(|value| value.parse::<u64>().unwrap()).sum()
}

/// Counts the distinct ids (the first of the fields) of items that have all the fields, by month, knowing nothing of how
/// soflow does it.
fn count(folder: &Path, fields: &[&str]) -> Months {
    let mut files = Vec::new();
    walk(folder, &mut files);
    let mut months: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.display().to_string().ends_with(".json.gz")) {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&fs::read(file).unwrap()[..]).read_to_string(&mut text).unwrap();
        let page: Value = serde_json::from_str(&text).unwrap();
        for item in page["items"].as_array().unwrap() {
            let (Some(id), Some(made)) = (item[fields[0]].as_i64(), item["creation_date"].as_i64()) else { continue };
            if fields.iter().any(|field| item.get(*field).is_none()) {
                continue;
            }
            let made = jiff::Timestamp::from_second(made).unwrap().to_string();
            months.entry(made[..7].to_string()).or_default().insert(id);
        }
    }
    months.into_iter().map(|(month, ids)| (month, ids.len() as u64)).collect()
}
