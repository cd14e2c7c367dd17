//! What a cluster may cost, told before one is made and refused above the shape's limit; and what a run has cost: the lives of
//! its clusters' instances, cut to the time the run had them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Clusters;
use super::answers::Instance;
use crate::cost::{self, Actual, Estimate, InstanceLife, Market, Missing, StepTime};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::targets::Placed;

/// A run as far as its cost goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Where it was: the clusters it went on from, and the one it ended on.
    pub clusters: Vec<Placed>,
    /// Its steps that started. Those that ran on a cluster that was lost count as idle there.
    pub steps: Vec<StepTime>,
    /// When it ended, UTC; `None`: it goes on.
    pub ended: Option<Timestamp>,
}

/// What a run has cost, as an estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// The clusters that were counted. One that was made for the run counts from its beginning, another one from the
    /// run's first step; both until the run's end.
    pub clusters: Vec<Placed>,
    /// Dollars; `None` when a price is missing.
    pub estimate: Option<Actual>,
    /// What has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

impl Clusters {
    /// Returns what an hour of a new cluster would cost.
    ///
    /// # Errors
    /// The prices that are not known.
    pub fn cost(&self) -> Result<Estimate, Missing> {
        cost::estimate(&self.settings.emr.shape, self.api.session().region())
    }

    /// Refuses to make what could cost more than the shape allows. Where a price is not known nothing is refused:
    /// [`Self::price`] warns then.
    ///
    /// # Errors
    /// `Usage` with the amounts.
    pub(super) fn check_price(&self) -> Result<()> {
        let (name, limit) = (&self.settings.emr.cluster, self.settings.emr.shape.max_dollars_per_hour);
        let Ok(cost) = self.cost() else { return Ok(()) };
        let most = cost.full_per_hour.high;
        if f64::from(most) <= limit {
            return Ok(());
        }
        let message = format!("a cluster of shape `{name}` could cost {most} an hour, its limit is ${limit:.2}");
        Err(Error::new(Kind::Usage, message)
            .detail(cost.to_string())
            .hint(format!(
                "make it smaller: `clusters: {{ {name}: {{ scaling: {{ max: … }} }} }}` in config/soflow.yaml"
            ))
            .hint(format!("or allow more there: `max-dollars-per-hour: {:.0}`", f64::from(most).ceil())))
    }

    /// Returns what is told about the price of a cluster that is about to be made.
    pub(super) fn price(&self) -> Event {
        let name = &self.settings.emr.cluster;
        match self.cost() {
            Ok(cost) => Event::Note { text: format!("A cluster of shape {name} costs {cost}.") },
            Err(missing) => Event::Warning {
                text: format!("{missing}: whether shape `{name}` stays below its `max-dollars-per-hour` is not known"),
            },
        }
    }

    /// Returns what a run has cost until now: one ListInstances call a cluster.
    ///
    /// # Errors
    /// Those of EMR, which forgets a cluster two months after its end.
    pub async fn bill(&self, stay: Stay) -> Result<Bill> {
        let now = self.store.now();
        let mut lives = Vec::new();
        for placed in &stay.clusters {
            let instances = self.api.instances(&placed.cluster, None).await.map_err(|error| {
                if error.is_unknown_cluster() {
                    Error::new(Kind::Machine, format!("EMR does not know cluster `{}` any more", placed.cluster))
                } else {
                    error.into()
                }
            })?;
            let disk = &self.settings.emr.shape.disk;
            let gigabytes = disk.gigabytes.saturating_mul(disk.count);
            let window = stay.window(placed.made, now);
            lives.extend(instances.iter().filter_map(|instance| life(instance, gigabytes, window?)));
        }
        let until = stay.ended.unwrap_or(now);
        let (estimate, missing) = match cost::actual(&lives, &stay.steps, self.api.session().region(), until) {
            Ok(actual) => (Some(actual), None),
            Err(missing) => (None, Some(missing)),
        };
        Ok(Bill { clusters: stay.clusters, estimate, missing })
    }
}

impl Stay {
    /// Returns the time the run had a cluster, or `None` when it only waited for it. What others did there before its first
    /// step is not its cost; all that a cluster did that was made for it is.
    fn window(&self, made: bool, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let first = self.steps.iter().map(|step| step.started).min();
        let from = if made { Some(Timestamp::MIN) } else { first };
        Some((from?, self.ended.unwrap_or(now)))
    }
}

/// Returns the part of an instance's life in the window, if any.
fn life(instance: &Instance, ebs_gb: u32, (from, until): (Timestamp, Timestamp)) -> Option<InstanceLife> {
    let created = instance.created?.max(from);
    let ended = instance.ended.unwrap_or(until).min(until);
    (created < ended).then(|| InstanceLife {
        instance_type: instance.instance_type.clone(),
        market: if instance.spot { Market::Spot } else { Market::OnDemand },
        created,
        ready: instance.ready.map(|ready| ready.clamp(created, ended)),
        ended: Some(ended),
        ebs_gb,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + minutes * 60).unwrap()
    }

    fn instance(market: &str, created: i64, ready: i64, ended: Option<i64>) -> Instance {
        Instance {
            id: "i-1".into(),
            instance_type: "m5.xlarge".into(),
            spot: market == "SPOT",
            reason: String::new(),
            created: Some(at(created)),
            ready: Some(at(ready)),
            ended: ended.map(at),
        }
    }

    fn stay(made: bool, ended: Option<i64>) -> Stay {
        let step = StepTime { name: "one".into(), started: at(20), ended: Some(at(50)) };
        let placed = Placed { cluster: "j-1".into(), made };
        Stay { clusters: vec![placed], steps: vec![step], ended: ended.map(at) }
    }

    /// Minutes after which the counted part of an instance begins, is ready and ends.
    fn counted(stay: &Stay, instance: &Instance) -> Option<(i64, i64, i64)> {
        let minutes = |time: Timestamp| (time.as_second() - at(0).as_second()) / 60;
        let life = life(instance, 64, stay.window(stay.clusters[0].made, at(90))?)?;
        Some((minutes(life.created), minutes(life.ready?), minutes(life.ended?)))
    }

    #[test]
    fn a_cluster_that_was_made_counts_from_its_beginning_and_another_from_the_first_step() {
        let running = instance("ON_DEMAND", 2, 8, None);
        assert_eq!(counted(&stay(true, Some(60)), &running), Some((2, 8, 60)));
        assert_eq!(counted(&stay(false, Some(60)), &running), Some((20, 20, 60)));
        assert_eq!(counted(&stay(true, None), &running), Some((2, 8, 90)), "a run that goes on");
    }

    #[test]
    fn an_instance_counts_only_while_it_was_there() {
        let reused = stay(false, Some(60));
        assert_eq!(counted(&reused, &instance("SPOT", 2, 8, Some(15))), None, "gone before the first step");
        assert_eq!(counted(&reused, &instance("SPOT", 30, 33, Some(40))), Some((30, 33, 40)));
        assert_eq!(counted(&reused, &instance("SPOT", 61, 64, None)), None, "made after the run");
        let market = |name: &str| life(&instance(name, 30, 33, None), 64, (at(20), at(60))).unwrap().market;
        assert_eq!((market("SPOT"), market("ON_DEMAND")), (Market::Spot, Market::OnDemand));
    }

    #[test]
    fn a_run_that_never_got_its_turn_has_cost_nothing_on_a_cluster_of_others() {
        let waited = Stay { steps: Vec::new(), ..stay(false, Some(60)) };
        assert_eq!(counted(&waited, &instance("ON_DEMAND", 2, 8, None)), None);
    }
}
