//! What a backfill would do: the plan of every date, and what that may cost.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::super::app::App;
use super::super::connections::{Connections, RunOptions};
use super::super::jobs;
use super::super::project::Project;
use super::BackfillArgs;
use crate::config::TargetKind;
use crate::cost::Dollars;
use crate::error::{Error, Result};
use crate::event::{DateState, RunState};
use crate::job::Job;
use crate::plan::{Action, Select};
use crate::report::{Answer, Layout, paint, plural};
use crate::run::{self, DateEntry, DateRange, DateWork, Ledger, Services};

/// How many dates are looked at together: on a laptop the disk is what one waits for, on S3 the answers.
const AT_ONCE: usize = 8;
/// Most dates named in one line.
const FEW: usize = 8;
/// Of how many earlier runs the costs are looked at.
const EARLIER: usize = 10;

/// What a backfill would do.
pub struct BackfillPlan {
    range: DateRange,
    target: String,
    days: BTreeMap<Date, PlannedDate>,
    /// What each date may cost: the least, the most, and how that is known; or that it is not.
    cost: Option<(String, Option<(Dollars, Dollars)>)>,
}

impl BackfillPlan {
    /// Plans every date; changes nothing.
    ///
    /// # Errors
    /// Those of the job file, the store and the catalog.
    pub async fn of(
        project: &Project,
        args: &BackfillArgs,
        range: &DateRange,
        ledger: &Ledger,
        services: &Services,
    ) -> Result<Self> {
        let planner = Planner { project, services, ledger, args };
        let planned = futures_util::stream::iter(super::dates(range))
            .map(async |date| Ok::<_, Error>((date, planner.date(&range.job, date).await?)));
        let days = planned.buffered(AT_ONCE).try_collect().await?;
        let target = services.target_name.clone();
        let mut planned = Self { range: range.clone(), target, days, cost: None };
        planned.look_at_latest(ledger);
        Ok(planned)
    }

    /// Tables that are computed from others are as the date that was run last has left them: that one has to be done
    /// in every respect, unless another date runs after it anyway.
    fn look_at_latest(&mut self, ledger: &Ledger) {
        let done = ledger.dates.iter().filter(|(_, entry)| PUBLISHED.contains(&entry.state));
        let latest = done.max_by_key(|(date, entry)| (entry.ended_at, **date)).map(|(date, _)| *date);
        let none_runs = self.to_run().is_empty();
        if let Some(day) = latest.filter(|_| none_runs).and_then(|date| self.days.get_mut(&date))
            && PUBLISHED.contains(&day.state)
            && !day.idle
        {
            day.state = DateState::Waiting;
        }
    }

    /// Finds out what the dates may cost, on a target that costs anything.
    ///
    /// # Errors
    /// Those of the settings and of reading the records of runs.
    pub async fn look_up_costs(
        &mut self,
        app: &App,
        project: &Project,
        connections: &Connections,
        services: &Services,
    ) -> Result<()> {
        let TargetKind::Emr(_) = project.target()?.kind else { return Ok(()) };
        let runs = run::list_runs(services.store.as_ref(), &project.target()?.lake.artifacts).await?;
        let read = runs.into_iter().filter_map(|(_, record)| record.ok());
        let mine = read.filter(|run| run.run.job == self.range.job && run.state == RunState::Succeeded);
        let totals = mine.filter_map(|run| Some(run.cost?.estimate?.total)).take(EARLIER);
        let (low, high): (Vec<_>, Vec<_>) = totals.map(|total| (total.low, total.high)).unzip();
        let hour = match app.clusters_on(project, connections, RunOptions::default())?.cost() {
            Ok(hour) => format!("a cluster costs {hour}"),
            Err(missing) => missing.to_string(),
        };
        let known = low.iter().min().copied().zip(high.iter().max().copied());
        self.cost = Some(match known {
            Some(each) => {
                (format!("as {} of this job cost; {hour}", plural(low.len() as u64, "earlier run")), Some(each))
            }
            None => (format!("no earlier run of this job says how long it takes; {hour}"), None),
        });
        Ok(())
    }

    /// Returns the dates to run, oldest first: later ones are merged on top of earlier ones.
    pub fn to_run(&self) -> Vec<Date> {
        self.named(DateState::Waiting)
    }

    /// Returns what the ledger is to say of each date before any is run.
    pub fn entries(&self, ledger: &Ledger) -> impl Iterator<Item = (Date, DateEntry)> {
        self.days.iter().map(|(date, day)| {
            let known = ledger.dates.get(date).cloned().unwrap_or_default();
            let entry = match (day.state, known.state) {
                // How it went the last time is told until it is run again.
                (DateState::Waiting, DateState::Failed | DateState::Cancelled) => known,
                // So is how it was done, also when nothing is to be done any more.
                (DateState::Done | DateState::NothingToDo, DateState::Done) => known,
                (DateState::NothingToDo, _) => DateEntry { state: day.state, done: day.work.clone(), ..known },
                (DateState::Waiting, _) => {
                    DateEntry { state: day.state, attempts: known.attempts, ..DateEntry::default() }
                }
                _ => DateEntry { state: day.state, ..known },
            };
            (*date, entry)
        })
    }

    /// Returns the job as its file says for a date.
    pub fn job(&self, date: Date) -> Option<&Job> {
        self.days.get(&date).map(|day| &day.job)
    }

    fn named(&self, state: DateState) -> Vec<Date> {
        self.days.iter().filter(|(_, day)| day.state == state).map(|(date, _)| *date).collect()
    }

