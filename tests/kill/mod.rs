//! SIGKILL at every point of a real run of the real binary on the real engine: readers see all of the old or all of the
//! new, no process outlives soflow, and the same command completes what was cut short.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use crate::daily::lab::{BETWEEN_LOOKS, DEADLINE, Lab, page, question, walk};
use fs_err as fs;

const JOB: &str = r"
description: A job small enough to be killed often.
parameters: { site: stackoverflow }
steps:
  questions: { script: steps/questions.py, reads: [raw.questions], writes: [questions] }
  scores: { script: steps/part.py, reads: [questions], writes: [scores], parameters: { column: score } }
  titles: { script: steps/part.py, reads: [questions], writes: [titles], parameters: { column: title } }
tables:
  questions: { key: [site, question_id], partition-by: [created_month], update: merge, checks: [{ rows-at-least: 1 }] }
  scores: { key: [question_id] }
  titles: { key: [question_id] }
";

/// Takes a column of the questions: a step that follows another, with as little work as there can be.
const PART: &str = r#"
from soflow_jobs.entry import main
from soflow_jobs.lake import Lake


def run(spark, task):
    ((_, output),) = task.outputs.items()
    rows = Lake(spark, task).table("questions", ["question_id", task.parameters["column"]])
    rows.write.parquet(output.prefix)


main(run)
"#;

const KEYS: [(&str, &[&str]); 3] =
    [("questions", &["site", "question_id"]), ("scores", &["question_id"]), ("titles", &["question_id"])];

const OLD: &str = "2026-11-21";
const NEW: &str = "2026-11-22";
const SUBMIT: [&str; 6] = ["submit", "mini", "--date", NEW, "--events", "ndjson"];

/// Returns a project with one date published and the pages of the next one in raw.
fn start() -> Lab {
    let lab = Lab::new();
    lab.write("jobs/mini.yaml", JOB);
    lab.write("pyspark/steps/part.py", PART);
    lab.write(
        "pages/1/questions/1.json",
        page(&[
            question(1, "2026-10-30T10:00:00Z", &["rust"], 3),
            question(2, "2026-11-02T10:00:00Z", &["rust", "c++"], 1),
        ]),
    );
    lab.write(
        "pages/2/questions/1.json",
        page(&[question(2, "2026-11-02T10:00:00Z", &["rust"], 9), question(3, "2026-11-22T10:00:00Z", &["go"], 0)]),
    );
    lab.run(&["ingest", "pages", "pages/1", "--date", OLD]).expect(0);
    lab.run(&["ingest", "pages", "pages/2", "--date", NEW]).expect(0);
    lab.run(&["submit", "mini", "--date", OLD]).expect(0);
    lab
}

/// When to kill.
enum Point {
    /// Right after the k-th line of the story, progress left out.
    Event(usize),
    /// As soon as this holds of the lake, given as it was before.
    Lake(&'static str, Look),
}

/// What the lake looks like now.
struct Seen {
    lake: PathBuf,
    catalog_before: Vec<u8>,
}

impl Seen {
    fn names(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        let folder = self.lake.join(folder);
        walk(&folder, &mut found);
        found.iter().map(|path| path.strip_prefix(&folder).unwrap().display().to_string()).collect()
    }

    /// Whether a table has a Parquet file of the new run, also one that is being written.
    fn parquet(&self, table: &str) -> bool {
        let mine = |name: &String| name.starts_with(&format!("run-mini.{NEW}")) && name.contains("parquet");
        self.names(&format!("curated/{table}")).iter().any(mine)
    }

    fn raw(&self, end: &str) -> usize {
        self.names("raw").iter().filter(|name| name.ends_with(end)).count()
    }

    fn results(&self) -> usize {
        self.names("artifacts/results").iter().filter(|name| name.ends_with(".json")).count()
    }

    fn published(&self) -> bool {
        fs::read(self.lake.join("curated/_catalog/catalog.json")).is_ok_and(|body| body != self.catalog_before)
    }

