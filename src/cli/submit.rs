//! `soflow submit`: plan, run, publish, summarise; `soflow retry`: what is left of a run that did not publish.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::app::App;
use super::args::{RetryArgs, Selection, SubmitArgs};
use super::jobs::{self, Asked};
use super::workspace::Workspace;
use super::{attach, report, sql};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::event::{RunState, Sink};
use crate::ingest::sample;
use crate::job::Job;
use crate::names::RunId;
use crate::plan::{Action, Plan, Select, StepResult, TableFacts, Version, Written};
use crate::report::{RunSummary, SetAside, TableLine, TableState};
use crate::run::{self, Attached, Code, Driven, Gathered, LakeLock, Outcome, PlanRequest, RunRecord, Services};

/// The site the sample pretends to be from.
pub const SAMPLE_SITE: &str = "stackoverflow";

/// The table that takes what steps cannot use: `docs/tables.md`.
const QUARANTINE: &str = "quarantine";

/// How often a job is planned anew because others publish while it waits for its turn.
const ROUNDS: u32 = 20;

/// Runs what is not published yet of a job, or says that all of it is.
pub async fn submit(app: &App, args: &SubmitArgs) -> Result<u8> {
    let date = if args.sample { Some(sample::SAMPLE_DATE) } else { args.selection.date };
    let selection = Selection { date, ..args.selection.clone() };
    let (work, job) = app.open_for(&selection, args.watching).await?;
    let services = work.services_via(args.driver.via)?;
    let mut sink = app.sink();
    let mut submission = Submission::new(&work, &services, &selection, job)?;
    // Made-up pages are for trying things out, again and again: nobody waits for a page about them.
    submission.page = !args.sample;
    if args.sample {
        write_sample(&work, sink.as_mut()).await?;
    }
    submission.run(&work, &services, sink).await
}

/// Writes the sample's pages into raw, unless they are there.
///
/// # Errors
/// `Held` when somebody else writes to the lake; those of the store.
pub async fn write_sample(work: &Workspace<'_>, sink: &mut dyn Sink) -> Result<()> {
    let _lock = work.guard("ingest sample")?;
    sample::write(work.store.as_ref(), &work.lake().raw, SAMPLE_SITE, sink).await.map(drop)
}

/// Asks for the same again as a run did; finished steps are taken as they are.
pub async fn retry(app: &App, args: &RetryArgs) -> Result<u8> {
    let id: RunId = args.run.parse()?;
    let work = app.open(&args.local, args.watching).await?;
    let services = work.services_via(args.driver.via)?;
    let lake = work.lake();
    let record = run::load_run(services.store.as_ref(), &lake.artifacts, &id).await?;
    let record = run::agreed(&services, lake, record).await?;
    if record.state == RunState::Succeeded {
        return Err(Error::new(Kind::Usage, format!("run `{id}` succeeded: there is nothing to retry"))
            .hint(format!("to run it all again: `soflow submit {} --date {} --force`", id.job, id.date)));
    }
    let may_go_on = services.owner.is_some() || LakeLock::is_held(&lake.artifacts)?;
    if record.state == RunState::Running && may_go_on {
        let error = Error::new(Kind::Held, format!("run `{id}` is still running"))
            .hint(format!("`soflow runs show {id}` shows how far it is"));
        return Err(match services.owner {
            Some(_) => error.hint(format!("`soflow attach {id}` goes on with it")),
            None => error,
        });
    }
    let values = |flag: &str| {
        let values = record.asked.iter().filter_map(|asked| asked.strip_prefix(flag)?.strip_prefix('='));
        values.map(String::from).collect::<Vec<_>>()
    };
    let selection = Selection {
        job: id.job.clone(),
        date: Some(id.date),
        params: values("--param"),
        only: values("--only"),
        from: values("--from").pop(),
        force: record.asked.iter().any(|asked| asked == "--force"),
        local: args.local.clone(),
    };
    let mut submission = Submission::new(&work, &services, &selection, jobs::asked(&work.project, &selection)?)?;
    // What was forced and has finished is a result now; forcing it again would throw that away.
    submission.select.after = record.intent.map_or_else(Vec::new, |intent| intent.select.after);
    submission.select.after.push(id);
    submission.page = true;
    submission.run(&work, &services, app.sink()).await
}

