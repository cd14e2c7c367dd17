//! Pages that are none: each one a clear row in quarantine, never a panic, never a lost page.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray as _;
use arrow::datatypes::DataType;
use fs_err as fs;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::lab::{Lab, page, question, walk};

const JOB: &str = r#"
description: Only the questions.
parameters: { site: stackoverflow }
steps:
  questions:
    script: steps/questions.py
    reads: [raw.questions]
    writes: [questions, "quarantine/endpoint=questions/dt={date}"]
    quarantine-limit: LIMIT
tables:
  questions: { key: [site, question_id], partition-by: [created_month], update: merge }
  quarantine: { partition-by: [endpoint, dt] }
"#;

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Returns the values of a column as text; empty for null.
pub fn column(path: &Path, name: &str) -> Vec<String> {
    let file = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap().into_file()).unwrap();
    let mut values = Vec::new();
    for batch in file.build().unwrap() {
        let texts = arrow::compute::cast(&batch.unwrap()[name], &DataType::Utf8).unwrap();
        values.extend(texts.as_string::<i32>().iter().map(|value| value.unwrap_or_default().to_string()));
    }
    values
}

#[test]
fn every_bad_page_is_set_aside_with_its_reason() {
    let lab = Lab::new();
    lab.write("jobs/bad.yaml", JOB.replace("LIMIT", "100%"));
    let asked = "2026-10-02T10:00:00Z";
    let one = question(1, asked, &["rust"], 3);
    let huge = question(5, asked, &["rust"], 3).replace("useful thing", &"useful thing ".repeat(620_000));
    assert!(huge.len() > 8_000_000);
    let whole = gzip(&page(&[question(6, asked, &["rust"], 1)]));
    let pages: [(&str, Vec<u8>); 9] = [
        // The same item three times; the quota is negative on every page that `page` makes.
        ("good.json", page(&[one.clone(), one.clone(), question(2, asked, &["c++"], -8)]).into()),
        ("again.json", page(&[question(3, asked, &["go"], 1), one]).into()),
        ("huge.json", page(&[huge]).into()),
        ("cut.json.gz", whole[..whole.len() - 12].to_vec()),
        ("html.json", b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>".to_vec()),
        ("empty.json", Vec::new()),
        (
            "error.json",
            br#"{"error_id":502,"error_message":"too many requests","error_name":"throttle_violation"}"#.to_vec(),
        ),
        ("latin1.json", b"{\"items\":[{\"question_id\":7,\"title\":\"caf\xe9\"}]}".to_vec()),
        ("half.json", br#"{"items":[{"question_id":8,"title":"#.to_vec()),
    ];
    for (name, body) in &pages {
        lab.write(&format!("pages/questions/{name}"), body);
    }
    lab.run(&["ingest", "pages", "pages", "--date", "2026-11-22"]).expect(0);
    let mut raw = Vec::new();
    walk(&lab.lake().join("raw"), &mut raw);
    assert_eq!(raw.iter().filter(|path| path.to_string_lossy().ends_with(".json.gz")).count(), pages.len());
    lab.run(&["submit", "bad", "--date", "2026-11-22"]).expect(0).says("6 rows set aside");

    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut uris = Vec::new();
    for (file, _) in lab.files("quarantine") {
        column(&file, "reason").into_iter().for_each(|reason| *reasons.entry(reason).or_default() += 1);
        uris.extend(column(&file, "raw_uri"));
    }
    let expected = ["api-error", "empty", "html", "invalid-utf8", "not-json", "truncated-gzip"];
    assert_eq!(reasons, expected.map(|reason| (reason.to_string(), 1)).into());
    uris.sort();
    uris.dedup();
    assert_eq!(uris.len(), 6, "{uris:?}");
    let mut ids: Vec<String> =
        lab.files("questions").iter().flat_map(|(file, _)| column(file, "question_id")).collect();
    ids.sort();
    assert_eq!(ids, ["1", "2", "3", "5"]);
}

#[test]
fn too_many_bad_pages_fail_the_step() {
    let lab = Lab::new();
    lab.write("jobs/bad.yaml", JOB.replace("LIMIT", "5%"));
    for number in 0..3 {
        lab.write(&format!("pages/questions/{number}.json"), format!("<html>{number}</html>"));
    }
    lab.run(&["ingest", "pages", "pages", "--date", "2026-11-22"]).expect(0);
    let ran = lab.run(&["submit", "bad", "--date", "2026-11-22"]);
    ran.expect(1).says("3 of 3 pages").says("above the limit of 5 %").says("3x html");
    assert!(lab.index().is_empty());
}
