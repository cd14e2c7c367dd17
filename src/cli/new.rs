//! `soflow new`: what a project gets more of. A step is its code, a test, and its entry in the job file; a trial run on what is
//! published tells which columns its tables have and which checks hold.

mod code;
mod entry;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fs_err as fs;
use serde_json::json;

use self::code::NewFiles;
use self::trial::TriedTable;
use super::app::{App, yesterday};
use super::jobs;
use super::project::Project;
use super::workspace::Workspace;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::job::{Job, StepCode};
use crate::names::name_problem;
use crate::package::StepSource;
use crate::query::statement;

#[derive(Debug, Subcommand)]
pub enum NewCommand {
    /// Add a step to a job: its code, a test, and its entry with the checks that a trial run suggests
    Step(NewStepArgs),
}

#[derive(Debug, Args)]
pub struct NewStepArgs {
    /// The step; its table is called the same, with `_` for `-`
    pub name: String,
    /// A query whose rows the table gets, or a file with one: the step is a SQL file
    #[arg(long, value_name = "SQL", conflicts_with = "from_notebook")]
    pub from_sql: Option<String>,
    /// A notebook that saves the tables with `save(table, frame)`: it is copied into the code folder
    #[arg(long, value_name = "FILE")]
    pub from_notebook: Option<PathBuf>,
    /// The job [default: the only one in jobs/]
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// A table that it reads; may be given several times [default: those that its code names]
    #[arg(long = "reads", value_name = "TABLE")]
    pub reads: Vec<String>,
    /// Set a parameter of the job for the trial; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
}

/// What is to be added.
struct StepDraft {
    name: String,
    code: StepCode,
    reads: Vec<String>,
    writes: Vec<String>,
}

/// Adds something to the project.
pub async fn new(app: &App, command: &NewCommand) -> Result<u8> {
    let NewCommand::Step(args) = command;
    add_step(app, args).await
}

/// Writes the files of a step and its entry. Files that are there are never changed, but for the job's.
///
/// # Errors
/// `Usage` for a name that is taken or no name, and for code that cannot be a step; those of the trial. Nothing is left behind.
async fn add_step(app: &App, args: &NewStepArgs) -> Result<u8> {
    if let Some(why) = name_problem(&args.name, true) {
        return Err(Error::new(Kind::Usage, format!("`{}` cannot name a step: {why}", args.name)));
    }
    // Said before AWS is looked for.
    app.read_project(&Default::default())??
        .local()
        .map_err(|error| error.hint("a step is tried on this machine: leave out `--target`"))?;
    let work = app.workspace().await?;
    let job_name = job_name(&work.project, args.job.as_deref())?;
    let job = jobs::load_job(&work.project, &job_name, &args.params, yesterday())?;
    let index = work.catalog.index().await?;
    let source = CodeOrigin::of(&work.project, args)?;
    let step = source.step(args, &job, index.tables.keys())?;
    refuse_taken(&step, &job)?;
    let mut files = NewFiles::new(&work.project.settings.code);
    let added = match source.write(&step, &mut files) {
        Ok(()) => try_and_enter(&work, args, job, &step, &mut files).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(tried) => {
            let written: Vec<PathBuf> = files.written.iter().map(|path| shown(&work.project, path)).collect();
            answer(app, &step, &job_name, &written, &tried)
        }
        Err(error) => {
            files.remove();
            Err(error)
        }
    }
}

/// Tries the step, writes its test, and puts it into the job file.
async fn try_and_enter(
    work: &Workspace<'_>,
    args: &NewStepArgs,
    job: Job,
    step: &StepDraft,
    files: &mut NewFiles,
) -> Result<BTreeMap<String, TriedTable>> {
    let path = work.project.settings.root.join(&job.path);
    let text = fs::read_to_string(&path)?;
    let read = |text: &str| jobs::read_text(&work.project, &job.name, text, &args.params, yesterday());
    let with_step = read(&entry::added(&text, &job.path, step, &BTreeMap::new())?)??;
    let inputs = trial::inputs(work, step).await?;
    let tried = match step.reads.iter().find(|table| !inputs.contains_key(*table)) {
        None => trial::run(work, with_step, step).await?,
        Some(table) => {
            let text = format!("`{table}` is not published yet: the step was not tried, and has no checks");
            work.app.sink().emit(Event::Warning { text });
            BTreeMap::new()
        }
    };
    files.write_test(step, &inputs, &tried)?;
    let text = entry::added(&text, &job.path, step, &tried)?;
    read(&text)??;
    entry::replace(&path, &text)?;
    Ok(tried)
}

/// Returns the job that is asked for, or the only one.
fn job_name(project: &Project, asked: Option<&str>) -> Result<String> {
    let mut known = jobs::job_names(project)?;
    match (asked, known.len()) {
        (Some(name), _) => Ok(name.into()),
        (None, 1) => Ok(known.remove(0)),
        (None, 0) => Err(Error::new(Kind::Usage, "there is no job to add a step to").hint("`soflow init` makes one")),
        (None, _) => {
            let hint = format!("name one with `--job`: {}", known.join(", "));
            Err(Error::new(Kind::Usage, "there are several jobs to add a step to").hint(hint))
        }
    }
}

/// What the step's code is made of.
enum CodeOrigin {
    Script,
    Sql(String),
    Notebook { path: PathBuf, bytes: Vec<u8> },
}

