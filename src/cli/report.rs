//! `soflow report`: one page about a job, to be looked at, sent or put into a CI summary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use super::app::{App, yesterday};
use super::workspace::Workspace;
use super::{jobs, runs, sql};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::sample;
use crate::job::Job;
use crate::names::Uri;
use crate::page::{PageSource, ReportPage};
use crate::report::bytes;
use crate::run::{self, RunRecord};
use crate::store::{FileStore, S3Store, Store as _};

/// How long a link can be opened: a working day, and as long as the credentials of a role last at most.
const LINK_LASTS: Duration = Duration::from_secs(12 * 3600);

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The job [default: the one that ran last]
    pub job: Option<String>,
    /// Open the page in a browser
    #[arg(long, conflicts_with = "format")]
    pub open: bool,
    /// A page for a browser, or Markdown for the summary of a CI job, which goes to stdout
    #[arg(long, value_enum, default_value_t = ReportFormat::Html, value_name = "FORMAT")]
    pub format: ReportFormat,
    /// Write it to this file; `-` is stdout [default: .soflow/report/JOB.html]
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Keep the page beside the run's record in S3, and print a link that anybody can open for 12 hours
    #[arg(long, conflicts_with = "format")]
    pub link: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Markdown,
}

/// Writes the page of a job.
pub async fn report(app: &App, args: &ReportArgs) -> Result<u8> {
    let work = app.workspace().await?;
    if args.link {
        work.session()?;
    }
    let latest = latest(&work, args.job.as_deref()).await?;
    let name = match (&args.job, &latest) {
        (Some(name), _) => name.clone(),
        (None, Some(record)) => record.run.job.clone(),
        (None, None) => {
            let error = Error::new(Kind::Usage, "no job has run yet");
            return Err(match jobs::job_names(&work.project)?.first() {
                Some(job) => error.hint(format!("run one first: `soflow submit {job}`")),
                None => error.hint("`soflow init` makes a project with a job"),
            });
        }
    };
    let date = latest.as_ref().map_or_else(yesterday, |record| record.run.date);
    // What a parameter was does not matter to what is published.
    let job = jobs::read_job(&work.project, &name, &[], date)??;
    let mut sink = app.sink();
    let page = page(&work, &job, latest.as_ref(), sql::said(&work, &job, &job.report, sink.as_mut()).await).await?;
    drop(sink);
    let body = match args.format {
        ReportFormat::Html => page.html()?,
        ReportFormat::Markdown => page.markdown()?,
    };
    let to_stdout = args.file.is_none() && args.format == ReportFormat::Markdown;
    if to_stdout || args.file.as_deref() == Some(Path::new("-")) {
        return app.print(&body);
    }
    let path = match &args.file {
        Some(file) => work.project.cwd.join(file),
        None => place(&work, &job.name),
    };
    FileStore.put(&Uri::from_path(&path), body.as_bytes()).await?;
    let link = match &latest {
        Some(record) if args.link => Some(linked(&work, record, &body).await?),
        _ => None,
    };
    let opened = args.open && open(app, &path);
    let run = latest.map(|record| record.run);
    let document = json!({ "path": path, "bytes": body.len(), "run": run, "opened": opened, "link": link });
    app.answer(&document, |_| {
        let shown = path.strip_prefix(&work.project.cwd).unwrap_or(&path).display();
        let size = bytes(body.len() as u64);
        let how = if args.open && !opened { "; there is no browser to open it here" } else { "" };
        format!("{shown}  ({size}{how})\n") + &link.map_or_else(String::new, |link| format!("\n{link}\n"))
    })
}

/// Writes the page of a job after its run and returns where, from the working folder. What goes wrong is a warning: the
/// tables are published.
pub async fn after_run(
    work: &Workspace<'_>,
    job: &Job,
    run: &RunRecord,
    said: sql::TablesSay,
    sink: &mut dyn Sink,
) -> Option<PathBuf> {
    let path = place(work, &job.name);
    let written = async {
        let body = page(work, job, Some(run), said).await?.html()?;
        FileStore.put(&Uri::from_path(&path), body.as_bytes()).await
    };
    match written.await {
        Ok(_) => Some(path.strip_prefix(&work.project.cwd).map_or_else(|_| path.clone(), Path::to_path_buf)),
        Err(error) => {
            let again = format!("`soflow report {}` tries it again", job.name);
            sink.emit(Event::Warning { text: format!("the report cannot be written: {error}; {again}") });
            None
        }
    }
}

/// Returns where the page of a job is kept.
fn place(work: &Workspace<'_>, job: &str) -> PathBuf {
    work.project.settings.root.join(format!(".soflow/report/{job}.html"))
}

async fn latest(work: &Workspace<'_>, job: Option<&str>) -> Result<Option<RunRecord>> {
    let artifacts = &work.lake().artifacts;
    let runs = run::list_runs(work.store.as_ref(), artifacts).await?;
    let mut records =
        runs.into_iter().filter(|(run, _)| job.is_none_or(|job| run.job == job)).filter_map(|(_, record)| record.ok());
    let Some(record) = records.next() else { return Ok(None) };
    let mut record = runs::seen(record, artifacts)?;
    runs::add_cost(work, &mut record).await?;
    Ok(Some(record))
}

async fn page(work: &Workspace<'_>, job: &Job, run: Option<&RunRecord>, said: sql::TablesSay) -> Result<ReportPage> {
    let index = work.catalog.index().await?;
    let made_up = match run {
        Some(record) => sample::is_of(work.store.as_ref(), &work.lake().raw, run::site(job), record.run.date).await?,
        None => false,
    };
    let sql::TablesSay { insights, figures } = said;
    Ok(ReportPage::new(PageSource { job, run, index: &index, made_up, insights, figures, now: Timestamp::now() }))
}

/// Keeps the page beside the record of its run, and returns an address of it.
async fn linked(work: &Workspace<'_>, record: &RunRecord, body: &str) -> Result<String> {
    let page = run::run_prefix(&work.lake().artifacts, &record.run).join("report.html");
    work.store.put(&page, body.as_bytes()).await?;
    S3Store::new(work.session()?).link(&page, "text/html; charset=utf-8", LINK_LASTS).await
}

/// Opens a file in the person's browser; returns whether there is one.
fn open(app: &App, path: &Path) -> bool {
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| app.environment.get(*name).is_some_and(|value| !value.is_empty()));
    let program = match std::env::consts::OS {
        "macos" => "open",
        _ if has_screen => "xdg-open",
        _ => return false,
    };
    let mut command = Command::new(program);
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|ended| ended.success())
}
