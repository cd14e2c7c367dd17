//! The shipped price table, `prices.json`: what an instance costs an hour, and what it has.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::dollars::{Dollars, Range};

/// The cheapest a spot instance gets, as a part of its on-demand price: one tenth. Source: "up to a 90% discount",
/// docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances.html. The dearest is the on-demand price, which is
/// EMR's limit where the cluster sets no other: API_InstanceTypeConfig, BidPriceAsPercentageOfOnDemandPrice.
const SPOT_DISCOUNT_AT_MOST: u64 = 10;

/// The hours of the month that EBS prices are for, 30 days. Source: the worked example of aws.amazon.com/ebs/pricing.
const HOURS_A_MONTH: u64 = 30 * 24;

/// How an instance is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// At the price of the table.
    OnDemand,
    /// At a price that only the bill tells: between a tenth of the on-demand price and all of it.
    Spot,
}

/// What an instance type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in gibibytes, before EMR and its daemons take theirs.
    pub memory_gib: u32,
}

/// Prices that the table does not have; nothing is computed without them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The date of the table.
    pub as_of: Date,
    /// What has no price, each once, such as "`r7i.xlarge` in `us-east-1`".
    pub prices: Vec<String>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no price known for {} (prices of {})", self.prices.join(", "), self.as_of)
    }
}

#[derive(Default, Deserialize)]
struct PriceTable {
    as_of: Date,
    gp3_gb_month: BTreeMap<String, Dollars>,
    types: BTreeMap<String, PricedType>,
}

#[derive(Deserialize)]
struct PricedType {
    vcpus: u32,
    memory_gib: u32,
    hour: BTreeMap<String, Hour>,
}

/// What an hour of an instance costs.
#[derive(Deserialize)]
struct Hour {
    ec2: Dollars,
    emr: Dollars,
    /// Where the fee is only known to be between `emr` and this.
    emr_at_most: Option<Dollars>,
}

/// A table that cannot be read is an empty one, in which every price is missing; a test holds that it can.
static TABLE: LazyLock<PriceTable> =
    LazyLock::new(|| serde_json::from_str(include_str!("prices.json")).unwrap_or_default());

/// Returns the date of the prices.
pub fn as_of() -> Date {
    TABLE.as_of
}

/// Returns what an instance type has, or `None` when the table does not know the type.
pub fn capacity(instance_type: &str) -> Option<Capacity> {
    TABLE.types.get(instance_type).map(|entry| Capacity { vcpus: entry.vcpus, memory_gib: entry.memory_gib })
}

/// Looks prices up in one region, and keeps what it does not find.
pub(super) struct Lookup<'a> {
    region: &'a str,
    missing: Vec<String>,
}

impl<'a> Lookup<'a> {
    /// Returns a lookup in `region`.
    pub(super) fn new(region: &'a str) -> Self {
        Self { region, missing: Vec::new() }
    }

    /// Returns what an instance with so many gigabytes of gp3 costs an hour; nothing when a price is missing, which
    /// [`Self::complete`] tells.
    pub(super) fn hour(&mut self, instance_type: &str, market: Market, disk_gb: u64) -> Range {
        let Some(gp3) = TABLE.gp3_gb_month.get(self.region) else {
            return self.lacks(format!("the region `{}`", self.region));
        };
        let Some(hour) = TABLE.types.get(instance_type).and_then(|entry| entry.hour.get(self.region)) else {
            return self.lacks(format!("`{instance_type}` in `{}`", self.region));
        };
        let cheapest = match market {
            Market::OnDemand => hour.ec2,
            Market::Spot => hour.ec2.part(1, SPOT_DISCOUNT_AT_MOST),
        };
        let disk = gp3.part(disk_gb, HOURS_A_MONTH);
        // The fee is the same for both markets.
        Range { low: cheapest + hour.emr + disk, high: hour.ec2 + hour.emr_at_most.unwrap_or(hour.emr) + disk }
    }

    /// Keeps `what` as having no price, and returns nothing.
    pub(super) fn lacks(&mut self, what: String) -> Range {
        if !self.missing.contains(&what) {
            self.missing.push(what);
        }
        Range::default()
    }

