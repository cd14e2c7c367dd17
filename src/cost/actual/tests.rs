//! What clusters have cost, by hand and by invariant.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// An m5.xlarge without disks, 0.24 an hour in us-east-1.
fn instance(created: i64, ready: Option<i64>, ended: Option<i64>) -> InstanceLife {
    InstanceLife {
        instance_type: "m5.xlarge".into(),
        market: Market::OnDemand,
        created: at(created),
        ready: ready.map(at),
        ended: ended.map(at),
        ebs_gb: 0,
    }
}

fn step(name: &str, started: i64, ended: Option<i64>) -> StepTime {
    StepTime { name: name.into(), started: at(started), ended: ended.map(at) }
}

fn cost(instances: &[InstanceLife], steps: &[StepTime], now: i64) -> Actual {
    actual(instances, steps, "us-east-1", at(now)).unwrap()
}

fn exactly(dollars: f64) -> Range {
    Range { low: dollars.into(), high: dollars.into() }
}

fn by_step(actual: &Actual) -> Vec<(&str, Range)> {
    actual.by_step.iter().map(|step| (step.name.as_str(), step.cost)).collect()
}

#[test]
fn an_hour_is_divided_into_starting_working_and_idle() {
    let found = cost(&[instance(0, Some(600), Some(3600))], &[step("questions", 900, Some(2700))], 9999);
    assert_eq!(found.total, exactly(0.24));
    assert_eq!(found.starting, exactly(0.04));
    assert_eq!(found.working, exactly(0.12));
    assert_eq!(found.idle, exactly(0.08));
    assert_eq!(by_step(&found), [("questions", exactly(0.12))]);
    insta::assert_snapshot!(
        found,
        @"$0.24: starting $0.04, working $0.12, idle $0.08 (estimate, prices of 2025-03-02)"
    );
}

#[test]
fn steps_that_run_at_once_bear_equal_parts() {
    let steps = [step("a", 0, Some(1800)), step("b", 900, Some(2700))];
    let found = cost(&[instance(0, Some(0), Some(3600))], &steps, 9999);
    assert_eq!(by_step(&found), [("a", exactly(0.09)), ("b", exactly(0.09))]);
    assert_eq!(found.idle, exactly(0.06));
}

#[test]
fn what_still_runs_is_counted_until_now() {
    let found = cost(&[instance(0, Some(900), None)], &[step("a", 1800, None)], 3600);
    assert_eq!((found.starting, found.idle, found.working), (exactly(0.06), exactly(0.06), exactly(0.12)));
}

#[test]
fn an_instance_that_never_was_ready_is_starting() {
    let found = cost(&[instance(0, None, Some(3600))], &[step("a", 0, None)], 3600);
    assert_eq!((found.starting, found.total), (exactly(0.24), exactly(0.24)));
    assert_eq!(by_step(&found), [("a", exactly(0.0))]);
}

#[test]
fn the_first_minute_is_billed_whole_and_later_seconds_are_rounded_up() {
    let second = |ended: f64| {
        let mut life = instance(0, Some(0), None);
        life.ended = Some(at(0) + jiff::SignedDuration::from_secs_f64(ended));
        cost(&[life], &[], 9999).total
    };
    assert_eq!(second(0.0), exactly(0.004));
    assert_eq!(second(20.0), exactly(0.004));
    assert_eq!(second(60.001), exactly(0.004067));
    assert_eq!(second(90.0), exactly(0.006));
}

#[test]
fn a_clock_behind_the_cloud_makes_nothing_negative() {
    assert_eq!(cost(&[instance(100, Some(200), None)], &[step("a", 150, None)], 0).total, exactly(0.004));
}

#[test]
fn spot_makes_a_range_and_disks_are_counted() {
    let mut life = instance(0, Some(0), Some(3600));
    life.market = Market::Spot;
    life.ebs_gb = 90;
    let found = cost(&[life], &[step("a", 0, Some(3600))], 9999);
    assert_eq!(found.total, Range { low: (0.0192 + 0.048 + 0.01).into(), high: 0.25.into() });
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap(), @r#"
    {
      "as_of": "2025-03-02",
      "total": {
        "low": 0.0772,
        "high": 0.25
      },
      "starting": {
        "low": 0.0,
        "high": 0.0
      },
      "working": {
        "low": 0.0772,
        "high": 0.25
      },
      "idle": {
        "low": 0.0,
        "high": 0.0
      },
      "by_step": [
        {
          "name": "a",
          "cost": {
            "low": 0.0772,
            "high": 0.25
          }
        }
      ]
    }
    "#);
    let back: Actual = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(back, found);
}

#[test]
fn an_instance_without_a_price_leaves_no_total() {
    let mut life = instance(0, None, None);
    life.instance_type = "r7i.xlarge".into();
    let missing = actual(&[instance(0, None, None), life], &[], "us-east-1", at(60)).unwrap_err();
    assert_eq!(missing.prices, ["`r7i.xlarge` in `us-east-1`"]);
}

prop_compose! {
    fn any_life()(
        kind in prop::sample::select(vec!["m5.xlarge", "c6g.2xlarge", "r5.4xlarge"]),
        spot in any::<bool>(),
        created in 0i64..5000, ready in prop::option::of(0i64..9000), ended in prop::option::of(0i64..9000),
        ebs_gb in 0u32..500,
    ) -> InstanceLife {
        let market = if spot { Market::Spot } else { Market::OnDemand };
        InstanceLife { instance_type: kind.into(), market, ebs_gb, ..instance(created, ready, ended) }
    }
}

prop_compose! {
    fn any_step()(started in 0i64..9000, ended in prop::option::of(0i64..9000)) -> StepTime {
        step("any", started, ended)
    }
}

proptest! {
    #[test]
    fn parts_add_up_to_the_millionth(
        instances in prop::collection::vec(any_life(), 0..6),
        steps in prop::collection::vec(any_step(), 0..6),
        now in 0i64..9000,
    ) {
        let found = actual(&instances, &steps, "eu-west-1", at(now)).unwrap();
        // The total anew, from whole lives.
        let mut total = Range::default();
        for life in &instances {
            let alone = actual(std::slice::from_ref(life), &[], "eu-west-1", at(now)).unwrap();
            total = total + alone.total;
        }
        prop_assert_eq!(found.total, total);
        prop_assert_eq!(found.starting + found.working + found.idle, total);
        prop_assert_eq!(found.by_step.iter().map(|step| step.cost).sum::<Range>(), found.working);
        prop_assert!(found.total.low <= found.total.high);
    }
}
