//! From a job's name to its plan: shared by `submit`, `plan`, `backfill`, `retry` and `parity`.

use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::civil::Date;

use super::app::yesterday;
use super::args::Selection;
use super::project::{Project, misnamed};
use crate::config::{Emr, Fleet, Shape, TargetKind};
use crate::cost::{Capacity, capacity};
use crate::encoding;
use crate::error::{Error, Kind, Result};
use crate::ingest::raw;
use crate::job::{self, CodeFile, Job, Step};
use crate::names::Uri;
use crate::package::{SourceProblem, StepSource};
use crate::plan::Select;
use crate::query::statement;
use crate::run::{self, Code, Gathered, Services};
use crate::store::Store;
use crate::yaml::{self, Problems, did_you_mean};

/// Returns the names of all jobs of the project, sorted.
pub fn job_names(project: &Project) -> Result<Vec<String>> {
    let folder = &project.settings.jobs;
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Reads and checks a job file, and that the clusters of the target in use can have what it needs; `params` as given on
/// the command line, `NAME=VALUE`.
pub fn load_job(project: &Project, name: &str, params: &[String], date: Date) -> Result<Job> {
    let job = read_job(project, name, params, date)??;
    if let TargetKind::Emr(emr) = &project.target.kind {
        check_needs(&job, emr)?;
    }
    Ok(job)
}

/// Returns what [`load_job`] does, with the mistakes in the file as values.
pub fn read_job(project: &Project, name: &str, params: &[String], date: Date) -> Result<Result<Job, Problems>> {
    let settings = &project.settings;
    let path = settings.jobs.join(format!("{name}.yaml"));
    if !path.is_file() {
        let known = job_names(project)?;
        let folder = settings.jobs.strip_prefix(&settings.root).unwrap_or(&settings.jobs).display();
        let mut error = Error::new(Kind::Usage, format!("there is no job `{name}` in `{folder}`"));
        if let Some(file) = misnamed(&settings.jobs).into_iter().find(|file| file.stem == name) {
            error = error.hint(file.told(&settings.root));
        } else if let Some(stem) = Path::new(name).file_stem().and_then(|stem| stem.to_str())
            && known.iter().any(|known| known == stem)
        {
            error = error.hint(format!("`soflow` names a job without folder and ending: `{stem}`"));
        } else if let Some(close) = did_you_mean(name, known.iter().map(String::as_str)) {
            error = error.hint(close);
        }
        return Err(
            error.hint(format!("the jobs are: {}", if known.is_empty() { "none".into() } else { known.join(", ") }))
        );
    }
    let shown = path.strip_prefix(&settings.root).unwrap_or(&path);
    let text = yaml::Source::decode(&shown.display().to_string(), &fs::read(&path)?)?;
    read_text(project, name, &text, params, date)
}

/// Returns what [`read_job`] does of a job whose file has `text`.
pub fn read_text(
    project: &Project,
    name: &str,
    text: &str,
    params: &[String],
    date: Date,
) -> Result<Result<Job, Problems>> {
    let settings = &project.settings;
    let path = settings.jobs.join(format!("{name}.yaml"));
    let shown = path.strip_prefix(&settings.root).unwrap_or(&path);
    let found = |file: &Path| code_file(&settings.code, file);
    let (parameters, files) = (parameters(params)?, code_files(&settings.code));
    let options = job::Options { date, parameters: &parameters, file: &found, files: &files };
    Ok(job::read(name, shown, text, &options))
}

/// Returns what is at `path` below the code folder. A script in another encoding than UTF-8 is one if it says so, as Python
/// wants it.
fn code_file(code: &Path, path: &Path) -> CodeFile {
    let Ok(bytes) = fs::read(code.join(path)) else { return CodeFile::Missing };
    let bad = |problem: SourceProblem| CodeFile::Bad { why: problem.why, remedy: problem.remedy };
    if StepSource::is_one(path) {
        return match StepSource::parse(path, &bytes) {
            Ok(source) => source.queries().find_map(no_query).map_or(CodeFile::Good, bad),
            Err(problem) => bad(problem),
        };
    }
    match encoding::text(&bytes) {
        Err(foreign) if foreign.at.is_none() || !names_its_encoding(&bytes) => bad(foreign.into()),
        _ => CodeFile::Good,
    }
}

/// Returns why a text is not one query.
pub fn no_query(sql: &str) -> Option<SourceProblem> {
    let why = statement::refusal(sql).or_else(|| {
        let other =
            || format!("only a query has rows to keep, not `{}`", sql.split_whitespace().next().unwrap_or_default());
        (!statement::is_query(sql)).then(other)
    })?;
    Some(SourceProblem { why: format!("is refused: {why}"), remedy: "write one `select` or `with … select`".into() })
}

/// Returns whether one of the first two lines is a comment that names the encoding. Source: PEP 263.
fn names_its_encoding(script: &[u8]) -> bool {
    let comment = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        text.trim_start().strip_prefix('#').is_some_and(|text| text.contains("coding:") || text.contains("coding="))
    };
    script.split(|byte| *byte == b'\n').take(2).any(comment)
}

/// Returns the files in the folders where steps' files usually are.
fn code_files(code: &Path) -> Vec<PathBuf> {
    let below = |folder: &'static str| {
        let entries = fs::read_dir(code.join(folder)).into_iter().flatten();
        entries.filter_map(move |entry| Some(Path::new(folder).join(entry.ok()?.file_name())))
    };
    let mut files: Vec<PathBuf> = below("steps").chain(below("notebooks")).collect();
    files.sort();
    files
}

fn parameters(params: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Error::new(Kind::Usage, format!("`--param {text}` has no value")).hint("write it as `--param NAME=VALUE`")
        })?;
        Ok((name.to_string(), value.to_string()))
    };
    params.iter().map(pair).collect()
}

