//! Steps as EMR takes them: their names, their arguments, and adding each exactly once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::Clusters;
use super::answers::{ActionOnFailure, COMMAND_RUNNER, EmrStep, NewStep};
use super::chain::Chain;
use super::send_once::{UniqueRequest, left, send_once};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::package::{CHAIN_DRIVER, CODE_ARCHIVE, INTERPRETER, script_path};
use crate::targets::{Shipped, StepOrder, Stop, asked};

/// Most characters of a step's jar and arguments together. Source: EMR's API model, HadoopJarStepConfig.
const MOST_CHARACTERS: usize = 10_240;

/// Most characters of a step's name. Source: EMR's API model, XmlStringMaxLen256.
const LONGEST_NAME: usize = 256;

/// How far this machine's clock may be from EMR's: calls of one that is further off are refused. Source: IAM user guide,
/// "Signature Version 4", time stamps.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Returns the name that tells a step of a run from all others.
pub fn name(run: &RunId, step: &str) -> String {
    format!("{run}/{step}")
}

/// Returns the run that a step of that name belongs to.
pub fn run_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(run, _)| run)
}

/// Returns the step of the job in the name of one that is on a cluster.
pub fn step_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, step)| step)
}

/// Returns the name that a member has beside, or instead of, the chain of that name.
pub fn member_name(chain: &str, member: &str) -> String {
    format!("{}/{member}", run_of(chain))
}

/// Returns the names of the steps of the job that a step of that name runs: of a chain's members, or its own.
pub fn names(name: &str, chain: Option<&Chain>) -> Vec<String> {
    match chain {
        Some(chain) => chain.members.iter().map(|member| member_name(name, member)).collect(),
        None => vec![name.into()],
    }
}

/// What all steps of a run have in common.
pub struct StepForm<'a> {
    /// What they run with.
    pub shipped: &'a Shipped,
    /// What becomes of those behind one that fails.
    pub action_on_failure: ActionOnFailure,
    /// Where the drivers of chains note what has completed; `None`: each step has an application to itself.
    pub done: Option<Uri>,
}

impl StepForm<'_> {
    /// Returns steps for EMR, in the order of `orders`. Of those next to each other that have the same options as many are one
    /// chain as EMR takes, when steps share applications.
    ///
    /// # Errors
    /// `Usage` when one is beyond what EMR takes.
    pub fn steps(&self, orders: &[&StepOrder]) -> Result<Vec<NewStep>> {
        let (mut steps, mut left) = (Vec::new(), orders);
        while let Some(first) = left.first() {
            let alike = left.iter().take_while(|order| order.spark == first.spark).count();
            let most = if self.done.is_some() { alike } else { 1 };
            let chain = (2..=most).rev().find_map(|count| Some((count, self.step(&left[..count]).ok()?)));
            let (count, step) = chain.map_or_else(|| Ok((1, self.step(&left[..1])?)), Ok::<_, Error>)?;
            steps.push(step);
            left = &left[count..];
        }
        Ok(steps)
    }

    /// Returns the one step of EMR's that runs all of `orders`.
    fn step(&self, orders: &[&StepOrder]) -> Result<NewStep> {
        let mut name = name(&orders[0].run, &orders[0].step);
        if orders.len() > 1 {
            name = format!("{name}+{}", orders.len() - 1);
        }
        let args = self.arguments(orders, &name);
        let characters: usize = COMMAND_RUNNER.len() + args.iter().map(|arg| arg.chars().count()).sum::<usize>();
        if characters > MOST_CHARACTERS {
            let step = &orders[0].step;
            let message =
                format!("step `{step}` has {characters} characters of arguments, EMR takes {MOST_CHARACTERS}");
            return Err(Error::new(Kind::Usage, message)
                .hint("put long values of its `spark:` into the cluster's `configurations:`"));
        }
        if name.chars().count() > LONGEST_NAME {
            let message = format!("the step name `{name}` has more than {LONGEST_NAME} characters");
            return Err(Error::new(Kind::Usage, message));
        }
        Ok(NewStep { name, action_on_failure: self.action_on_failure.clone(), args })
    }

    /// Returns the command line, an argument an item: nothing is ever joined and split again.
    fn arguments(&self, orders: &[&StepOrder], name: &str) -> Vec<String> {
        let mut args = options(orders[0], self.shipped, name);
        if let (Some(done), 2..) = (&self.done, orders.len()) {
            args.extend([self.shipped.code.join(CHAIN_DRIVER).to_string(), done.to_string()]);
        }
        for order in orders {
            args.push(self.shipped.code.join(&script_path(&order.code).to_string_lossy()).to_string());
            args.extend(["--task".to_string(), order.task.to_string()]);
        }
        args
    }
}

/// Returns `spark-submit` with its options.
fn options(order: &StepOrder, shipped: &Shipped, name: &str) -> Vec<String> {
    let mut args: Vec<String> =
        ["spark-submit", "--master", "yarn", "--deploy-mode", "cluster", "--name", name].map(String::from).into();
    let mut conf = BTreeMap::from([
        // A failed step is tried again by a person or a run, not by YARN: it would find its output half written.
        ("spark.yarn.maxAppAttempts".to_string(), "1".to_string()),
        ("spark.sql.session.timeZone".to_string(), "UTC".to_string()),
    ]);
    let mut archives: Vec<String> = order.spark.get("archives").into_iter().cloned().collect();
    if let Some(environment) = &shipped.environment {
        archives.push(format!("{environment}#environment"));
        // The property is stronger than the variable that the cluster's own Spark settings carry.
        conf.insert("spark.pyspark.python".into(), format!("./environment/{INTERPRETER}"));
    }
    for (option, value) in order.spark.iter().filter(|(option, _)| *option != "archives") {
        if option.starts_with("spark.") {
            conf.insert(option.clone(), value.clone());
        } else {
            args.extend([format!("--{option}"), value.clone()]);
        }
    }
    for (key, value) in conf {
        args.extend(["--conf".to_string(), format!("{key}={value}")]);
    }
    if !archives.is_empty() {
        args.extend(["--archives".to_string(), archives.join(",")]);
    }
    args.extend(["--py-files".to_string(), shipped.code.join(CODE_ARCHIVE).to_string()]);
    args
}

