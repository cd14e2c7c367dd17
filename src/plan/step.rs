//! From facts to what each step would do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::identity::{self, TableNow};
use super::replay::{self, Replay};
use super::scope;
use super::version::{Made, Partition};
use super::{Facts, RawObject, StepResult};
use crate::error::{Error, Kind, Result};
use crate::job::{Source, Step, Table, Update};
use crate::names::{Digest, PartitionValues, RunId};

/// What a run would do, step by step, in order. Written down it is what another process needs to finish the run: all but the
/// pages and partitions read, which the tasks of its steps name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// One entry a step of the job.
    pub steps: Vec<StepPlan>,
}

impl Plan {
    /// Returns the step of that name.
    pub fn step(&self, name: &str) -> Option<&StepPlan> {
        self.steps.iter().find(|step| step.step.name == name)
    }

    /// Returns whether a run would start no step and publish nothing.
    pub fn nothing_to_do(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.action, Action::UpToDate | Action::NotAsked))
    }

    /// Returns the results that are taken from earlier runs, by step.
    pub fn reused(&self) -> BTreeMap<String, StepResult> {
        self.steps.iter().filter_map(|step| Some((step.step.name.clone(), step.reused.clone()?))).collect()
    }

    /// Returns the other dates whose pages the steps that run read.
    pub fn dates(&self) -> BTreeSet<Date> {
        let running = self.steps.iter().filter(|step| step.action == Action::Run);
        running.flat_map(|step| &step.outputs).flat_map(|output| output.brings.keys().copied()).collect()
    }
}

/// What would be done with a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It runs.
    Run,
    /// An earlier run finished it without publishing; its output is taken.
    Reuse,
    /// What it would write is published already.
    UpToDate,
    /// `--only` or `--from` left it out.
    NotAsked,
}

/// Which part of its output a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All of it.
    All,
    /// The periods that changed inputs touch.
    Changed,
}

/// What a run would do with one step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepPlan {
    /// The step as the job file has it.
    pub step: Step,
    /// What would be done.
    pub action: Action,
    /// Why, in a few words.
    pub reason: String,
    /// Which part of its output it computes.
    pub scope: Scope,
    /// What will be noted in the catalog about how the output was made.
    pub made: Made,
    /// Stands for what the step would write: names its result until that is published.
    pub result: Digest,
    /// The earlier result, when the action is to reuse it.
    pub reused: Option<StepResult>,
    /// What it reads, in the job file's order.
    pub inputs: Vec<Input>,
    /// What it writes, in the job file's order.
    pub outputs: Vec<OutputPlan>,
    /// The steps of this run that must have finished before.
    pub after: Vec<String>,
}

/// One input of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Input {
    /// Pages of an endpoint.
    Raw {
        /// The endpoint.
        endpoint: String,
        /// The pages.
        #[serde(skip)]
        objects: Vec<RawObject>,
        /// Those of other dates, when what those have brought is made anew too.
        #[serde(skip)]
        others: BTreeMap<Date, Vec<RawObject>>,
    },
    /// A table.
    Table {
        /// Its name.
        name: String,
        /// The published partitions that stay visible to the step.
        #[serde(skip)]
        partitions: Vec<Partition>,
        /// Those that the step's output has not taken in yet.
        #[serde(skip)]
        changed: Vec<PartitionValues>,
        /// The run under whose prefix an earlier step of this run writes (or wrote) new partitions.
        upstream: Option<Upstream>,
    },
}

/// Where new partitions of a table come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upstream {
    /// A step that runs in this run.
    ThisRun,
    /// An earlier run whose finished step is reused.
    Earlier(RunId),
}

/// One output of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutputPlan {
    /// The table.
    pub table: String,
    /// What the job file says about it.
    pub spec: Table,
    /// Fixed partition values with `{date}` filled in.
    pub only: Vec<(String, String)>,
    /// The version it starts from.
    pub base: Option<RunId>,
    /// The partitions of that version that stay unless this run replaces them.
    pub kept: Vec<Partition>,
    /// What each date brings whose pages are merged into it, see `Brought::work`: the logical date, and those that are
    /// merged anew because they share partitions with what it had brought before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub brings: BTreeMap<Date, Digest>,
    /// Stands for the table's content after this step.
    pub content: Digest,
}

/// Returns what a run would do.
///
/// # Errors
/// `Usage` when a selected step reads a table that nothing has published and no selected step writes.
pub fn plan(facts: &Facts<'_>) -> Result<Plan> {
    let mut now: BTreeMap<String, TableNow> = identity::published(facts);
    let mut steps: Vec<StepPlan> = Vec::new();
    for step in &facts.job.steps {
        let planned = plan_step(facts, step, &now, &steps)?;
        if matches!(planned.action, Action::Run | Action::Reuse) {
            let upstream =
                planned.reused.as_ref().map_or(Upstream::ThisRun, |result| Upstream::Earlier(result.run.clone()));
            for output in &planned.outputs {
                let table = TableNow {
                    content: output.content.clone(),
                    partitions: output.kept.clone(),
                    upstream: Some(upstream.clone()),
                    run: None,
                };
                now.insert(output.table.clone(), table);
            }
        }
        steps.push(planned);
    }
    Ok(Plan { steps })
}

