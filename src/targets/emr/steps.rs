//! Steps as EMR takes them: their names, their arguments, and adding each exactly once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::Clusters;
use super::answers::{ActionOnFailure, COMMAND_RUNNER, EmrStep, NewStep};
use super::send_once::{UniqueRequest, left, send_once};
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::package::{CODE_ARCHIVE, INTERPRETER};
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

/// Returns a step for EMR.
///
/// # Errors
/// `Usage` when it is beyond what EMR takes.
pub fn new_step(order: &StepOrder, shipped: &Shipped, action_on_failure: ActionOnFailure) -> Result<NewStep> {
    let name = name(&order.run, &order.step);
    let args = arguments(order, shipped, &name);
    let characters: usize = COMMAND_RUNNER.len() + args.iter().map(|arg| arg.chars().count()).sum::<usize>();
    if characters > MOST_CHARACTERS {
        let message =
            format!("step `{}` has {characters} characters of arguments, EMR takes {MOST_CHARACTERS}", order.step);
        return Err(Error::new(Kind::Usage, message)
            .hint("put long values of its `spark:` into the cluster's `configurations:`"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(Error::new(Kind::Usage, format!("the step name `{name}` has more than {LONGEST_NAME} characters")));
    }
    Ok(NewStep { name, action_on_failure, args })
}

/// Returns the command line, an argument an item: nothing is ever joined and split again.
fn arguments(order: &StepOrder, shipped: &Shipped, name: &str) -> Vec<String> {
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
    args.push(shipped.code.join(&order.script.to_string_lossy()).to_string());
    args.extend(["--task".to_string(), order.task.to_string()]);
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
    /// Their ids by name: of several copies that of the first one.
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
    /// Tells copies apart; `steps` come newest first.
    fn of(steps: Vec<EmrStep>) -> Self {
        let mut found = Self::default();
        for step in steps.into_iter().rev() {
            match found.ids.entry(step.name.clone()) {
                Entry::Vacant(first) => drop(first.insert(step.id)),
                Entry::Occupied(_) => found.spare.extend(Some(step).filter(EmrStep::is_active)),
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

impl UniqueRequest for StepAddition<'_> {
    type Made = BTreeMap<String, String>;

    async fn send(&mut self) -> Result<Self::Made, CallError> {
        let mut missing = self.steps.to_vec();
        missing.retain(|step| !self.known.contains_key(&step.name));
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
        self.known.extend(missing.into_iter().map(|step| step.name).zip(ids));
        Ok(self.known.clone())
    }

    async fn look(&mut self) -> Result<Option<Self::Made>, CallError> {
        self.known.extend(self.adder.find().await?.ids);
        Ok(self.steps.iter().all(|step| self.known.contains_key(&step.name)).then(|| self.known.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Uri;

    fn order(spark: &[(&str, &str)]) -> StepOrder {
        let root = std::path::Path::new("/");
        StepOrder {
            run: "daily.2026-11-22.3".parse().unwrap(),
            step: "questions".into(),
            script: "steps/questions.py".into(),
            task: Uri::parse("s3://a/runs/daily/2026-11-22/3/tasks/questions.json", root).unwrap(),
            logs: Uri::parse("s3://a/logs/questions", root).unwrap(),
            spark: spark.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            step_id: None,
            outputs: Vec::new(),
        }
    }

    fn shipped(environment: bool) -> Shipped {
        let place = |tail: &str| Uri::in_bucket("a", tail);
        Shipped { code: place("code/1f"), environment: environment.then(|| place("dependencies/2e.tar.gz")) }
    }

    #[test]
    fn options_stay_whole_whatever_is_in_them() {
        let spark = [("executor-memory", "4g"), ("spark.x", "a b,c 'd' \"e\" $(f)"), ("archives", "s3://b/x.zip#x")];
        let step = new_step(&order(&spark), &shipped(true), ActionOnFailure::Continue).unwrap();
        insta::assert_snapshot!(step.args.join("\n"), @r#"
        spark-submit
        --master
        yarn
        --deploy-mode
        cluster
        --name
        daily.2026-11-22.3/questions
        --executor-memory
        4g
        --conf
        spark.pyspark.python=./environment/bin/python
        --conf
        spark.sql.session.timeZone=UTC
        --conf
        spark.x=a b,c 'd' "e" $(f)
        --conf
        spark.yarn.maxAppAttempts=1
        --archives
        s3://b/x.zip#x,s3://a/dependencies/2e.tar.gz#environment
        --py-files
        s3://a/code/1f/soflow_code.zip
        s3://a/code/1f/steps/questions.py
        --task
        s3://a/runs/daily/2026-11-22/3/tasks/questions.json
        "#);
    }

    #[test]
    fn more_than_emr_takes_is_refused_before_any_call() {
        let long = "x".repeat(MOST_CHARACTERS);
        let error = new_step(&order(&[("spark.x", &long)]), &shipped(false), ActionOnFailure::Continue).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.contains("EMR takes 10240"), "{error}");
    }

    #[test]
    fn of_several_copies_the_first_is_the_one_and_later_ones_that_have_not_ended_are_spare() {
        let step = EmrStep::testing;
        let found = ClusterSteps::of(vec![
            step("s-5", "r/two", "PENDING"),
            step("s-4", "r/one", "RUNNING"),
            step("s-3", "r/one", "CANCELLED"),
            step("s-2", "r/two", "PENDING"),
            step("s-1", "r/one", "COMPLETED"),
        ]);
        let spare: Vec<&str> = found.spare.iter().map(|step| step.id.as_str()).collect();
        assert_eq!((found.ids["r/one"].as_str(), found.ids["r/two"].as_str()), ("s-1", "s-2"));
        assert_eq!(spare, ["s-4", "s-5"]);
    }
}
