//! What a run set out to do, kept in its record: any client, anywhere, can finish it from there, whatever code it has itself.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::gather::{Code, Gathered, table_facts};
use super::record::{RECORD_VERSION, RunRecord};
use crate::catalog::{Catalog, Index, TableHistory};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::names::RunId;
use crate::plan::{Facts, Plan, Select, StepPlan};

/// What a run set out to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The job as it was read.
    pub job: Job,
    /// The plan, without what its tasks name already.
    pub plan: Plan,
    /// The version of each table that readers saw when the plan was made.
    pub tables: BTreeMap<String, RunId>,
    /// Which steps were asked for.
    #[serde(default)]
    pub select: Select,
}

impl Intent {
    /// Returns the intent of a run about to be claimed.
    pub fn of(gathered: &Gathered<'_>, plan: &Plan) -> Self {
        let facts = &gathered.facts;
        let current = |(name, table): (&String, &crate::plan::TableFacts)| Some((name.clone(), table.current.clone()?));
        Self {
            job: facts.job.clone(),
            plan: plan.clone(),
            tables: facts.tables.iter().filter_map(current).collect(),
            select: facts.select.clone(),
        }
    }

    /// Returns the code that the run of `record` runs.
    pub fn code(&self, record: &RunRecord) -> Code {
        let digest = |step: &StepPlan| (step.step.name.clone(), step.made.code.clone());
        let steps = self.plan.steps.iter().map(digest).collect();
        Code { steps, engine: record.engine.clone(), shipped: record.shipped.clone() }
    }

    /// Returns the facts that finishing the run of `record` needs.
    ///
    /// # Errors
    /// `Usage` for a run of an older soflow, whose folders are called otherwise; those of the catalog.
    pub async fn gathered<'a>(&'a self, record: &RunRecord, lake: &'a Lake, catalog: &Catalog) -> Result<Gathered<'a>> {
        let (run, Code { steps: code, engine, shipped }) = (&record.run, self.code(record));
        if record.record_version < RECORD_VERSION {
            let message = format!("run `{run}` was begun by an older soflow, which keeps its results elsewhere");
            return Err(Error::new(Kind::Usage, message).hint(format!("end it, and begin anew: `soflow cancel {run}`")));
        }
        let read = self.tables.iter().map(|(name, seen)| async {
            let mut facts = table_facts(name, catalog.version(name, seen), &self.job, run.date, catalog).await?;
            facts.current = Some(seen.clone());
            Ok::<_, Error>((name.clone(), facts))
        });
        let tables = try_join_all(read).await?.into_iter().collect();
        let facts = Facts {
            job: &self.job,
            date: run.date,
            lake,
            engine,
            code,
            raw: BTreeMap::new(),
            others: BTreeMap::new(),
            tables,
            results: BTreeMap::new(),
            select: self.select.clone(),
        };
        // As it was: what someone has published meanwhile must not be published over.
        let seen =
            |(name, run): (&String, &RunId)| (name.clone(), TableHistory { current: run.clone(), history: Vec::new() });
        let index = Index { tables: self.tables.iter().map(seen).collect(), ..Index::default() };
        Ok(Gathered { facts, index, shipped })
    }

    /// Returns in what a request for the same job and date, made with the flags `asked`, differs from that of the run of
    /// `record`: a fragment each.
    pub fn differences(&self, record: &RunRecord, facts: &Facts<'_>, asked: &[String]) -> Vec<String> {
        let mut found: Vec<String> = asked.iter().filter(|flag| !record.asked.contains(flag)).cloned().collect();
        found.extend(record.asked.iter().filter(|flag| !asked.contains(flag)).map(|flag| format!("no {flag}")));
        let changed = |step: &&StepPlan| facts.code.get(&step.step.name).is_some_and(|code| *code != step.made.code);
        found.extend(self.plan.steps.iter().filter(changed).map(|step| format!("the code of `{}`", step.step.name)));
        let work = |job: &Job| serde_json::to_string(&(&job.parameters, &job.steps, &job.tables)).ok();
        if found.is_empty() && work(&self.job) != work(facts.job) {
            found.push("the job file".into());
        }
        if record.engine != facts.engine {
            found.push(format!("the engine: {} instead of {}", facts.engine, record.engine));
        }
        found
    }
}