/// Adds steps of a run to a cluster, and finds them there.
pub(super) struct StepAdder<'a> {
    /// Where.
    pub clusters: &'a Clusters,
    /// The cluster.
    pub cluster: &'a str,
    /// The run.
    pub run: &'a RunId,
    /// Nothing of this run was added before.
    pub since: Timestamp,
}

/// Steps that are on a cluster.
#[derive(Debug, Default)]
pub struct ClusterSteps {
    /// Their ids by name, those of a chain's members too: of several copies that of the first one.
    pub ids: BTreeMap<String, String>,
    /// Later copies that have not ended.
    pub spare: Vec<EmrStep>,
    /// Whether they were sent again: copies may come up later.
    pub again: bool,
}

impl StepAdder<'_> {
    /// Adds steps; returns them as they are on the cluster then, which may have them twice: someone else may have added them
    /// at the same moment, and EMR may execute late what it gave no answer to. A change of `stop` ends the looking.
    ///
    /// # Errors
    /// Those of EMR. After a doubt that could not be cleared up the failure has `maybe_done` set.
    pub async fn add(&self, steps: &[NewStep], stop: &mut watch::Receiver<Stop>) -> Result<ClusterSteps, CallError> {
        let mut request = StepAddition { adder: self, steps, known: BTreeMap::new(), stop: stop.clone() };
        let (mut ids, again) =
            send_once(&mut request, self.clusters.settings.emr.lost_answer_wait, stop, false).await?;
        // One that fails here is made good by the next look at the steps.
        let found = self.find().await.unwrap_or_default();
        ids.extend(found.ids);
        Ok(ClusterSteps { ids, spare: found.spare, again })
    }

    /// Returns the run's steps on the cluster.
    ///
    /// # Errors
    /// Those of EMR.
    pub async fn find(&self) -> Result<ClusterSteps, CallError> {
        let (mut all, mut marker, run) = (Vec::new(), None, self.run.to_string());
        let since = self.since - SKEW;
        loop {
            let page = self.clusters.api.steps_page(self.cluster, &[], marker).await?;
            marker = page.next;
            // Newest first: what is older than the run is none of it.
            let is_older = |step: &EmrStep| step.created.is_some_and(|at| at < since);
            let past = page.items.last().is_some_and(is_older);
            all.extend(page.items.into_iter().filter(|step| run_of(&step.name) == run));
            if past || marker.is_none() {
                return Ok(ClusterSteps::of(all));
            }
        }
    }
}

impl ClusterSteps {
    /// Tells copies apart; `steps` come newest first. What would run any step a second time is a copy, and all of it is.
    fn of(steps: Vec<EmrStep>) -> Self {
        let mut found = Self::default();
        for step in steps.into_iter().rev() {
            let names = step.names();
            if names.iter().any(|name| found.ids.contains_key(name)) {
                found.spare.extend(Some(step).filter(EmrStep::is_active));
            } else {
                found.ids.extend(names.into_iter().map(|name| (name, step.id.clone())));
            }
        }
        found
    }
}

/// The request to add some steps.
struct StepAddition<'a> {
    adder: &'a StepAdder<'a>,
    steps: &'a [NewStep],
    /// The ids of those that are on the cluster, by name.
    known: BTreeMap<String, String>,
    /// What the person wants.
    stop: watch::Receiver<Stop>,
}

impl StepAddition<'_> {
    fn is_known(&self, step: &NewStep) -> bool {
        step.names().iter().all(|name| self.known.contains_key(name))
    }
}

impl UniqueRequest for StepAddition<'_> {
    type Made = BTreeMap<String, String>;

    async fn send(&mut self) -> Result<Self::Made, CallError> {
        let mut missing = self.steps.to_vec();
        missing.retain(|step| !self.is_known(step));
        let StepAdder { clusters, cluster, .. } = self.adder;
        let (emr, mut stop, mut late) = (&clusters.settings.emr, self.stop.clone(), self.stop.clone());
        let over = asked(&mut stop, |stop| *stop == Stop::Detach);
        let ids = tokio::select! {
            ids = clusters.api.add_steps(cluster, &missing, emr.execution_role.as_deref(), over) => ids?,
            () = left(&mut late, emr.lost_answer_wait) => {
                let call = ("EMR", "AddJobFlowSteps");
                return Err(clusters.api.session().failure(call, "NoAnswer", "none came before we had to leave", true));
            }
        };
        for (step, id) in missing.iter().zip(ids) {
            self.known.extend(step.names().into_iter().map(|name| (name, id.clone())));
        }
        Ok(self.known.clone())
    }

    async fn look(&mut self) -> Result<Option<Self::Made>, CallError> {
        self.known.extend(self.adder.find().await?.ids);
        Ok(self.steps.iter().all(|step| self.is_known(step)).then(|| self.known.clone()))
    }
}

#[cfg(test)]
mod tests;