    fn runs(&self, end: &str) -> usize {
        self.names(&format!("artifacts/runs/mini/{NEW}")).iter().filter(|name| name.ends_with(end)).count()
    }
}

/// What to look for in the lake.
type Look = fn(&Seen) -> bool;

const LAKE_POINTS: &[(&str, Look)] = &[
    ("the run is claimed", |seen| seen.runs("run.json") > 0),
    ("a task is written", |seen| seen.runs("tasks/questions.json") > 0),
    ("the first step has a log", |seen| !seen.names(&format!("logs/mini/{NEW}")).is_empty()),
    ("scratch has content", |seen| !seen.names("artifacts/scratch").is_empty()),
    ("questions has a file", |seen| seen.parquet("questions")),
    ("scores has a file", |seen| seen.parquet("scores")),
    ("titles has a file", |seen| seen.parquet("titles")),
    ("a result is being written", |seen| !seen.names("artifacts/results").is_empty()),
    ("one result is kept", |seen| seen.results() > 0),
    ("two results are kept", |seen| seen.results() > 1),
    ("a version file is written", |seen| {
        seen.names("curated/_catalog/versions").iter().any(|name| name.contains(&format!("mini.{NEW}")))
    }),
    ("the catalog has changed", Seen::published),
    ("the results are gone", |seen| seen.published() && seen.names("artifacts/results").is_empty()),
    ("scratch is gone", |seen| seen.published() && !seen.lake.join(format!("artifacts/scratch/mini.{NEW}.1")).exists()),
];

fn told(line: &str) -> bool {
    !line.contains("\"event\":\"step-progress\"")
}

/// Runs to the point and kills there; returns what was the last event before.
fn kill_at(lab: &Lab, arguments: &[&str], seen: &Seen, point: &Point) -> String {
    let mut command = lab.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let last = match point {
        Point::Event(wanted) => {
            let mut lines = stderr.lines().map(Result::unwrap).filter(|line| told(line));
            lines.nth(wanted - 1).unwrap_or_else(|| "the end".into())
        }
        Point::Lake(name, holds) => {
            // The pipe must be read, or soflow would wait for us.
            let reader =
                std::thread::spawn(move || stderr.lines().map_while(Result::ok).filter(|line| told(line)).last());
            wait_for(&mut child, name, || holds(seen));
            child.kill().unwrap();
            reader.join().unwrap().unwrap_or_default()
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let event = serde_json::from_str::<serde_json::Value>(&last);
    event.map_or(last, |event| {
        ["event", "step", "state"].iter().filter_map(|key| event[key].as_str()).collect::<Vec<_>>().join(" ")
    })
}

/// Looks until something holds.
#[track_caller]
fn wait_for(child: &mut Child, what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "`{what}` did not come about");
        if child.try_wait().unwrap().is_some() {
            assert!(holds(), "the command ended before `{what}` was seen");
        }
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
}

/// Returns `old` or `new`, after making sure that it is not something between.
fn state(lab: &Lab, base: &Lab, when: &str) -> &'static str {
    let (now, before) = (lab.index(), base.index());
    if now == before {
        return "old";
    }
    let runs: BTreeSet<String> = now.values().map(|entry| entry.current.to_string()).collect();
    assert_eq!(runs.len(), 1, "{when}: tables of several runs");
    assert!(runs.iter().all(|run| run.starts_with(&format!("mini.{NEW}."))), "{when}: {runs:?}");
    for (table, _) in KEYS {
        assert!(!lab.files(table).is_empty(), "{when}: {table}");
    }
    "new"
}

fn kill_and_complete(base: &Lab, undisturbed: &Lab, point: &Point) -> &'static str {
    let lab = base.twin();
    let catalog_before = fs::read(lab.curated().join("_catalog/catalog.json")).unwrap();
    let seen = Seen { lake: lab.lake(), catalog_before };
    let last = kill_at(&lab, &SUBMIT, &seen, point);
    let begun = seen.parquet("questions");
    let when = match point {
        Point::Event(number) => format!("event {number} ({last})"),
        Point::Lake(name, _) => format!("{name} (after {last})"),
    };
    let state = state(&lab, base, &when);
    lab.no_process_is_left(&when);
    // The first step, and no other: at the points before its first file it is far from writing one.
    assert!(begun || !seen.parquet("questions"), "{when}: a step has gone on without soflow");
    let left = fs::read_dir(lab.temporary()).unwrap().count();
    assert_eq!(left, 0, "{when}: temporary files are left");
    lab.run(&["runs"]).expect(0);
    let again = lab.run(&["submit", "mini", "--date", NEW, "--events", "plain"]);
    again.expect(0);
    for (table, key) in KEYS {
        let diff = lab.compare(undisturbed, table, key);
        assert!(diff.is_equal(), "{when}: {table}: {diff:?}");
    }
    lab.run(&["submit", "mini", "--date", NEW]).expect(0).says("Nothing to do");
    let ran = again.stderr.lines().filter(|line| line.ends_with(" running")).count();
    println!("killed at {when}: {state} tables, {ran} of 3 steps run again");
    state
}

