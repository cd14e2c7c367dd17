//! `soflow submit`: plan, run, publish, summarise.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::app::App;
use super::args::{Selection, SubmitArgs};
use super::attach::Attachment;
use super::connections::RunOptions;
use super::output::stderr;
use super::project::Project;
use super::{insights, jobs};
use crate::error::{Error, Kind, Result};
use crate::event::{RunState, Sink};
use crate::ingest::sample;
use crate::job::Job;
use crate::names::RunId;
use crate::plan::{self, Action, Plan, Select, TableFacts};
use crate::report::{Answer, Layout, RunSummary, SetAside, TableLine, TableState, problem};
use crate::run::{self, Attached, Code, Driven, Gathered, Intent, LakeLock, Outcome, PlanRequest, RunRecord, Services};

/// The site the sample pretends to be from.
pub const SAMPLE_SITE: &str = "stackoverflow";

/// The table that takes what steps cannot use: `docs/tables.md`.
const QUARANTINE: &str = "quarantine";

/// Runs what is not published yet of a job, or says that all of it is.
pub async fn submit(app: &App, args: &SubmitArgs) -> Result<u8> {
    let project = app.project(Some(&args.selection.local))?;
    let mut sink = app.sink();
    app.warn(&project, sink.as_mut());
    let services = app.services(&project, args.watching.options()).await?;
    let date = if args.sample { sample::SAMPLE_DATE } else { jobs::date_of(&args.selection) };
    let job = jobs::load_job(&project, &args.selection.job, &args.selection.params, date)?;
    let select = jobs::select(&job, &args.selection)?;
    if args.sample {
        let lake = &project.target()?.lake;
        let _lock = LakeLock::guard(&lake.artifacts, "ingest sample", Timestamp::now())?;
        sample::write(services.store.as_ref(), &lake.raw, SAMPLE_SITE, sink.as_mut()).await?;
    }
    let code = jobs::code(&project, &job, &services)?;
    let submission = Submission { project: &project, job: &job, date, select, asked: asked(&args.selection), code };
    submission.run(app, &services, args.watching.options(), sink).await
}

/// Returns the flags that ask for the same again beyond job and date: `retry` reads them from the record.
pub fn asked(selection: &Selection) -> Vec<String> {
    let mut asked: Vec<String> = selection.params.iter().map(|param| format!("--param={param}")).collect();
    asked.extend(selection.only.iter().map(|step| format!("--only={step}")));
    asked.extend(selection.from.iter().map(|step| format!("--from={step}")));
    asked.extend(selection.force.then(|| "--force".to_string()));
    asked
}

/// How often a job is planned anew because others publish while it waits for its turn.
const ROUNDS: u32 = 20;

/// Tables by name, as they were before a run.
type Tables = BTreeMap<String, TableFacts>;

/// A job to run for a date.
pub struct Submission<'a> {
    /// The project.
    pub project: &'a Project,
    /// The job.
    pub job: &'a Job,
    /// The logical date.
    pub date: Date,
    /// Which steps.
    pub select: Select,
    /// What was asked for beyond job and date, for the record.
    pub asked: Vec<String>,
    /// The code, as it was when this was asked for.
    pub code: Code,
}

/// What came of a submission.
pub enum SubmitOutcome<'a> {
    /// All of it was published before.
    Nothing(Box<Gathered<'a>>, Plan),
    /// It was run.
    Published(Box<Outcome>),
    /// A run of another process was gone on with.
    Attached(RunId, Box<Attached>),
}

