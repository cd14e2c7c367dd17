//! A lake to crash: its pages, its job, what readers see of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde_json::Value;
use soflow::catalog::{Catalog, Index};
use soflow::config::Lake;
use soflow::error::Result;
use soflow::event::Event;
use soflow::ingest::pages;
use soflow::job::{self, Job};
use soflow::names::{RunId, Uri};
use soflow::plan::{Partition, Plan, Select, StepResult, Version};
use soflow::run::{self, Code, Driven, Gathered, Outcome, Services};
use soflow::store::{FileStore, Store};
use soflow::targets::Stop;
use tempfile::TempDir;
use tokio::sync::watch;

use super::process::{DyingStore, Process};
use super::steps::{Row, Scripted, files_in, read_file};

pub const JOB: &str = r#"
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

pub const FIRST: Date = date(2026, 11, 21);
pub const SECOND: Date = date(2026, 11, 22);
pub const THIRD: Date = date(2026, 11, 23);

/// Id, month, score. A month `bad` goes to quarantine.
pub type Item = (i64, &'static str, i64);

/// The pages of each date.
pub const PAGES: [(Date, &[Item]); 3] = [
    (FIRST, &[(1, "2025-12", 4), (2, "2025-12", 1), (3, "2026-01", 7), (9, "bad", 0)]),
    (SECOND, &[(1, "2025-12", 5), (4, "2026-01", 2), (5, "2026-02", 8), (8, "bad", 0)]),
    (THIRD, &[(6, "2026-03", 3)]),
];

/// A lake with pages of all dates, in a folder of its own.
pub struct Lab {
    pub home: TempDir,
    pub lake: Lake,
}

pub type Tables = BTreeMap<String, Vec<Row>>;

/// Returns a folder in memory where there is one: hundreds of runs wait for a disk at every write otherwise.
pub fn temporary() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Lab {
    pub fn lake_in(home: &Path) -> Lake {
        let at = |name: &str| Uri::from_path(&home.join("lake").join(name));
        Lake { raw: at("raw"), curated: at("curated"), artifacts: at("artifacts"), logs: at("logs") }
    }

    pub async fn new() -> Self {
        let home = temporary();
        let lake = Self::lake_in(home.path());
        for (date, items) in PAGES {
            let folder = home.path().join(format!("pages/{date}/questions"));
            fs::create_dir_all(&folder).unwrap();
            for (number, chunk) in items.chunks(2).enumerate() {
                fs::write(folder.join(format!("{number}.json")), body(chunk)).unwrap();
            }
            let request = pages::PagesRequest {
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

    /// Returns the same lake, as another process has it.
    pub fn same(&self) -> Self {
        // Its folder is removed with the first one, and must not be before.
        Self { home: temporary(), lake: self.lake.clone() }
    }

    /// Returns a copy, files with their times: what was published there stays published.
    pub fn copy(&self) -> Self {
        let home = temporary();
        copy_folder(&self.home.path().join("lake"), &home.path().join("lake"));
        let lake = Self::lake_in(home.path());
        Self { home, lake }
    }

    /// Replaces a page of the first way pages of a date came in, as someone does who mends raw by hand.
    pub fn replace_page(&self, date: Date, page: &str, items: &[Item]) {
        let mut files = Vec::new();
        all_files(&self.home.path().join("lake/raw"), &mut files);
        let wanted = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            path.contains(&format!("/dt={date}/")) && path.ends_with(&format!("/{page}.json.gz"))
        };
        let path = files.iter().find(wanted).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(body(items).as_bytes()).unwrap();
        fs::write(path, packed.finish().unwrap()).unwrap();
    }

    pub fn catalog(&self, process: &Arc<Process>) -> Catalog {
        Catalog::new(Arc::new(DyingStore(process.clone())), &self.lake.curated, None)
    }

    /// Does what `submit` does; returns the steps that ran, and how it ended: `None` when there was nothing to do.
    pub async fn submit(&self, date: Date, process: &Arc<Process>) -> (Vec<String>, Result<Option<Outcome>>) {
        let target = Arc::new(Scripted { process: process.clone(), ran: Arc::default() });
        let (_keep, stop) = watch::channel(Stop::Go);
        let services = Services {
            store: Arc::new(DyingStore(process.clone())),
            catalog: Arc::new(self.catalog(process)),
            target: target.clone(),
            target_name: "local".into(),
            owner: None,
            stop,
            part: None,
        };
        let job = job_of(date);
        let ended = self.drive(&job, date, &services).await;
        let ran = target.ran.lock().unwrap().clone();
        (ran, ended)
    }

    /// Returns the plan of a date, which goes on after these runs, and what it was made from.
    pub async fn planned<'a>(
        &'a self,
        job: &'a Job,
        date: Date,
        services: &Services,
        after: Vec<RunId>,
    ) -> Result<(Gathered<'a>, Plan)> {
        let steps = run::code_digests(self.home.path(), job)?;
        let code = Code { steps, engine: services.target.engine(), shipped: None };
        let select = Select { after, ..Select::default() };
        let request = run::PlanRequest { job, date, lake: &self.lake, code, select };
        let mut gathered = run::gather(request, services.store.as_ref(), services.catalog.as_ref()).await?;
        let plan = run::plan(&mut gathered, services.store.as_ref()).await?;
        Ok((gathered, plan))
    }

    pub async fn drive(&self, job: &Job, date: Date, services: &Services) -> Result<Option<Outcome>> {
        let (gathered, plan) = self.planned(job, date, services, Vec::new()).await?;
        if plan.nothing_to_do() {
            return Ok(None);
        }
        match run::drive(&gathered, &plan, Vec::new(), services, &mut Vec::<Event>::new()).await? {
            Driven::Done(outcome) => Ok(Some(*outcome)),
            Driven::GoesOn(record) | Driven::Left(record) => panic!("someone else runs {}", record.run),
            Driven::Behind(record) => panic!("{} was published over", record.run),
        }
    }

    pub async fn submit_well(&self, date: Date) -> Vec<String> {
        let (ran, ended) = self.submit(date, &Process::healthy()).await;
        ended.unwrap_or_else(|error| panic!("{date}: {} {:?} {:?}", error.message, error.detail, error.causes()));
        ran
    }

    pub async fn index(&self) -> Index {
        self.catalog(&Process::healthy()).index().await.unwrap()
    }

    /// Returns the rows readers see, after making sure that every version the catalog names is complete.
    pub async fn tables(&self, when: &str) -> Tables {
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

    /// Asserts that each table's Delta log has the live files and no other, once all is shown that is published.
    pub async fn logs_must_be_right(&self, when: &str) {
        let catalog = self.catalog(&Process::healthy());
        catalog.settle().await.unwrap();
        for (table, entry) in &catalog.index().await.unwrap().tables {
            let version = catalog.version(table, &entry.current).await.unwrap().unwrap();
            let root = self.lake.curated.join(table).to_path().unwrap();
            let place =
                |part: &Partition| self.lake.curated.join(&part.place(&version.partition_by)).to_path().unwrap();
            let live: BTreeSet<PathBuf> =
                version.partitions.iter().flat_map(|partition| files_in(&place(partition))).collect();
            let mut commits: Vec<PathBuf> = fs::read_dir(root.join("_delta_log"))
                .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
                .unwrap_or_default();
            commits.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
            commits.sort();
            assert_eq!(commits.is_empty(), version.schema.is_empty(), "{when}: {table}");
            let mut told = BTreeSet::new();
            for line in commits
                .iter()
                .flat_map(|file| fs::read_to_string(file).unwrap().lines().map(String::from).collect::<Vec<_>>())
            {
                let action: Value = serde_json::from_str(&line).unwrap();
                if let Some(path) = action["add"]["path"].as_str() {
                    assert!(told.insert(root.join(path)), "{when}: {table}: {path} is added twice");
                }
                if let Some(path) = action["remove"]["path"].as_str() {
                    assert!(told.remove(&root.join(path)), "{when}: {table}: {path} is removed, and was not there");
                }
            }
            assert_eq!(told, live, "{when}: {table}");
        }
    }

    pub fn rows(&self, version: &Version, when: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for partition in &version.partitions {
            let folder = self.lake.curated.join(&partition.place(&version.partition_by)).to_path().unwrap();
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
    pub async fn kept_results(&self) -> BTreeSet<String> {
        let mut steps = BTreeSet::new();
        for object in FileStore.list(&self.lake.artifacts.join("results")).await.unwrap() {
            let body = fs::read(object.uri.to_path().unwrap()).unwrap();
            let (_, result): (Value, StepResult) = serde_json::from_slice(&body).unwrap();
            steps.insert(result.step);
        }
        steps
    }

    /// Returns all files of the lake, hidden ones too, but the records of runs and the lock.
    pub fn files(&self) -> BTreeSet<String> {
        let mut files = Vec::new();
        all_files(&self.home.path().join("lake"), &mut files);
        let names = files.iter().map(|path| path.strip_prefix(self.home.path()).unwrap().display().to_string());
        names.filter(|name| !name.starts_with("lake/artifacts/runs") && !name.ends_with("/lock")).collect()
    }
}

/// Returns a page with these items.
fn body(items: &[Item]) -> String {
    let item = |(id, month, score): &Item| format!("{{\"question_id\":{id},\"month\":\"{month}\",\"score\":{score}}}");
    format!("{{\"items\":[{}]}}", items.iter().map(item).collect::<Vec<_>>().join(","))
}

pub fn job_of(date: Date) -> Job {
    let options = job::Options { date, parameters: &[], file: &|_| job::CodeFile::Good, files: &[] };
    job::read("mini", Path::new("jobs/mini.yaml"), JOB, &options)
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

pub fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

pub fn copy_folder(from: &Path, to: &Path) {
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
