//! A crash at every single write of a run, a rollback and a collection: readers see all of the old or all of the new,
//! and the same command completes what was cut short. No engine: a scripted target writes small Parquet files.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot look at its lake has failed, and tells what it tried"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use fs_err as fs;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use soflow::audit::parquet_file::ParquetFile;
use soflow::catalog::{Catalog, FileCatalog, Index};
use soflow::config::Lake;
use soflow::error::{Error, Kind, Result};
use soflow::event::{Event, Sink};
use soflow::ingest::pages;
use soflow::job::{self, Job};
use soflow::names::{PartitionValues, RunId, Uri, parse_partition_path, partition_path};
use soflow::plan::{self, Select, StepResult, Version};
use soflow::run::{self, Outcome, Services};
use soflow::store::{FileStore, Object, Store};
use soflow::target::{StepEnd, StepOrder, Target};
use tempfile::TempDir;
use tokio::sync::watch;

const JOB: &str = r#"
description: Questions, and what follows from them.
steps:
  questions: { script: steps/questions.py, reads: [raw.questions], writes: [questions, "quarantine/endpoint=questions/dt={date}"] }
  counts: { script: steps/counts.py, reads: [questions], writes: [counts] }
  scores: { script: steps/scores.py, reads: [questions], writes: [scores] }
  best: { script: steps/best.py, reads: [counts, scores], writes: [best] }
tables:
  questions: { key: [key], partition-by: [month], update: merge, checks: [{ rows-at-least: 1 }] }
  counts: { key: [key], partition-by: [year] }
  scores: { key: [key], partition-by: [month] }
  best: { key: [key] }
  quarantine: { partition-by: [endpoint, dt] }
"#;

const FIRST: Date = date(2026, 11, 21);
const SECOND: Date = date(2026, 11, 22);
const THIRD: Date = date(2026, 11, 23);

/// Id, month, score. A month `bad` goes to quarantine.
type Item = (i64, &'static str, i64);

/// The pages of each date.
const PAGES: [(Date, &[Item]); 3] = [
    (FIRST, &[(1, "2025-12", 4), (2, "2025-12", 1), (3, "2026-01", 7), (9, "bad", 0)]),
    (SECOND, &[(1, "2025-12", 5), (4, "2026-01", 2), (5, "2026-02", 8), (8, "bad", 0)]),
    (THIRD, &[(6, "2026-03", 3)]),
];

/// How the end comes at the fatal write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Death {
    /// Nothing of it is on disk.
    Before,
    /// Half of it is: an unfinished file, half a folder removed.
    Halfway,
    /// All of it is, and nobody was told.
    After,
}

const DEATHS: [Death; 3] = [Death::Before, Death::Halfway, Death::After];

/// The process of a run, which dies at its write number `at`; every call after that fails as well.
struct Process {
    at: u64,
    death: Death,
    writes: AtomicU64,
    dead: AtomicBool,
    last: Mutex<String>,
}

impl Process {
    fn dying(at: u64, death: Death) -> Arc<Self> {
        let (writes, dead) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { at, death, writes, dead, last: Mutex::default() })
    }

    fn healthy() -> Arc<Self> {
        Self::dying(u64::MAX, Death::Before)
    }

    fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Machine, "the process is dead"));
        }
        Ok(())
    }

    /// Counts a write; returns how to die with it, if this is the one.
    fn write(&self, what: &str) -> Result<Option<Death>> {
        self.alive()?;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number != self.at {
            return Ok(None);
        }
        self.dead.store(true, Ordering::SeqCst);
        *self.last.lock().unwrap() = what.to_string();
        Ok(Some(self.death))
    }
}

struct DyingStore(Arc<Process>);

#[async_trait]
impl Store for DyingStore {
    async fn list(&self, prefix: &Uri) -> Result<Vec<Object>> {
        self.0.alive()?;
        FileStore.list(prefix).await
    }