impl Submission<'_> {
    /// Plans and runs, and prints the summary.
    ///
    /// A run of the same job and date that is going on is attached to instead of begun a second time.
    pub async fn run(self, app: &App, services: &Services, options: RunOptions, mut sink: Box<dyn Sink>) -> Result<u8> {
        match self.execute(services, options, sink.as_mut()).await? {
            SubmitOutcome::Nothing(gathered, plan) => {
                let summary = up_to_date(&gathered, &plan, services);
                // The live view must be off the terminal before the answer is printed.
                drop(sink);
                app.answer(&NothingToDo { summary, job: &self.job.name, date: self.date })
            }
            SubmitOutcome::Published(outcome) => {
                let mut summary = published(&outcome);
                summary.insights = insights::tell(app, self.project, self.job, services, sink.as_mut()).await;
                drop(sink);
                print(app, &summary, outcome.unshown)
            }
            SubmitOutcome::Attached(run, ended) => {
                let attachment = Attachment { project: self.project, services, run, options };
                attachment.tell(app, *ended, sink).await
            }
        }
    }

    /// Plans and runs, or goes on with the run that is going on.
    ///
    /// # Errors
    /// As [`run::drive`] and [`run::attach`].
    pub async fn execute(
        &self,
        services: &Services,
        options: RunOptions,
        sink: &mut dyn Sink,
    ) -> Result<SubmitOutcome<'_>> {
        let lake = &self.project.target()?.lake;
        let (mut rounds, mut select) = (0, self.select.clone());
        loop {
            let (job, date) = (self.job, self.date);
            let request = PlanRequest { job, date, lake, code: self.code.clone(), select: select.clone() };
            let mut gathered = jobs::gather(request, services).await?;
            let plan = run::plan(&mut gathered, services.store.as_ref()).await?;
            let driven = if plan.nothing_to_do() {
                // A run may have published and ended before it could say so.
                let unfinished = run::unfinished(services, &lake.artifacts, &gathered.facts.key()).await?;
                match unfinished.filter(|record| self.differences(record, &gathered).is_empty()) {
                    Some(record) => Driven::GoesOn(record),
                    None => {
                        // A publication that was cut short may not be shown everywhere yet.
                        if !gathered.index.shown {
                            let catalog = services.catalog.as_ref();
                            catalog.telling(catalog.settle(), sink).await?;
                        }
                        return Ok(SubmitOutcome::Nothing(Box::new(gathered), plan));
                    }
                }
            } else {
                run::drive(&gathered, &plan, self.asked.clone(), services, sink).await?
            };
            let behind = match driven {
                Driven::Done(outcome) => return Ok(SubmitOutcome::Published(outcome)),
                Driven::Behind(record) => record,
                Driven::GoesOn(record) => {
                    let differences = self.differences(&record, &gathered);
                    let attachment = Attachment { project: self.project, services, run: record.run.clone(), options };
                    if !differences.is_empty() {
                        attachment.wait_behind(&record, &differences, sink).await?;
                        continue;
                    }
                    match attachment.attach(sink).await? {
                        // It had not really begun, and is closed now.
                        Attached::Empty(_) => continue,
                        Attached::Behind(record) => record,
                        ended => return Ok(SubmitOutcome::Attached(attachment.run, Box::new(ended))),
                    }
                }
            };
            // Someone else has published meanwhile: what is left to do follows from that now.
            rounds += 1;
            if rounds == ROUNDS {
                let message = behind.error.unwrap_or_else(|| "others publish the same tables all the time".into());
                return Err(Error::new(Kind::Held, message).hint("run the same command again"));
            }
            select.after.push(behind.run);
        }
    }

    /// Returns in what this differs from what a run of the same job and date was asked for.
    fn differences(&self, record: &RunRecord, gathered: &Gathered<'_>) -> Vec<String> {
        let differences = |intent: &Intent| intent.differences(record, &gathered.facts, &self.asked);
        record.intent.as_ref().map_or_else(Vec::new, differences)
    }
}

/// A job whose tables are as they would be made.
#[derive(Serialize)]
struct NothingToDo<'a> {
    #[serde(flatten)]
    summary: RunSummary,
    #[serde(skip)]
    job: &'a str,
    #[serde(skip)]
    date: Date,
}

impl Answer for NothingToDo<'_> {
    fn text(&self, _: &Layout) -> String {
        let Self { job, date, .. } = self;
        let said = format!("Nothing to do: `{job}` for {date} is published and nothing has changed.\n");
        said + &format!("  soflow tables\n  soflow submit {job} --date {date} --force\n")
    }
}

/// Prints the summary of a run and, when Glue does not show yet what it has published, why; returns the exit code.
pub fn print(app: &App, summary: &RunSummary, unshown: Option<Error>) -> Result<u8> {
    // Parts the answer from the story above it.
    if !app.json && app.watched() {
        app.print("\n")?;
    }
    app.answer(summary)?;
    let Some(mut error) = unshown else { return Ok(0) };
    let RunId { job, date, .. } = &summary.run;
    error.message = run::not_shown(&summary.run, &error);
    error
        .hints
        .push(format!("when that is mended: `soflow submit {job} --date {date}` shows it, and runs nothing again"));
    problem::write_text(&error, &app.err_style, &mut stderr())?;
    Ok(error.kind.exit_code())
}

