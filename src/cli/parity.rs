//! `soflow parity`: the same job on the same pages with both engines, and every difference in what they wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::app::{App, yesterday};
use super::args::ParityArgs;
use super::connections::RunOptions;
use super::jobs;
use super::project::Project;
use crate::audit::Reader;
use crate::catalog::Catalog;
use crate::config::{Engine, Lake, Target, TargetKind};
use crate::error::{Kind, Result};
use crate::job::Job;
use crate::names::Uri;
use crate::parity::{self, Side, TableDiff};
use crate::plan::{Select, Version, plan};
use crate::report::{Answer, Layout, paint, plural};
use crate::run::{self, LakeLock, Services};
use crate::store::Store;
use crate::targets::local::LocalTarget;

/// Names the run and differs by design.
const IGNORED: &str = "_run_id";

/// Runs both engines and compares; the exit code is 0 when all tables are equal and 1 when not.
pub async fn parity(app: &App, args: &ParityArgs) -> Result<u8> {
    let project = app.project(None)?;
    project.local()?;
    let date = args.date.unwrap_or_else(yesterday);
    let job = jobs::load_job(&project, &args.job, &args.params, date)?;
    let base = project.target()?.lake.artifacts.join("parity");
    let _lock = LakeLock::take(&base, Timestamp::now())?;
    let services = app.services(&project, RunOptions::default()).await?;
    let mut versions = BTreeMap::new();
    for engine in [Engine::Sail, Engine::Spark] {
        let lake = lake_of(&project, &base, engine)?;
        services.store.remove(&base.join(engine.name())).await?;
        versions.insert(
            engine.name(),
            compute(app, &project, &EngineRun { job: &job, date, lake, engine }, &services).await?,
        );
    }
    let (sail, spark) = (&versions["sail"], &versions["spark"]);
    let mut differences = Vec::new();
    for (name, table) in &job.tables {
        if let (Some(left), Some(right)) = (sail.get(name), spark.get(name)) {
            let (left, right) =
                (side("sail", &base, left, &services).await?, side("spark", &base, right, &services).await?);
            differences.push((
                name.clone(),
                parity::compare(&left, &right, &table.key, &[IGNORED.to_string()], args.tolerance).await?,
            ));
        }
    }
    if !args.keep {
        for engine in versions.keys() {
            services.store.remove(&base.join(engine)).await?;
        }
    }
    let tables: BTreeMap<_, _> = differences
        .iter()
        .map(|(name, difference)| (name.as_str(), ParityOfTable { equal: difference.is_equal(), difference }))
        .collect();
    let equal = tables.values().all(|table| table.equal);
    app.answer(&ParityAnswer { job: &job.name, equal, tables })?;
    Ok(if equal { 0 } else { Kind::Job.exit_code() })
}

fn lake_of(project: &Project, base: &Uri, engine: Engine) -> Result<Lake> {
    let own = base.join(engine.name());
    let raw = project.target()?.lake.raw.clone();
    Ok(Lake { raw, curated: own.join("curated"), artifacts: own.join("artifacts"), logs: own.join("logs") })
}

/// One engine's share.
struct EngineRun<'a> {
    job: &'a Job,
    date: Date,
    lake: Lake,
    engine: Engine,
}

/// Runs the whole job on one engine into a lake of its own, and returns what it published.
async fn compute(
    app: &App,
    project: &Project,
    work: &EngineRun<'_>,
    services: &Services,
) -> Result<BTreeMap<String, Version>> {
    let EngineRun { job, date, lake, engine } = work;
    let mut local = project.local()?.clone();
    local.engine = *engine;
    let mut own = Project { resolved: project.resolved.clone(), cwd: project.cwd.clone() };
    let settings = &mut own.resolved.settings;
    let target = Target { lake: lake.clone(), kind: TargetKind::Local(local.clone()) };
    settings.targets.insert(settings.target.clone(), target);
    let store: Arc<dyn Store> = services.store.clone();
    let catalog = Arc::new(Catalog::new(store.clone(), &lake.curated, None));
    let services = Services {
        store,
        catalog: catalog.clone(),
        target: Arc::new(LocalTarget::new(&local, &app.host(), &project.resolved.settings.code)),
        target_name: services.target_name.clone(),
        owner: None,
        stop: services.stop.clone(),
    };
    let mut sink = app.sink();
    let code = jobs::code(&own, job, &services)?;
    let request = run::PlanRequest { job, date: *date, lake, code, select: Select::default() };
    let gathered = jobs::gather(request, &services).await?;
    let planned = plan(&gathered.facts)?;
    run::drive(&gathered, &planned, Vec::new(), &services, sink.as_mut()).await?;
    let mut published = BTreeMap::new();
    let index = catalog.index().await?;
    for table in index.tables.keys() {
        if let Some(version) = catalog.current(&index, table).await? {
            published.insert(table.clone(), version);
        }
    }
    Ok(published)
}

async fn side<'a>(engine: &'a str, base: &Uri, version: &Version, services: &Services) -> Result<Side<'a>> {
    let curated = base.join(engine).join("curated");
    let mut files = Vec::new();
    for partition in &version.partitions {
        let listed = services.store.list(&curated.join(&partition.place(&version.partition_by))).await?;
        files.extend(listed.into_iter().map(|object| (object, partition.values.clone())));
    }
    Ok(Side { name: engine, reader: Reader::new(services.store.clone()), files })
}

/// What two engines made of the same pages.
#[derive(Serialize)]
struct ParityAnswer<'a> {
    job: &'a str,
    equal: bool,
    tables: BTreeMap<&'a str, ParityOfTable<'a>>,
}

#[derive(Serialize)]
struct ParityOfTable<'a> {
    equal: bool,
    difference: &'a TableDiff,
}

impl Answer for ParityAnswer<'_> {
    fn text(&self, layout: &Layout) -> String {
        let mut text = String::new();
        for (name, table) in &self.tables {
            let (mark, colour) = if table.equal { ("=", layout.style.good) } else { ("≠", layout.style.bad) };
            text.push_str(&format!("{} {}", paint(colour, mark), parity::describe(name, table.difference)));
        }
        let all = plural(self.tables.len() as u64, "table");
        let different = self.tables.values().filter(|table| !table.equal).count();
        match different {
            0 => text + &format!("\nSail and Spark agree on {all}.\n"),
            _ => text + &format!("\nSail and Spark differ in {different} of {all}.\n"),
        }
    }
}