impl CodeOrigin {
    fn of(project: &Project, args: &NewStepArgs) -> Result<Self> {
        let here = |path: &Path| project.cwd.join(path);
        if let Some(file) = &args.from_notebook {
            let bytes = fs::read(here(file)).map_err(|error| unreadable(file, error))?;
            return Ok(Self::Notebook { path: fs::canonicalize(here(file))?, bytes });
        }
        let Some(sql) = &args.from_sql else { return Ok(Self::Script) };
        let is_file = Path::new(sql).extension().is_some_and(|extension| extension == "sql");
        let sql = if is_file {
            fs::read_to_string(here(Path::new(sql))).map_err(|error| unreadable(Path::new(sql), error))?
        } else {
            sql.clone()
        };
        if let Some(problem) = jobs::no_query(sql.trim().trim_end_matches(';')) {
            return Err(Error::new(Kind::Usage, format!("the query {}", problem.why)).hint(problem.remedy));
        }
        Ok(Self::Sql(sql))
    }

    /// Returns the step that has this code.
    fn step<'a>(
        &self,
        args: &NewStepArgs,
        job: &'a Job,
        published: impl Iterator<Item = &'a String>,
    ) -> Result<StepDraft> {
        let name = args.name.clone();
        // Also what its file is called: Python imports no name with a `-`.
        let table = name.replace('-', "_");
        let known: BTreeSet<&String> = published.chain(job.tables.keys()).collect();
        let (code, writes, text) = match self {
            Self::Script => (StepCode::Script(format!("steps/{table}.py").into()), vec![table], String::new()),
            Self::Sql(sql) => (StepCode::Sql(format!("steps/{table}.sql").into()), vec![table], sql.clone()),
            Self::Notebook { bytes, .. } => {
                let path = PathBuf::from(format!("notebooks/{table}.ipynb"));
                let source = StepSource::parse(&path, bytes).map_err(|problem| {
                    Error::new(Kind::Usage, format!("the notebook {}", problem.why)).hint(problem.remedy)
                })?;
                let (python, queries) = (source.python(), source.queries().collect::<Vec<_>>().join("\n"));
                let writes = code::saved(&python);
                if writes.is_empty() {
                    return Err(Error::new(Kind::Usage, "the notebook saves no table")
                        .hint(format!("end it with a cell `save(\"{table}\", frame)`")));
                }
                (StepCode::Notebook(path), writes, format!("{python}\n{queries}"))
            }
        };
        if let Some(unknown) = args.reads.iter().find(|table| !known.contains(table)) {
            let names: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            return Err(Error::new(Kind::Usage, format!("there is no table `{unknown}`"))
                .hint(format!("the tables are: {}", names.join(", "))));
        }
        let named = || statement::words(&text).into_iter().filter(|word| known.contains(word)).collect::<BTreeSet<_>>();
        let reads = if args.reads.is_empty() { named().into_iter().collect() } else { args.reads.clone() };
        Ok(StepDraft { name, code, reads: reads.into_iter().filter(|table| !writes.contains(table)).collect(), writes })
    }

    fn write(&self, step: &StepDraft, files: &mut NewFiles) -> Result<()> {
        match self {
            Self::Script => files.write_script(step),
            Self::Sql(sql) => files.write(step.code.path(), &format!("{}\n", sql.trim_end())),
            Self::Notebook { path, .. } if files.is(step.code.path(), path) => Ok(()),
            Self::Notebook { bytes, .. } => files.write(step.code.path(), &String::from_utf8_lossy(bytes)),
        }
    }
}

fn unreadable(file: &Path, error: std::io::Error) -> Error {
    Error::new(Kind::Usage, format!("`{}` cannot be read", file.display())).caused_by(error)
}

/// Refuses a step or tables that the job has already.
fn refuse_taken(step: &StepDraft, job: &Job) -> Result<()> {
    let file = job.path.display();
    if job.steps.iter().any(|known| known.name == step.name) {
        return Err(Error::new(Kind::Usage, format!("{file} has a step `{}` already", step.name)));
    }
    if let Some(table) = step.writes.iter().find(|table| job.tables.contains_key(*table)) {
        let what = format!("{file} has a table `{table}` already");
        return Err(Error::new(Kind::Usage, what).hint("a table has one writer: choose another name"));
    }
    match step.writes.iter().find_map(|table| Some((table, name_problem(table, false)?))) {
        Some((table, why)) => Err(Error::new(Kind::Usage, format!("`{table}` cannot name a table: {why}"))),
        None => Ok(()),
    }
}

fn shown(project: &Project, path: &Path) -> PathBuf {
    path.strip_prefix(&project.settings.root).unwrap_or(path).to_path_buf()
}

fn answer(
    app: &App,
    step: &StepDraft,
    job: &str,
    written: &[PathBuf],
    tried: &BTreeMap<String, TriedTable>,
) -> Result<u8> {
    let document = json!({ "step": step.name, "job": job, "reads": step.reads, "files": written, "tables": tried });
    app.answer(&document, |_| {
        let mut text = format!("Step `{}` is in jobs/{job}.yaml, its code in:\n", step.name);
        written.iter().for_each(|path| text.push_str(&format!("  {}\n", path.display())));
        for (name, table) in tried {
            text.push_str(&format!("\nThe trial made `{name}`, {}\n", table.told()));
        }
        text.push_str(&format!("\nTry it:\n  soflow submit {job} --only {}\n", step.name));
        let test = written
            .iter()
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("test_")));
        if let Some(test) = test {
            text.push_str(&format!("  soflow engine python -- -m pytest {}\n", test.display()));
        }
        text
    })
}