    async fn unfinished(&self, prefix: &Uri) -> Result<Vec<Object>> {
        self.0.alive()?;
        FileStore.unfinished(prefix).await
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        self.0.alive()?;
        FileStore.get(uri).await
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        match self.0.write(&format!("put {uri}"))? {
            None => return FileStore.put(uri, body).await,
            Some(Death::Before) => {}
            Some(Death::Halfway) => leave_half(uri, body),
            Some(Death::After) => FileStore.put(uri, body).await?,
        }
        self.0.alive()
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<bool> {
        match self.0.write(&format!("claim {uri}"))? {
            None => return FileStore.put_if_absent(uri, body).await,
            Some(Death::Before) => {}
            Some(Death::Halfway) => leave_half(uri, body),
            Some(Death::After) => _ = FileStore.put_if_absent(uri, body).await?,
        }
        self.0.alive().map(|()| true)
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        match self.0.write(&format!("remove {prefix}"))? {
            None => return FileStore.remove(prefix).await,
            Some(Death::Before) => {}
            Some(Death::Halfway) => {
                if let Some(first) = FileStore.list(prefix).await?.first() {
                    FileStore.remove(&first.uri).await?;
                }
            }
            Some(Death::After) => FileStore.remove(prefix).await?,
        }
        self.0.alive()
    }
}

/// What a write cut short leaves: a hidden file beside the place.
fn leave_half(uri: &Uri, body: &[u8]) {
    let folder = uri.to_path().unwrap().parent().unwrap().to_path_buf();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".soflow-unfinished-x"), &body[..body.len() / 2]).unwrap();
}

/// Steps in Rust that do what their tasks say, file by file.
struct Scripted {
    process: Arc<Process>,
    ran: Mutex<Vec<String>>,
}

#[async_trait]
impl Target for Scripted {
    fn engine(&self) -> String {
        "scripted@1".into()
    }

    fn slots(&self) -> usize {
        2
    }

    async fn prepare(&self, _: &mut dyn Sink) -> Result<()> {
        self.process.alive()
    }

    async fn run_step(&self, order: StepOrder, _: watch::Receiver<bool>) -> Result<StepEnd> {
        self.process.alive()?;
        self.ran.lock().unwrap().push(order.step.clone());
        tokio::task::yield_now().await;
        let task: Value = serde_json::from_slice(&fs::read(order.task.to_path().unwrap()).unwrap()).unwrap();
        let step = StepTask { process: &self.process, task: &task };
        match order.step.as_str() {
            "questions" => step.questions()?,
            "counts" => step.counts()?,
            "scores" => step.scores()?,
            _ => step.best()?,
        }
        Ok(StepEnd::Completed(BTreeMap::new()))
    }
}

/// A row of every table: two numbers and the partition's values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    values: PartitionValues,
    key: String,
    number: i64,
}

struct StepTask<'a> {
    process: &'a Process,
    task: &'a Value,
}

