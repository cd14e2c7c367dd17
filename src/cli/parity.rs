//! `soflow parity`: the same job on the same pages with both engines, and every difference in what they wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::app::App;
use super::args::{ParityArgs, Selection, TargetOptions, Watching};
use super::submit::Submission;
use super::workspace::Workspace;
use crate::audit::Reader;
use crate::catalog::Catalog;
use crate::config::{Engine, Lake, Local};
use crate::error::{Kind, Result};
use crate::names::Uri;
use crate::parity::{self, Side, TableDiff};
use crate::plan::{Version, plan};
use crate::report::{Layout, paint, plural};
use crate::run::{self, LakeLock, Services};
use crate::targets::local::{LocalEngine, LocalTarget};

/// Names the run and differs by design.
const IGNORED: &str = "_run_id";

/// Runs both engines and compares; the exit code is 0 when all tables are equal and 1 when not.
pub async fn parity(app: &App, args: &ParityArgs) -> Result<u8> {
    // Said before AWS is looked for.
    app.read_project(&TargetOptions::default())??.local()?;
    let (job, date, params) = (args.job.clone(), args.date, args.params.clone());
    let selection = Selection { job, date, params, ..Selection::default() };
    let (work, job) = app.open_for(&selection, Watching::default()).await?;
    let base = work.lake().artifacts.join("parity");
    let _lock = LakeLock::take(&base, Timestamp::now())?;
    let services = work.services()?;
    let mut submission = Submission::new(&work, &services, &selection, job)?;
    let sail = compute(&work, &mut submission, &services, Engine::Sail, &base).await?;
    let spark = compute(&work, &mut submission, &services, Engine::Spark, &base).await?;
    let mut differences = Vec::new();
    for (name, table) in &submission.job.tables {
        if let (Some(left), Some(right)) = (sail.get(name), spark.get(name)) {
            let (left, right) = (side("sail", &base, left, &work).await?, side("spark", &base, right, &work).await?);
            let ignored = [IGNORED.to_string()];
            differences.push((name, parity::compare(&left, &right, &table.key, &ignored, args.tolerance).await?));
        }
    }
    if !args.keep {
        for engine in [Engine::Sail, Engine::Spark] {
            work.store.remove(&base.join(engine.name())).await?;
        }
    }
    let equal = differences.iter().all(|(_, difference)| difference.is_equal());
    let tables = differences.iter().map(|(name, difference)| {
        (name.to_string(), json!({ "equal": difference.is_equal(), "difference": difference }))
    });
    let document = json!({ "job": args.job, "equal": equal, "tables": tables.collect::<Map<String, Json>>() });
    app.answer(&document, |layout| text(&differences, layout))?;
    Ok(if equal { 0 } else { Kind::Job.exit_code() })
}

/// Runs the whole job on one engine into a lake of its own below `base`, and returns what it published.
async fn compute(
    work: &Workspace<'_>,
    submission: &mut Submission,
    services: &Services,
    engine: Engine,
    base: &Uri,
) -> Result<BTreeMap<String, Version>> {
    let (own, raw) = (base.join(engine.name()), work.lake().raw.clone());
    work.store.remove(&own).await?;
    let lake = Lake { raw, curated: own.join("curated"), artifacts: own.join("artifacts"), logs: own.join("logs") };
    let local = Local { engine, ..work.project.local()?.clone() };
    let catalog = Arc::new(Catalog::new(work.store.clone(), &lake.curated, None));
    let engine = LocalEngine::new(&local, &work.app.host(), &work.project.settings.code);
    let services = Services {
        store: work.store.clone(),
        catalog: catalog.clone(),
        target: Arc::new(LocalTarget::new(engine, local.parallel)),
        target_name: services.target_name.clone(),
        owner: None,
        stop: services.stop.clone(),
        part: None,
    };
    submission.code.engine = services.target.engine();
    let gathered = submission.gather(submission.select.clone(), &lake, &services).await?;
    let planned = plan(&gathered.facts)?;
    run::drive(&gathered, &planned, Vec::new(), &services, work.app.sink().as_mut()).await?;
    let mut published = BTreeMap::new();
    let index = catalog.index().await?;
    for table in index.tables.keys() {
        if let Some(version) = catalog.current(&index, table).await? {
            published.insert(table.clone(), version);
        }
    }
    Ok(published)
}

async fn side<'a>(engine: &'a str, base: &Uri, version: &Version, work: &Workspace<'_>) -> Result<Side<'a>> {
    let curated = base.join(engine).join("curated");
    let mut files = Vec::new();
    for partition in &version.partitions {
        let listed = work.store.list(&curated.join(&partition.place(&version.partition_by))).await?;
        files.extend(listed.into_iter().map(|object| (object, partition.values.clone())));
    }
    Ok(Side { name: engine, reader: Reader::new(work.store.clone()), files })
}

fn text(differences: &[(&String, TableDiff)], layout: &Layout) -> String {
    let mut text = String::new();
    for (name, difference) in differences {
        let (mark, colour) = if difference.is_equal() { ("=", layout.style.good) } else { ("≠", layout.style.bad) };
        text.push_str(&format!("{} {}", paint(colour, mark), parity::describe(name, difference)));
    }
    let all = plural(differences.len() as u64, "table");
    match differences.iter().filter(|(_, difference)| !difference.is_equal()).count() {
        0 => text + &format!("\nSail and Spark agree on {all}.\n"),
        different => text + &format!("\nSail and Spark differ in {different} of {all}.\n"),
    }
}