/// Returns the flags that ask for the same again beyond job and date: `retry` reads them from the record.
pub fn asked(selection: &Selection) -> Vec<String> {
    let mut asked: Vec<String> = selection.params.iter().map(|param| format!("--param={param}")).collect();
    asked.extend(selection.only.iter().map(|step| format!("--only={step}")));
    asked.extend(selection.from.iter().map(|step| format!("--from={step}")));
    asked.extend(selection.force.then(|| "--force".to_string()));
    asked
}

/// Tables by name, as they were before a run.
type Tables = BTreeMap<String, TableFacts>;

/// A job to run for a date.
pub struct Submission {
    /// The job.
    pub job: Job,
    /// The logical date.
    pub date: Date,
    /// Which steps.
    pub select: Select,
    /// What was asked for beyond job and date, for the record.
    pub asked: Vec<String>,
    /// The code, as it was when this was asked for.
    pub code: Code,
    /// Whether a page is written about what is published, in a lake of this machine: elsewhere its queries cost.
    pub page: bool,
}

/// What came of a submission.
pub enum SubmitOutcome {
    /// All of it was published before.
    Nothing(Box<RunSummary>, Plan),
    /// It was run, or gone on with.
    Published(Box<Outcome>),
    /// A run of another process is over.
    Over(Box<RunRecord>),
    /// It came as far as this process was to take it.
    Left(Box<RunRecord>),
}

impl Submission {
    /// Reads the code of the job that is asked for.
    ///
    /// # Errors
    /// `Usage` for code that cannot be packaged, `Machine` for code that cannot be read.
    pub fn new(work: &Workspace<'_>, services: &Services, selection: &Selection, job: Asked) -> Result<Self> {
        let (job, date, select) = job;
        let code = jobs::code(&work.project, &job, services)?;
        Ok(Self { job, date, select, asked: asked(selection), code, page: false })
    }

    /// Returns what a run after one that gave way to others has to do: with its job, its code and its options.
    ///
    /// # Errors
    /// `Internal` when the record does not say what was to be done.
    pub fn after(record: &RunRecord) -> Result<Self> {
        let missing = || Error::new(Kind::Internal, "a run that others could take over has no intent");
        let intent = record.intent.as_ref().ok_or_else(missing)?;
        let mut select = intent.select.clone();
        select.after.push(record.run.clone());
        let (job, date, asked) = (intent.job.clone(), record.run.date, record.asked.clone());
        Ok(Self { job, date, select, asked, code: intent.code(record), page: false })
    }

    /// Collects what a plan is made from; there may be no raw pages.
    ///
    /// # Errors
    /// Those of the store and the catalog.
    pub async fn look<'a>(&'a self, select: Select, lake: &'a Lake, services: &Services) -> Result<Gathered<'a>> {
        let request = PlanRequest { job: &self.job, date: self.date, lake, code: self.code.clone(), select };
        run::gather(request, services.store.as_ref(), services.catalog.as_ref()).await
    }

    /// Collects what a plan is made from.
    ///
    /// # Errors
    /// `Usage` when a step is asked for that reads raw pages and there are none for the date.
    pub async fn gather<'a>(&'a self, select: Select, lake: &'a Lake, services: &Services) -> Result<Gathered<'a>> {
        let gathered = self.look(select, lake, services).await?;
        match jobs::lacks_pages(&gathered) {
            true => Err(jobs::no_pages(&lake.raw, &self.job, self.date, services.store.as_ref()).await?),
            false => Ok(gathered),
        }
    }

