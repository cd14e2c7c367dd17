//! What a cluster has cost, from the lives of its instances and the times of its steps.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::dollars::{Dollars, Range};
use super::prices::{Lookup, Market, Missing, as_of};

/// The shortest time an instance is billed for, in seconds. Source: aws.amazon.com/emr/pricing, "billed per-second, with
/// a one-minute minimum"; EC2 and EBS have the same.
const SHORTEST: u64 = 60;

/// One instance, from its request to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceLife {
    /// Such as `m5.xlarge`.
    pub instance_type: String,
    /// How it was bought.
    pub market: Market,
    /// When it was made.
    pub created: Timestamp,
    /// When it could work; `None`: not yet, or never.
    pub ready: Option<Timestamp>,
    /// When it ended; `None`: it still runs.
    pub ended: Option<Timestamp>,
    /// All its gp3 disks together, in gigabytes.
    pub ebs_gb: u32,
}

/// The time a step ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTime {
    /// The step.
    pub name: String,
    /// When it started to run; a step that waits has no entry.
    pub started: Timestamp,
    /// When it ended; `None`: it still runs.
    pub ended: Option<Timestamp>,
}

/// What a cluster has cost so far. At either end of the ranges `starting + working + idle` is `total`, and the steps
/// add up to `working`, to the millionth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Actual {
    /// The date of the prices.
    pub as_of: Date,
    /// Everything.
    pub total: Range,
    /// Instances on their way: from creation until ready.
    pub starting: Range,
    /// Ready instances while some step ran.
    pub working: Range,
    /// Ready instances while none did.
    pub idle: Range,
    /// `working` by step, in the order given. Steps that ran at once bear equal parts.
    pub by_step: Vec<StepCost>,
}

/// What a step has cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCost {
    /// The step.
    pub name: String,
    /// Its part.
    pub cost: Range,
}

/// Always says that it is an estimate, and of when its prices are: the bill has discounts and spot prices of its own.
impl fmt::Display for Actual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { as_of, total, starting, working, idle, .. } = self;
        write!(f, "{total}: starting {starting}, working {working}, idle {idle} (estimate, prices of {as_of})")
    }
}

/// Returns what these instances have cost in `region` until `now`, and for what.
///
/// # Errors
/// The prices it would need and the table does not have.
pub fn actual(instances: &[InstanceLife], steps: &[StepTime], region: &str, now: Timestamp) -> Result<Actual, Missing> {
    let mut lookup = Lookup::new(region);
    let times = |step: &StepTime| (step.started.as_millisecond(), step.ended.unwrap_or(now).as_millisecond());
    let times: Vec<(i64, i64)> = steps.iter().map(times).collect();
    let (mut low, mut high) = (Split::new(steps.len()), Split::new(steps.len()));
    for instance in instances {
        let hour = lookup.hour(&instance.instance_type, instance.market, instance.ebs_gb.into());
        let ended = instance.ended.unwrap_or(now).max(instance.created);
        let ready = instance.ready.unwrap_or(ended).clamp(instance.created, ended);
        let life = [instance.created, ready, ended].map(Timestamp::as_millisecond);
        // A part of a second counts as a whole one.
        let seconds = life[2].abs_diff(life[0]).div_ceil(1000).max(SHORTEST);
        low.add(hour.low.part(seconds, 3600), life, &times);
        high.add(hour.high.part(seconds, 3600), life, &times);
    }
    let range = |of: fn(&Split) -> Dollars| Range { low: of(&low), high: of(&high) };
    let costs = low.steps.iter().zip(&high.steps).map(|(&low, &high)| Range { low, high });
    let by_step = steps.iter().zip(costs).map(|(step, cost)| StepCost { name: step.name.clone(), cost }).collect();
    let [starting, working, idle] =
        [range(|split| split.starting), range(|split| split.working), range(|split| split.idle)];
    let total = starting + working + idle;
    lookup.complete(Actual { as_of: as_of(), total, starting, working, idle, by_step })
}

/// What the cost of instances was for.
#[derive(Default)]
struct Split {
    starting: Dollars,
    working: Dollars,
    idle: Dollars,
    /// `working` by step.
    steps: Vec<Dollars>,
}

impl Split {
    fn new(steps: usize) -> Self {
        Self { steps: vec![Dollars::default(); steps], ..Self::default() }
    }

    /// Adds the cost of an instance by what it did between its creation, its being ready and its end, while `steps` ran.
    ///
    /// Every amount is the difference of two points on one line from nothing to `cost`: so whatever the rounding, they
    /// add up to it.
    fn add(&mut self, cost: Dollars, [created, ready, ended]: [i64; 3], steps: &[(i64, i64)]) {
        let until = |time: i64| match ended.abs_diff(created) {
            0 => cost,
            whole => cost.part(time.abs_diff(created), whole),
        };
        self.starting = self.starting + until(ready);
        let mut cuts: Vec<i64> = steps.iter().flat_map(|&(from, to)| [from, to]).chain([ready, ended]).collect();
        cuts.retain(|cut| (ready..=ended).contains(cut));
        cuts.sort_unstable();
        for (&from, &to) in cuts.iter().zip(&cuts[1..]) {
            let part = until(to).minus(until(from));
            let running: Vec<usize> = (0..steps.len()).filter(|&at| steps[at].0 <= from && to <= steps[at].1).collect();
            if running.is_empty() {
                self.idle = self.idle + part;
                continue;
            }
            self.working = self.working + part;
            let share = |number: usize| part.part(number as u64, running.len() as u64);
            for (number, &at) in running.iter().enumerate() {
                self.steps[at] = self.steps[at] + share(number + 1).minus(share(number));
            }
        }
    }
}

#[cfg(test)]
mod tests;