impl StepTask<'_> {
    fn questions(&self) -> Result<()> {
        let mut rows: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut bad = Vec::new();
        for object in self.task["inputs"]["raw.questions"]["objects"].as_array().unwrap() {
            let file = fs::read(path_of(&object["uri"])).unwrap();
            let mut body = String::new();
            flate2::read::GzDecoder::new(&file[..]).read_to_string(&mut body).unwrap();
            let page: Value = serde_json::from_str(&body).unwrap();
            for item in page["items"].as_array().unwrap() {
                let (id, month) = (item["question_id"].to_string(), item["month"].as_str().unwrap().to_string());
                match month.as_str() {
                    "bad" => bad.push(("reason".to_string(), item["question_id"].as_i64().unwrap())),
                    _ => _ = rows.insert((month, id), item["score"].as_i64().unwrap()),
                }
            }
        }
        let only = &self.task["outputs"]["quarantine"]["only"];
        self.write("quarantine", &serde_json::from_value(only.clone()).unwrap(), bad)?;
        let months: BTreeSet<String> = rows.keys().map(|(month, _)| month.clone()).collect();
        for old in read_published(&self.task["outputs"]["questions"]["current"]) {
            rows.entry((old.values["month"].clone(), old.key)).or_insert(old.number);
        }
        for month in months {
            let of_month = rows.iter().filter(|((m, _), _)| *m == month).map(|((_, id), score)| (id.clone(), *score));
            self.write("questions", &PartitionValues::from([("month".into(), month.clone())]), of_month.collect())?;
        }
        Ok(())
    }

    fn counts(&self) -> Result<()> {
        let (rows, changed) = self.input("questions", "month");
        let years: BTreeSet<String> = changed.iter().map(|month| month[..4].to_string()).collect();
        for year in years {
            let mut counts: BTreeMap<String, i64> = BTreeMap::new();
            for row in rows.iter().filter(|row| row.values["month"].starts_with(&year)) {
                *counts.entry(row.values["month"].clone()).or_default() += 1;
            }
            self.write("counts", &PartitionValues::from([("year".into(), year)]), counts.into_iter().collect())?;
        }
        Ok(())
    }

    fn scores(&self) -> Result<()> {
        let (rows, changed) = self.input("questions", "month");
        for month in changed {
            let of_month = rows.iter().filter(|row| row.values["month"] == month);
            let doubled = of_month.map(|row| (row.key.clone(), row.number * 2)).collect();
            self.write("scores", &PartitionValues::from([("month".into(), month)]), doubled)?;
        }
        Ok(())
    }

    fn best(&self) -> Result<()> {
        let (counts, _) = self.input("counts", "year");
        let (scores, _) = self.input("scores", "month");
        let best = |month: &str| scores.iter().filter(|row| row.values["month"] == month).map(|row| row.number).max();
        let rows = counts.iter().map(|row| (row.key.clone(), row.number * 100 + best(&row.key).unwrap()));
        self.write("best", &PartitionValues::new(), rows.collect())
    }

    /// Returns the rows of a table as this run leaves it, and the partitions to compute anew.
    fn input(&self, table: &str, column: &str) -> (Vec<Row>, BTreeSet<String>) {
        let input = &self.task["inputs"][table];
        let upstream = input["upstream"].as_str().map(|uri| read_folder(Path::new(&uri["file://".len()..]), column));
        let upstream = upstream.unwrap_or_default();
        let replaced: BTreeSet<&PartitionValues> = upstream.iter().map(|row| &row.values).collect();
        let mut rows = read_published(&input["published"]);
        rows.retain(|row| !replaced.contains(&row.values));
        let mut changed: BTreeSet<String> = replaced.iter().map(|values| values[column].clone()).collect();
        if self.task["scope"] == "all" {
            changed.extend(rows.iter().map(|row| row.values[column].clone()));
        }
        for group in input["published"].as_array().unwrap() {
            let listed = group["changed"].as_array().unwrap().iter();
            changed.extend(listed.map(|values| values[column].as_str().unwrap().to_string()));
        }
        rows.extend(upstream.iter().cloned());
        (rows, changed)
    }

    /// Writes a partition as one file a row.
    fn write(&self, table: &str, values: &PartitionValues, rows: Vec<(String, i64)>) -> Result<()> {
        let output = &self.task["outputs"][table];
        let columns: Vec<String> = serde_json::from_value(output["partition_by"].clone()).unwrap();
        let folder = path_of(&output["prefix"]).join(partition_path(&columns, values));
        for (number, (key, value)) in rows.into_iter().enumerate() {
            let path = folder.join(format!("part-{number}.parquet"));
            let death = self.process.write(&format!("step writes {}", path.display()))?;
            if death != Some(Death::Before) {
                fs::create_dir_all(&folder).unwrap();
                let body = parquet(key, value);
                let end = if death == Some(Death::Halfway) { body.len() / 2 } else { body.len() };
                fs::write(&path, &body[..end]).unwrap();
            }
            self.process.alive()?;
        }
        Ok(())
    }
}

fn path_of(uri: &Value) -> PathBuf {
    PathBuf::from(uri.as_str().unwrap().strip_prefix("file://").unwrap())
}

