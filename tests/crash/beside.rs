//! Garbage collection beside ingestion, runs, rollbacks and crashes, on a local lake and on one in S3: nothing that is
//! referred to is ever missing. Everybody takes turns at the store, one call at a time, in an order drawn from a seed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fs_err as fs;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use soflow::catalog::Catalog;
use soflow::config::Lake;
use soflow::error::{Error, Kind, Result};
use soflow::event::{Event, RunState};
use soflow::ingest::{pages, raw};
use soflow::job::Job;
use soflow::names::{RunId, Uri, partition_path};
use soflow::plan::{Select, StepResult};
use soflow::run::{self, Code, Collection, Driven, How, LakeLock, Services};
use soflow::store::{Owner, Store};
use soflow::targets::Stop;
use tempfile::TempDir;
use tokio::sync::watch;

use super::lab::{FIRST, SECOND, THIRD, temporary};
use super::process::{Death, Process};
use super::steps::{BUCKET, Scripted, files_in, path_of};
use super::turns::{Dice, InTurns, in_turns, like, turn};

/// Smaller than that of the other tests: what is tried here is the order of things.
const JOB: &str = r#"
steps:
  questions: { script: steps/questions.py, reads: [raw.questions], writes: [questions, "quarantine/endpoint=questions/dt={date}"] }
  counts: { script: steps/counts.py, reads: [questions], writes: [counts] }
tables:
  questions: { key: [key], partition-by: [month], update: merge }
  counts: { key: [key], partition-by: [year] }
  quarantine: { partition-by: [endpoint, dt] }
"#;

/// Collections of one lake; then there is a new one, with another seed.
const EACH: u32 = 25;

/// Collections in all, on each kind of lake.
const ALL: u32 = 125;

/// A lake that everybody works on.
struct World {
    home: TempDir,
    lake: Lake,
    dice: Dice,
    processes: AtomicU64,
    collections: Cell<u32>,
    did: RefCell<BTreeMap<&'static str, u32>>,
}

impl World {
    fn new(shared: bool, seed: u64) -> Self {
        let home = temporary();
        let at = |name: &str| {
            let local = Uri::from_path(&home.path().join("lake").join(name));
            if shared { like(&Uri::in_bucket("lab", ""), &local) } else { local }
        };
        assert!(!shared || at("raw").as_str().starts_with(BUCKET));
        let lake = Lake { raw: at("raw"), curated: at("curated"), artifacts: at("artifacts"), logs: at("logs") };
        let (processes, collections, did) = (AtomicU64::new(0), Cell::new(0), RefCell::default());
        Self { home, lake, dice: Dice::new(seed), processes, collections, did }
    }

    fn is_over(&self) -> bool {
        self.collections.get() >= EACH
    }

    fn count(&self, what: &'static str) {
        *self.did.borrow_mut().entry(what).or_default() += 1;
    }

    fn date(&self) -> Date {
        [FIRST, SECOND, THIRD][self.dice.below(3)]
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(InTurns(Process::healthy()))
    }

    fn catalog(&self, store: &Arc<dyn Store>) -> Arc<Catalog> {
        Arc::new(Catalog::new(store.clone(), &self.lake.curated, None))
    }

    /// Waits until nobody holds the lake's lock, if it has one.
    async fn free(&self) {
        while self.lake.artifacts.to_path().is_some() && LakeLock::is_held(&self.lake.artifacts).unwrap() {
            turn().await;
        }
    }

    /// Takes the lake's lock, if it has one.
    async fn lock(&self, what: &str) -> Option<LakeLock> {
        self.free().await;
        LakeLock::guard(&self.lake.artifacts, what, Timestamp::now()).unwrap()
    }

    /// New pages, and now and then the same again.
    async fn ingest(&self, number: usize) {
        let _lock = self.lock("ingest pages").await;
        let (date, id) = (self.date(), self.dice.below(12));
        let folder = self.home.path().join(format!("pages-{number}/questions"));
        fs::create_dir_all(&folder).unwrap();
        let month = ["2025-12", "2026-01", "2026-02", "bad"][id % 4];
        let score = self.dice.below(3);
        let page = format!("{{\"items\":[{{\"question_id\":{id},\"month\":\"{month}\",\"score\":{score}}}]}}");
        fs::write(folder.join("1.json"), page).unwrap();
        let (raw, site) = (self.lake.raw.clone(), "stackoverflow".to_string());
        let request = pages::PagesRequest { folder, raw, site, date, endpoint: None, now: Timestamp::now() };
        pages::ingest(self.store().as_ref(), &request, &mut Vec::<Event>::new()).await.unwrap();
        self.count("ingested");
    }

    fn services(&self, process: &Arc<Process>) -> Services {
        let store: Arc<dyn Store> = Arc::new(InTurns(process.clone()));
        let number = self.processes.fetch_add(1, Ordering::SeqCst);
        // Each on a machine of its own: that one is gone is not seen from the others.
        let (who, host) = (format!("someone {number}"), format!("host {number}"));
        let owner = Owner { who, host, process: 1, started: None, space: None };
        Services {
            catalog: self.catalog(&store),
            store,
            target: Arc::new(Scripted { process: process.clone(), ran: Arc::default() }),
            target_name: "lab".into(),
            owner: self.lake.artifacts.to_path().is_none().then_some(owner),
            // Nobody is there to say stop.
            stop: watch::channel(Stop::Go).1,
            part: None,
        }
    }

