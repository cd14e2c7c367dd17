//! A project in a folder of its own, and the binary run in it with a cleared environment.

#![allow(dead_code, clippy::allow_attributes, reason = "two test programs share this file and neither uses all of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fs_err as fs;
use serde_json::Value;
use soflow::audit::Reader;
use soflow::catalog::TableHistory;
use soflow::names::{PartitionValues, Uri};
use soflow::parity::{self, Side, TableDiff};
use soflow::plan::Version;
use soflow::store::{FileStore, Store as _};
use tempfile::TempDir;

/// Returns a side of a comparison that has these files of this machine.
pub fn side(name: &str, files: Vec<(PathBuf, PartitionValues)>) -> Side<'_> {
    let listed = |(path, values): (PathBuf, PartitionValues)| {
        let folder = block_on(FileStore.list(&Uri::from_path(path.parent().unwrap()))).unwrap();
        (folder.into_iter().find(|object| object.uri == Uri::from_path(&path)).unwrap(), values)
    };
    Side { name, reader: Reader::new(Arc::new(FileStore)), files: files.into_iter().map(listed).collect() }
}

/// Returns what a future comes to.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Long enough for the slowest machine; only a test that hangs gets there.
pub const DEADLINE: Duration = Duration::from_secs(300);
/// Between two looks at something that a test waits for: what it waits for needs the processor, too.
pub const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the folder of engine environments that all tests share.
pub fn engine_dir() -> PathBuf {
    std::env::var_os("SOFLOW_ENGINE_DIR").map_or_else(|| repository().join(".soflow/engine"), PathBuf::from)
}

/// Returns a folder of real pages, or `None` after saying why the test is skipped.
pub fn real_pages() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SOFLOW_REAL_DATA").filter(|folder| !folder.is_empty()) else {
        println!("skipped: the test on real pages: SOFLOW_REAL_DATA is not set");
        return None;
    };
    Some(repository().join(folder).join("stackoverflow-pages"))
}

/// A project with the shipped jobs and code.
pub struct Lab {
    home: TempDir,
    pub variables: BTreeMap<String, String>,
}

/// How a call of the binary went.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn said(&self) -> String {
        format!("exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.said());
        assert!(!self.stderr.contains("panicked at"), "{}", self.said());
        self
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert!(all.contains(text), "`{text}` is not said:\n{}", self.said());
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.said()))
    }
}

impl Lab {
    pub fn new() -> Self {
        Self::below("")
    }

    /// A project in a folder of that name.
    pub fn below(name: &str) -> Self {
        let lab = Self { home: tempfile::tempdir().unwrap(), variables: BTreeMap::new() };
        let root = lab.home.path().join("project").join(name);
        let mut lab = lab;
        lab.variables.insert("TEST_ROOT".into(), root.display().to_string());
        fs::create_dir_all(&root).unwrap();
        copy(&repository().join("jobs"), &root.join("jobs"));
        copy(&repository().join("pyspark"), &root.join("pyspark"));
        fs::create_dir_all(lab.home.path().join("tmp")).unwrap();
        lab
    }

    /// Returns a copy whose files have the same times: what is published here is up to date there.
    pub fn twin(&self) -> Self {
        let home = tempfile::tempdir().unwrap();
        copy(self.home.path(), home.path());
        let root = home.path().join(self.root().strip_prefix(self.home.path()).unwrap());
        let mut variables = self.variables.clone();
        variables.insert("TEST_ROOT".into(), root.display().to_string());
        Self { home, variables }
    }