fn parquet(key: String, number: i64) -> Vec<u8> {
    let columns: [(&str, arrow::array::ArrayRef); 2] =
        [("key", Arc::new(StringArray::from(vec![key]))), ("number", Arc::new(Int64Array::from(vec![number])))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut body = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut body, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    body
}

fn read_file(path: &Path, values: &PartitionValues) -> Vec<Row> {
    let file = ParquetFile::open(path).unwrap();
    let mut rows = Vec::new();
    for batch in file.batches(&["key".into(), "number".into()], &PartitionValues::new()).unwrap() {
        let batch = batch.unwrap();
        let (keys, numbers) = (batch.column(0), batch.column(1).as_primitive::<Int64Type>().clone());
        let keys = arrow::compute::cast(keys, &arrow::datatypes::DataType::Utf8).unwrap();
        let keys = keys.as_string::<i32>();
        rows.extend((0..batch.num_rows()).map(|at| Row {
            values: values.clone(),
            key: keys.value(at).to_string(),
            number: numbers.value(at),
        }));
    }
    rows
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn read_published(groups: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in groups.as_array().unwrap() {
        for values in group["partitions"].as_array().unwrap() {
            let values: PartitionValues = serde_json::from_value(values.clone()).unwrap();
            let columns: Vec<String> = values.keys().cloned().collect();
            let folder = path_of(&group["prefix"]).join(partition_path(&columns, &values));
            rows.extend(files_in(&folder).iter().flat_map(|file| read_file(file, &values)));
        }
    }
    rows
}

/// Reads all partitions below a prefix that are spelled with one column.
fn read_folder(folder: &Path, column: &str) -> Vec<Row> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut rows = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let values = parse_partition_path(&[column.to_string()], &name).unwrap();
        rows.extend(files_in(&path).iter().flat_map(|file| read_file(file, &values)));
    }
    rows
}

/// A lake with pages of all dates, in a folder of its own.
struct Lab {
    home: TempDir,
    lake: Lake,
}

type Tables = BTreeMap<String, Vec<Row>>;