fn plan_step(
    facts: &Facts<'_>,
    step: &Step,
    now: &BTreeMap<String, TableNow>,
    before: &[StepPlan],
) -> Result<StepPlan> {
    let asked = facts.select.steps.is_empty() || facts.select.steps.contains(&step.name);
    if asked {
        require_inputs(facts, step, now)?;
    }
    let made = identity::made(facts, step, now);
    let scope = scope::of(facts, step, &made, now);
    let mut outputs: Vec<OutputPlan> =
        step.writes.iter().map(|output| output_plan(facts, step, output, &made, scope)).collect();
    let brings = outputs.iter().flat_map(|output| output.brings.keys().copied());
    let others: BTreeSet<Date> = brings.filter(|date| *date != facts.date).collect();
    let input = |source: &Source| match source {
        Source::Raw(endpoint) => scope::pages(facts, endpoint, &others),
        Source::Table(name) => scope::table(facts, step, name, scope, now),
    };
    let inputs: Vec<Input> = step.reads.iter().map(input).collect();
    let result = identity::result(&made.fingerprint, scope, &inputs, &outputs);
    for output in &mut outputs {
        output.content = identity::content(&result, output);
    }
    let reused = facts.results.get(&result).cloned();
    let is_own = reused.as_ref().is_some_and(|result| facts.select.after.contains(&result.run));
    let (action, reason) = match &reused {
        _ if !asked => (Action::NotAsked, "not asked for".to_string()),
        _ if !is_own && !facts.select.force && identity::is_published(facts, step, &made) => {
            (Action::UpToDate, "code, inputs and parameters unchanged".to_string())
        }
        Some(earlier) if is_own || !facts.select.force => (Action::Reuse, format!("finished in {}", earlier.run)),
        _ if facts.select.force => (Action::Run, "forced".to_string()),
        _ => (Action::Run, identity::why(facts, step, &made)),
    };
    let reads_from = |earlier: &&StepPlan| {
        matches!(earlier.action, Action::Run)
            && step.tables_read().any(|table| earlier.outputs.iter().any(|output| output.table == *table))
    };
    Ok(StepPlan {
        step: step.clone(),
        inputs,
        after: before.iter().filter(reads_from).map(|earlier| earlier.step.name.clone()).collect(),
        reused: reused.filter(|_| action == Action::Reuse),
        action,
        reason,
        scope,
        made,
        result,
        outputs,
    })
}

fn require_inputs(facts: &Facts<'_>, step: &Step, now: &BTreeMap<String, TableNow>) -> Result<()> {
    let Some(table) = step.tables_read().find(|table| !now.contains_key(*table)) else { return Ok(()) };
    let what = format!("step `{}` reads table `{table}`, which nothing has published yet", step.name);
    let (job, date) = (&facts.job.name, facts.date);
    Err(Error::new(Kind::Usage, what).hint(format!("run the whole job first: `soflow submit {job} --date {date}`")))
}

fn output_plan(facts: &Facts<'_>, step: &Step, output: &crate::job::Output, made: &Made, scope: Scope) -> OutputPlan {
    let spec = facts.job.tables.get(&output.table).cloned().unwrap_or_default();
    let date = facts.date.to_string();
    let only: Vec<(String, String)> =
        output.only.iter().map(|(column, value)| (column.clone(), value.replace("{date}", &date))).collect();
    let base = identity::base(facts, step, &output.table, spec.update, only.is_empty());
    let merged = spec.update == Update::Merge && only.is_empty();
    let replay = if merged { replay::of(facts, step, made, base) } else { Replay::default() };
    let replaced = |partition: &Partition| {
        if merged {
            replay.partitions.contains(&partition.values)
        } else if only.is_empty() {
            scope == Scope::All
        } else {
            only.iter().all(|(column, value)| partition.values.get(column) == Some(value))
        }
    };
    let kept = base.iter().flat_map(|version| &version.partitions).filter(|p| !replaced(p)).cloned().collect();
    OutputPlan {
        table: output.table.clone(),
        base: base.map(|version| version.run.clone()),
        content: Digest::of([""]),
        brings: if merged { replay::brings(facts, step, made, &replay) } else { BTreeMap::new() },
        spec,
        only,
        kept,
    }
}

impl OutputPlan {
    /// Returns whether the step merges its rows with what is there: it reads the partitions that are kept.
    pub fn is_merged(&self) -> bool {
        self.spec.update == Update::Merge && self.only.is_empty()
    }
}