    /// Returns `result` when every price that went into it was found.
    ///
    /// # Errors
    /// What was not.
    pub(super) fn complete<T>(self, result: T) -> Result<T, Missing> {
        if self.missing.is_empty() { Ok(result) } else { Err(Missing { as_of: as_of(), prices: self.missing }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];

    fn hour(instance_type: &str, market: Market, disk_gb: u64, region: &str) -> Result<Range, Missing> {
        let mut lookup = Lookup::new(region);
        let found = lookup.hour(instance_type, market, disk_gb);
        lookup.complete(found)
    }

    fn range(low: f64, high: f64) -> Range {
        Range { low: low.into(), high: high.into() }
    }

    #[test]
    fn the_shipped_table_has_every_price_of_its_types_and_none_that_cannot_be() {
        let table: PriceTable = serde_json::from_str(include_str!("prices.json")).unwrap();
        assert_eq!(table.gp3_gb_month.keys().collect::<Vec<_>>(), REGIONS);
        assert_eq!(table.types.len(), 30);
        for (name, entry) in &table.types {
            assert_eq!(entry.hour.keys().collect::<Vec<_>>(), REGIONS, "{name}");
            for (region, hour) in &entry.hour {
                let share = f64::from(hour.emr) / f64::from(hour.ec2);
                let most = hour.emr_at_most.unwrap_or(hour.emr);
                assert!((0.20..0.256).contains(&share), "{name} {region}: a fee of {share}");
                assert!(most >= hour.emr && most <= hour.ec2.part(256, 1000), "{name} {region}");
                // Four and eight and sixteen processors cost one, two and four times as much.
                let family = name.split('.').next().unwrap_or_default();
                let xlarge = table.types[&format!("{family}.xlarge")].hour[region].ec2;
                let each = hour.ec2.part(4, u64::from(entry.vcpus)).micros();
                assert!(each.abs_diff(xlarge.micros()) <= 50, "{name} {region}");
            }
        }
    }

    #[test]
    fn prices_are_those_that_aws_publishes() {
        // 0.96 and 0.77 an hour with the fee: aws-emr-best-practices, BP 1.6.
        assert_eq!(hour("m5.4xlarge", Market::OnDemand, 0, "us-east-1"), Ok(range(0.96, 0.96)));
        assert_eq!(hour("m6g.4xlarge", Market::OnDemand, 0, "us-west-2"), Ok(range(0.77, 0.77)));
        assert_eq!(capacity("r6g.2xlarge"), Some(Capacity { vcpus: 8, memory_gib: 64 }));
        assert_eq!(capacity("z9.nano"), None);
    }

    #[test]
    fn spot_is_a_range_on_which_the_fee_has_no_discount() {
        assert_eq!(hour("m5.xlarge", Market::Spot, 0, "us-east-1"), Ok(range(0.0192 + 0.048, 0.192 + 0.048)));
    }

    #[test]
    fn a_fee_that_is_not_published_is_a_range() {
        assert_eq!(hour("m5.xlarge", Market::OnDemand, 0, "eu-west-1"), Ok(range(0.214 + 0.048, 0.214 + 0.0535)));
    }

    #[test]
    fn disks_cost_by_the_hour_of_a_month_of_thirty_days() {
        // 90 GB at 0.08 a month of 720 hours.
        assert_eq!(hour("m5.xlarge", Market::OnDemand, 90, "us-east-1"), Ok(range(0.25, 0.25)));
    }

    #[test]
    fn a_missing_price_is_named_once_with_the_date_of_the_table() {
        let mut lookup = Lookup::new("us-east-1");
        for name in ["r7i.xlarge", "m5.xlarge", "x2gd.large", "r7i.xlarge"] {
            lookup.hour(name, Market::Spot, 0);
        }
        let missing = lookup.complete(()).unwrap_err();
        insta::assert_snapshot!(
            missing,
            @"no price known for `r7i.xlarge` in `us-east-1`, `x2gd.large` in `us-east-1` (prices of 2025-03-02)"
        );
        insta::assert_snapshot!(
            hour("m5.xlarge", Market::Spot, 0, "mars-1").unwrap_err(),
            @"no price known for the region `mars-1` (prices of 2025-03-02)"
        );
    }
}