/// Returns a folder in memory where there is one: hundreds of runs wait for a disk at every write otherwise.
fn temporary() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Lab {
    fn lake_in(home: &Path) -> Lake {
        let at = |name: &str| Uri::from_path(&home.join("lake").join(name));
        Lake { raw: at("raw"), curated: at("curated"), artifacts: at("artifacts"), logs: at("logs") }
    }

    async fn new() -> Self {
        let home = temporary();
        let lake = Self::lake_in(home.path());
        for (date, items) in PAGES {
            let folder = home.path().join(format!("pages/{date}/questions"));
            fs::create_dir_all(&folder).unwrap();
            for (number, chunk) in items.chunks(2).enumerate() {
                let item = |(id, month, score): &Item| {
                    format!("{{\"question_id\":{id},\"month\":\"{month}\",\"score\":{score}}}")
                };
                let items: Vec<String> = chunk.iter().map(item).collect();
                fs::write(folder.join(format!("{number}.json")), format!("{{\"items\":[{}]}}", items.join(",")))
                    .unwrap();
            }
            let request = pages::Request {
                folder,
                raw: lake.raw.clone(),
                site: "stackoverflow".into(),
                date,
                endpoint: None,
                now: Timestamp::now(),
            };
            pages::ingest(&FileStore, &request, &mut Vec::<Event>::new()).await.unwrap();
        }
        Self { home, lake }
    }

    /// Returns a copy, files with their times: what was published there stays published.
    fn copy(&self) -> Self {
        let home = temporary();
        copy_folder(&self.home.path().join("lake"), &home.path().join("lake"));
        let lake = Self::lake_in(home.path());
        Self { home, lake }
    }

    fn catalog(&self, process: &Arc<Process>) -> FileCatalog {
        FileCatalog::new(Arc::new(DyingStore(process.clone())), &self.lake.curated)
    }

    /// Does what `submit` does; returns the steps that ran, and how it ended: `None` when there was nothing to do.
    async fn submit(&self, date: Date, process: &Arc<Process>) -> (Vec<String>, Result<Option<Outcome>>) {
        let target = Arc::new(Scripted { process: process.clone(), ran: Mutex::default() });
        let (_keep, stop) = watch::channel(false);
        let services = Services {
            store: Arc::new(DyingStore(process.clone())),
            catalog: Arc::new(self.catalog(process)),
            target: target.clone(),
            target_name: "local".into(),
            now: Timestamp::now,
            stop,
        };
        let job = job_of(date);
        let ended = self.drive(&job, date, &services).await;
        let ran = target.ran.lock().unwrap().clone();
        (ran, ended)
    }

    async fn drive(&self, job: &Job, date: Date, services: &Services) -> Result<Option<Outcome>> {
        let request = run::Request {
            job,
            date,
            lake: &self.lake,
            code: self.home.path(),
            engine: services.target.engine(),
            select: Select::default(),
        };
        let gathered = run::gather(request, services.store.as_ref(), services.catalog.as_ref()).await?;
        let plan = plan::plan(&gathered.facts)?;
        if plan.nothing_to_do() {
            return Ok(None);
        }
        run::drive(&gathered, &plan, Vec::new(), services, &mut Vec::<Event>::new()).await.map(Some)
    }

    async fn submit_well(&self, date: Date) -> Vec<String> {
        let (ran, ended) = self.submit(date, &Process::healthy()).await;
        ended.unwrap_or_else(|error| panic!("{date}: {} {:?} {:?}", error.message, error.detail, error.causes()));
        ran
    }

    async fn index(&self) -> Index {
        self.catalog(&Process::healthy()).index().await.unwrap()
    }

    /// Returns the rows readers see, after making sure that every version the catalog names is complete.
    async fn tables(&self, when: &str) -> Tables {
        let catalog = self.catalog(&Process::healthy());
        let mut tables = Tables::new();
        for (table, entry) in &catalog.index().await.unwrap().tables {
            assert!(
                entry.history.iter().any(|known| known.run == entry.current),
                "{when}: {table}: no current version"
            );
            for known in &entry.history {
                let version = catalog.version(table, &known.run).await.unwrap();
                let version = version.unwrap_or_else(|| panic!("{when}: {table}: no file about {}", known.run));
                let rows = self.rows(&version, when);
                assert_eq!((known.rows, version.rows()), (rows.len() as u64, rows.len() as u64), "{when}: {table}");
                if known.run == entry.current {
                    tables.insert(table.clone(), rows);
                }
            }
        }
        tables
    }

    fn rows(&self, version: &Version, when: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for partition in &version.partitions {
            let path = partition_path(&version.partition_by, &partition.values);
            let folder = self.lake.curated.join(&partition.prefix).to_path().unwrap().join(path);
            let files = files_in(&folder);
            assert_eq!(files.len() as u64, partition.files, "{when}: files in {}", folder.display());
            let found: Vec<Row> = files.iter().flat_map(|file| read_file(file, &partition.values)).collect();
            assert_eq!(found.len() as u64, partition.rows, "{when}: rows in {}", folder.display());
            rows.extend(found);
        }
        rows.sort();
        rows
    }

    /// Returns the steps whose results wait to be published.
    async fn kept_results(&self) -> BTreeSet<String> {
        let mut steps = BTreeSet::new();
        for object in FileStore.list(&self.lake.artifacts.join("results")).await.unwrap() {
            let body = fs::read(object.uri.to_path().unwrap()).unwrap();
            let (_, result): (Value, StepResult) = serde_json::from_slice(&body).unwrap();
            steps.insert(result.step);
        }
        steps
    }

    /// Returns all files of the lake, hidden ones too, but the records of runs and the lock.
    fn files(&self) -> BTreeSet<String> {
        let mut files = Vec::new();
        all_files(&self.home.path().join("lake"), &mut files);
        let names = files.iter().map(|path| path.strip_prefix(self.home.path()).unwrap().display().to_string());
        names.filter(|name| !name.starts_with("lake/artifacts/runs") && !name.ends_with("/lock")).collect()
    }
}

fn job_of(date: Date) -> Job {
    let exists = |_: &Path| true;
    let options = job::Options { date, parameters: &[], script_exists: &exists, scripts: &[] };
    job::parse("mini", Path::new("jobs/mini.yaml"), JOB, &options)
        .unwrap_or_else(|error| panic!("{}\n{}", error.message, error.detail.clone().unwrap_or_default()))
}

fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            fs::OpenOptions::new().write(true).open(&target).unwrap().file().set_modified(modified).unwrap();
        }
    }
}

/// Which of these a crash left, and that it is not a mix of tables from two runs.
async fn one_of<'a>(lab: &Lab, before: &'a Tables, after: &'a Tables, when: &str) -> &'a str {
    let seen = lab.tables(when).await;
    if seen == *before {
        return "old";
    }
    assert_eq!(seen, *after, "{when}: neither the tables before the run nor those after it");
    "new"
}