    /// Does what `submit` does, and dies of it now and then.
    async fn submit(&self) {
        let process = match self.dice.below(4) {
            0 => Process::dying(1 + self.dice.below(40) as u64, Death::After),
            _ => Process::healthy(),
        };
        let services = self.services(&process);
        let (date, force) = (self.date(), self.dice.below(3) == 0);
        let job = job(date);
        let mut select = Select { force, ..Select::default() };
        loop {
            match self.drive(&job, date, select.clone(), &services).await {
                Ok(Some(Driven::GoesOn(record))) if self.dice.below(2) == 0 => {
                    self.attach(&process, &services, &record.run).await;
                }
                Ok(Some(Driven::GoesOn(_) | Driven::Left(_)) | None) => {}
                Ok(Some(Driven::Done(_))) => self.count("published"),
                Ok(Some(Driven::Behind(record))) => {
                    self.count("published over");
                    select.after.push(record.run);
                    continue;
                }
                Err(_) if process.dead.load(Ordering::SeqCst) => self.count("died"),
                Err(error) => self.allow(&error, "held up"),
            }
            return;
        }
    }

    async fn drive(&self, job: &Job, date: Date, select: Select, services: &Services) -> Result<Option<Driven>> {
        let (store, catalog) = (services.store.as_ref(), services.catalog.as_ref());
        let steps = run::code_digests(self.home.path(), job)?;
        let code = Code { steps, engine: services.target.engine(), shipped: None };
        let request = run::PlanRequest { job, date, lake: &self.lake, code, select };
        let mut gathered = run::gather(request, store, catalog).await?;
        let plan = run::plan(&mut gathered, store).await?;
        if plan.nothing_to_do() {
            return Ok(None);
        }
        // What happens to what it was planned from, while it waits?
        self.free().await;
        run::drive(&gathered, &plan, Vec::new(), services, &mut Vec::<Event>::new()).await.map(Some)
    }

    /// Goes on with a run, whose driver may be dead or not.
    async fn attach(&self, process: &Process, services: &Services, run: &RunId) {
        let me = services.owner.as_ref().unwrap();
        let how = How { me, every: Duration::from_secs(1), force: true };
        match run::attach(services, &self.lake, run, how, &mut Vec::<Event>::new()).await {
            Ok(_) => self.count("attached"),
            Err(_) if process.dead.load(Ordering::SeqCst) => self.count("died"),
            Err(error) => self.allow(&error, "held up"),
        }
    }

    /// What may happen to people: others were faster, or took over.
    fn allow(&self, error: &Error, what: &'static str) {
        let allowed = [Kind::Held, Kind::Detached, Kind::Interrupted];
        assert!(allowed.contains(&error.kind), "{error} {:?} {:?}", error.causes(), error.detail);
        self.count(what);
    }

    async fn roll_back(&self) {
        let _lock = self.lock("rollback").await;
        let catalog = self.catalog(&self.store());
        let index = catalog.index().await.unwrap();
        let Some((table, entry)) = index.tables.iter().nth(self.dice.below(3)) else { return };
        let to = entry.history[self.dice.below(entry.history.len())].run.clone();
        match catalog.point(&index, &BTreeMap::from([(table.clone(), to)])).await {
            Ok(_) => self.count("rolled back"),
            // A collection has taken that version away meanwhile.
            Err(error) if error.kind == Kind::Usage => self.count("held up"),
            Err(error) => self.allow(&error, "held up"),
        }
    }

    async fn collect(&self) {
        let _lock = self.lock("gc").await;
        let store = self.store();
        let catalog = self.catalog(&store);
        let keep = SignedDuration::from_hours([0, 0, 0, 1][self.dice.below(4)]);
        let dry_run = self.dice.below(5) == 0;
        let (store, catalog, now) = (store.as_ref(), catalog.as_ref(), store.now());
        let collected = Collection { lake: &self.lake, store, catalog, now, keep, dry_run }.collect().await;
        match collected {
            Ok(garbage) => {
                assert_eq!(garbage.unknown, []);
                if !garbage.files.is_empty() {
                    self.count("collected files");
                }
                if !garbage.versions.is_empty() {
                    self.count("collected versions");
                }
            }
            Err(error) => self.allow(&error, "gc held up"),
        }
        self.collections.set(self.collections.get() + 1);
        self.must_be_whole();
    }