#[test]
fn a_killed_run_leaves_all_of_the_old_or_all_of_the_new() {
    let base = start();
    let undisturbed = base.twin();
    let story = undisturbed.run(&SUBMIT);
    story.expect(0);
    let events = story.stderr.lines().filter(|line| told(line)).count();
    assert!(events >= 10, "{}", story.said());
    for (table, _) in KEYS {
        assert_eq!(undisturbed.version(table).rows(), 3, "{table}");
    }
    let points = (1..=events).map(Point::Event);
    let points: Vec<Point> = points.chain(LAKE_POINTS.iter().map(|(name, holds)| Point::Lake(name, *holds))).collect();
    let number = points.len();
    assert!(number >= 20, "only {number} points");
    let waiting = Mutex::new(points.into_iter().rev().collect::<Vec<_>>());
    let states = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(point) = waiting.lock().unwrap().pop() else { break };
                    let state = kill_and_complete(&base, &undisturbed, &point);
                    states.lock().unwrap().push(state);
                }
            });
        }
    });
    let states = states.into_inner().unwrap();
    let count = |wanted: &str| states.iter().filter(|state| **state == wanted).count();
    assert_eq!(states.len(), number);
    assert!(count("old") >= 10 && count("new") >= 2, "{} old, {} new", count("old"), count("new"));
}

