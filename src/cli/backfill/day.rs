//! What would be done about one date.

use jiff::civil::Date;

use super::super::app::Project;
use super::super::prepare;
use super::BackfillArgs;
use crate::error::Result;
use crate::event::DateState;
use crate::job::Job;
use crate::plan::{self, Action, Select};
use crate::run::{self, DateWork, Ledger, Services};

/// States of a date whose tables readers see.
pub const PUBLISHED: [DateState; 2] = [DateState::Done, DateState::NothingToDo];

/// A date as it was planned.
pub struct Day {
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
pub struct Planner<'a> {
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
    pub async fn day(&self, name: &str, date: Date) -> Result<Day> {
        let force = self.args.force;
        let job = prepare::load_job(self.project, name, &self.args.params, date)?;
        let select = Select { force, ..Select::default() };
        let code = prepare::code(self.project, &job, self.services)?;
        let request = run::PlanRequest { job: &job, date, lake: &self.project.target()?.lake, code, select };
        let gathered = run::gather(request, self.services.store.as_ref(), self.services.catalog.as_ref()).await?;
        if prepare::lacks_pages(&gathered) {
            drop(gathered);
            return Ok(Day { job, state: DateState::NoRaw, idle: true, steps: 0, work: None });
        }
        let planned = plan::plan(&gathered.facts)?;
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
        Ok(Day { job, state, idle, steps, work })
    }
}