    /// Fails when anything that is referred to is missing. Reads the files themselves: nobody gets a turn meanwhile.
    fn must_be_whole(&self) {
        let curated = path_of(&self.lake.curated.as_str().into());
        let artifacts = path_of(&self.lake.artifacts.as_str().into());
        let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        if let Ok(index) = fs::read(curated.join("_catalog/catalog.json")) {
            let index: Value = serde_json::from_slice(&index).unwrap();
            for (table, entry) in index["tables"].as_object().unwrap() {
                for known in entry["history"].as_array().unwrap() {
                    let run = known["run"].as_str().unwrap();
                    let version = json(&curated.join(format!("_catalog/versions/{table}/{run}.json")));
                    let by: Vec<String> = serde_json::from_value(version["partition_by"].clone()).unwrap();
                    must_be_there(&curated, &by, &version["partitions"], &format!("version {run} of {table}"));
                }
            }
        }
        for path in json_below(&artifacts.join("results")) {
            let (_, result): (Value, StepResult) = serde_json::from_value(json(&path)).unwrap();
            for (table, written) in &result.tables {
                let by: Vec<String> = match table.as_str() {
                    "questions" => vec!["month".into()],
                    "counts" => vec!["year".into()],
                    _ => vec!["endpoint".into(), "dt".into()],
                };
                let partitions = serde_json::to_value(&written.partitions).unwrap();
                must_be_there(&curated, &by, &partitions, &format!("result {} of {}", result.step, result.run));
            }
        }
        self.inputs_must_be_there(&artifacts);
    }

    /// What the steps of runs that go on are told to read.
    fn inputs_must_be_there(&self, artifacts: &Path) {
        // The runs of a local lake end with their process, and that one holds the lock.
        if artifacts.join("lock").exists() {
            return;
        }
        for path in json_below(&artifacts.join("runs")) {
            let Some(run) = path.parent().filter(|folder| folder.ends_with("tasks")).and_then(Path::parent) else {
                continue;
            };
            let record: Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
            if record["state"] != serde_json::to_value(RunState::Running).unwrap() {
                continue;
            }
            let task: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            for group in task["inputs"].as_object().unwrap().values().flat_map(|i| i["published"].as_array()).flatten()
            {
                for values in group["partitions"].as_array().unwrap() {
                    let values: BTreeMap<String, String> = serde_json::from_value(values.clone()).unwrap();
                    let by: Vec<String> = values.keys().cloned().collect();
                    let folder = path_of(&group["prefix"]).join(partition_path(&by, &values));
                    assert!(
                        !files_in(&folder).is_empty(),
                        "{}: an input is missing: {}",
                        path.display(),
                        folder.display()
                    );
                }
            }
        }
    }

    async fn pages_must_count(&self) {
        let held = raw::dates(self.store().as_ref(), &self.lake.raw, "stackoverflow").await.unwrap();
        assert!(held.iter().all(|held| held.unfinished == 0), "{held:?}");
    }
}

fn must_be_there(curated: &Path, by: &[String], partitions: &Value, whose: &str) {
    for partition in partitions.as_array().unwrap() {
        let values: BTreeMap<String, String> = serde_json::from_value(partition["values"].clone()).unwrap();
        let folder = curated.join(partition["prefix"].as_str().unwrap()).join(partition_path(by, &values));
        let files = files_in(&folder).len() as u64;
        assert!(partition["files"].as_u64() == Some(files), "{whose}: {files} files are left in {}", folder.display());
    }
}

fn json_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.exists() {
        super::lab::all_files(folder, &mut found);
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    found
}

fn job(date: Date) -> Job {
    let options = soflow::job::Options { date, parameters: &[], file: &|_| soflow::job::CodeFile::Good, files: &[] };
    soflow::job::read("mini", Path::new("jobs/mini.yaml"), JOB, &options)
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

async fn beside_each_other(shared: bool) {
    let mut did: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 1..=u64::from(ALL / EACH) {
        println!("lake {seed}, in S3: {shared}");
        let world = &World::new(shared, seed);
        let runner = || async {
            while !world.is_over() {
                world.submit().await;
                turn().await;
            }
        };
        let collector = async {
            while !world.is_over() {
                world.collect().await;
                turn().await;
            }
        };
        let others = async {
            let mut number = 0;
            while !world.is_over() {
                number += 1;
                match world.dice.below(3) {
                    0 => world.roll_back().await,
                    _ => world.ingest(number).await,
                }
                turn().await;
            }
        };
        in_turns(&world.dice, vec![Box::pin(runner()), Box::pin(runner()), Box::pin(collector), Box::pin(others)])
            .await;
        world.must_be_whole();
        world.pages_must_count().await;
        for (what, times) in world.did.borrow().iter() {
            *did.entry(what).or_default() += times;
        }
    }
    println!("in S3: {shared}: {did:?}");
    let at_least = |what: &str, times: u32| assert!(did.get(what).is_some_and(|did| *did >= times), "{what}: {did:?}");
    at_least("collected files", ALL / 10);
    at_least("collected versions", ALL / 10);
    at_least("published", ALL / 5);
    at_least("rolled back", ALL / 10);
    at_least("ingested", ALL / 10);
    at_least("died", 5);
    if shared {
        at_least("attached", 5);
    }
}

#[tokio::test(start_paused = true)]
async fn on_a_local_lake_nothing_that_is_referred_to_is_ever_missing() {
    beside_each_other(false).await;
}

#[tokio::test(start_paused = true)]
async fn on_a_lake_in_s3_nothing_that_is_referred_to_is_ever_missing() {
    beside_each_other(true).await;
}