/// Returns the error of a step that `what`, such as a job, does not have.
pub fn no_step<'a>(what: String, step: &str, known: impl Iterator<Item = &'a str> + Clone) -> Error {
    let error = Error::new(Kind::Usage, format!("{what} has no step `{step}`"));
    let close = did_you_mean(step, known.clone());
    let names: Vec<&str> = known.collect();
    close.into_iter().fold(error, Error::hint).hint(format!("its steps are: {}", names.join(", ")))
}

/// A job, its date, and which of its steps are to run.
pub type Asked = (Job, Date, Select);

/// Returns the job that is asked for, its date, and which of its steps.
///
/// # Errors
/// `Usage` for mistakes in the job file and in what is asked for of it.
pub fn asked(project: &Project, selection: &Selection) -> Result<Asked> {
    let date = selection.date.unwrap_or_else(yesterday);
    let job = load_job(project, &selection.job, &selection.params, date)?;
    let select = select(&job, selection)?;
    Ok((job, date, select))
}

fn select(job: &Job, selection: &Selection) -> Result<Select> {
    let known = job.steps.iter().map(|step| step.name.as_str());
    if let Some(name) = selection.only.iter().chain(&selection.from).find(|name| !known.clone().any(|one| one == *name))
    {
        return Err(no_step(format!("job `{}`", job.name), name, known));
    }
    let mut steps = selection.only.clone();
    if let Some(first) = &selection.from {
        steps.push(first.clone());
        steps.extend(job.downstream(first).into_iter().map(str::to_string));
    }
    Ok(Select { steps, force: selection.force, after: Vec::new() })
}

/// Returns the code of a job as the folder has it, and where it is shipped to.
///
/// # Errors
/// `Usage` when it cannot be packaged.
pub fn code(project: &Project, job: &Job, services: &Services) -> Result<Code> {
    let steps = run::code_digests(&project.settings.code, job)?;
    Ok(Code { steps, engine: services.target.engine(), shipped: services.target.shipment()? })
}

/// Returns whether a step is asked for that reads raw pages, and there are none for the date.
pub fn lacks_pages(gathered: &Gathered<'_>) -> bool {
    let facts = &gathered.facts;
    let asked = |name: &String| facts.select.steps.is_empty() || facts.select.steps.contains(name);
    let mut steps = facts.job.steps.iter().filter(|step| asked(&step.name));
    steps.any(Step::reads_raw) && facts.raw.values().all(Vec::is_empty)
}

/// Returns what is said when raw has no pages for a date: where it was looked, and how to come by some.
///
/// # Errors
/// Those of the store.
pub async fn no_pages(location: &Uri, job: &Job, date: Date, store: &dyn Store) -> Result<Error> {
    let held = raw::dates(store, location, run::site(job)).await?;
    let mut error =
        Error::new(Kind::Usage, format!("raw has no pages for {date}")).detail(format!("looked in {location}"));
    if let Some(latest) = held.iter().filter(|held| held.pages > 0).map(|held| held.date).max() {
        error = error.hint(format!("raw has pages for {latest}: `soflow submit {} --date {latest}`", job.name));
    }
    Ok(error
        .hint(format!("read them from the API: `soflow ingest api --site {} --date {date}`", run::site(job)))
        .hint(format!("or bring pages you have downloaded: `soflow ingest pages FOLDER --date {date}`"))
        .hint(format!("or try it with made-up ones: `soflow submit {} --sample`", job.name)))
}

/// Refuses a job that no cluster of the target's shape could run. Types that the table of capacities does not know are
/// taken to be large enough.
///
/// # Errors
/// `Usage` with all that is missing.
fn check_needs(job: &Job, emr: &Emr) -> Result<()> {
    let (needs, shape) = (&job.needs, &emr.shape);
    let has = |name: &String| shape.applications.iter().any(|known| known.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = needs.applications.iter().filter(|name| !has(name)).map(String::as_str).collect();
    let mut lacks = Vec::new();
    if !missing.is_empty() {
        lacks.push(format!("{}, the shape has {}", missing.join(", "), shape.applications.join(", ")));
    }
    let memory = needs.memory_bytes.map(|bytes| bytes.div_ceil(GIB));
    if let (Some(wanted), Some(most)) = (memory, most(shape, |has| has.memory_gib))
        && wanted > most
    {
        lacks.push(format!("{wanted} GiB of memory, the shape has at most {most} GiB at full size"));
    }
    if let (Some(wanted), Some(most)) = (needs.cores.map(u64::from), most(shape, |has| has.vcpus))
        && wanted > most
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
    let all = shape.scaling.as_ref().map_or(0, |scaling| scaling.max).max(core + task);
    let filled = |core: u32| {
        let task = shape.task.as_ref().map_or(Some(0), |fleet| full(fleet, all - core, of));
        Some(full(&shape.core, core, of)? + task?)
    };
    // What scaling adds goes to either of the fleets, wherever there is more in a unit.
    let most_core = match (&shape.task, &shape.scaling) {
        (Some(_), None) => core,
        (Some(_), Some(scaling)) => scaling.max_core.unwrap_or(all).clamp(core, all),
        (None, _) => all,
    };
    Some(filled(core)?.max(filled(most_core)?))
}

/// Returns the most that instances of a fleet have together when they count so many units.
fn full(fleet: &Fleet, units: u32, of: fn(Capacity) -> u32) -> Option<u64> {
    let filled = fleet.types.iter().map(|kind| {
        let has = capacity(&kind.name)?;
        Some(u64::from(units.div_ceil(kind.weight.max(1))) * u64::from(of(has)))
    });
    filled.collect::<Option<Vec<u64>>>().map(|filled| filled.into_iter().max().unwrap_or_default())
}