    /// Plans and runs, and prints the summary.
    ///
    /// A run of the same job and date that is going on is attached to instead of begun a second time.
    pub async fn run(self, work: &Workspace<'_>, services: &Services, mut sink: Box<dyn Sink>) -> Result<u8> {
        let outcome = self.execute(work, services, sink.as_mut()).await?;
        let (mut insights, mut page_at) = (Vec::new(), None);
        if let SubmitOutcome::Published(outcome) = &outcome {
            let page = self.page && work.session.is_none() && !self.job.report.is_empty();
            let charts = if page { self.job.report.as_slice() } else { &[] };
            let said = sql::said(work, &self.job, charts, sink.as_mut()).await;
            insights.clone_from(&said.insights);
            if page {
                page_at = report::after_run(work, &self.job, &outcome.record, said, sink.as_mut()).await;
            }
        }
        // The live view must be off the terminal before the answer is printed.
        drop(sink);
        match outcome {
            SubmitOutcome::Nothing(summary, _) => work.app.answer(&summary, |_| {
                let (job, date) = (&self.job.name, self.date);
                let said = format!("Nothing to do: `{job}` for {date} is published and nothing has changed.\n");
                said + &format!("  soflow tables\n  soflow submit {job} --date {date} --force\n")
            }),
            SubmitOutcome::Published(outcome) => {
                let summary = RunSummary { insights, report: page_at, ..published(&outcome) };
                print(work.app, &summary, outcome.unshown)
            }
            SubmitOutcome::Over(record) => attach::over(work.app, &record),
            SubmitOutcome::Left(record) => super::deploy::hand_over(work, &record).await,
        }
    }

