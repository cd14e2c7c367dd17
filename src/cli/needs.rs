//! What a job needs of its cluster against what clusters of a shape can have.

use crate::config::{Emr, Fleet, Shape};
use crate::cost::{Capacity, capacity};
use crate::error::{Error, Kind, Result};
use crate::job::Job;

/// Refuses a job that no cluster of the target's shape could run. Types that the table of capacities does not know are
/// taken to be large enough.
///
/// # Errors
/// `Usage` with all that is missing.
pub fn check(job: &Job, emr: &Emr) -> Result<()> {
    let (needs, shape) = (&job.needs, &emr.shape);
    let has = |name: &String| shape.applications.iter().any(|known| known.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = needs.applications.iter().filter(|name| !has(name)).map(String::as_str).collect();
    let mut lacks = Vec::new();
    if !missing.is_empty() {
        lacks.push(format!("{}, the shape has {}", missing.join(", "), shape.applications.join(", ")));
    }
    if let (Some(wanted), Some(most)) = (needs.memory_bytes, most(shape, |has| has.memory_gib)) {
        let gib = |bytes: u64| format!("{} GiB", bytes.div_ceil(GIB));
        if wanted > most * GIB {
            lacks.push(format!("{} of memory, the shape has at most {} at full size", gib(wanted), gib(most * GIB)));
        }
    }
    if let (Some(wanted), Some(most)) = (needs.cores, most(shape, |has| has.vcpus))
        && u64::from(wanted) > most
    {
        lacks.push(format!("{wanted} cores, the shape has at most {most} at full size"));
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let (job_file, cluster) = (job.path.display(), &emr.cluster);
    Err(Error::new(Kind::Usage, format!("a cluster of shape `{cluster}` cannot run job `{}`", job.name))
        .detail(lacks.iter().map(|lack| format!("{job_file} needs {lack}")).collect::<Vec<_>>().join("\n"))
        .hint("take another shape: `--cluster SHAPE`, one of those below `clusters:` in config/soflow.yaml")
        .hint(format!("or change `cluster:` in {job_file}, or the shape")))
}

const GIB: u64 = 1 << 30;

/// Returns the most that core and task nodes of a cluster can have together; `None` when a type is not known.
fn most(shape: &Shape, of: fn(Capacity) -> u32) -> Option<u64> {
    let size = |fleet: &Fleet| fleet.on_demand + fleet.spot;
    let (core, task) = (size(&shape.core), shape.task.as_ref().map_or(0, size));
    let filled = |core: u32, task: u32| {
        let task = shape.task.as_ref().map_or(Some(0), |fleet| full(fleet, task, of));
        Some(full(&shape.core, core, of)? + task?)
    };
    let Some(scaling) = &shape.scaling else { return filled(core, task) };
    let all = scaling.max.max(core + task);
    // What scaling adds goes to either of the fleets, wherever there is more in a unit.
    match &shape.task {
        Some(_) => {
            let most_core = scaling.max_core.unwrap_or(all).clamp(core, all);
            Some(filled(core, all - core)?.max(filled(most_core, all - most_core)?))
        }
        None => filled(all, 0),
    }
}

/// Returns the most that instances of a fleet have together when they count so many units.
fn full(fleet: &Fleet, units: u32, of: fn(Capacity) -> u32) -> Option<u64> {
    let filled = fleet.types.iter().map(|kind| {
        let has = capacity(&kind.name)?;
        Some(u64::from(units.div_ceil(kind.weight.max(1))) * u64::from(of(has)))
    });
    filled.collect::<Option<Vec<u64>>>().map(|filled| filled.into_iter().max().unwrap_or_default())
}
