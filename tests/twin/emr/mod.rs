//! EMR: the operations, and the clusters and steps they are about. Time is looked at when something is asked.

mod cluster;
mod ending;
pub mod fates;
mod instances;
mod limits;
mod lists;
mod operations;
mod pages;
mod policies;
mod reasons;
mod refusal;
mod releases;
mod shapes;
mod show;
mod step;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

pub use cluster::Cluster;
use fates::{Fate, Loss, StepFate};
use pages::Pages;
pub use refusal::Refusal;
pub use step::{Outcome, Step};

use super::Options;
use super::clock::Clock;
use super::witness::Moment;

/// What a change of state means for the world outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A step begins to run for real.
    Start { cluster: String, step: String },
    /// A step that runs for real is to end.
    Kill { step: String },
    /// A step that was not run for real has printed what it prints.
    Printed { cluster: String, step: String },
    /// A step's logs are due in S3.
    Logs { cluster: String, step: String },
    /// A bootstrap action's log is due in S3.
    BootstrapLog { cluster: String, instance: String, action: u32 },
}

/// How fast things go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub state: Duration,
    pub idle_second: Duration,
    pub exec: bool,
    pub logs_at_once: bool,
}

/// All clusters of an account in a region.
#[derive(Debug)]
pub struct Emr {
    pub clock: Clock,
    pub pace: Duration,
    pub logs_after: u32,
    pub clusters: Vec<Cluster>,
    pub fates: VecDeque<Fate>,
    pub step_fates: Vec<(String, StepFate)>,
    pub security: BTreeMap<String, String>,
    /// Pages that outlive their clusters.
    pages: BTreeMap<String, Pages>,
    pub effects: Vec<Effect>,
    /// Requests that are executed when their time has come, whose clients have gone.
    late: Vec<(Duration, String, Value)>,
    /// Requests that are executed with the next one of their operation, whose clients have gone.
    overtaken: Vec<(Moment, String, Value)>,
    idle_second: Duration,
    exec: bool,
    ids: u64,
}

impl Emr {
    pub fn new(options: &Options) -> Self {
        Self {
            clock: Clock::new(),
            pace: options.pace,
            logs_after: options.logs_after,
            clusters: Vec::new(),
            fates: VecDeque::new(),
            step_fates: Vec::new(),
            security: BTreeMap::new(),
            pages: BTreeMap::new(),
            effects: Vec::new(),
            late: Vec::new(),
            overtaken: Vec::new(),
            idle_second: options.idle_second,
            exec: options.exec.is_some(),
            ids: 0,
        }
    }

    /// Executes a request in a while.
    pub fn later(&mut self, after: Duration, operation: &str, body: &Value) {
        self.late.push((self.clock.now() + after, operation.to_string(), body.clone()));
    }

    /// Executes a request with the next one of its operation.
    pub fn overtaken(&mut self, moment: Moment, operation: &str, body: &Value) {
        self.overtaken.push((moment, operation.to_string(), body.clone()));
    }

    /// Returns the answer to a call, and executes those that it overtakes.
    pub fn answer_with_overtaken(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let mut overtaken: Vec<_> = self.overtaken.extract_if(.., |(_, what, _)| what == operation).collect();
        let after = overtaken.extract_if(.., |(moment, ..)| *moment == Moment::After).collect::<Vec<_>>();
        // Nobody is there to hear how those went.
        overtaken.iter().for_each(|(_, operation, body)| drop(self.answer(operation, body)));
        let answer = self.answer(operation, body);
        after.iter().for_each(|(_, operation, body)| drop(self.answer(operation, body)));
        answer
    }

    /// Lets happen what is due by now.
    pub fn advance(&mut self) {
        let (now, pace) = (self.clock.now(), self.paces());
        for (_, operation, body) in self.late.extract_if(.., |(due, ..)| *due <= now).collect::<Vec<_>>() {
            // Nobody is there to hear how it went.
            drop(self.answer(&operation, &body));
        }
        for cluster in &mut self.clusters {
            cluster.advance(now, pace, &mut self.effects);
        }
    }

    /// Returns the answer to a call.
    ///
    /// # Panics
    /// When the answer holds what the API's does not: a mistake of the twin.
    pub fn answer(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        shapes::check_request(operation, body)?;
        let answer = self.execute(operation, body)?;
        shapes::check_answer(operation, &answer);
        Ok(answer)
    }

    /// Ends a cluster at once, or after so many polls.
    pub fn lose(&mut self, id: &str, loss: Loss, polls: Option<u32>) {
        self.advance();
        let (now, pace) = (self.clock.now(), self.paces());
        let cluster = self.clusters.iter_mut().find(|cluster| cluster.id == id).expect("a cluster that is there");
        match polls {
            None | Some(0) => cluster.lose(loss, now, pace, &mut self.effects),
            Some(polls) => cluster.losing = Some((loss, polls)),
        }
    }

    /// Notes how a step that ran for real has ended.
    pub fn finished(&mut self, step: &str, outcome: Outcome) {
        // Noticed one pace later, so that a held clock holds it as well.
        let at = self.clock.now() + self.pace;
        let known = self.clusters.iter_mut().flat_map(|cluster| &mut cluster.steps).find(|known| known.id == step);
        if let Some(known) = known {
            known.outcome = Some((at, outcome));
        }
    }

    /// Returns a cluster and one of its steps.
    pub fn find(&self, cluster: &str, step: &str) -> Option<(&Cluster, &Step)> {
        let cluster = self.clusters.iter().find(|known| known.id == cluster)?;
        Some((cluster, cluster.steps.iter().find(|known| known.id == step)?))
    }

    fn paces(&self) -> Pace {
        let logs_at_once = self.logs_after == 0;
        Pace { state: self.pace, idle_second: self.idle_second, exec: self.exec, logs_at_once }
    }

    /// Returns a new id such as `j-3KVTXXXXXX7UG`: in no order, as EMR's are.
    fn id(&mut self, prefix: &str) -> String {
        const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        self.ids += 1;
        let mut mixed = u128::from(self.ids.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * 0x1_0000_01B3;
        let mut text = String::from(prefix);
        for _ in 0..13 {
            text.push(char::from(DIGITS[(mixed % 36) as usize]));
            mixed /= 36;
        }
        text
    }

    fn step_fate(&self, name: &str) -> StepFate {
        let wanted = self.step_fates.iter().find(|(part, _)| name.contains(part.as_str()));
        wanted.map_or(StepFate::Completes, |(_, fate)| fate.clone())
    }
}
