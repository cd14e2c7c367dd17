//! A project, a lake in S3 and an EMR to run it on.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Int64Array, RecordBatch};
use fs_err as fs;
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use tempfile::TempDir;

use crate::twin::{Exec, Moto, Options, Twin};

/// Three steps, each on what the one before has written.
pub const JOB: &str = "
description: Three steps in a row.
steps:
  one: { script: steps/one.py, reads: [], writes: [first] }
  two: { script: steps/two.py, reads: [first], writes: [second] }
  three: { script: steps/three.py, reads: [second], writes: [third] }
tables:
  first: { key: [id], checks: [{ rows-at-least: 1 }] }
  second: { key: [id], checks: [{ rows-at-least: 1 }] }
  third: { key: [id], checks: [{ rows-at-least: 1 }] }
";

pub const STEPS: [&str; 3] = ["one", "two", "three"];
pub const TABLES: [&str; 3] = ["first", "second", "third"];
pub const DATE: &str = "2026-11-22";

/// What a command said.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}--- stderr ---\n{}[exit {:?}]", self.stdout, self.stderr, self.code)
    }
}

/// A project whose target `twin` is a twin of its own.
pub struct Lab {
    pub twin: Twin,
    pub home: TempDir,
    pub bucket: String,
}

impl Lab {
    pub fn new() -> Self {
        Self::with("", |options| options)
    }

    /// `settings`: more lines of config/soflow.yaml.
    pub fn with(settings: &str, options: impl FnOnce(Options) -> Options) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let bucket = format!("lake-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let home = tempfile::tempdir().unwrap();
        let launcher = home.path().join("launcher.py");
        fs::write(&launcher, include_str!("launcher.py").replace("@PARQUET@", &parquet())).unwrap();
        // The interpreter itself, as fast as it starts: `python3` may be a script that looks for one, and takes longer.
        let exec = Exec { python: Moto::python(), options: &["-I", "-S"], launcher };
        let twin =
            Twin::with(options(Options { exec: Some(exec), pace: Duration::from_millis(5), ..Options::default() }));
        twin.bucket(&bucket);
        let lab = Self { twin, home, bucket };
        let database = lab.bucket.replace('-', "_");
        let usual = [
            ("dependencies", "none"),
            ("api-quota", "10000"),
            ("poll-fastest", "10ms"),
            ("poll-slowest", "50ms"),
            ("lost-answer-wait", "500ms"),
        ];
        let usual = usual.iter().filter(|(key, _)| !settings.contains(key));
        let usual: String = usual.map(|(key, value)| format!("    {key}: {value}\n")).collect();
        lab.write(
            "config/soflow.yaml",
            &format!(
                "default-target: twin\ntargets:\n  twin:\n    kind: emr\n    lake: s3://{}/lake\n    database: {database}\n\
                 {usual}{settings}",
                lab.bucket
            ),
        );
        lab.write("jobs/chain.yaml", JOB);
        for step in STEPS {
            lab.write(&format!("pyspark/steps/{step}.py"), "# what it writes is the launcher's\n");
        }
        lab
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Returns the program, to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soflow"));
        command.args(["--events", "plain"]).args(args).current_dir(self.home.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.home.path()).env("USER", "anna");
        command.envs(self.twin.environment()).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
    }

    /// Starts the program and goes on.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a submission that others are to meet.
    pub fn begin(&self, args: &[&str]) -> Child {
        self.spawn(&[&["submit", "chain", "--date", DATE], args].concat())
    }

    pub fn submit(&self) -> Said {
        self.run(&["submit", "chain", "--date", DATE])
    }