/// Crashes the run of `date` at every write, on top of `start`, and completes it each time.
async fn crash_everywhere(start: &Lab, date: Date) {
    let before = start.tables("before").await;
    let undisturbed = start.copy();
    let process = Process::healthy();
    let (ran, ended) = undisturbed.submit(date, &process).await;
    assert_eq!(ran.len(), 4, "all steps have something to do");
    ended.unwrap();
    let after = undisturbed.tables("undisturbed").await;
    assert_ne!(before, after);
    let writes = process.writes.load(Ordering::SeqCst);
    assert!(writes > 25, "only {writes} writes: the steps do too little");

    let (mut old, mut new, mut reused) = (0, 0, 0);
    for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
        let lab = start.copy();
        let process = Process::dying(at, death);
        let (_, ended) = lab.submit(date, &process).await;
        if !process.dead.load(Ordering::SeqCst) {
            ended.unwrap();
            assert!(at > writes - 3, "only {at} of {writes} writes were reached");
            break;
        }
        let when = format!("death {death:?} write {at}, {}", process.last.lock().unwrap());
        assert!(ended.is_err(), "{when}: the run does not know that it is dead");
        let seen = one_of(&lab, &before, &after, &when).await;
        let index = lab.index().await;
        let mine: BTreeSet<&RunId> =
            index.tables.values().map(|entry| &entry.current).filter(|run| run.date == date).collect();
        assert!(mine.len() <= 1, "{when}: tables of several runs");

        let kept = lab.kept_results().await;
        let again = lab.submit_well(date).await;
        if seen == "new" {
            new += 1;
            assert!(again.is_empty(), "{when}: everything was published, and {again:?} ran again");
        } else {
            old += 1;
            reused += kept.len();
            let twice: Vec<&String> = again.iter().filter(|step| kept.contains(*step)).collect();
            assert!(twice.is_empty(), "{when}: {twice:?} ran again although their results were kept");
            assert_eq!(again.len() + kept.len(), 4, "{when}: {again:?} ran, {kept:?} were kept");
        }
        assert_eq!(lab.tables(&when).await, after, "{when}: after the second try");
        assert!(lab.submit_well(date).await.is_empty(), "{when}: a third submit has nothing to do");
    }
    assert!(
        old > 20 && new > 2 && reused > 20,
        "{old} old, {new} new, {reused} results kept: the crashes missed the point"
    );
    println!("{date}: {writes} writes; {old} crashes left the old tables, {new} the new ones");
}

#[tokio::test]
async fn a_first_run_survives_a_crash_at_every_write() {
    let start = Lab::new().await;
    crash_everywhere(&start, FIRST).await;
}

#[tokio::test]
async fn a_run_on_top_of_another_survives_a_crash_at_every_write() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let questions = &start.tables("first").await["questions"];
    let numbers: Vec<(&str, i64)> = questions.iter().map(|row| (row.key.as_str(), row.number)).collect();
    assert_eq!(numbers, [("1", 4), ("2", 1), ("3", 7)]);
    crash_everywhere(&start, SECOND).await;
    start.submit_well(SECOND).await;
    let tables = start.tables("second").await;
    let numbers = |table: &str| tables[table].iter().map(|row| (row.key.as_str(), row.number)).collect::<Vec<_>>();
    assert_eq!(numbers("questions"), [("1", 5), ("2", 1), ("3", 7), ("4", 2), ("5", 8)]);
    assert_eq!(numbers("counts"), [("2025-12", 2), ("2026-01", 2), ("2026-02", 1)]);
    assert_eq!(numbers("best"), [("2025-12", 210), ("2026-01", 214), ("2026-02", 116)]);
    assert_eq!(numbers("quarantine"), [("reason", 9), ("reason", 8)]);
}

