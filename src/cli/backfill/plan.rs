//! What a backfill would do: the plan of every date, and what that may cost.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use serde_json::{Map, Value as Json, json};

use super::super::jobs;
use super::super::submit::Submission;
use super::super::workspace::Workspace;
use super::BackfillArgs;
use crate::cost::Dollars;
use crate::error::{Error, Result};
use crate::event::{DateState, RunState};
use crate::plan::Action;
use crate::report::{Style, paint, plural};
use crate::run::{self, DateEntry, DateRange, DateWork, Ledger, Services};

/// How many dates are looked at together: on a laptop the disk is what one waits for, on S3 the answers.
const AT_ONCE: usize = 8;
/// Most dates named in one line.
const FEW: usize = 8;
/// Of how many earlier runs the costs are looked at.
const EARLIER: usize = 10;

/// States of a date whose tables readers see.
const PUBLISHED: [DateState; 2] = [DateState::Done, DateState::NothingToDo];

/// What a backfill would do.
pub struct BackfillPlan {
    range: DateRange,
    target: String,
    /// What would be done for each date.
    pub dates: BTreeMap<Date, PlannedDate>,
    /// On a target that costs anything, how that is known, and what each date may cost: the least and the most.
    cost: Option<(String, Option<(Dollars, Dollars)>)>,
}

/// A date as it was planned.
pub struct PlannedDate {
    /// What is to be run, as the files say for this date.
    pub submission: Submission,
    /// `Waiting` when it is to be run, else why not: `NothingToDo`, `Done`, `NoRaw`.
    state: DateState,
    /// Whether the plan says that there is nothing to do.
    idle: bool,
    /// Steps that the plan would run.
    steps: u64,
    /// What it is made from, when there are raw pages.
    work: Option<DateWork>,
}

impl BackfillPlan {
    /// Plans every date; changes nothing.
    ///
    /// # Errors
    /// Those of the job file, the store and the catalog.
    pub async fn of(
        work: &Workspace<'_>,
        args: &BackfillArgs,
        range: &DateRange,
        ledger: &Ledger,
        services: &Services,
    ) -> Result<Self> {
        let all = range.from.series(jiff::Span::new().days(1)).take_while(|date| *date <= range.to);
        let planned = futures_util::stream::iter(all)
            .map(async |date| Ok::<_, Error>((date, plan_date(work, args, date, ledger, services).await?)));
        let mut dates: BTreeMap<Date, PlannedDate> = planned.buffered(AT_ONCE).try_collect().await?;
        // Tables that are computed from others are as the date that was run last has left them: that one has to be done
        // in every respect, unless another date runs after it anyway.
        let done = ledger.dates.iter().filter(|(_, entry)| PUBLISHED.contains(&entry.state));
        let latest = done.max_by_key(|(date, entry)| (entry.ended_at, **date)).map(|(date, _)| *date);
        let none_runs = dates.values().all(|date| date.state != DateState::Waiting);
        if let Some(date) = latest.filter(|_| none_runs).and_then(|date| dates.get_mut(&date))
            && PUBLISHED.contains(&date.state)
            && !date.idle
        {
            date.state = DateState::Waiting;
        }
        let mut planned = Self { range: range.clone(), target: services.target_name.clone(), dates, cost: None };
        if work.session.is_some() {
            planned.cost = Some(cost(work, &range.job).await?);
        }
        Ok(planned)
    }

    /// Returns the dates to run, oldest first: later ones are merged on top of earlier ones.
    pub fn to_run(&self) -> Vec<Date> {
        self.named(DateState::Waiting)
    }

    /// Returns what the ledger is to say of each date before any is run.
    pub fn entries(&self, ledger: &Ledger) -> Vec<(Date, DateEntry)> {
        let entry = |(date, planned): (&Date, &PlannedDate)| {
            let known = ledger.dates.get(date).cloned().unwrap_or_default();
            let state = planned.state;
            let entry = match (state, known.state) {
                // How it went the last time is told until it is run again.
                (DateState::Waiting, DateState::Failed | DateState::Cancelled) => known,
                // So is how it was done, also when nothing is to be done any more.
                (DateState::Done | DateState::NothingToDo, DateState::Done) => known,
                (DateState::NothingToDo, _) => DateEntry { state, done: planned.work.clone(), ..known },
                (DateState::Waiting, _) => DateEntry { state, attempts: known.attempts, ..DateEntry::default() },
                _ => DateEntry { state, ..known },
            };
            (*date, entry)
        };
        self.dates.iter().map(entry).collect()
    }

    fn named(&self, state: DateState) -> Vec<Date> {
        self.dates.iter().filter(|(_, planned)| planned.state == state).map(|(date, _)| *date).collect()
    }

    fn up_to_date(&self) -> usize {
        self.named(DateState::NothingToDo).len() + self.named(DateState::Done).len()
    }

    fn steps(&self) -> u64 {
        self.dates.values().filter(|planned| planned.state == DateState::Waiting).map(|planned| planned.steps).sum()
    }