/// Returns what a run has published.
pub fn published(outcome: &Outcome) -> RunSummary {
    let Outcome { record, plan, before, .. } = outcome;
    let mut tables: Vec<TableLine> = Vec::new();
    let mut quarantined = Vec::new();
    for step in &plan.steps {
        let Some(result) = outcome.results.get(&step.step.name) else {
            tables.extend(unchanged(before, step));
            continue;
        };
        for output in &step.outputs {
            let rows = result.tables.get(&output.table).map_or(0, plan::Written::rows);
            if output.table == QUARANTINE && rows > 0 {
                quarantined.push(SetAside { step: step.step.name.clone(), rows });
            }
            if !tables.iter().any(|line| line.name == output.table) {
                tables.extend(line(outcome, &output.table));
            }
        }
    }
    // What several steps share is told of last, and not at all when there never was any.
    let (aside, mut tables): (Vec<_>, Vec<_>) = tables.into_iter().partition(|line| is_shared(plan, &line.name));
    tables.extend(aside.into_iter().filter(|line| line.rows > 0));
    let seconds = record.ended_at.map_or(0.0, |ended| ended.duration_since(record.started_at).as_secs_f64());
    let sql = tables.first().map(|table| format!("soflow query \"select * from {} limit 5\"", table.name));
    let next = ["soflow tables".to_string(), format!("soflow runs show {}", record.run)].into_iter().chain(sql);
    let why = format!("soflow query \"select reason, count(*) from {QUARANTINE} group by reason\"");
    let quarantine = (!quarantined.is_empty()).then_some(why);
    RunSummary {
        run: record.run.clone(),
        target: record.target.clone(),
        engine: record.engine.clone(),
        state: record.state,
        seconds,
        tables,
        insights: Vec::new(),
        next: next.chain(quarantine).collect(),
        quarantined,
    }
}

fn is_shared(plan: &Plan, table: &str) -> bool {
    plan.steps.iter().flat_map(|step| &step.outputs).any(|output| output.table == table && !output.only.is_empty())
}

fn line(outcome: &Outcome, table: &str) -> Option<TableLine> {
    let version = outcome.versions.iter().find(|version| version.table == table)?;
    let written = || outcome.results.values().filter_map(|result| result.tables.get(table));
    Some(TableLine {
        name: table.to_string(),
        rows: version.rows(),
        rows_before: outcome.before.get(table).and_then(plan::TableFacts::current).map(plan::Version::rows),
        partitions_written: written().map(|written| written.partitions.len() as u64).sum(),
        bytes: written().map(plan::Written::bytes).sum(),
        state: TableState::Published,
    })
}

fn unchanged<'a>(before: &'a Tables, step: &'a plan::StepPlan) -> impl Iterator<Item = TableLine> + 'a {
    // What was not asked for is none of this run's business.
    let looked_at = step.action == Action::UpToDate;
    let whole = step.outputs.iter().filter(move |output| looked_at && output.only.is_empty());
    whole.filter_map(|output| {
        let current = before.get(&output.table)?.current()?;
        Some(TableLine {
            name: output.table.clone(),
            rows: current.rows(),
            rows_before: Some(current.rows()),
            partitions_written: 0,
            bytes: 0,
            state: TableState::UpToDate,
        })
    })
}

fn up_to_date(gathered: &Gathered<'_>, plan: &Plan, services: &Services) -> RunSummary {
    let facts = &gathered.facts;
    let latest = facts.tables.values().filter_map(|table| table.current.clone()).max();
    RunSummary {
        run: latest.unwrap_or_else(|| facts.key().run(0)),
        target: services.target_name.clone(),
        engine: facts.engine.clone(),
        state: RunState::Succeeded,
        seconds: 0.0,
        tables: plan.steps.iter().flat_map(|step| unchanged(&facts.tables, step)).collect(),
        quarantined: Vec::new(),
        insights: Vec::new(),
        next: vec!["soflow tables".into()],
    }
}
