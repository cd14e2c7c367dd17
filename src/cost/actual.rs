//! What a cluster has cost, from the lives of its instances and the times of its steps.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::dollars::{Dollars, Range};
use super::prices::{Lookup, Market, Missing, as_of};
use super::timeline::{Split, Timeline};

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
    let timeline = Timeline::new(steps.iter().map(|step| (step.started, step.ended.unwrap_or(now))));
    let (mut low, mut high) = (Split::new(steps.len()), Split::new(steps.len()));
    for instance in instances {
        let hour = lookup.hour(&instance.instance_type, instance.market, instance.ebs_gb.into());
        let ended = instance.ended.unwrap_or(now).max(instance.created);
        let ready = instance.ready.unwrap_or(ended).clamp(instance.created, ended);
        // A part of a second counts as a whole one.
        let milliseconds = (ended.as_millisecond() - instance.created.as_millisecond()).unsigned_abs();
        let seconds = milliseconds.div_ceil(1000).max(SHORTEST);
        for (split, hour) in [(&mut low, hour.low), (&mut high, hour.high)] {
            timeline.divide(hour.part(seconds, 3600), [instance.created, ready, ended], split);
        }
    }
    let range = |of: fn(&Split) -> Dollars| Range { low: of(&low), high: of(&high) };
    let costs = low.steps.iter().zip(&high.steps).map(|(&low, &high)| Range { low, high });
    let by_step = steps.iter().zip(costs).map(|(step, cost)| StepCost { name: step.name.clone(), cost }).collect();
    let [starting, working, idle] =
        [range(|split| split.starting), range(|split| split.working), range(|split| split.idle)];
    let total = starting + working + idle;
    lookup.complete(Actual { as_of: as_of(), total, starting, working, idle, by_step })
}

#[cfg(test)]
mod tests;