    /// Returns the JSON document that a command prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[&["--output", "json"], args].concat());
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{said}"))
    }

    /// Returns the names of all steps of a cluster with their states, oldest first.
    pub fn steps(&self, cluster: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let steps = self.twin.steps(cluster);
        steps.iter().map(|step| (text(&step["Name"]), text(&step["Status"]["State"]))).collect()
    }

    /// Returns what [`Self::steps`] does, with its members in the place of each chain.
    pub fn members(&self, cluster: &str) -> Vec<(String, String)> {
        let mut members = Vec::new();
        for (step, (name, state)) in self.twin.steps(cluster).iter().zip(self.steps(cluster)) {
            let args = step["Config"]["Args"].as_array().unwrap();
            let tasks = args.windows(2).filter(|pair| pair[0] == "--task").map(|pair| pair[1].as_str().unwrap());
            let member = |task: &str| task.rsplit('/').next().unwrap().trim_end_matches(".json").to_string();
            let tasks: Vec<String> = tasks.map(member).collect();
            let run = name.split('/').next().unwrap();
            match tasks.len() {
                0 | 1 => members.push((name, state)),
                _ => members.extend(tasks.iter().map(|task| (format!("{run}/{task}"), state.clone()))),
            }
        }
        members
    }

    /// Returns the ids of all clusters, oldest first.
    pub fn clusters(&self) -> Vec<String> {
        self.twin.clusters().iter().map(|cluster| cluster["Id"].as_str().unwrap().to_string()).collect()
    }

    /// Asserts what must hold after everything: no step twice on a cluster or completed twice, tables published whole or
    /// not at all.
    pub fn check_invariants(&self, what: &str) {
        let mut completed = Vec::new();
        for cluster in self.clusters() {
            let mut steps = self.members(&cluster);
            // Who cancels a run and who drives it may both end its application, which is as good as once.
            steps.retain(|(name, _)| !name.contains(" cancelled "));
            let mut names: Vec<&String> = steps.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), steps.len(), "{what}: a step was added twice to {cluster}: {steps:?}");
            completed.extend(steps.into_iter().filter(|(_, state)| state == "COMPLETED").map(|(name, _)| name));
        }
        completed.sort();
        let all = completed.len();
        completed.dedup();
        assert_eq!(completed.len(), all, "{what}: a step completed twice: {completed:?}");
        let tokens: Vec<Value> = self.twin.clusters().iter().map(|cluster| cluster["Name"].clone()).collect();
        let mut unique: Vec<String> = tokens.iter().map(ToString::to_string).collect();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), tokens.len(), "{what}: two clusters of one request: {tokens:?}");
        let published = self.published();
        assert!(published.is_empty() || published.len() == 3, "{what}: only {published:?} are published");
    }

    /// Asserts that the job was done once and is seen everywhere: on one cluster unless `clusters` says otherwise.
    pub fn check_whole(&self, what: &str, clusters: usize) {
        self.check_invariants(what);
        assert_eq!(self.published(), TABLES, "{what}");
        assert_eq!(self.shown(), TABLES, "{what}: what Glue shows");
        assert_eq!(self.clusters().len(), clusters, "{what}: clusters");
        let mut done = self.completed();
        done.sort();
        assert_eq!(done, ["one", "three", "two"], "{what}: completed steps, of all runs and clusters");
        let running: Vec<Value> = self.records().into_iter().filter(|record| record["state"] == "running").collect();
        assert!(running.is_empty(), "{what}: left as running: {running:?}");
        for cluster in self.clusters() {
            assert_eq!(self.lease(&cluster), None, "{what}: a lease is left");
        }
        let drivers: Vec<Value> = self.records().into_iter().map(|record| record["driver"].clone()).collect();
        assert!(drivers.iter().all(Value::is_null), "{what}: a run that is over has a driver: {drivers:?}");
    }

    /// Returns the names of completed steps without their runs, in the order they were added.
    pub fn completed(&self) -> Vec<String> {
        let all = self.clusters().into_iter().flat_map(|cluster| self.members(&cluster));
        let done = all.filter(|(_, state)| state == "COMPLETED");
        done.map(|(name, _)| name.rsplit('/').next().unwrap().to_string()).collect()
    }

    /// Returns the records of the date's runs, the first one first.
    pub fn records(&self) -> Vec<Value> {
        let uri = |number| format!("s3://{}/lake/artifacts/runs/chain/{DATE}/{number}/run.json", self.bucket);
        let found = (1..).map_while(|number| self.twin.get(&uri(number)));
        found.map(|body| serde_json::from_slice(&body).unwrap()).collect()
    }

    /// Returns the lease book of a cluster.
    pub fn lease(&self, cluster: &str) -> Option<String> {
        let body = self.twin.get(&format!("s3://{}/lake/artifacts/leases/{cluster}.json", self.bucket))?;
        Some(String::from_utf8(body).unwrap())
    }

    /// Returns the tables that Glue shows.
    pub fn shown(&self) -> Vec<String> {
        let database = self.bucket.replace('-', "_");
        let (_, found) = self.twin.ask("glue", "AWSGlue.GetTables", &serde_json::json!({ "DatabaseName": database }));
        let tables = found["TableList"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = tables.iter().map(|table| table["Name"].as_str().unwrap().to_string()).collect();
        names.sort();
        names
    }

    /// Returns the first value of each partition that Glue has of a table, sorted.
    pub fn partitions(&self, table: &str) -> Vec<String> {
        let asked = serde_json::json!({ "DatabaseName": self.bucket.replace('-', "_"), "TableName": table });
        let (_, found) = self.twin.ask("glue", "AWSGlue.GetPartitions", &asked);
        let partitions = found["Partitions"].as_array().cloned().unwrap_or_default();
        let mut values: Vec<String> =
            partitions.iter().map(|partition| partition["Values"][0].as_str().unwrap().to_string()).collect();
        values.sort();
        values
    }

    /// Waits until a step is in a state, wherever it is.
    pub fn until_step(&self, step: &str, state: &str) {
        let there = |(name, is): &(String, String)| name.ends_with(&format!("/{step}")) && is == state;
        self.twin.until(&format!("step {step} {state}"), |_| {
            self.clusters().last().is_some_and(|cluster| self.steps(cluster).iter().any(there))
        });
    }

    /// Waits until all three steps of the first run are on a cluster and its record says so.
    pub fn until_handed_over(&self) {
        self.twin.until("steps handed over", |_| {
            let records = self.records();
            let handed = |record: &Value| record["steps"][2]["step_id"].is_string();
            records.last().is_some_and(handed)
        });
    }

    /// Returns the tables that readers see.
    pub fn published(&self) -> Vec<String> {
        let uri = format!("s3://{}/lake/curated/_catalog/catalog.json", self.bucket);
        let Some(body) = self.twin.get(&uri) else { return Vec::new() };
        let index: Value = serde_json::from_slice(&body).unwrap();
        index["tables"].as_object().unwrap().keys().cloned().collect()
    }
}

/// Waits for a program that was started; returns what it said.
pub fn ended(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
}

/// Runs `each` of `rows` on two threads.
pub fn in_two_lanes<T: Send>(rows: Vec<T>, each: impl Fn(T) + Sync) {
    let rows = Mutex::new(rows);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(row) = { rows.lock().unwrap().pop() } {
                    each(row);
                }
            });
        }
    });
}

/// Sends a signal, `-KILL`, `-INT` or `-TERM`.
pub fn signal(process: u32, which: &str) {
    assert!(Command::new("kill").args([which, &process.to_string()]).status().unwrap().success());
}

/// Returns a Parquet file of three rows, as the launcher takes it.
fn parquet() -> String {
    let ids = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("id", ids as _)]).unwrap();
    let mut body = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut body, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    body.iter().map(|byte| format!("{byte:02x}")).collect()
}