#[tokio::test]
async fn a_crash_of_the_second_try_is_survived_too() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let before = start.tables("before").await;
    let undisturbed = start.copy();
    undisturbed.submit_well(SECOND).await;
    let after = undisturbed.tables("undisturbed").await;
    for first in [14, 26] {
        for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
            let lab = start.copy();
            let (process, second) = (Process::dying(first, Death::Halfway), Process::dying(at, death));
            lab.submit(SECOND, &process).await.1.map(drop).unwrap_err();
            lab.submit(SECOND, &second).await.1.ok();
            if !second.dead.load(Ordering::SeqCst) {
                break;
            }
            let when = format!("death at {first}, then {death:?} write {at}, {}", second.last.lock().unwrap());
            one_of(&lab, &before, &after, &when).await;
            lab.submit_well(SECOND).await;
            assert_eq!(lab.tables(&when).await, after, "{when}");
        }
    }
}

#[tokio::test]
async fn a_rollback_happens_or_does_not() {
    let start = Lab::new().await;
    start.submit_well(FIRST).await;
    let first = start.tables("first").await;
    start.submit_well(SECOND).await;
    let second = start.tables("second").await;
    let to: BTreeMap<String, RunId> =
        start.index().await.tables.iter().map(|(table, entry)| (table.clone(), entry.history[0].run.clone())).collect();
    for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
        let lab = start.copy();
        let process = Process::dying(at, death);
        let catalog = lab.catalog(&process);
        let ended = catalog.point(&catalog.index().await.unwrap(), &to).await;
        if !process.dead.load(Ordering::SeqCst) {
            ended.unwrap();
            assert_eq!(lab.tables("rolled back").await, first);
            assert!(at > 1, "a rollback writes something");
            break;
        }
        let when = format!("death {death:?} write {at} of the rollback");
        let seen = one_of(&lab, &second, &first, &when).await;
        assert_eq!(seen == "new", death == Death::After, "{when}");
        let good = lab.catalog(&Process::healthy());
        good.point(&good.index().await.unwrap(), &to).await.unwrap();
        assert_eq!(lab.tables(&when).await, first, "{when}");
    }
}

#[tokio::test]
async fn a_collection_that_is_cut_short_removes_nothing_that_is_needed() {
    let start = Lab::new().await;
    for date in [FIRST, SECOND, THIRD] {
        // A crash before each run: half-written prefixes, results nobody took, unfinished files.
        let lost = Process::dying(12, Death::Halfway);
        start.submit(date, &lost).await.1.map(drop).unwrap_err();
        start.submit_well(date).await;
    }
    let abandoned = start.copy();
    let late = Timestamp::now() + SignedDuration::from_hours(24 * 30);
    let keep = SignedDuration::from_hours(24 * 7);
    let collect = async |lab: &Lab, process: &Arc<Process>| -> Result<usize> {
        let (store, catalog) = (DyingStore(process.clone()), lab.catalog(process));
        let (index, garbage) = run::find_garbage(&lab.lake, &store, &catalog, late, keep).await?;
        run::collect(&index, &garbage, &store, &catalog).await?;
        Ok(garbage.versions.len() + garbage.files.len() + garbage.leftovers.len())
    };
    let seen = start.tables("before").await;
    let process = Process::healthy();
    let removed = collect(&abandoned, &process).await.unwrap();
    let clean = abandoned.files();
    assert!(removed > 10, "only {removed} things to collect");
    assert_eq!(abandoned.tables("collected").await, seen);
    assert!(clean.iter().all(|name| !name.contains("unfinished") && !name.contains("results/")), "{clean:?}");
    let mut crashes = 0;
    for (at, death) in (1..).flat_map(|at| DEATHS.map(|death| (at, death))) {
        let lab = start.copy();
        let process = Process::dying(at, death);
        let ended = collect(&lab, &process).await;
        if !process.dead.load(Ordering::SeqCst) {
            ended.unwrap();
            break;
        }
        crashes += 1;
        let when = format!("death {death:?} write {at} of the collection, {}", process.last.lock().unwrap());
        assert_eq!(lab.tables(&when).await, seen, "{when}");
        collect(&lab, &Process::healthy()).await.unwrap();
        assert_eq!(lab.tables(&when).await, seen, "{when}: collected again");
        assert_eq!(lab.files(), clean, "{when}: collected again");
    }
    assert!(crashes > 20, "only {crashes} crashes");
    println!("collection: {crashes} crashes");
}
