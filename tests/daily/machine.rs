//! A machine in trouble: no space, no Python, no right to write, strange folder names.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::lab::{Lab, page, question};

const JOB: &str = r"
description: Two steps.
parameters: { site: stackoverflow }
steps:
  questions: { script: steps/questions.py, reads: [raw.questions], writes: [questions] }
  tag_trends: { script: steps/tag_trends.py, reads: [questions], writes: [tag_trends_weekly] }
tables:
  questions: { key: [site, question_id], partition-by: [created_month], update: merge }
  tag_trends_weekly: { key: [site, week_start, tag], partition-by: [year] }
";

fn with_pages(lab: &Lab) {
    lab.write("jobs/mini.yaml", JOB);
    lab.write("pages/1/questions/1.json", page(&[question(1, "2026-10-30T10:00:00Z", &["rust"], 3)]));
    lab.write("pages/2/questions/1.json", page(&[question(2, "2026-11-02T10:00:00Z", &["go"], 9)]));
    lab.run(&["ingest", "pages", "pages/1", "--date", "2026-11-21"]).expect(0);
    lab.run(&["ingest", "pages", "pages/2", "--date", "2026-11-22"]).expect(0);
}

/// A mount that goes with the test.
struct Mounted(PathBuf);

impl Mounted {
    /// Returns `None` after saying why when this process may not mount.
    fn new(arguments: &[&str], at: &Path, test: &str) -> Option<Self> {
        let output = Command::new("mount").args(arguments).arg(at).output();
        match output {
            Ok(output) if output.status.success() => Some(Self(at.to_path_buf())),
            Ok(output) => {
                println!("skipped: {test}: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: {test}: mount: {error}");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the folder goes in any case.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let lab = Lab::new();
    with_pages(&lab);
    fs::create_dir_all(lab.curated()).unwrap();
    let options = ["-t", "tmpfs", "-o", "size=2m", "none"];
    let Some(_mounted) = Mounted::new(&options, &lab.curated(), "the test of a full disk") else { return };
    lab.run(&["submit", "mini", "--date", "2026-11-21"]).expect(0);
    let before = lab.index();

    let ballast = lab.curated().join("_ballast");
    // It ends when the disk is full, as a download would.
    let mut size = 2 << 20;
    let mut file = fs::File::create(&ballast).unwrap();
    while size > 0 {
        match std::io::Write::write_all(&mut file, &vec![0; size]) {
            Ok(()) => {}
            Err(_) => size /= 2,
        }
    }
    drop(file);
    let ran = lab.run(&["submit", "mini", "--date", "2026-11-22", "--events", "plain"]);
    ran.expect(3);
    let said = ran.said();
    assert!(said.contains("disk is full") || said.contains("No space left on device"), "{said}");
    ran.says("free some space");
    assert_eq!(lab.index(), before, "the old tables are there");
    assert_eq!(lab.version("questions").rows(), 1);
    lab.files("questions");

    fs::remove_file(&ballast).unwrap();
    lab.run(&["submit", "mini", "--date", "2026-11-22"]).expect(0);
    assert_eq!(lab.version("questions").rows(), 2);
    lab.files("tag_trends_weekly");
}

#[test]
fn a_lake_that_cannot_be_written_is_said_and_survived() {
    let lab = Lab::new();
    with_pages(&lab);
    lab.run(&["submit", "mini", "--date", "2026-11-21"]).expect(0);
    let before = lab.index();
    let curated = lab.curated().display().to_string();
    let test = "the test of a read-only lake";
    let Some(mounted) = Mounted::new(&["--bind", &curated], &lab.curated(), test) else { return };
    let locked = Command::new("mount").args(["-o", "remount,bind,ro"]).arg(lab.curated()).status();
    assert!(locked.unwrap().success(), "a folder that can be mounted can be mounted read-only");
    let ran = lab.run(&["submit", "mini", "--date", "2026-11-22", "--events", "plain"]);
    ran.expect(3).says("Read-only file system");
    assert_eq!(lab.index(), before);
    drop(mounted);
    lab.run(&["submit", "mini", "--date", "2026-11-22"]).expect(0);
    assert_eq!(lab.version("questions").rows(), 2);
}

#[test]
fn without_python_it_says_what_to_install() {
    let mut lab = Lab::new();
    with_pages(&lab);
    let nowhere = lab.home().join("nowhere").display().to_string();
    lab.variables.extend([("SOFLOW_ENGINE_DIR".into(), nowhere.clone()), ("PATH".into(), nowhere)]);
    let ran = lab.run(&["submit", "mini", "--date", "2026-11-21"]);
    ran.expect(3)
        .says("the local engine needs Python 3.10 or newer: there is no `python3` on PATH")
        .says("apt install python3");
    assert!(lab.index().is_empty());
    assert_eq!(lab.run(&["runs", "--output", "json"]).expect(0).json()["runs"], serde_json::json!([]));
}

#[test]
fn folders_may_be_called_anything() {
    let lab = Lab::below("my lake/für 100% ☂ (x)");
    with_pages(&lab);
    for date in ["2026-11-21", "2026-11-22"] {
        lab.run(&["submit", "mini", "--date", date]).expect(0);
    }
    assert_eq!(lab.version("questions").rows(), 2);
    lab.files("questions");
    lab.files("tag_trends_weekly");
    let said = lab.run(&["query", "select count(*) as n, max(score) as best from questions", "--output", "json"]);
    let rows = said.expect(0).json().to_string();
    assert!(rows.contains('2') && rows.contains('9'), "{rows}");
    lab.run(&["submit", "mini", "--date", "2026-11-22"]).expect(0).says("Nothing to do");
    lab.run(&["gc"]).expect(0);
    lab.files("questions");
}

#[test]
fn a_folder_that_engines_would_look_for_elsewhere_is_refused() {
    let mut lab = Lab::new();
    with_pages(&lab);
    for (name, sign) in [("a%20b", "%20"), ("a[1]", "["), ("what?", "?"), ("{x}", "{")] {
        let folder = lab.home().join(name);
        lab.variables.insert("SOFLOW_LAKE".into(), format!("file:{}", folder.display()));
        for command in [&["ingest", "pages", "pages/1"][..], &["submit", "mini"]] {
            let ran = lab.run(&[command, &["--date", "2026-11-21"]].concat());
            ran.expect(2).says(&format!("engines do not take `{sign}` in its name as it is")).says("SOFLOW_LAKE=");
        }
    }
    assert!(!lab.home().join("a b").exists());
}
