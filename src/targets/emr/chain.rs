//! Steps that run one after another in one Spark application, and so are one step of EMR's: a chain. Which steps it has is
//! read from its command line; how far it is, from what its driver notes of each that has completed: `engine/chain.py`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::Clusters;
use super::answers::{EmrStep, StepState};
use super::logs::Section;
use super::steps;
use crate::error::Result;
use crate::names::{RunId, Uri};
use crate::package::CHAIN_DRIVER;
use crate::plan;
use crate::store::Object;

/// What a chain's command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The names of its steps in the job, in the order in which they run.
    pub members: Vec<String>,
    /// Below this its driver notes which have completed.
    pub done: Uri,
}

impl Chain {
    /// Returns the chain that a step with these arguments is, or `None` when it is none.
    pub fn of(args: &[String]) -> Option<Self> {
        let is_driver = |arg: &String| arg.rsplit('/').next() == Some(CHAIN_DRIVER);
        let at = args.iter().position(is_driver)?;
        let done = Uri::parse(args.get(at + 1)?, Path::new("/")).ok()?;
        let member = |command: &[String]| match command {
            [_, option, task] if option == "--task" => {
                Some(task.rsplit('/').next()?.strip_suffix(".json")?.to_string())
            }
            _ => None,
        };
        let members: Vec<String> = args[at + 2..].chunks(3).map(member).collect::<Option<_>>()?;
        (!members.is_empty()).then_some(Self { members, done })
    }

    /// Returns the part of the driver's logs that is a member's.
    pub fn section(&self, member: &str) -> Section {
        Section::new(member, self.members.first().is_some_and(|first| first == member))
    }
}

/// Returns where the driver of a run's chains on a cluster notes what has completed: steps may write there, and it is
/// removed when the run ends. No step is named like a cluster, so it is nobody's scratch prefix.
pub fn done_prefix(artifacts: &Uri, run: &RunId, cluster: &str) -> Uri {
    plan::scratch(artifacts, run).join(cluster)
}

/// When a step started and ended, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Ran {
    started: Timestamp,
    ended: Timestamp,
}

/// Steps of chains that have completed, by their name and where that is noted: it is read once.
#[derive(Debug, Default)]
pub(super) struct Completed(BTreeMap<(Uri, String), Ran>);

impl Clusters {
    /// Returns a step of EMR's as the steps of the job that it is, each with a state of its own: a chain's are in the order
    /// in which they run. One listing while a chain runs, and a read for each step of it that has completed since and is
    /// `wanted`; of others the times are those of the note.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn members(
        &self,
        step: EmrStep,
        completed: &mut Completed,
        wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Vec<EmrStep>> {
        let Some(chain) = step.chain.clone() else { return Ok(vec![step]) };
        let key = |member: &str| (chain.done.clone(), member.to_string());
        // Before it has started there is nothing, and after all have completed nothing more.
        if step.started.is_some() && !chain.members.iter().all(|member| completed.0.contains_key(&key(member))) {
            for object in self.store.list(&chain.done).await? {
                let Some(member) = noted(&object, &chain.done).map(key) else { continue };
                if completed.0.contains_key(&member) {
                    continue;
                }
                // That it is there says that the step has completed.
                let ran = Ran { started: object.modified, ended: object.modified };
                let body = if wanted(&member.1) { self.store.get(&object.uri).await? } else { None };
                let told = body.and_then(|body| serde_json::from_slice(&body).ok());
                completed.0.insert(member, told.unwrap_or(ran));
            }
        }
        Ok(split(&step, &chain, |member| completed.0.get(&key(member)).copied()))
    }
}

/// Returns the step whose completion an object notes: its folder is named like the step, whatever the engine calls the file.
fn noted<'a>(object: &'a Object, done: &Uri) -> Option<&'a str> {
    let (member, file) = object.uri.below(done)?.split_once('/')?;
    (object.bytes > 0 && !file.contains('/')).then_some(member)
}

