//! `soflow parity`: the same job on the same pages with both engines, and every difference in what they wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::app::{App, Project, yesterday};
use super::args::ParityArgs;
use super::ground::Wishes;
use super::prepare;
use crate::catalog::{Catalog, ObjectCatalog};
use crate::config::{Engine, Lake, Target, TargetKind};
use crate::error::Result;
use crate::job::Job;
use crate::names::Uri;
use crate::parity::{self, Side, TableDiff};
use crate::plan::{Select, Version, plan};
use crate::report::{paint, plural};
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
    let job = prepare::load_job(&project, &args.job, &args.params, date)?;
    let base = project.target()?.lake.artifacts.join("parity");
    let _lock = LakeLock::take(&base, Timestamp::now())?;
    let services = app.services(&project, Wishes::default()).await?;
    let mut versions = BTreeMap::new();
    for engine in [Engine::Sail, Engine::Spark] {
        let lake = lake_of(&project, &base, engine)?;
        services.store.remove(&base.join(engine.name())).await?;
        versions
            .insert(engine.name(), compute(app, &project, &Work { job: &job, date, lake, engine }, &services).await?);
    }
    let (sail, spark) = (&versions["sail"], &versions["spark"]);
    let mut differences = Vec::new();
    for (name, table) in &job.tables {
        if let (Some(left), Some(right)) = (sail.get(name), spark.get(name)) {
            let (left, right) =
                (side("sail", &base, left, &services).await?, side("spark", &base, right, &services).await?);
            differences.push((
                name.clone(),
                parity::compare(&left, &right, &table.key, &[IGNORED.to_string()], args.tolerance)?,
            ));
        }
    }
    if !args.keep {
        for engine in versions.keys() {
            services.store.remove(&base.join(engine)).await?;
        }
    }
    report(app, &job, &differences)
}

fn lake_of(project: &Project, base: &Uri, engine: Engine) -> Result<Lake> {
    let own = base.join(engine.name());
    let raw = project.target()?.lake.raw.clone();
    Ok(Lake { raw, curated: own.join("curated"), artifacts: own.join("artifacts"), logs: own.join("logs") })
}

/// One engine's share.
struct Work<'a> {
    job: &'a Job,
    date: Date,
    lake: Lake,
    engine: Engine,
}

/// Runs the whole job on one engine into a lake of its own, and returns what it published.
async fn compute(
    app: &App,
    project: &Project,
    work: &Work<'_>,
    services: &Services,
) -> Result<BTreeMap<String, Version>> {
    let Work { job, date, lake, engine } = work;
    let mut local = project.local()?.clone();
    local.engine = *engine;
    let mut own = Project { resolved: project.resolved.clone(), cwd: project.cwd.clone() };
    let settings = &mut own.resolved.settings;
    let target = Target { lake: lake.clone(), kind: TargetKind::Local(local.clone()) };
    settings.targets.insert(settings.target.clone(), target);
    let store: Arc<dyn Store> = services.store.clone();
    let catalog = Arc::new(ObjectCatalog::new(store.clone(), &lake.curated));
    let services = Services {
        store,
        catalog: catalog.clone(),
        target: Arc::new(LocalTarget::new(&local, &app.host(), &project.resolved.settings.code)),
        target_name: services.target_name.clone(),
        owner: None,
        now: services.now,
        stop: services.stop.clone(),
    };
    let mut sink = app.sink();
    let code = prepare::code(&own, job, &services)?;
    let request = run::PlanRequest { job, date: *date, lake, code, select: Select::default() };
    let gathered = prepare::gather(request, &services).await?;
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
        files.extend(listed.iter().filter_map(|object| Some((object.uri.to_path()?, partition.values.clone()))));
    }
    Ok(Side { name: engine, files })
}

fn report(app: &App, job: &Job, differences: &[(String, TableDiff)]) -> Result<u8> {
    let different = differences.iter().filter(|(_, diff)| !diff.is_equal()).count();
    if app.json {
        let tables: serde_json::Map<_, _> = differences
            .iter()
            .map(|(name, diff)| (name.clone(), json!({ "equal": diff.is_equal(), "difference": diff })))
            .collect();
        app.print_json(&json!({ "job": job.name, "equal": different == 0, "tables": tables }))?;
    } else {
        for (name, diff) in differences {
            let (mark, colour) = if diff.is_equal() { ("=", app.out_style.good) } else { ("≠", app.out_style.bad) };
            app.print(&format!("{} {}", paint(colour, mark), parity::describe(name, diff)))?;
        }
        let all = plural(differences.len() as u64, "table");
        let ending = if different == 0 {
            format!("Sail and Spark agree on {all}.\n")
        } else {
            format!("Sail and Spark differ in {different} of {all}.\n")
        };
        app.print(&format!("\n{ending}"))?;
    }
    Ok(u8::from(different > 0))
}
