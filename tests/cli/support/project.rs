//! A project folder of one test, and the program started in it with nothing of this machine's environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use tempfile::TempDir;

use super::output::Output;
use super::sample;

/// The program.
pub const SOFLOW: &str = env!("CARGO_BIN_EXE_soflow");

/// What steps of small jobs use instead of Spark: the task, and one Parquet file a table.
const SMALL: &str = r#"
import json
import sys
from pathlib import Path
from urllib.parse import urlparse

import pyarrow
import pyarrow.parquet


def path(uri):
    return Path(urlparse(uri).path)


task = json.loads(path(sys.argv[2]).read_text())


def write(table, **columns):
    folder = path(task["outputs"][table]["prefix"])
    folder.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "part-0.parquet")
"#;

const COUNTS: &str = "\
import small

small.write('counts', n=list(range(small.task['parameters']['upto'])))
";

const DOUBLES: &str = "\
import small

small.write('doubles', n=[0, 2, 4])
";

const SMALL_JOB: &str = "\
description: Two steps that need no Spark.
parameters: { upto: 3 }
steps:
  counts: { script: steps/counts.py, writes: [counts] }
  doubles: { script: steps/doubles.py, reads: [counts], writes: [doubles] }
tables:
  counts: { key: [n], checks: [{ rows-at-least: 1 }] }
  doubles: {}
";

/// A project and a home of its own, removed at the end of the test.
pub struct Project {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl Project {
    /// Returns a project with an empty folder `jobs/`.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name).display().to_string();
        let environment =
            [("HOME", inside("home")), ("TMPDIR", inside("tmp")), ("PATH", "/usr/local/bin:/usr/bin:/bin".into())];
        let environment = environment.map(|(name, value)| (name.to_string(), value)).into();
        let project = Self { folder, environment };
        for name in ["home", "tmp", "project/jobs", "project/pyspark/steps"] {
            fs::create_dir_all(project.folder.path().join(name)).unwrap();
        }
        project.with("SOFLOW_ENGINE_DIR", &engines().display().to_string())
    }

    /// Returns a project with the job `small` of two steps, `counts` and `doubles`. They need no Spark, so they take a
    /// second, most of which is the engine's start.
    pub fn small() -> Self {
        sample::engine_is_there();
        let project = Self::empty();
        project.write("jobs/small.yaml", SMALL_JOB);
        project.write("pyspark/small.py", SMALL);
        project.step("counts", COUNTS);
        project.step("doubles", DOUBLES);
        project
    }

    /// Returns a project as the repository has it, with nothing in its lake.
    pub fn daily() -> Self {
        let project = Self::empty();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["jobs", "pyspark", "config"] {
            copy(&repository.join(name), &project.path().join(name));
        }
        project
    }

    /// Returns such a project after `submit daily --sample`: made once, copied for each test, its times all of 2025.
    pub fn published() -> Self {
        let project = Self::daily();
        sample::copy_lake_to(&project.path());
        project
    }

    /// Returns the project with a variable in its environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Returns the environment of the program.
    pub fn environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.environment.iter()
    }

    /// Returns the project's folder.
    pub fn path(&self) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap().join("project")
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Sets the times in the records of runs, where a snapshot shows them in columns.
    pub fn settle_runs(&self) {
        sample::settle_runs(&self.path());
    }

    /// Returns the text of a file of the project.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Writes the script of a step.
    pub fn step(&self, name: &str, script: &str) {
        self.write(&format!("pyspark/steps/{name}.py"), script);
    }

    /// Returns the program with these arguments, to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SOFLOW);
        command.args(arguments).current_dir(self.path()).env_clear().envs(&self.environment).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn soflow<const N: usize>(&self, arguments: [&str; N]) -> Output {
        let output = self.command(&arguments).output().unwrap();
        self.seen(&output)
    }

    /// Starts the program.
    pub fn start<const N: usize>(&self, arguments: [&str; N]) -> Child {
        let mut command = self.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits for a started program.
    pub fn end(&self, started: Child) -> Output {
        let output = started.wait_with_output().unwrap();
        self.seen(&output)
    }

    /// Returns what a command said.
    pub fn seen(&self, output: &std::process::Output) -> Output {
        Output {
            stdout: self.neutral(&String::from_utf8_lossy(&output.stdout)),
            stderr: self.neutral(&String::from_utf8_lossy(&output.stderr)),
            code: output.status.code(),
        }
    }

    /// Returns the text with names for the folders that are this test's alone.
    pub fn neutral(&self, text: &str) -> String {
        let folder = fs::canonicalize(self.folder.path()).unwrap();
        text.replace(&self.path().display().to_string(), "/project")
            .replace(&folder.display().to_string(), "/test")
            .replace(&engines().display().to_string(), "/engines")
    }
}

/// Returns the folder of engine environments that all tests share: making one takes longer than all tests.
pub fn engines() -> PathBuf {
    match std::env::var_os("SOFLOW_ENGINE_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(".soflow/engine"),
    }
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if name == "__pycache__" {
        } else if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            let to = to.join(name);
            fs::copy(&path, &to).unwrap();
            // Part of what a page is known by.
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            fs::File::options().write(true).open(&to).unwrap().file().set_modified(modified).unwrap();
        }
    }
}