    fn up_to_date(&self) -> u64 {
        (self.named(DateState::NothingToDo).len() + self.named(DateState::Done).len()) as u64
    }

    fn steps(&self) -> u64 {
        self.days.values().filter(|day| day.state == DateState::Waiting).map(|day| day.steps).sum()
    }

    fn dollars(&self) -> Option<(Dollars, Dollars)> {
        let (low, high) = self.cost.as_ref()?.1?;
        let times = self.to_run().len() as u64;
        let all = |one: Dollars| Dollars::from_micros(one.micros().saturating_mul(times));
        Some((all(low), all(high)))
    }

    /// Returns the plan in one line.
    pub fn line(&self) -> String {
        let run = self.to_run().len() as u64;
        let (days, raw) = (plural(self.days.len() as u64, "date"), self.named(DateState::NoRaw).len());
        format!("{days}: {run} to run, {} up to date, {raw} without raw pages.", self.up_to_date())
    }
}

impl Answer for BackfillPlan {
    fn text(&self, layout: &Layout) -> String {
        let style = &layout.style;
        let DateRange { job, from, to } = &self.range;
        let mut shown = format!("{} from {from} to {to} on {}\n\n", paint(style.strong, job), self.target);
        let mut tell = |label: &str, text: String| shown.push_str(&format!("  {label:<15} {text}\n"));
        tell("dates", self.days.len().to_string());
        tell("up to date", self.up_to_date().to_string());
        let raw = self.named(DateState::NoRaw);
        if let Some(first) = raw.first() {
            let fetch = format!("skipped; `soflow ingest api --date {first}` brings them");
            tell("no raw pages", format!("{}: {}, {fetch}", raw.len(), few(&raw)));
        }
        let run = self.to_run();
        match run.is_empty() {
            true => tell("to run", "none".into()),
            false => tell("to run", format!("{}, {}: {}", run.len(), plural(self.steps(), "step"), few(&run))),
        }
        if let Some((how, _)) = self.cost.as_ref().filter(|_| !run.is_empty()) {
            let amount = self.dollars().map_or("unknown".into(), |(low, high)| format!("{low} to {high}"));
            tell("cost", format!("{amount}: {how}"));
        }
        shown + "\n"
    }
}

impl Serialize for BackfillPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let DateRange { job, from, to } = &self.range;
        let days = self.days.iter().map(|(date, day)| {
            let steps = if day.state == DateState::Waiting { day.steps } else { 0 };
            (date.to_string(), json!({ "state": day.state, "steps": steps }))
        });
        json!({
            "job": job,
            "from": from,
            "to": to,
            "target": self.target,
            "to_run": self.to_run().len(),
            "steps": self.steps(),
            "dollars": self.dollars().map(|(low, high)| json!({ "low": low, "high": high })),
            "dates": days.collect::<serde_json::Map<_, _>>(),
        })
        .serialize(serializer)
    }
}

/// Returns the first dates and how many more there are.
fn few(dates: &[Date]) -> String {
    let mut named: Vec<String> = dates.iter().take(FEW).map(ToString::to_string).collect();
    if dates.len() > FEW {
        named.push(format!("and {} more", dates.len() - FEW));
    }
    named.join(", ")
}

/// States of a date whose tables readers see.
const PUBLISHED: [DateState; 2] = [DateState::Done, DateState::NothingToDo];

/// A date as it was planned.
pub struct PlannedDate {
    /// The job as its file says for this date.
    pub job: Job,
    /// `Waiting` when it is to be run, else why not: `NothingToDo`, `Done`, `NoRaw`.
    pub state: DateState,
    /// Whether the plan says that there is nothing to do.
    pub idle: bool,
    /// Steps that the plan would run.
    pub steps: u64,
    /// What it is made from, when there are raw pages.
    pub work: Option<DateWork>,
}

/// What dates are planned with.
struct Planner<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where the facts are.
    pub services: &'a Services,
    /// What earlier commands have done.
    pub ledger: &'a Ledger,
    /// What was asked for.
    pub args: &'a BackfillArgs,
}

impl Planner<'_> {
    /// Plans a date; changes nothing.
    ///
    /// # Errors
    /// Those of the job file, the store and the catalog.
    async fn date(&self, name: &str, date: Date) -> Result<PlannedDate> {
        let force = self.args.force;
        let job = jobs::load_job(self.project, name, &self.args.params, date)?;
        let select = Select { force, ..Select::default() };
        let code = jobs::code(self.project, &job, self.services)?;
        let request = run::PlanRequest { job: &job, date, lake: &self.project.target()?.lake, code, select };
        let gathered = run::gather(request, self.services.store.as_ref(), self.services.catalog.as_ref()).await?;
        if jobs::lacks_pages(&gathered) {
            drop(gathered);
            return Ok(PlannedDate { job, state: DateState::NoRaw, idle: true, steps: 0, work: None });
        }
        let planned = crate::plan::plan(&gathered.facts)?;
        let idle = planned.nothing_to_do();
        let steps = planned.steps.iter().filter(|step| step.action == Action::Run).count() as u64;
        let known = self.ledger.dates.get(&date).filter(|entry| !force && PUBLISHED.contains(&entry.state));
        let holds = |work: &DateWork| work.holds(&gathered.facts, &planned);
        let state = match known.filter(|entry| entry.done.as_ref().is_some_and(holds)) {
            Some(entry) => entry.state,
            None if idle => DateState::NothingToDo,
            None => DateState::Waiting,
        };
        let work = Some(DateWork::of(&planned));
        drop(gathered);
        Ok(PlannedDate { job, state, idle, steps, work })
    }
}