    fn dollars(&self) -> Option<(Dollars, Dollars)> {
        let (low, high) = self.cost.as_ref()?.1?;
        let times = self.to_run().len() as u64;
        let all = |one: Dollars| Dollars::from_micros(one.micros().saturating_mul(times));
        Some((all(low), all(high)))
    }

    /// Returns the plan in one line.
    pub fn line(&self) -> String {
        let (run, raw) = (self.to_run().len(), self.named(DateState::NoRaw).len());
        let dates = plural(self.dates.len() as u64, "date");
        format!("{dates}: {run} to run, {} up to date, {raw} without raw pages.", self.up_to_date())
    }

    /// Returns the plan for people.
    pub fn text(&self, style: &Style) -> String {
        let DateRange { job, from, to } = &self.range;
        let mut shown = format!("{} from {from} to {to} on {}\n\n", paint(style.strong, job), self.target);
        let mut tell = |label: &str, text: String| shown.push_str(&format!("  {label:<15} {text}\n"));
        tell("dates", self.dates.len().to_string());
        tell("up to date", self.up_to_date().to_string());
        let raw = self.named(DateState::NoRaw);
        if let Some(first) = raw.first() {
            let fetch = format!("skipped; `soflow ingest api --date {first}` brings them");
            tell("no raw pages", format!("{}: {}, {fetch}", raw.len(), few(&raw)));
        }
        let run = self.to_run();
        if run.is_empty() {
            tell("to run", "none".into());
        } else {
            tell("to run", format!("{}, {}: {}", run.len(), plural(self.steps(), "step"), few(&run)));
            if let Some((how, _)) = &self.cost {
                let amount = self.dollars().map_or("unknown".into(), |(low, high)| format!("{low} to {high}"));
                tell("cost", format!("{amount}: {how}"));
            }
        }
        shown + "\n"
    }

    /// Returns the plan for programs.
    pub fn document(&self) -> Json {
        let DateRange { job, from, to } = &self.range;
        let dates = self.dates.iter().map(|(date, planned)| {
            let steps = if planned.state == DateState::Waiting { planned.steps } else { 0 };
            (date.to_string(), json!({ "state": planned.state, "steps": steps }))
        });
        json!({
            "job": job,
            "from": from,
            "to": to,
            "target": self.target,
            "to_run": self.to_run().len(),
            "steps": self.steps(),
            "dollars": self.dollars().map(|(low, high)| json!({ "low": low, "high": high })),
            "dates": dates.collect::<Map<_, _>>(),
        })
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

/// Returns what a date may cost: how that is known, and the least and the most.
async fn cost(work: &Workspace<'_>, job: &str) -> Result<(String, Option<(Dollars, Dollars)>)> {
    let runs = run::list_runs(work.store.as_ref(), &work.lake().artifacts).await?;
    let read = runs.into_iter().filter_map(|(_, record)| record.ok());
    let mine = read.filter(|run| run.run.job == job && run.state == RunState::Succeeded);
    let totals = mine.filter_map(|run| Some(run.cost?.estimate?.total)).take(EARLIER);
    let (low, high): (Vec<_>, Vec<_>) = totals.map(|total| (total.low, total.high)).unzip();
    let hour = match work.clusters()?.cost() {
        Ok(hour) => format!("a cluster costs {hour}"),
        Err(missing) => missing.to_string(),
    };
    let each = low.iter().min().copied().zip(high.iter().max().copied());
    let how = match each {
        Some(_) => format!("as {} of this job cost", plural(low.len() as u64, "earlier run")),
        None => "no earlier run of this job says how long it takes".into(),
    };
    Ok((format!("{how}; {hour}"), each))
}

/// Plans a date; changes nothing.
async fn plan_date(
    work: &Workspace<'_>,
    args: &BackfillArgs,
    date: Date,
    ledger: &Ledger,
    services: &Services,
) -> Result<PlannedDate> {
    let selection = args.selection(date);
    let submission = Submission::new(work, services, &selection, jobs::asked(&work.project, &selection)?)?;
    let gathered = submission.look(submission.select.clone(), work.lake(), services).await?;
    if jobs::lacks_pages(&gathered) {
        drop(gathered);
        return Ok(PlannedDate { submission, state: DateState::NoRaw, idle: true, steps: 0, work: None });
    }
    let planned = crate::plan::plan(&gathered.facts)?;
    let known = ledger.dates.get(&date).filter(|entry| !args.force && PUBLISHED.contains(&entry.state));
    let holds = |work: &DateWork| work.holds(&gathered.facts, &planned);
    let state = match known.filter(|entry| entry.done.as_ref().is_some_and(holds)) {
        Some(entry) => entry.state,
        None if planned.nothing_to_do() => DateState::NothingToDo,
        None => DateState::Waiting,
    };
    drop(gathered);
    let steps = planned.steps.iter().filter(|step| step.action == Action::Run).count() as u64;
    Ok(PlannedDate { submission, state, idle: planned.nothing_to_do(), steps, work: Some(DateWork::of(&planned)) })
}