    /// Plans and runs, or goes on with the run that is going on.
    ///
    /// # Errors
    /// As [`run::drive`] and [`run::attach`].
    pub async fn execute(
        &self,
        work: &Workspace<'_>,
        services: &Services,
        sink: &mut dyn Sink,
    ) -> Result<SubmitOutcome> {
        let lake = work.lake();
        let (mut rounds, mut select) = (0, self.select.clone());
        loop {
            let mut gathered = self.gather(select.clone(), lake, services).await?;
            let plan = run::plan(&mut gathered, services.store.as_ref()).await?;
            let differences = |record: &RunRecord| {
                let intent = record.intent.as_ref();
                intent.map_or_else(Vec::new, |intent| intent.differences(record, &gathered.facts, &self.asked))
            };
            let driven = if plan.nothing_to_do() {
                // A run may have published and ended before it could say so.
                let unfinished = run::unfinished(services, &lake.artifacts, &gathered.facts.key()).await?;
                match unfinished.filter(|record| differences(record).is_empty()) {
                    Some(record) => Driven::GoesOn(record),
                    None => {
                        // A publication that was cut short may not be shown everywhere yet.
                        if !gathered.index.shown && services.publishes() {
                            services.catalog.telling(services.catalog.settle(), sink).await?;
                        }
                        return Ok(SubmitOutcome::Nothing(Box::new(up_to_date(&gathered, &plan, services)), plan));
                    }
                }
            } else {
                run::drive(&gathered, &plan, self.asked.clone(), services, sink).await?
            };
            let behind = match driven {
                Driven::Done(outcome) => return Ok(SubmitOutcome::Published(outcome)),
                Driven::Left(record) => return Ok(SubmitOutcome::Left(record)),
                Driven::Behind(record) => record,
                Driven::GoesOn(record) => {
                    let differences = differences(&record);
                    // Nobody is there who could decide: an execution finishes what goes on, whatever that was asked for.
                    if !differences.is_empty() && services.part.is_none() {
                        attach::wait_behind(work, services, *record, &differences, sink).await?;
                        continue;
                    }
                    match attach::follow(work, services, &record.run, sink).await? {
                        // It had not really begun, and is closed now.
                        Attached::Empty(_) => continue,
                        Attached::Behind(record) => record,
                        Attached::Over(record) => return Ok(SubmitOutcome::Over(record)),
                        Attached::Left(record) => return Ok(SubmitOutcome::Left(record)),
                        Attached::Finished(outcome) => return Ok(SubmitOutcome::Published(outcome)),
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
}

/// Prints the summary of a run and, when Glue does not show yet what it has published, why; returns the exit code.
pub fn print(app: &App, summary: &RunSummary, unshown: Option<Error>) -> Result<u8> {
    app.answer(summary, |layout| app.gap().to_string() + &summary.text(layout))?;
    let Some(mut error) = unshown else { return Ok(0) };
    let RunId { job, date, .. } = &summary.run;
    error.message = run::not_shown(&summary.run, &error);
    let shows = format!("`soflow submit {job} --date {date}` shows it, and runs nothing again");
    Ok(app.show_error(&error.hint(format!("when that is mended: {shows}"))))
}

/// Returns what a run has published.
pub fn published(outcome: &Outcome) -> RunSummary {
    let Outcome { record, results, versions, plan, before, .. } = outcome;
    let quarantined = plan.steps.iter().filter_map(|step| {
        let rows = results.get(&step.step.name)?.tables.get(QUARANTINE)?.rows();
        (rows > 0).then(|| SetAside { step: step.step.name.clone(), rows })
    });
    let quarantined: Vec<SetAside> = quarantined.collect();
    // What several steps share is told of last, and not at all when there never was any.
    let outputs = || plan.steps.iter().flat_map(|step| &step.outputs);
    let is_shared = |name: &str| outputs().any(|output| output.table == name && !output.only.is_empty());
    let lines = table_lines(before, plan, versions, results);
    let (shared, mut tables): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| is_shared(&line.name));
    tables.extend(shared.into_iter().filter(|line| line.rows > 0));
    let report = format!("soflow report {} --open", record.run.job);
    let mut next = vec![report, "soflow tables".to_string(), format!("soflow runs show {}", record.run)];
    next.extend(tables.first().map(|table| format!("soflow query \"select * from {} limit 5\"", table.name)));
    if !quarantined.is_empty() {
        next.push(format!("soflow query \"select reason, count(*) from {QUARANTINE} group by reason\""));
    }
    RunSummary {
        run: record.run.clone(),
        target: record.target.clone(),
        engine: record.engine.clone(),
        state: record.state,
        seconds: record.ended_at.map_or(0.0, |ended| ended.duration_since(record.started_at).as_secs_f64()),
        tables,
        insights: Vec::new(),
        report: None,
        next,
        quarantined,
    }
}

/// Returns the tables that were published or looked at, in the order of the plan. What was not asked for is none of a run's
/// business.
fn table_lines(
    before: &Tables,
    plan: &Plan,
    versions: &[Version],
    results: &BTreeMap<String, StepResult>,
) -> Vec<TableLine> {
    let mut lines: Vec<TableLine> = Vec::new();
    let outputs = plan.steps.iter().flat_map(|step| step.outputs.iter().map(move |output| (step, output)));
    for (step, output) in outputs {
        let name = &output.table;
        let was = before.get(name).and_then(TableFacts::current);
        let unchanged = was.filter(|_| step.action == Action::UpToDate && output.only.is_empty());
        let (now, state) = match (versions.iter().find(|version| version.table == *name), unchanged) {
            (Some(version), _) => (version, TableState::Published),
            (None, Some(version)) => (version, TableState::UpToDate),
            (None, None) => continue,
        };
        let written = || results.values().filter_map(|result| result.tables.get(name));
        if lines.iter().all(|line| line.name != *name) {
            lines.push(TableLine {
                name: name.clone(),
                rows: now.rows(),
                rows_before: was.map(Version::rows),
                partitions_written: written().map(|written| written.partitions.len() as u64).sum(),
                bytes: written().map(Written::bytes).sum(),
                state,
            });
        }
    }
    lines
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
        tables: table_lines(&facts.tables, plan, &[], &BTreeMap::new()),
        quarantined: Vec::new(),
        insights: Vec::new(),
        report: None,
        next: vec!["soflow tables".into()],
    }
}
