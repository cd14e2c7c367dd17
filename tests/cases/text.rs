//! Text files as other programs write them: told in words where they enter, and nothing of them lost.

use crate::cases::project::empty;
use crate::daily::lab::{Lab, walk};

const PAGE: &str = "{\"items\":[{\"question_id\":1,\"title\":\"caf\u{e9}\"}],\"has_more\":false}";
const SAVE: &str = "UTF-16 text: save as UTF-8 (`Out-File -Encoding utf8`)";

/// Returns what PowerShell 5 writes for `> file`.
fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.replace('\n', "\r\n").encode_utf16().collect::<Vec<_>>());
    units.flat_map(u16::to_le_bytes).collect()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn pages_that_cannot_be_read_are_counted_and_told_when_they_come_in() {
    let lab = Lab::new();
    let cut = &gzip(PAGE.as_bytes())[..40];
    let pages: [(&str, Vec<u8>, &str); 12] = [
        ("utf16", utf16(PAGE), SAVE),
        ("utf16-no-mark", utf16(PAGE)[2..].to_vec(), SAVE),
        ("utf16-packed", gzip(&utf16(&PAGE.replace("caf", "Caf"))), SAVE),
        ("latin1", latin1(PAGE), "text in Latin-1 or Windows-1252"),
        ("zeros", PAGE.replace("caf", "caf\0").into(), "text with NUL bytes in it"),
        ("list", b"[{\"question_id\":1}]".to_vec(), "no response of the API: JSON without `items`"),
        ("html", b"<!DOCTYPE html>".to_vec(), "a web page"),
        ("empty", b" \n".to_vec(), "empty"),
        ("half", PAGE[..30].into(), "JSON that ends early"),
        ("cut", cut.to_vec(), "cut short"),
        ("error", br#"{"error_id":502,"error_name":"throttle_violation"}"#.to_vec(), "an error of the API: 502"),
        ("bomb", gzip(&vec![b' '; (64 << 20) + 1]), "larger than 64 MiB"),
    ];
    for (name, body, _) in &pages {
        lab.write(&format!("pages/questions/{name}.json"), body);
    }
    // What other programs do that is no hindrance.
    lab.write("pages/questions/mark.json", format!("\u{feff}{PAGE}"));
    lab.write("pages/questions/cr.json", PAGE.replace(',', ",\r"));
    let ran = lab.run(&["ingest", "pages", "pages", "--date", "2026-11-22"]);
    ran.expect(0).says("12 of 14 files are no readable pages");
    let told = lab.run(&["ingest", "pages", "pages", "--date", "2026-11-22", "--output", "json"]).expect(0).json();
    let unreadable = told["ingested"]["unreadable"].as_array().unwrap();
    for (name, _, why) in &pages {
        let path = format!("questions/{name}.json");
        let found = unreadable.iter().find(|found| found["path"] == path);
        let reason = found.unwrap_or_else(|| panic!("{name} is not told: {told}"))["reason"].as_str().unwrap();
        assert!(reason.contains(why), "{name}: {reason}");
        if unreadable.iter().take(10).any(|shown| shown["path"] == path) {
            ran.says(&format!("`{path}` is no readable page: {reason}"));
        }
    }
    assert_eq!(unreadable.len(), pages.len());
    ran.says("and 2 more");

    // All of it is in raw, byte for byte.
    let mut raw = Vec::new();
    walk(&lab.lake().join("raw"), &mut raw);
    let mut stored: Vec<Vec<u8>> = raw
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(".json.gz"))
        .map(|path| fs_err::read(path).unwrap())
        .collect();
    stored.sort();
    let packed = |body: &Vec<u8>| body.starts_with(&[0x1f, 0x8b]);
    for (name, body, _) in &pages {
        let there = stored.iter().any(|file| {
            let mut plain = Vec::new();
            let whole = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&file[..]), &mut plain);
            if packed(body) { file == body } else { whole.is_ok() && plain == *body }
        });
        assert!(there, "{name} is not in raw as it was");
    }
    assert_eq!(stored.len(), pages.len() + 2);
}