    pub fn root(&self) -> PathBuf {
        PathBuf::from(&self.variables["TEST_ROOT"])
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn lake(&self) -> PathBuf {
        self.root().join(".soflow/lake")
    }

    pub fn curated(&self) -> PathBuf {
        self.lake().join("curated")
    }

    /// Where programs of this lab put their temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.home.path().join("tmp")
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soflow"));
        command.env_clear().current_dir(self.root()).stdin(Stdio::null());
        for name in ["PATH", "HOME", "PIP_INDEX_URL", "PIP_CACHE_DIR", "SSL_CERT_FILE", "PYENV_ROOT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("SOFLOW_ENGINE_DIR", engine_dir()).env("TMPDIR", self.temporary());
        command.envs(self.variables.iter().filter(|(name, _)| *name != "TEST_ROOT"));
        command.args(arguments);
        command
    }

    /// Takes uv off PATH.
    pub fn without_uv(&mut self) {
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::env::split_paths(&path).filter(|folder| !folder.join("uv").exists());
        let path = std::env::join_paths(folders).unwrap().into_string().unwrap();
        self.variables.insert("PATH".into(), path);
    }

    /// Puts a uv on PATH: that of this machine, or the one that engine environments were made with.
    pub fn with_uv(&mut self) {
        let path = std::env::var_os("PATH").unwrap();
        let mut found = std::env::split_paths(&path).map(|folder| folder.join("uv")).find(|uv| uv.exists());
        if found.is_none() {
            Self::new().run(&["engine", "install"]).expect(0);
            let kept = fs::read_dir(engine_dir()).unwrap().flatten();
            found = kept
                .map(|entry| entry.path())
                .find(|path| path.is_file() && path.display().to_string().contains("/uv-"));
        }
        let folder = self.home().join("programs");
        fs::create_dir_all(&folder).unwrap();
        if !folder.join("uv").exists() {
            std::os::unix::fs::symlink(std::path::absolute(found.unwrap()).unwrap(), folder.join("uv")).unwrap();
        }
        let folders = std::iter::once(folder).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(folders).unwrap().into_string().unwrap();
        self.variables.insert("PATH".into(), path);
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments))
    }

    /// Returns what is published, as the binary says it.
    #[track_caller]
    pub fn index(&self) -> BTreeMap<String, TableHistory> {
        let said = self.run(&["tables", "--output", "json"]);
        serde_json::from_value(said.expect(0).json()["tables"].clone()).unwrap()
    }

    /// Returns the current version of a table, read from the catalog's own files.
    #[track_caller]
    pub fn version(&self, table: &str) -> Version {
        let catalog = self.curated().join("_catalog");
        let index: Value = serde_json::from_slice(&fs::read(catalog.join("catalog.json")).unwrap()).unwrap();
        let run = index["tables"][table]["current"].as_str().unwrap();
        serde_json::from_slice(&fs::read(catalog.join(format!("versions/{table}/{run}.json"))).unwrap()).unwrap()
    }

    /// Returns the files of a table that readers see.
    pub fn files(&self, table: &str) -> Vec<(PathBuf, PartitionValues)> {
        let version = self.version(table);
        let mut files = Vec::new();
        for partition in &version.partitions {
            let folder = self.curated().join(partition.place(&version.partition_by));
            let mut found = Vec::new();
            walk(&folder, &mut found);
            found.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
            assert_eq!(found.len() as u64, partition.files, "{}", folder.display());
            files.extend(found.into_iter().map(|path| (path, partition.values.clone())));
        }
        files
    }

    /// Compares a table with that of another lab; columns that name runs and folders are left out.
    pub fn compare(&self, other: &Self, table: &str, key: &[&str]) -> TableDiff {
        let (left, right) = (self.files(table), other.files(table));
        let key: Vec<String> = key.iter().map(ToString::to_string).collect();
        let ignore = ["_run_id".to_string(), "raw_uri".to_string()];
        block_on(parity::compare(&side("here", left), &side("there", right), &key, &ignore, 0.0)).unwrap()
    }

    /// Waits until no process has this lab's folder in its command line.
    #[track_caller]
    pub fn no_process_is_left(&self, when: &str) {
        let began = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{when}: still running: {left:?}");
            std::thread::park_timeout(BETWEEN_LOOKS);
        }
    }

    fn processes(&self) -> Vec<String> {
        let home = self.home.path().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let about = entry.path();
            // One that ends while we look has no command line any more.
            let Ok(line) = fs::read(about.join("cmdline")) else { continue };
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let zombie = fs::read_to_string(about.join("stat")).is_ok_and(|stat| stat.contains(") Z "));
            if line.contains(&home) && !zombie {
                found.push(line);
            }
        }
        found
    }
}

pub fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Copies a folder, files with their times.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "__pycache__") {
                copy(&path, &target);
            }
        } else {
            fs::copy(&path, &target).unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            fs::OpenOptions::new().write(true).open(&target).unwrap().file().set_modified(modified).unwrap();
        }
    }
}

/// Adds all files below a folder. Files that vanish meanwhile are none.
pub fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
    found.sort();
}

/// Seconds since 1970 of a moment.
pub fn seconds(moment: &str) -> i64 {
    moment.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// Returns a question as the API sends it.
pub fn question(id: u64, asked: &str, tags: &[&str], score: i64) -> String {
    let (created, tags) = (seconds(asked), tags.join("\",\""));
    format!(
        "{{\"question_id\":{id},\"title\":\"Question {id}: why isn&#39;t this good?\",\"tags\":[\"{tags}\"],\"score\":{score},\
         \"answer_count\":1,\"view_count\":10,\"is_answered\":true,\"creation_date\":{created},\"last_activity_date\":{created},\
         \"owner\":{{\"user_id\":7,\"user_type\":\"registered\",\"display_name\":\"Ann\"}},\"body\":\"<p>This is a great, \
         useful thing.</p>\",\"link\":\"https://stackoverflow.com/q/{id}\",\"content_license\":\"CC BY-SA 4.0\"}}"
    )
}

/// Returns an answer as the API sends it.
pub fn answer(id: u64, question: u64, given: &str, score: i64) -> String {
    let created = seconds(given);
    format!(
        "{{\"answer_id\":{id},\"question_id\":{question},\"is_accepted\":false,\"score\":{score},\"creation_date\":{created},\
         \"last_activity_date\":{created},\"owner\":{{\"user_id\":8,\"user_type\":\"registered\",\"display_name\":\"Bob\"}},\
         \"body\":\"<p>Read the manual.</p>\",\"content_license\":\"CC BY-SA 4.0\"}}"
    )
}

/// Returns a comment as the API sends it.
pub fn comment(id: u64, post: u64, given: &str) -> String {
    let created = seconds(given);
    format!(
        "{{\"comment_id\":{id},\"post_id\":{post},\"post_type\":\"question\",\"score\":0,\"edited\":false,\
         \"creation_date\":{created},\"owner\":{{\"user_id\":9,\"user_type\":\"registered\",\"display_name\":\"Cem\"}},\
         \"body\":\"That is awful.\",\"content_license\":\"CC BY-SA 4.0\"}}"
    )
}

/// Returns a page of items.
pub fn page(items: &[String]) -> String {
    let mut text = String::new();
    let items = items.join(",");
    write!(text, "{{\"items\":[{items}],\"has_more\":false,\"quota_max\":10000,\"quota_remaining\":-1}}").unwrap();
    text
}