#[test]
fn a_killed_ingest_is_completed_by_the_same_command() {
    let undisturbed = Lab::new();
    undisturbed.run(&["ingest", "sample"]).expect(0);
    let content = |lab: &Lab| {
        let mut files = Vec::new();
        walk(&lab.lake().join("raw"), &mut files);
        let kept = files.into_iter().filter(|path| !path.display().to_string().contains(".soflow-unfinished-"));
        kept.map(|path| (path.strip_prefix(lab.lake()).unwrap().to_path_buf(), fs::read(&path).unwrap()))
            .collect::<Vec<_>>()
    };
    let whole = content(&undisturbed);
    assert!(whole.len() > 100);
    let count = Seen::raw;
    let points: [(&str, Look); 6] = [
        ("an unfinished page", |seen| seen.names("raw").iter().any(|name| name.contains(".soflow-unfinished-"))),
        ("the first page", |seen| seen.raw(".json.gz") > 0),
        ("the fifth page", |seen| seen.raw(".json.gz") > 4),
        ("the first manifest", |seen| seen.raw("_manifest.jsonl") > 0),
        ("the second manifest", |seen| seen.raw("_manifest.jsonl") > 1),
        ("the last manifest", |seen| seen.raw("_manifest.jsonl") > 2),
    ];
    for (name, holds) in points {
        let lab = Lab::new();
        let seen = Seen { lake: lab.lake(), catalog_before: Vec::new() };
        let mut child = lab.command(&["ingest", "sample"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for(&mut child, name, || holds(&seen));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = (count(&seen, ".json.gz"), count(&seen, "_manifest.jsonl"));
        let planned = lab.run(&["plan", "daily", "--date", "2026-10-31"]);
        let questions = lab.lake().join("raw/site=stackoverflow/endpoint=questions/dt=2026-10-31/run=sample-7-x1");
        if before.1 == 0 {
            assert!(!questions.join("_manifest.jsonl").exists());
            planned.expect(2).says("raw has no pages for 2026-10-31");
        } else {
            planned.expect(0);
        }
        lab.run(&["ingest", "sample"]).expect(0);
        assert!(content(&lab) == whole, "{name}: raw is not as it should be");
        println!("killed at {name}: {} pages and {} manifests were there", before.0, before.1);
    }
}

#[test]
fn an_engine_environment_is_whole_or_made_again() {
    let mut lab = Lab::new();
    let engines = lab.home().join("engines");
    lab.variables.insert("SOFLOW_ENGINE_DIR".into(), engines.display().to_string());
    lab.without_uv();
    let install = ["engine", "install", "--events", "plain"];
    // One that is whole, in the folder all tests share.
    Lab::new().run(&install).expect(0);
    let whole = PathBuf::from(Lab::new().run(&install).expect(0).stdout.trim());
    let mine = engines.join(whole.file_name().unwrap());
    let hidden = |start: &str| {
        let entries = fs::read_dir(&engines).into_iter().flatten().flatten();
        let mine = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(start));
        mine.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let making = || hidden(".making-");
    let packages = |folder: &Path| {
        let libraries = fs::read_dir(folder.join("venv/lib")).into_iter().flatten().flatten();
        let packages = libraries.flat_map(|library| fs::read_dir(library.path().join("site-packages"))).flatten();
        packages.flatten().map(|package| package.file_name().to_string_lossy().into_owned()).collect::<BTreeSet<_>>()
    };
    let begun = |folder: &PathBuf| !packages(folder).is_empty();
    let points: [(&str, &dyn Fn() -> bool); 5] = [
        ("the folder is there", &|| !making().is_empty()),
        ("pip gets uv", &|| hidden(".work-").iter().any(|folder| folder.join("installer.lock").exists())),
        ("uv has begun", &|| hidden(".work-").iter().any(|folder| folder.join("cache").exists())),
        ("Python is in it", &|| making().iter().any(|folder| folder.join("venv/bin/python").exists())),
        ("the first package is there", &|| making().iter().any(begun)),
    ];
    for (name, holds) in points {
        let mut child = lab.command(&install).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for(&mut child, name, holds);
        child.kill().unwrap();
        child.wait().unwrap();
        lab.no_process_is_left(name);
        for folder in making() {
            assert!(packages(&folder).len() < packages(&whole).len(), "{name}: uv has gone on without soflow");
        }
        let said = lab.run(&["engine", "status", "--output", "json"]);
        assert!(!said.expect(0).stdout.contains("\"ready\""), "{name}: {}", said.said());
        println!("killed while the environment was made: {name}");
    }
    assert!(Command::new("cp").arg("-a").arg(&whole).arg(&mine).status().unwrap().success());
    lab.run(&["engine", "status", "--output", "json"]).expect(0).says("\"ready\"");

    // A person tidies up in the wrong place.
    let mut files = Vec::new();
    walk(&mine, &mut files);
    let victim = files.iter().find(|path| path.ends_with("pyspark/sql/functions/__init__.py")).unwrap();
    fs::remove_file(victim).unwrap();
    lab.run(&["engine", "status", "--output", "json"]).expect(0).says("\"damaged\"");
    lab.run(&install).expect(0).says("is damaged or unfinished: making it again");
    assert!(victim.exists());
    assert_eq!(hidden("."), Vec::<PathBuf>::new(), "what the kills left is gone");
    lab.run(&["engine", "status", "--output", "json"]).expect(0).says("\"ready\"");
}