/// Returns the members of a chain as steps of their own, given when those ran that have completed.
fn split(step: &EmrStep, chain: &Chain, completed: impl Fn(&str) -> Option<Ran>) -> Vec<EmrStep> {
    let (mut since, mut ahead) = (step.started, true);
    let member = |member: &String| {
        let (state, started, ended) = match completed(member) {
            Some(Ran { started, ended }) => {
                since = Some(ended);
                (StepState::Completed, Some(started), Some(ended))
            }
            // The one that runs, or with which the chain has ended.
            None if std::mem::take(&mut ahead) => {
                let state = match &step.state {
                    // What the driver has not noted was not run, whatever its exit code was.
                    StepState::Completed => StepState::Failed,
                    state => state.clone(),
                };
                (state, since, step.ended)
            }
            None => {
                let state = match &step.state {
                    StepState::Running => StepState::Pending,
                    state if step.has_ended() && *state != StepState::Cancelled => StepState::Cancelled,
                    state => state.clone(),
                };
                (state, None, step.ended)
            }
        };
        EmrStep { name: steps::member_name(&step.name, member), state, started, ended, ..step.clone() }
    };
    chain.members.iter().map(member).collect()
}

impl EmrStep {
    /// Returns the part of the driver's logs that is this member's; `None` for a step that has its application to itself.
    pub(super) fn section(&self) -> Option<Section> {
        Some(self.chain.as_ref()?.section(steps::step_of(&self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn a_chain_is_known_by_its_command_line_and_by_nothing_else() {
        let two = "s3://c/soflow_chain.py s3://a/done s3://c/steps/a.py --task s3://t/a.json s3://c/b.py --task s3://t/b.json";
        let chain = Chain::of(&args(&format!("spark-submit --name any/name {two}"))).unwrap();
        assert_eq!((chain.members.join(" "), chain.done.as_str()), ("a b".into(), "s3://a/done"));
        for other in [
            "spark-submit s3://c/steps/a.py --task s3://t/a.json",
            // A person's own script of that name.
            "spark-submit s3://c/steps/soflow_chain.py --task s3://t/a.json",
            "spark-submit s3://c/soflow_chain.py s3://a/done",
            "spark-submit s3://c/soflow_chain.py s3://a/done s3://c/a.py --task",
            "bash -c true",
        ] {
            assert_eq!(Chain::of(&args(other)), None, "{other}");
        }
    }

    #[test]
    fn members_have_completed_as_noted_and_otherwise_as_the_chain_goes() {
        let time = |second| Timestamp::from_second(second).unwrap();
        let done = Uri::in_bucket("a", "done");
        let chain = Chain { members: ["a", "b", "c"].map(String::from).into(), done };
        let first = |member: &str| (member == "a").then(|| Ran { started: time(1), ended: time(4) });
        let told = |state: &str, completed: &dyn Fn(&str) -> Option<Ran>| {
            let (started, ended) = (Some(time(0)), Some(time(9)));
            let step = EmrStep { started, ended, ..EmrStep::testing("s-1", "r/a+2", state) };
            let members = split(&step, &chain, completed);
            assert!(members.iter().map(|step| step.name.as_str()).eq(["r/a", "r/b", "r/c"]));
            let seconds = |at: Option<Timestamp>| at.map_or(-1, Timestamp::as_second);
            let shown = |step: &EmrStep| format!("{} {}-{}", step.state, seconds(step.started), seconds(step.ended));
            members.iter().map(shown).collect::<Vec<_>>().join(", ")
        };
        let nothing = |_: &str| None;
        let all = |_: &str| first("a");
        assert_eq!(told("PENDING", &nothing), "PENDING 0-9, PENDING -1-9, PENDING -1-9");
        assert_eq!(told("RUNNING", &nothing), "RUNNING 0-9, PENDING -1-9, PENDING -1-9");
        assert_eq!(told("RUNNING", &first), "COMPLETED 1-4, RUNNING 4-9, PENDING -1-9");
        assert_eq!(told("FAILED", &first), "COMPLETED 1-4, FAILED 4-9, CANCELLED -1-9");
        assert_eq!(told("CANCELLED", &first), "COMPLETED 1-4, CANCELLED 4-9, CANCELLED -1-9");
        assert_eq!(told("INTERRUPTED", &first), "COMPLETED 1-4, INTERRUPTED 4-9, CANCELLED -1-9");
        assert_eq!(told("CANCEL_PENDING", &first), "COMPLETED 1-4, CANCEL_PENDING 4-9, CANCEL_PENDING -1-9");
        assert_eq!(told("COMPLETED", &first), "COMPLETED 1-4, FAILED 4-9, CANCELLED -1-9");
        assert_eq!(told("COMPLETED", &all), "COMPLETED 1-4, COMPLETED 1-4, COMPLETED 1-4");
        assert_eq!(told("FAILED", &all), "COMPLETED 1-4, COMPLETED 1-4, COMPLETED 1-4");
    }
}