#[test]
fn job_files_settings_and_scripts_in_other_encodings_are_told_for_what_they_are() {
    let job = "steps:\n  one: { script: steps/one.py, writes: [t] }\ntables:\n  t: { key: [id] }\n";
    let lab = empty();
    lab.write("pyspark/steps/one.py", "print('caf\u{e9}')\n");
    lab.write("jobs/job.yaml", job);
    lab.run(&["validate"]).expect(0);

    lab.write("jobs/job.yaml", utf16(job));
    lab.run(&["validate"]).expect(2).says("jobs/job.yaml").says("the file is UTF-16 text").says("Out-File");
    lab.write("jobs/job.yaml", job.replace('\n', "\r"));
    lab.run(&["validate"]).expect(0);
    lab.write("jobs/job.yaml", format!("{job}\0"));
    lab.run(&["validate"]).expect(2).says("the file is text with NUL bytes in it");

    lab.write("jobs/job.yaml", format!("\u{feff}{job}"));
    lab.write("pyspark/steps/one.py", utf16("print(1)\n"));
    let ran = lab.run(&["validate"]);
    ran.expect(2).says("script `steps/one.py` is UTF-16 text").says("jobs/job.yaml:2:18").says("Out-File");
    lab.write("pyspark/steps/one.py", latin1("print('caf\u{e9}')\n"));
    lab.run(&["validate"]).expect(2).says("script `steps/one.py` is text in Latin-1 or Windows-1252");
    // Python knows this one, for it says what it is.
    lab.write("pyspark/steps/one.py", latin1("# -*- coding: latin-1 -*-\nprint('caf\u{e9}')\n"));
    lab.run(&["validate"]).expect(0);

    lab.write("config/soflow.yaml", utf16("default-target: local\n"));
    lab.run(&["validate"]).expect(2).says("config/soflow.yaml").says("the file is UTF-16 text").says("Out-File");
}

#[test]
fn a_file_whose_ending_is_not_the_expected_one_is_named() {
    let job = "steps:\n  one: { script: steps/free.py, writes: [t] }\ntables:\n  t: { key: [id] }\n";
    for (name, ending) in [("a", "yml"), ("b", "json"), ("c", "YAML"), ("d", "yaml.txt"), ("e", "Yml")] {
        let lab = empty();
        lab.write(&format!("jobs/{name}.{ending}"), job);
        let rename = format!("mv jobs/{name}.{ending} jobs/{name}.yaml");
        lab.run(&["plan", name]).expect(2).says(&format!("there is no job `{name}`")).says(&rename);
        lab.run(&["validate"]).expect(2).says("there are no job files").says(&rename);
        lab.write("jobs/other.yaml", job);
        let file = format!("`jobs/{name}.{ending}` is not read");
        lab.run(&["validate"]).expect(0).says(&file).says(&rename);
    }
    let lab = empty();
    lab.write("jobs/job.yaml", job);
    lab.write("jobs/README.md", "no job");
    let quiet = lab.run(&["validate"]);
    assert!(!quiet.expect(0).stderr.contains("is not read"), "{}", quiet.said());
    lab.run(&["plan", "job.yaml"]).expect(2).says("`soflow` names a job without folder and ending: `job`");
    lab.write("config/soflow.yml", "default-target: elsewhere\n");
    let ran = lab.run(&["validate"]);
    ran.expect(2).says("`config/soflow.yml` is not read").says("mv config/soflow.yml config/soflow.yaml");
}

#[test]
fn a_dump_in_another_encoding_or_with_other_line_ends_is_told_for_what_it_is() {
    let dump =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<tags>\n  <row Id=\"1\" TagName=\"caf\u{e9}\" />\n</tags>\n";
    let lab = Lab::new();
    let refused = |content: Vec<u8>, why: &str| {
        lab.write("stackoverflow.com/Tags.xml", content);
        lab.run(&["ingest", "dump", "stackoverflow.com", "--date", "2026-11-22"]).expect(2).says(why);
    };
    refused(utf16(dump), "line 1 of `Tags.xml` is UTF-16 text");
    refused(latin1(dump), "line 3 of `Tags.xml` is text in Latin-1 or Windows-1252");
    refused(dump.replace('\n', "\r").into(), "`Tags.xml` ends its lines with carriage returns alone");
    refused(dump.replace("caf", "caf\0").into(), "line 3 of `Tags.xml` is text with NUL bytes in it");
}
